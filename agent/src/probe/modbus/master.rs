//! Asks one unit, over TCP or a serial bus, with retries, and tells what its exceptions mean.

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use tokio_modbus::{
    Error, ExceptionCode, Request, Response, Slave,
    client::{Client, Context, tcp},
};

use super::{
    dial::{self, Address},
    plan::Block,
    register::{Function, Values},
    serial::Bus,
};
use crate::probe::ProbeError;

/// The TCP port of Modbus.
const PORT: u16 = 502;
/// Longest wait for a TCP connection.
const CONNECT: Duration = Duration::from_secs(3);
/// Pause before the first retry; it grows by as much with each.
const PAUSE: Duration = Duration::from_millis(50);

/// How the unit is reached.
pub(super) enum Link {
    /// Over a connection of its own, which is kept.
    Tcp(Address, Option<Context>),
    /// Over a bus shared with others.
    Serial(Arc<Bus>),
}

/// What is asked of one unit, and how patiently.
pub(super) struct Master {
    pub(super) link: Link,
    pub(super) unit: u8,
    pub(super) patience: Duration,
    pub(super) retries: u8,
}

/// What a unit says to a request.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    /// The values asked for, all of them.
    Values(Values),
    /// It has no such registers.
    Refused,
    /// It has failed, with this exception code.
    Failed(u8),
}

/// Why one attempt brought no values.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The unit says why.
    Exception(ExceptionCode),
    /// No response in time.
    Silent,
    /// The connection to it broke.
    Broken,
    /// A response that is not to this request.
    Garbled,
    /// Trying again will not help.
    Ends(ProbeError),
}

impl fmt::Display for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.link {
            Link::Tcp(address, _) => write!(f, "unit {} at {address}", self.unit),
            Link::Serial(bus) => write!(f, "unit {} on {}", self.unit, bus.path().display()),
        }
    }
}

impl Master {
    /// Reads one block, with retries. May be dropped at any time.
    pub(super) async fn read(&mut self, block: &Block) -> Result<Reply, ProbeError> {
        let mut attempt = 0;
        loop {
            let trouble = match self.attempt(block).await {
                Ok(response) => match values(response, block) {
                    Some(values) => return Ok(Reply::Values(values)),
                    None => "it sends a response of the wrong size",
                },
                Err(Trouble::Exception(code)) => match u8::from(code) {
                    1..=3 => return Ok(Reply::Refused),
                    5 | 6 => "it says that it is busy",
                    10 => return Err(ProbeError::Own(format!("{self}: the gateway has no path to it (exception 10)"))),
                    11 => "the gateway says that it does not respond",
                    failed => return Ok(Reply::Failed(failed)),
                },
                Err(Trouble::Silent) => "no response in time",
                Err(Trouble::Broken) => "the connection broke",
                Err(Trouble::Garbled) => "it sends what is no response to the request",
                Err(Trouble::Ends(error)) => return Err(error),
            };
            if attempt == self.retries {
                let Block { function, address, .. } = block;
                return Err(ProbeError::Unreachable(format!("{self}, {} {address}: {trouble}", function.word())));
            }
            attempt += 1;
            sleep(PAUSE * u32::from(attempt)).await;
        }
    }

    async fn attempt(&mut self, block: &Block) -> Result<Response, Trouble> {
        match &mut self.link {
            Link::Serial(bus) => bus.exchange(self.unit, request(block), reply_bytes(block), self.patience).await,
            Link::Tcp(address, kept) => {
                if let Some(context) = kept.take() {
                    // A gateway may have closed a connection that was idle: that is no answer, and costs no retry.
                    match call(context, kept, block, self.patience).await {
                        Err(Trouble::Broken) => {}
                        done => return done,
                    }
                }
                let stream = dial::connect(address, PORT, CONNECT).await.map_err(Trouble::Ends)?;
                call(tcp::attach_slave(stream, Slave(self.unit)), kept, block, self.patience).await
            }
        }
    }
}

/// One request over TCP. The connection is kept only after a whole response, so a late one can never answer another request.
async fn call(
    mut context: Context,
    kept: &mut Option<Context>,
    block: &Block,
    patience: Duration,
) -> Result<Response, Trouble> {
    match timeout(patience, context.call(request(block))).await {
        Ok(Ok(answer)) => {
            *kept = Some(context);
            answer.map_err(Trouble::Exception)
        }
        Ok(Err(Error::Protocol(_))) => Err(Trouble::Garbled),
        Ok(Err(Error::Transport(error))) if error.kind() == std::io::ErrorKind::InvalidData => Err(Trouble::Garbled),
        Ok(Err(Error::Transport(_))) => Err(Trouble::Broken),
        Err(_) => Err(Trouble::Silent),
    }
}

fn request(block: &Block) -> Request<'static> {
    let (address, count) = (block.address, block.count);
    match block.function {
        Function::Coil => Request::ReadCoils(address, count),
        Function::Discrete => Request::ReadDiscreteInputs(address, count),
        Function::Holding => Request::ReadHoldingRegisters(address, count),
        Function::Input => Request::ReadInputRegisters(address, count),
    }
}

/// The bytes of the response on a serial line: unit, function, length, values, checksum.
fn reply_bytes(block: &Block) -> u32 {
    let count = u32::from(block.count);
    5 + if block.function.is_bits() { count.div_ceil(8) } else { 2 * count }
}

/// The values of a response of the right kind and size. Bits come in whole bytes, so there may be up to seven more than asked.
fn values(response: Response, block: &Block) -> Option<Values> {
    let count = usize::from(block.count);
    match (block.function, response) {
        (Function::Coil, Response::ReadCoils(mut bits))
        | (Function::Discrete, Response::ReadDiscreteInputs(mut bits))
            if bits.len() >= count && bits.len() < count + 8 =>
        {
            bits.truncate(count);
            Some(Values::Bits(bits))
        }
        (Function::Holding, Response::ReadHoldingRegisters(words))
        | (Function::Input, Response::ReadInputRegisters(words))
            if words.len() == count =>
        {
            Some(Values::Words(words))
        }
        _ => None,
    }
}

//! One short connection to a PJLink device: greet, prove the password, ask, close.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::wire::{self, Answer, Greeting, Line, Lines, MAX_LINE};
use crate::{
    probe::{
        ProbeError,
        modbus::dial::{self, Address},
    },
    secret::SecretSource,
};

/// The TCP port of PJLink.
const PORT: u16 = 4352;

/// Lines that may stand between a query and its answer.
const MAX_OTHER: usize = 4;

/// An open connection. Dropping it closes it, so a probe that is given up leaves nothing behind.
pub(super) struct Session<'a> {
    stream: TcpStream,
    lines: Lines,
    digest: Option<String>,
    address: &'a Address,
    password: Option<&'a SecretSource>,
}

impl<'a> Session<'a> {
    /// Connects and reads the greeting. The password is read only when the device wants one.
    pub(super) async fn open(
        address: &'a Address,
        password: Option<&'a SecretSource>,
        limit: Duration,
    ) -> Result<Self, ProbeError> {
        let stream = dial::connect(address, PORT, limit).await?;
        let mut session = Self { stream, lines: Lines::default(), digest: None, address, password };
        let line = session.receive("greeting").await?;
        session.digest = match wire::greeting(&line).map_err(|error| session.wrong(&error))? {
            Greeting::Open => None,
            Greeting::Salted(salt) => Some(session.prove(&salt)?),
        };
        Ok(session)
    }

    fn prove(&self, salt: &str) -> Result<String, ProbeError> {
        let source = self.password.ok_or_else(|| {
            ProbeError::Own(format!("{} asks for its PJLink password: set `password` for this device", self.address))
        })?;
        let secret = source.read().map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            ProbeError::Own(format!("take the PJLink password of {}: {error}{cause}", self.address))
        })?;
        Ok(wire::digest(salt, secret.expose()))
    }

    /// Asks one query and waits for its answer.
    pub(super) async fn ask(&mut self, class: u8, command: &'static str) -> Result<Answer, ProbeError> {
        let query = wire::query(self.digest.take().as_deref(), class, command);
        let sent = self.stream.write_all(query.as_bytes()).await;
        sent.map_err(|error| ProbeError::Unreachable(format!("ask {} {command}: {error}", self.address)))?;
        for _ in 0..=MAX_OTHER {
            let line = self.receive(command).await?;
            match wire::line(&line, command) {
                Line::Answer(answer) => return Ok(answer),
                Line::Refused => return Err(self.refused()),
                Line::Other => {}
            }
        }
        Err(self.wrong(&format_args!("it does not answer {command} but something else")))
    }

    fn refused(&self) -> ProbeError {
        let check = self.password.map_or_else(|| "set `password`".to_owned(), |source| format!("check {source}"));
        ProbeError::Own(format!("{} refuses the PJLink password: {check}", self.address))
    }

    fn wrong(&self, what: &dyn std::fmt::Display) -> ProbeError {
        ProbeError::Unreachable(format!("talk PJLink with {}: {what}", self.address))
    }

    async fn receive(&mut self, awaited: &str) -> Result<String, ProbeError> {
        let mut buffer = [0; MAX_LINE];
        loop {
            if let Some(line) = self.lines.next().map_err(|error| self.wrong(&error))? {
                return Ok(line);
            }
            match self.stream.read(&mut buffer).await {
                Ok(0) => return Err(self.wrong(&format_args!("it closes the connection instead of its {awaited}"))),
                Ok(len) => self.lines.push(&buffer[..len]),
                Err(error) => return Err(self.wrong(&format_args!("read its {awaited}: {error}"))),
            }
        }
    }
}

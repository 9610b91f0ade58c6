//! Serial buses: one master per bus, shared by all its devices, however many probes there are.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};

use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, sleep_until, timeout},
};
use tokio_modbus::{
    Error, Request, Response, Slave,
    client::{Client, rtu},
};
use tokio_serial::{ClearBuffer, DataBits, SerialPort, SerialPortBuilderExt, SerialStream};

use super::master::Trouble;
use crate::probe::ProbeError;

/// Longest wait for the other devices of the bus. A device that had no turn is not known to be silent.
const MAX_WAIT: Duration = Duration::from_secs(3);

/// The buses in use, by the path of their port.
static BUSES: Mutex<BTreeMap<PathBuf, Weak<Bus>>> = Mutex::new(BTreeMap::new());

/// How characters stand on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) baud: u32,
    pub(super) parity: Parity,
    pub(super) stop_bits: u8,
}

/// The parity bit of a serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parity {
    /// No parity bit.
    #[default]
    None,
    /// Even parity.
    Even,
    /// Odd parity.
    Odd,
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        write!(f, "{} 8{parity}{}", self.baud, self.stop_bits)
    }
}

impl Settings {
    /// How long so many characters take on the wire, with start, parity and stop bits.
    fn characters(self, count: u32) -> Duration {
        Duration::from_micros(u64::from(count) * 11_000_000 / u64::from(self.baud))
    }

    /// The silence that separates two messages: 3.5 characters, and never less than 1.75 ms.
    fn silence(self) -> Duration {
        (self.characters(7) / 2).max(Duration::from_micros(1750))
    }
}

/// One serial bus. It is opened at the first request, and again after it broke.
pub(super) struct Bus {
    path: PathBuf,
    settings: Settings,
    wire: tokio::sync::Mutex<Wire>,
}

struct Wire {
    line: Option<Line>,
    /// When the wire is silent again after the last message.
    free_at: Instant,
}

/// The bus at `path`, shared with every probe that has asked for it. Two probes that disagree about its settings are refused.
pub(super) fn shared(path: &Path, settings: Settings) -> Result<Arc<Bus>, ProbeError> {
    let mut buses = lock(&BUSES);
    buses.retain(|_, bus| bus.strong_count() > 0);
    if let Some(bus) = buses.get(path).and_then(Weak::upgrade) {
        if bus.settings != settings {
            return Err(ProbeError::Own(format!(
                "the serial bus {} is {} for one device and {settings} for another: all its devices need the same",
                path.display(),
                bus.settings
            )));
        }
        return Ok(bus);
    }
    let wire = tokio::sync::Mutex::new(Wire { line: None, free_at: Instant::now() });
    let bus = Arc::new(Bus { path: path.to_owned(), settings, wire });
    buses.insert(path.to_owned(), Arc::downgrade(&bus));
    Ok(bus)
}

impl Bus {
    /// Where it is, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// One request to one unit, and its response, which has `reply` bytes. Waits for its turn, and for `patience` beyond the time that
    /// the bytes take.
    ///
    /// May be dropped at any time: the next request waits until a late response is over, and discards it.
    pub(super) async fn exchange(
        &self,
        unit: u8,
        request: Request<'_>,
        reply: u32,
        patience: Duration,
    ) -> Result<Response, Trouble> {
        let mut wire = timeout(MAX_WAIT, self.wire.lock())
            .await
            .map_err(|_| self.own(&format_args!("the other devices keep it busy for {} s", MAX_WAIT.as_secs())))?;
        sleep_until(wire.free_at).await;
        let line = match &wire.line {
            Some(line) => line.clone(),
            None => wire.line.insert(self.open()?).clone(),
        };
        let limit = patience + self.settings.characters(8 + reply);
        wire.free_at = Instant::now() + limit + self.settings.silence();
        let mut context = rtu::attach_slave(line, Slave(unit));
        let answer = timeout(limit, context.call(request)).await;
        wire.free_at = Instant::now() + self.settings.silence();
        match answer {
            Ok(Ok(answer)) => answer.map_err(Trouble::Exception),
            Ok(Err(Error::Protocol(_))) => Err(Trouble::Garbled),
            Ok(Err(Error::Transport(error))) if is_garbled(&error) => Err(Trouble::Garbled),
            Ok(Err(Error::Transport(error))) => {
                wire.line = None;
                Err(self.own(&error))
            }
            Err(_) => Err(Trouble::Silent),
        }
    }

    fn open(&self) -> Result<Line, Trouble> {
        let Settings { baud, parity, stop_bits } = self.settings;
        let stream = tokio_serial::new(self.path.to_string_lossy(), baud)
            .data_bits(DataBits::Eight)
            .parity(match parity {
                Parity::None => tokio_serial::Parity::None,
                Parity::Even => tokio_serial::Parity::Even,
                Parity::Odd => tokio_serial::Parity::Odd,
            })
            .stop_bits(if stop_bits == 2 { tokio_serial::StopBits::Two } else { tokio_serial::StopBits::One })
            .open_native_async()
            .map_err(|error| {
                self.own(&format_args!(
                    "open it: {error}: is the adapter plugged in, and may the agent's user open it?"
                ))
            })?;
        Ok(Line(Arc::new(Mutex::new(stream))))
    }

    fn own(&self, what: &dyn fmt::Display) -> Trouble {
        Trouble::Ends(ProbeError::Own(format!("serial bus {}: {what}", self.path.display())))
    }
}

/// Whether an error says that a response made no sense, not that the port is broken.
fn is_garbled(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof)
}

/// An open port, which outlives the requests made through it.
///
/// A master speaks first, so whatever waits in the port when it begins to write is a late response to something given up: it is
/// discarded there.
#[derive(Clone)]
struct Line(Arc<Mutex<SerialStream>>);

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut stream = lock(&self.0);
        stream.clear(ClearBuffer::Input)?;
        Pin::new(&mut *stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_shutdown(cx)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Settings = Settings { baud: 2400, parity: Parity::None, stop_bits: 1 };

    #[tokio::test]
    async fn all_devices_of_a_port_share_one_bus_with_one_setting() {
        let path = Path::new("/dev/serial/shared");
        let first = shared(path, SLOW).unwrap();
        assert!(Arc::ptr_eq(&first, &shared(path, SLOW).unwrap()));
        let other = Settings { baud: 9600, ..SLOW };
        let refused = shared(path, other).err().map(|error| error.to_string()).unwrap();
        assert!(refused.contains("2400 8N1") && refused.contains("9600 8N1"), "{refused}");
        drop(first);
        assert_eq!(shared(path, other).unwrap().settings, other);
    }

    #[test]
    fn a_slow_line_is_given_the_time_its_characters_take() {
        assert_eq!(SLOW.characters(240), Duration::from_millis(1100));
        assert!(SLOW.silence() > Duration::from_millis(16));
        assert_eq!(Settings { baud: 115_200, ..SLOW }.silence(), Duration::from_micros(1750));
    }
}

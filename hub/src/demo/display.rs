//! A display that speaks PJLink class 2, as the makers' displays do: one peer at a time, and it forgets about a silent one.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::accept;

/// Longest line of the protocol, in bytes.
const MAX_LINE: u64 = 136;
/// How long a peer may be silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a display says of itself and never changes.
pub(super) struct Plate {
    name: &'static str,
    maker: &'static str,
    model: &'static str,
    serial: &'static str,
    resolution: &'static str,
    /// How long its light source has run, in hours.
    pub(super) lamp_hours: i32,
}

/// The display at the entrance.
pub(super) const ENTRANCE_LED: Plate = Plate {
    name: "Entrance LED",
    maker: "Lumenwall",
    model: "LW-P2.5",
    serial: "LW25-004711",
    resolution: "1920x1080",
    lamp_hours: 6120,
};

/// The television in the lift lobby.
pub(super) const LIFT_TV: Plate = Plate {
    name: "Lift lobby TV",
    maker: "Lumenwall",
    model: "LW-TV65",
    serial: "LW65-000815",
    resolution: "3840x2160",
    lamp_hours: 10_432,
};

/// What can change about a display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    on: bool,
    has_signal: bool,
}

/// A simulated display.
pub(super) struct Display {
    plate: &'static Plate,
    state: watch::Sender<State>,
}

impl Display {
    pub(super) fn new(plate: &'static Plate) -> Self {
        Self { plate, state: watch::Sender::new(State { on: true, has_signal: true }) }
    }

    /// Switches it to standby, or on.
    pub(super) fn switch(&self, on: bool) {
        self.state.send_modify(|state| state.on = on);
    }

    /// Unplugs its source, or plugs it in.
    pub(super) fn feed(&self, has_signal: bool) {
        self.state.send_modify(|state| state.has_signal = has_signal);
    }

    #[cfg(test)]
    pub(super) fn picture(&self) -> String {
        format!("{:?}", *self.state.borrow())
    }

    /// Answers on `listener` until `stop`.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
        let one_after_another = async {
            loop {
                let peer = accept(&listener).await;
                if let Err(error) = self.converse(peer).await {
                    tracing::debug!(display = self.plate.name, cause = format!("{error:#}"), "a peer was cut off");
                }
            }
        };
        stop.run_until_cancelled(one_after_another).await;
        Ok(())
    }

    async fn converse(&self, mut peer: TcpStream) -> anyhow::Result<()> {
        peer.write_all(b"PJLINK 0\r").await.context("greeting")?;
        let (from, mut to) = peer.split();
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut bounded = (&mut from).take(MAX_LINE);
            timeout(PATIENCE, bounded.read_until(b'\r', &mut line))
                .await
                .context("waiting for a command")?
                .context("reading a command")?;
            let Some(answer) = self.answer(&line) else { return Ok(()) };
            to.write_all(answer.as_bytes()).await.context("answering")?;
        }
    }

    /// The answer to one line; `None` if it is not a command, after which the connection is closed.
    fn answer(&self, line: &[u8]) -> Option<String> {
        let line = std::str::from_utf8(line).ok()?.strip_suffix('\r')?.trim_start_matches('\n');
        let (head, parameter) = line.split_once(' ')?;
        let (class, command) = head.strip_prefix('%')?.split_at_checked(1)?;
        if !matches!(class, "1" | "2") || command.len() != 4 || !command.bytes().all(|c| c.is_ascii_alphanumeric()) {
            return None;
        }
        let command = command.to_ascii_uppercase();
        let value = if parameter == "?" { self.value(class, &command) } else { "ERR2".to_owned() };
        Some(format!("%{class}{command}={value}\r"))
    }

    fn value(&self, class: &str, command: &str) -> String {
        let State { on, has_signal } = *self.state.borrow();
        let when_on = |value: &str| if on { value.to_owned() } else { "ERR3".to_owned() };
        match (class, command) {
            ("1", "CLSS") => "2".to_owned(),
            ("1", "POWR") => u8::from(on).to_string(),
            ("1", "ERST") => "000000".to_owned(),
            ("1", "INPT") => when_on("31"),
            ("1", "AVMT") => when_on("30"),
            ("1", "LAMP") => format!("{} {}", self.plate.lamp_hours, u8::from(on)),
            ("1", "NAME") => self.plate.name.to_owned(),
            ("1", "INF1") => self.plate.maker.to_owned(),
            ("1", "INF2") => self.plate.model.to_owned(),
            ("2", "IRES") => when_on(if has_signal { self.plate.resolution } else { "-" }),
            ("2", "FREZ") => when_on("0"),
            ("2", "FILT") => "0".to_owned(),
            ("2", "SNUM") => self.plate.serial.to_owned(),
            ("2", "SVER") => "1.8.2".to_owned(),
            _ => "ERR1".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::power("%1POWR ?\r", Some("%1POWR=1\r"))]
    #[case::lower_case("%1powr ?\r", Some("%1POWR=1\r"))]
    #[case::after_a_line_feed("\n%2IRES ?\r", Some("%2IRES=1920x1080\r"))]
    #[case::not_of_class_1("%1IRES ?\r", Some("%1IRES=ERR1\r"))]
    #[case::unknown("%2ABCD ?\r", Some("%2ABCD=ERR1\r"))]
    #[case::a_parameter_it_does_not_take("%1POWR 7\r", Some("%1POWR=ERR2\r"))]
    #[case::no_command("GET / HTTP/1.1\r", None)]
    #[case::cut_off("%1POWR ?", None)]
    #[case::end_of_stream("", None)]
    fn a_command_is_answered_and_anything_else_ends_the_connection(#[case] line: &str, #[case] answer: Option<&str>) {
        assert_eq!(Display::new(&ENTRANCE_LED).answer(line.as_bytes()).as_deref(), answer);
    }

    #[test]
    fn in_standby_it_does_not_speak_of_its_picture() {
        let display = Display::new(&LIFT_TV);
        display.switch(false);
        assert_eq!(display.value("1", "POWR"), "0");
        assert_eq!(display.value("1", "INPT"), "ERR3");
        assert_eq!(display.value("2", "IRES"), "ERR3");
    }

    proptest! {
        #[test]
        fn any_bytes_get_one_line_of_the_protocol_or_none(line in prop::collection::vec(any::<u8>(), 0..140)) {
            if let Some(answer) = Display::new(&ENTRANCE_LED).answer(&line) {
                prop_assert!(answer.len() < 136 && answer.matches('\r').count() == 1 && answer.starts_with('%'));
            }
        }
    }
}

//! The connection that sends: apart from the one that takes in, because the client library makes acknowledgements wait while its
//! own messages are unanswered.

use std::sync::{Arc, Mutex, PoisonError};

use lobby_contract::Topic;
use rumqttc::v5::{
    AsyncClient, Event,
    mqttbytes::{QoS, v5::Packet},
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::connection::{Backoff, Dialler};
use crate::mqtt::LinkError;

/// Messages that may wait to be sent. They are acknowledgements and commands: when there is no room, the sender says so to its
/// caller, who says it again later with newer figures.
const WAITING: usize = 1000;

/// The client of the connection that is up.
#[derive(Clone, Default)]
pub(super) struct Sender(Arc<Mutex<Option<AsyncClient>>>);

impl Sender {
    pub(super) fn publish(&self, to: &Topic, payload: Vec<u8>) -> Result<(), LinkError> {
        let client = self.client();
        let client = client.as_ref().ok_or(LinkError::Offline)?;
        client.try_publish(to.to_string(), QoS::AtLeastOnce, false, payload).map_err(|_| LinkError::Busy)
    }

    fn client(&self) -> std::sync::MutexGuard<'_, Option<AsyncClient>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects again and again until the stop. Messages of a connection that broke are not sent again: agents that miss an
/// acknowledgement send their records again.
pub(super) async fn run(dialler: Dialler, sender: Sender, stop: CancellationToken) -> anyhow::Result<()> {
    let mut backoff = Backoff::new();
    loop {
        backoff.attempt();
        let ended = tokio::select! {
            ended = connection(&dialler, &sender) => ended,
            () = stop.cancelled() => return Ok(()),
        };
        *sender.client() = None;
        let pause = backoff.pause();
        // The connection that takes in tells the same trouble as a warning.
        debug!(cause = format!("{ended:#}"), retry_ms = pause.as_millis(), "the sending MQTT connection ended");
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn connection(dialler: &Dialler, sender: &Sender) -> anyhow::Error {
    let opened = dialler.open("-tx", WAITING, |options| {
        options.set_clean_start(true);
    });
    let (client, mut events) = match opened.await {
        Ok(opened) => opened,
        Err(error) => return error.into(),
    };
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => *sender.client() = Some(client.clone()),
            Ok(_) => {}
            Err(error) => return error.into(),
        }
    }
}

//! The connection that takes in. Its task only polls, so that the keepalive goes on whatever ingest does; a second one reads the
//! messages and waits for ingest. What may lie between them is what the broker may send unacknowledged.

use std::{sync::Arc, time::Duration};

use lobby_contract::{Channel, HUB_TOPIC, HubState, Topic, encode};
use lobby_domain::time::Timestamp;
use rumqttc::{
    Outgoing,
    v5::{
        AsyncClient, Event, EventLoop, MqttOptions,
        mqttbytes::{
            QoS,
            v5::{Filter, LastWill, Packet, Publish, SubscribeReasonCode},
        },
    },
};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    BEYOND, PendingAck, Presence,
    connection::{Backoff, Dialler},
};
use crate::mqtt::{
    BrokerState, Receipt,
    inlet::{Inlet, sender_named_by},
    refusal::Refusal,
};

/// How long the last words may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// A message with the client that can acknowledge it, and when that was connected.
pub(super) struct Arrival {
    message: Publish,
    client: AsyncClient,
    connected_at: Timestamp,
}

/// The polling half.
pub(super) struct Consumer {
    pub(super) dialler: Dialler,
    pub(super) inlet: Arc<Inlet>,
    pub(super) arrivals: mpsc::Sender<Arrival>,
    pub(super) state: watch::Sender<BrokerState>,
    pub(super) presence: Arc<Presence>,
}

impl Consumer {
    /// Connects again and again until the stop.
    pub(super) async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut backoff = Backoff::new();
        loop {
            backoff.attempt();
            let connected = self.connection(&stop).await;
            self.presence.absent();
            self.state.send_if_modified(|state| std::mem::take(&mut state.up));
            let Err(cause) = connected else { return Ok(()) };
            let pause = backoff.pause();
            warn!(cause = format!("{cause:#}"), retry_ms = pause.as_millis(), "the MQTT broker cannot be reached");
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One connection from its start to its end; `Ok` at the stop.
    async fn connection(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        let receive_maximum = self.dialler.settings().receive_maximum;
        // Each message that may be under way is acknowledged once, so acknowledgements find room.
        let capacity = usize::from(receive_maximum) + BEYOND + 64;
        let (client, mut events) = tokio::select! {
            opened = self.dialler.open("", capacity, |options| self.shape(options)) => opened?,
            () = stop.cancelled() => return Ok(()),
        };
        let connected_at = self.inlet.clock.now();
        loop {
            let event = tokio::select! {
                event = events.poll() => event?,
                () = stop.cancelled() => {
                    if self.state.borrow().up {
                        self.farewell(&client, events).await;
                    }
                    return Ok(());
                }
            };
            match event {
                Event::Incoming(Packet::ConnAck(_)) => {
                    client.try_subscribe_many(
                        Channel::FROM_AGENT.map(|c| Filter::new(Topic::filter(c), QoS::AtLeastOnce)),
                    )?;
                }
                Event::Incoming(Packet::SubAck(answer)) => {
                    let refused =
                        answer.return_codes.iter().find(|code| !matches!(code, SubscribeReasonCode::Success(_)));
                    if let Some(code) = refused {
                        anyhow::bail!(
                            "the broker refuses the subscription to agents' topics ({code:?}): allow it to this user"
                        );
                    }
                    self.up(&client);
                }
                Event::Incoming(Packet::Publish(publish)) => {
                    self.arrived(Arrival { message: publish, client: client.clone(), connected_at })?;
                }
                _ => {}
            }
        }
    }

    fn shape(&self, options: &mut MqttOptions) {
        let settings = self.dialler.settings();
        let expiry = u32::try_from(settings.session_expiry.millis() / 1000).unwrap_or(u32::MAX);
        options.set_clean_start(false);
        options.set_session_expiry_interval(Some(expiry));
        options.set_receive_maximum(Some(settings.receive_maximum));
        options.set_manual_acks(true);
        let offline = encode(&HubState { online: false, at: self.inlet.clock.now().millis() });
        options.set_last_will(LastWill::new(HUB_TOPIC, offline, QoS::AtLeastOnce, true, None));
    }

    fn up(&self, client: &AsyncClient) {
        self.presence.present(client.clone());
        self.state.send_modify(|state| *state = BrokerState { up: true, connects: state.connects + 1 });
        let settings = self.dialler.settings();
        info!(
            host = settings.host,
            port = settings.port(),
            client = settings.client_id,
            "the MQTT broker is connected"
        );
    }

    /// Passes a message on without waiting. The broker was told how many it may send, so there is room; one that sends far more gets
    /// a new connection, on which it sends again what was not acknowledged.
    fn arrived(&self, arrival: Arrival) -> anyhow::Result<()> {
        let acknowledged = arrival.message.qos != QoS::AtMostOnce;
        let Err(full) = self.arrivals.try_send(arrival) else { return Ok(()) };
        let topic = full.into_inner().message.topic;
        self.inlet.refuse("broker", &String::from_utf8_lossy(&topic), &Refusal::Overflow);
        anyhow::ensure!(!acknowledged, "the broker sent more unacknowledged messages than it was told to");
        Ok(())
    }

    /// Says that the hub goes, and leaves in good order. The broker reads what it is sent in order, so when it has answered the
    /// hub's last words it has read every acknowledgement before them; one that is left earlier may drop them unread.
    async fn farewell(&self, client: &AsyncClient, mut events: EventLoop) {
        self.presence.say(false);
        let mut last_words = None;
        let left = async {
            while let Ok(event) = events.poll().await {
                match event {
                    Event::Outgoing(Outgoing::Publish(id)) => last_words = Some(id),
                    Event::Incoming(Packet::PubAck(answer)) if last_words == Some(answer.pkid) => {
                        // Should there be no room, the time for the farewell runs out.
                        let _ = client.try_disconnect();
                    }
                    Event::Outgoing(Outgoing::Disconnect) => return,
                    _ => {}
                }
            }
        };
        if timeout(FAREWELL, left).await.is_err() {
            warn!("the MQTT broker did not take the hub's farewell; it will say that the hub is lost");
        }
    }
}

/// The reading half: decodes and hands to ingest, waiting for it.
pub(super) async fn read(
    mut arrivals: mpsc::Receiver<Arrival>,
    inlet: Arc<Inlet>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let Arrival { message, client, connected_at } = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            arrival = arrivals.recv() => match arrival {
                Some(arrival) => arrival,
                // The polling half ends at the stop only.
                None => return Ok(()),
            },
        };
        let topic = String::from_utf8_lossy(&message.topic);
        // An external broker does not say who it was, so the topic must serve.
        let read = inlet.read(sender_named_by(&topic), &topic, &message.payload);
        let receipt = Receipt(PendingAck::new(&message, client));
        let Some(mut inbound) = read else {
            // Refused for good: it would be no better the next time.
            receipt.settle();
            continue;
        };
        (inbound.connected_at, inbound.receipt) = (Some(connected_at), Some(receipt));
        if !inlet.deliver(inbound).await {
            // Ingest has ended, so the hub is stopping; what is unsettled comes again.
            stop.cancelled().await;
        }
    }
}

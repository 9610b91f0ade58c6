//! An MQTT client for tests: publishes what it is told to, and keeps what it hears.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use rumqttc::v5::{
    Client, Event, MqttOptions,
    mqttbytes::{QoS, v5::Packet},
};

use crate::wait;

#[derive(Default)]
struct Heard {
    connected: bool,
    settled: usize,
    messages: Vec<(String, Bytes)>,
    ended: Option<String>,
}

/// A connected client.
pub struct Peer {
    client: Client,
    heard: Arc<Mutex<Heard>>,
    sent: usize,
}

impl Peer {
    /// Connects to `url` (`mqtt://host:port`) and subscribes to `filters`.
    pub fn connect(url: &str, client_id: &str, filters: &[&str]) -> Result<Self> {
        let address = url.strip_prefix("mqtt://").context("an mqtt:// address")?;
        let (host, port) = address.rsplit_once(':').context("an address with a port")?;
        let mut options = MqttOptions::new(client_id, host, port.parse()?);
        options.set_keep_alive(Duration::from_secs(30));
        options.set_outgoing_inflight_upper_limit(100);
        options.set_max_packet_size(Some(1024 * 1024));
        let (client, mut connection) = Client::new(options, 100);
        let heard = Arc::new(Mutex::new(Heard::default()));
        let keep = Arc::clone(&heard);
        thread::spawn(move || {
            for event in connection.iter() {
                let mut heard = keep.lock().unwrap_or_else(PoisonError::into_inner);
                match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => heard.connected = true,
                    Ok(Event::Incoming(Packet::PubAck(_))) => heard.settled += 1,
                    Ok(Event::Incoming(Packet::Publish(message))) => {
                        heard.messages.push((String::from_utf8_lossy(&message.topic).into_owned(), message.payload));
                    }
                    Ok(_) => {}
                    Err(error) => {
                        heard.ended = Some(error.to_string());
                        return;
                    }
                }
            }
        });
        let peer = Self { client, heard, sent: 0 };
        peer.until("the connection", |heard| heard.connected.then_some(()))?;
        for filter in filters {
            peer.client.subscribe(*filter, QoS::AtLeastOnce)?;
        }
        Ok(peer)
    }

    /// Publishes, and waits until the broker has taken it.
    pub fn publish(&mut self, topic: &str, payload: impl Into<Bytes>) -> Result<()> {
        self.client.publish(topic, QoS::AtLeastOnce, false, payload.into())?;
        self.sent += 1;
        let sent = self.sent;
        self.until(&format!("the broker to take a message on {topic}"), |heard| (heard.settled >= sent).then_some(()))
    }

    /// Publishes without waiting; for what a broker answers by closing the connection.
    pub fn blurt(&mut self, topic: &str, payload: impl Into<Bytes>) -> Result<()> {
        self.client.publish(topic, QoS::AtLeastOnce, false, payload.into())?;
        Ok(())
    }

    /// Waits for a message in which `find` finds something, old or new.
    pub fn hear<T>(&self, what: &str, mut find: impl FnMut(&str, &[u8]) -> Option<T>) -> Result<T> {
        self.until(what, |heard| heard.messages.iter().find_map(|(topic, payload)| find(topic, payload)))
    }

    /// Everything heard so far: topic and payload.
    pub fn heard(&self) -> Vec<(String, Bytes)> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).messages.clone()
    }

    /// Waits until the broker has closed the connection.
    pub fn thrown_out(&self) -> Result<String> {
        wait::until("the broker to close the connection", Duration::from_secs(20), || {
            Ok(self.heard.lock().unwrap_or_else(PoisonError::into_inner).ended.clone())
        })
    }

    fn until<T>(&self, what: &str, mut look: impl FnMut(&Heard) -> Option<T>) -> Result<T> {
        wait::until(what, Duration::from_secs(20), || {
            let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            match (look(&heard), &heard.ended) {
                (Some(found), _) => Ok(Some(found)),
                (None, Some(why)) => bail!("the connection has ended: {why}"),
                (None, None) => Ok(None),
            }
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Ends the thread with the connection; it may have ended before.
        let _ = self.client.disconnect();
    }
}

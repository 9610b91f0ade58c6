//! A connection that loads a broker with reports at little cost of its own: packets are made by rumqttc's codec and
//! written in bulk, because on one machine the load's work is taken from the hub.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use lobby_contract::{Ack, Channel, FactValue, Record, ToAgent};
use rumqttc::v5::mqttbytes::{
    Error, QoS,
    v5::{Connect, ConnectReturnCode, Filter, Packet, PubAck, Publish, Subscribe},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::reports::Script;

/// Most messages in flight, if the broker allows as many.
const WINDOW: u16 = 100;
/// Bytes that are collected before they are written.
const BULK: usize = 32 * 1024;
const MAX_PACKET: Option<u32> = Some(1024 * 1024);

/// One agent's connection.
pub struct Connection {
    stream: TcpStream,
    incoming: BytesMut,
    outgoing: BytesMut,
    window: u16,
    in_flight: u16,
    next_id: u16,
    epoch: u64,
    committed: u64,
}

impl Connection {
    /// Connects, and subscribes to the acks of the agent in `script`.
    pub async fn open(broker: SocketAddr, client_id: &str, script: &Script) -> Result<Self> {
        let stream = TcpStream::connect(broker).await.context("connect to the broker")?;
        stream.set_nodelay(true)?;
        let (incoming, outgoing) = (BytesMut::with_capacity(BULK), BytesMut::with_capacity(2 * BULK));
        let epoch = script.epoch();
        let mut this =
            Self { stream, incoming, outgoing, window: WINDOW, in_flight: 0, next_id: 1, epoch, committed: 0 };
        let connect = Connect { keep_alive: 0, client_id: client_id.into(), clean_start: true, properties: None };
        this.put(&Packet::Connect(connect, None, None))?;
        this.flush().await?;
        let Packet::ConnAck(answer) = this.packet().await? else { bail!("the broker does not answer a CONNECT") };
        ensure!(answer.code == ConnectReturnCode::Success, "the broker refuses: {:?}", answer.code);
        if let Some(most) = answer.properties.and_then(|properties| properties.receive_max) {
            this.window = WINDOW.min(most);
        }
        let mut subscribe = Subscribe::new(Filter::new(script.topic("ack"), QoS::AtLeastOnce), None);
        subscribe.pkid = u16::MAX;
        this.put(&Packet::Subscribe(subscribe))?;
        this.flush().await?;
        while !matches!(this.packet().await?, Packet::SubAck(_)) {}
        Ok(this)
    }

    /// Publishes with `QoS` 1; waits only while as much is in flight as may be.
    pub async fn publish(&mut self, topic: &str, payload: impl Into<Bytes>) -> Result<()> {
        while self.in_flight >= self.window {
            self.flush().await?;
            self.take_in().await?;
        }
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload, None);
        publish.pkid = self.next_id;
        // The highest id belongs to the subscription.
        self.next_id = if self.next_id >= u16::MAX - 1 { 1 } else { self.next_id + 1 };
        self.in_flight += 1;
        self.put(&Packet::Publish(publish))?;
        if self.outgoing.len() >= BULK {
            self.flush().await?;
        }
        Ok(())
    }

    /// Waits until the hub has acknowledged `seq`. May be given up and begun again, as may all else here.
    pub async fn committed(&mut self, seq: u64) -> Result<()> {
        self.flush().await?;
        while self.committed < seq {
            self.take_in().await?;
        }
        Ok(())
    }

    /// What the hub has acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.committed
    }

    fn put(&mut self, packet: &Packet) -> Result<()> {
        packet.write(&mut self.outgoing, MAX_PACKET).map_err(|error| anyhow::anyhow!("make a packet: {error}"))?;
        Ok(())
    }

    /// Writes what is collected.
    pub async fn flush(&mut self) -> Result<()> {
        // Given up in the middle, it goes on where it was.
        while !self.outgoing.is_empty() {
            self.stream.write_buf(&mut self.outgoing).await.context("write to the broker")?;
        }
        Ok(())
    }

    async fn take_in(&mut self) -> Result<()> {
        match self.packet().await? {
            Packet::PubAck(_) => self.in_flight = self.in_flight.saturating_sub(1),
            Packet::Publish(message) => {
                if let Ok(ToAgent::Ack(Ack { epoch, committed })) = ToAgent::decode(Channel::Ack, &message.payload)
                    && epoch == self.epoch
                {
                    self.committed = self.committed.max(committed);
                }
                if message.qos == QoS::AtLeastOnce {
                    self.put(&Packet::PubAck(PubAck::new(message.pkid, None)))?;
                    self.flush().await?;
                }
            }
            Packet::Disconnect(why) => bail!("the broker disconnects: {why:?}"),
            _ => {}
        }
        Ok(())
    }

    async fn packet(&mut self) -> Result<Packet> {
        loop {
            match Packet::read(&mut self.incoming, MAX_PACKET) {
                Ok(packet) => return Ok(packet),
                Err(Error::InsufficientBytes(_)) => {
                    let read = self.stream.read_buf(&mut self.incoming).await.context("read from the broker")?;
                    ensure!(read > 0, "the broker closed the connection");
                }
                Err(error) => bail!("read a packet: {error}"),
            }
        }
    }
}

/// A record of about 250 bytes of a display that is in order; `variation` moves its temperature.
pub fn display_record(script: &mut Script, device: &str, variation: u64) -> Record {
    let tenths = u32::try_from(variation % 100).unwrap_or(0);
    script.record(
        device,
        &[
            ("power", "on".into()),
            ("signal", "ok".into()),
            ("input", "digital 1".into()),
            ("video_mute", false.into()),
            ("temperature", "ok".into()),
            ("fan", "ok".into()),
            ("lamp", "ok".into()),
            ("temperature_c", FactValue::from(40.0 + f64::from(tenths) / 10.0)),
            ("lamp_hours", FactValue::from(1234.0)),
        ],
    )
}

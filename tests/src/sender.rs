//! An agent played over raw MQTT that keeps its word as a real one does: what the hub has not acknowledged is kept, and sent again
//! after every new connection. For many agents at once, and for rates that probes do not reach.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use anyhow::Result;
use lobby_contract::Record;
use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    load::{Connection, display_record},
    reports::Script,
};

/// Records of one message.
const BATCH: usize = 50;
/// How long an attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(10);
/// Attempts to connect are at least so far apart, plus up to as much again at random.
const BETWEEN: Duration = Duration::from_secs(1);
/// How long one turn of work is while everything is being finished.
const TURN: Duration = Duration::from_millis(50);
/// Without a word from the hub for so long, what it lacks is sent again.
const PATIENCE: Duration = Duration::from_secs(10);

/// One agent.
pub struct Sender {
    script: Script,
    client_id: String,
    broker: SocketAddr,
    devices: Vec<(String, &'static str)>,
    kept: VecDeque<Record>,
    acknowledged: u64,
    connection: Option<Connection>,
    random: fastrand::Rng,
    made: u64,
    attempts: u64,
    /// The first record that has not been sent in this connection.
    next: u64,
    /// When the hub last acknowledged something new, or when it was last waited for in vain.
    moved_at: Instant,
    /// When it may try to connect.
    next_attempt: Instant,
}

impl Sender {
    /// An agent of `site` that watches `devices` of (id, kind).
    pub fn new(broker: SocketAddr, site: &str, agent: &str, devices: Vec<(String, &'static str)>) -> Self {
        let seed = agent.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        Self {
            script: Script::new(site, agent),
            client_id: format!("{site}.{agent}"),
            broker,
            devices,
            kept: VecDeque::new(),
            acknowledged: 0,
            connection: None,
            random: fastrand::Rng::with_seed(seed),
            made: 0,
            attempts: 0,
            next: 1,
            moved_at: Instant::now(),
            next_attempt: Instant::now(),
        }
    }

    /// Makes a record of the next device in turn, in order as a display is, and keeps it until it is acknowledged.
    pub fn produce(&mut self) {
        let device = self.devices[usize::try_from(self.made).unwrap_or_default() % self.devices.len()].0.clone();
        let record = display_record(&mut self.script, &device, self.made);
        self.keep(record);
    }

    /// Makes a record of what `device` states, and keeps it until it is acknowledged.
    pub fn report(&mut self, device: &str, facts: &[(&str, lobby_contract::FactValue)]) {
        let record = self.script.record(device, facts);
        self.keep(record);
    }

    fn keep(&mut self, record: Record) {
        self.made += 1;
        self.kept.push_back(record);
    }

    /// How many records it has made: their numbers are 1 to this.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// Up to which record the hub has acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// How often it has tried to connect.
    pub fn attempts(&self) -> u64 {
        self.attempts
    }

    /// Breaks its connection off, as if its power had gone.
    pub fn cut(&mut self) {
        self.connection = None;
    }

    /// Sends what is new and hears what is acknowledged until `until`, connecting again whenever it has to. An attempt to connect
    /// that has begun is not given up.
    pub async fn live(&mut self, until: Instant) {
        loop {
            if self.connection.is_none() {
                sleep_until(self.next_attempt.min(until)).await;
                if self.next_attempt >= until {
                    return;
                }
                self.next_attempt = Instant::now() + BETWEEN + BETWEEN.mul_f64(self.random.f64());
                self.connection = self.connect().await.ok();
                self.next = self.acknowledged + 1;
                self.moved_at = Instant::now();
                continue;
            }
            tokio::select! {
                // Only an error ends the work.
                _ = self.work() => self.connection = None,
                () = sleep_until(until) => {
                    self.note();
                    return;
                }
            }
        }
    }

    /// Goes on until everything is acknowledged; `false` if it is not within `patience`.
    pub async fn finish(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while !self.kept.is_empty() && Instant::now() < deadline {
            self.live((Instant::now() + TURN).min(deadline)).await;
        }
        self.kept.is_empty()
    }

    async fn work(&mut self) -> Result<()> {
        loop {
            self.note();
            self.send().await?;
            let Some(connection) = &mut self.connection else { return Ok(()) };
            let wanted = connection.acknowledged() + 1;
            // Now and then it is looked whether the hub is silent for too long.
            if let Ok(heard) = timeout(PATIENCE, connection.committed(wanted)).await {
                heard?;
            }
        }
    }

    async fn connect(&mut self) -> Result<Connection> {
        self.attempts += 1;
        self.script.reconnected();
        let devices: Vec<(&str, &str)> = self.devices.iter().map(|(id, kind)| (id.as_str(), *kind)).collect();
        let birth = self.script.birth(&devices);
        let connecting = async {
            let mut connection = Connection::open(self.broker, &self.client_id, &self.script).await?;
            connection.publish(&self.script.topic("birth"), birth).await?;
            connection.flush().await?;
            anyhow::Ok(connection)
        };
        timeout(CONNECT, connecting).await?
    }

    /// Sends every record from `next` on; a message counts as sent once the connection has it.
    async fn send(&mut self) -> Result<()> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        loop {
            let skipped = usize::try_from(self.next - self.acknowledged - 1).unwrap_or(usize::MAX);
            let batch: Vec<Record> = self.kept.iter().skip(skipped).take(BATCH).cloned().collect();
            let Some(last) = batch.last().map(|record| record.seq) else { break };
            let message = self.script.data(batch);
            connection.publish(&self.script.topic("data"), message).await?;
            self.next = last + 1;
        }
        connection.flush().await
    }

    /// Forgets what is acknowledged; what was sent long ago and is not counts as not sent.
    fn note(&mut self) {
        let Some(connection) = &self.connection else { return };
        // A connection knows only what was said on it.
        let acknowledged = connection.acknowledged().max(self.acknowledged);
        if acknowledged > self.acknowledged || self.kept.is_empty() {
            self.moved_at = Instant::now();
        }
        self.acknowledged = acknowledged;
        self.next = self.next.max(acknowledged + 1);
        while self.kept.front().is_some_and(|record| record.seq <= acknowledged) {
            self.kept.pop_front();
        }
        if self.moved_at.elapsed() >= PATIENCE {
            self.next = acknowledged + 1;
            self.moved_at = Instant::now();
        }
    }
}

//! The agents of a load: each has its connection, its script and its devices.

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;
use lobby_contract::Record;
use lobby_tests::{
    load::{Connection, display_record},
    reports::Script,
};
use tokio::time::{MissedTickBehavior, interval};

/// Most connections of a load, unless more devices are asked for than so many agents may announce.
const CONNECTIONS: usize = 50;
/// Most devices of one agent.
const DEVICES: usize = 1000;

/// Agents that are connected and have announced their devices.
pub struct Fleet {
    /// The agents.
    pub members: Vec<Member>,
}

/// One agent.
pub struct Member {
    /// Its connection.
    pub connection: Connection,
    /// What it says.
    pub script: Script,
    /// Its devices.
    pub devices: Vec<String>,
}

impl Fleet {
    /// Connects agents that watch `devices` displays together, ten agents to a site, and announces them.
    pub async fn connect(broker: SocketAddr, devices: usize, epoch: u64) -> Result<Self> {
        let agents = CONNECTIONS.max(devices.div_ceil(DEVICES)).min(devices);
        let mut members = Vec::with_capacity(agents);
        for number in 0..agents {
            let script = Script::new(&format!("site-{}", number / 10), &format!("agent-{number}")).in_epoch(epoch);
            let mut connection = Connection::open(broker, &format!("load-{number}"), &script).await?;
            let devices: Vec<String> = (0..devices / agents).map(|device| format!("led-{number}-{device}")).collect();
            let announced: Vec<_> = devices.iter().map(|id| (id.as_str(), "led-display")).collect();
            connection.publish(&script.topic("birth"), script.birth(&announced)).await?;
            connection.flush().await?;
            members.push(Member { connection, script, devices });
        }
        Ok(Self { members })
    }
}

impl Member {
    /// Its next record, of one device after the other.
    pub fn record(&mut self, number: usize) -> Record {
        let device = self.devices[number % self.devices.len()].clone();
        display_record(&mut self.script, &device, number as u64)
    }

    /// Messages of `each` records.
    pub fn messages(&self, records: &[Record], each: usize) -> Vec<Vec<u8>> {
        records.chunks(each).map(|part| self.script.data(part.to_vec())).collect()
    }

    /// Reports `each` records, one a message, every `every`, until it is ended.
    pub async fn steady(mut self, each: usize, every: Duration) -> Result<()> {
        let topic = self.script.topic("data");
        let mut tick = interval(every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut number = 0;
        loop {
            tick.tick().await;
            for _ in 0..each {
                let record = self.record(number);
                number += 1;
                let message = self.script.data(vec![record]);
                self.connection.publish(&topic, message).await?;
            }
            self.connection.flush().await?;
        }
    }
}

//! The product's own troubles: a full disk, a database that is held, a frozen broker or hub, a clock that is set. Each is told of the
//! product within seconds, costs nothing, and is never a fault of a device.

mod agent_disk;
mod clock;
mod disk;
mod failing_disk;
mod postgres;
mod reload;
mod stall;

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use lobby_tests::{clock::now_ms, hub::Api, mqtt::Peer, wait};
use serde_json::{Value, json};

const SITE: &str = "demo";
const MACHINE: &str = "covers-1";
const FAULT: &str = "covers-motor-fault";
/// A trouble of its own must be told within this time.
const TOLD: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_secs(30);

/// An agent that a test plays, with one machine.
struct Player {
    peer: Peer,
    id: String,
    /// How far its clock is ahead of ours, in ms.
    ahead: i64,
    seq: u64,
    /// What it keeps until it is acknowledged.
    kept: BTreeMap<u64, Value>,
}

impl Player {
    fn born(url: &str, id: &str) -> Result<Self> {
        Self::with_a_clock(url, id, 0)
    }

    fn with_a_clock(url: &str, id: &str, ahead: i64) -> Result<Self> {
        let peer = Peer::connect(url, &format!("{SITE}.{id}"), &[&format!("lobby/v1/{SITE}/{id}/ack")])?;
        let mut player = Self { peer, id: id.to_owned(), ahead, seq: 0, kept: BTreeMap::new() };
        let device =
            json!({"id": MACHINE, "kind": "shoe-cover-machine", "name": "鞋套机", "place": "电梯口", "every_ms": 5000});
        let birth = json!({"epoch": 1, "session": 1, "sent_at": player.now(), "agent": {"version": "1"}, "queued": 0, "devices": [device]});
        player.say("birth", &birth)?;
        Ok(player)
    }

    fn say(&mut self, kind: &str, message: &Value) -> Result<()> {
        self.peer.publish(&format!("lobby/v1/{SITE}/{}/{kind}", self.id), message.to_string())
    }

    fn now(&self) -> i64 {
        now_ms() + self.ahead
    }

    fn report(&mut self, motor: &str) -> Result<u64> {
        self.state(&json!({ "motor": motor }))
    }

    fn state(&mut self, facts: &Value) -> Result<u64> {
        self.seq += 1;
        let record =
            json!({"seq": self.seq, "at": self.now(), "device": MACHINE, "reach": "ok", "facts": facts, "faults": []});
        self.kept.insert(self.seq, record.clone());
        self.send(&[record])?;
        Ok(self.seq)
    }

    fn send(&mut self, records: &[Value]) -> Result<()> {
        self.say("data", &json!({"epoch": 1, "session": 1, "sent_at": self.now(), "records": records}))
    }

    /// Sends everything that is not acknowledged again.
    fn send_again(&mut self) -> Result<()> {
        let acked = self.acked();
        self.kept.retain(|seq, _| *seq > acked);
        let kept: Vec<Value> = self.kept.values().cloned().collect();
        self.send(&kept)
    }

    fn acked(&self) -> u64 {
        let heard = self.peer.heard().into_iter();
        let acks =
            heard.filter_map(|(_, payload)| serde_json::from_slice::<Value>(&payload).ok()?["committed"].as_u64());
        acks.max().unwrap_or(0)
    }

    fn acked_up_to(&self, seq: u64, within: Duration) -> Result<()> {
        wait::until(&format!("the acknowledgement of {seq}"), within, || Ok((self.acked() >= seq).then_some(())))
    }
}

/// Waits until the hub says that it is degraded because of `id`.
fn degraded(api: &Api, id: &str, within: Duration) -> Result<()> {
    wait::until(&format!("the finding {id}"), within, || {
        let ready = api.get("/readyz")?;
        let found = ready.json()?["findings"].as_array().context("findings")?.iter().any(|finding| finding["id"] == id);
        Ok((ready.status == 503 && found).then_some(()))
    })
}

fn ready(api: &Api, within: Duration) -> Result<()> {
    wait::until("the hub to be ready", within, || Ok((api.get("/readyz")?.status == 200).then_some(())))
}

fn found(api: &Api) -> Result<Vec<String>> {
    let found = api.json("/api/v1/findings")?;
    let ids = found["items"]
        .as_array()
        .context("items")?
        .iter()
        .map(|finding| finding["id"].as_str().unwrap_or("?").to_owned());
    Ok(ids.collect())
}

/// Nothing was raised about any device, agent or site.
fn nothing_raised(api: &Api) -> Result<()> {
    let alerts = api.alerts(SITE, "all")?;
    ensure!(alerts.is_empty(), "the hub's own trouble became an alert: {alerts:?}");
    Ok(())
}

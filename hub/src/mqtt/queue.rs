//! The queue from the brokers to ingest: bounded in bytes, and fair among agents.
//!
//! Each agent has a lane, in which its messages keep their order. Lanes take turns, and in each turn may pass as many bytes as any other.
//! A lane that has been empty goes before those with a backlog (flow queueing, as in RFC 8290). So the fault of an agent that reports
//! little waits for one turn, however much others send; and no agent waits for ever, as a lane goes first once and then queues up.
//!
//! When more bytes wait than may, each sender waits until its own message is taken, which stops its broker from reading on. That message
//! is in the queue all the same: its sender holds it in memory anyway.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lobby_contract::{AgentId, SiteId};
use tokio::sync::{Notify, oneshot};

use super::Inbound;

/// Bytes that a lane may pass in a turn. A message is passed whole, and what it has beyond that is taken off the turns to come.
const TURN: usize = 4096;
/// Bytes that a message counts beside its payload.
const BESIDE: usize = 256;

type Agent = (SiteId, AgentId);

/// A queue in which about `most` bytes may wait: where messages come in, and where they come out.
pub fn queue(most: usize) -> (Entrance, Queue) {
    let shared = Arc::new(Shared { most, lanes: Mutex::default(), came: Notify::new() });
    (Entrance(Arc::clone(&shared)), Queue(shared))
}

/// Where messages come in. There is one, and with it the queue ends.
#[derive(Debug)]
pub struct Entrance(Arc<Shared>);

/// Where messages come out.
#[derive(Debug)]
pub struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    lanes: Mutex<Lanes>,
    came: Notify,
}

#[derive(Debug, Default)]
struct Lanes {
    of: HashMap<Agent, Lane>,
    /// Those that have been empty, and have not had their turn since.
    fresh: VecDeque<Agent>,
    /// The others, also those that have become empty in their first turn: so that nobody is fresh again before all have had theirs.
    backlog: VecDeque<Agent>,
    bytes: usize,
    ended: bool,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Waiting>,
    /// Bytes that it has passed and that no turn has paid for yet.
    passed: usize,
}

#[derive(Debug)]
struct Waiting {
    message: Inbound,
    /// Tells its sender that it is taken.
    taken: Option<oneshot::Sender<()>>,
}

/// Resolves when the message is taken.
pub(crate) type Taken = oneshot::Receiver<()>;

/// The queue has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended;

impl Entrance {
    /// Queues a message. If it then has to be waited for, tells what.
    pub(crate) fn put(&self, message: Inbound) -> Result<Option<Taken>, Ended> {
        let mut lanes = self.0.lanes();
        if lanes.ended {
            return Err(Ended);
        }
        let full = lanes.bytes + size(&message) > self.0.most;
        let (taken, wait) = full.then(oneshot::channel).unzip();
        lanes.put(Waiting { message, taken });
        drop(lanes);
        self.0.came.notify_one();
        Ok(wait)
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        self.0.lanes().ended = true;
        self.0.came.notify_one();
    }
}

impl Queue {
    /// The next message; waits for it. `None` when there is none and can be no more.
    pub async fn recv(&mut self) -> Option<Inbound> {
        loop {
            let came = self.0.came.notified();
            {
                let mut lanes = self.0.lanes();
                if let Some(message) = lanes.take() {
                    return Some(message);
                }
                if lanes.ended {
                    return None;
                }
            }
            came.await;
        }
    }

    /// The next message, if there is one.
    pub fn try_recv(&mut self) -> Option<Inbound> {
        self.0.lanes().take()
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // Nobody waits any more for what will not be taken.
        *self.0.lanes() = Lanes { ended: true, ..Lanes::default() };
    }
}

impl Shared {
    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    fn put(&mut self, waiting: Waiting) {
        self.bytes += size(&waiting.message);
        let agent = (waiting.message.site.clone(), waiting.message.agent.clone());
        let lane = self.of.entry(agent).or_insert_with_key(|agent| {
            self.fresh.push_back(agent.clone());
            Lane::default()
        });
        lane.waiting.push_back(waiting);
    }

    fn take(&mut self) -> Option<Inbound> {
        loop {
            let fresh = !self.fresh.is_empty();
            let turns = if fresh { &mut self.fresh } else { &mut self.backlog };
            let lane = self.of.get_mut(turns.front()?).expect("each turn is a lane's");
            let paid = lane.passed < TURN;
            if paid && let Some(Waiting { message, taken }) = lane.waiting.pop_front() {
                let size = size(&message);
                lane.passed += size;
                self.bytes -= size;
                if let Some(taken) = taken {
                    // A sender that has gone away does not wait.
                    let _ = taken.send(());
                }
                return Some(message);
            }
            lane.passed = lane.passed.saturating_sub(TURN);
            let agent = turns.pop_front()?;
            if paid && !fresh {
                self.of.remove(&agent);
            } else {
                self.backlog.push_back(agent);
            }
        }
    }
}

fn size(message: &Inbound) -> usize {
    message.bytes + BESIDE
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lobby_contract::{CommandResult, FromAgent};
    use lobby_domain::time::Timestamp;
    use proptest::prelude::*;

    use super::*;

    /// A message of `agent`, by its number.
    fn message(agent: &str, number: usize, bytes: usize) -> Inbound {
        let result = CommandResult { id: number.to_string().into(), ok: true, error: None };
        Inbound {
            site: "hz".parse().unwrap(),
            agent: agent.parse().unwrap(),
            received_at: Timestamp::from_millis(0),
            connected_at: None,
            message: FromAgent::Result(result),
            bytes,
            receipt: None,
        }
    }

    fn named(message: &Inbound) -> (String, usize) {
        let FromAgent::Result(result) = &message.message else { panic!("not a message of this test") };
        (message.agent.to_string(), result.id.parse().unwrap())
    }

    /// Two hundred messages of each of `agents` that send as much as they can.
    fn backlog(entrance: &Entrance, agents: usize) {
        for number in 0..200 {
            for agent in 0..agents {
                entrance.put(message(&format!("busy-{agent}"), number, 10_000)).unwrap();
            }
        }
    }

    #[tokio::test]
    async fn one_message_of_an_agent_goes_before_the_backlog_of_others() {
        let (entrance, mut queue) = queue(1024);
        backlog(&entrance, 50);
        for _ in 0..1000 {
            queue.try_recv().unwrap();
        }
        entrance.put(message("quiet", 1, 300)).unwrap();
        assert_eq!(named(&queue.recv().await.unwrap()), ("quiet".to_owned(), 1));
    }

    #[tokio::test]
    async fn one_that_always_has_another_message_gets_no_more_than_its_share() {
        let (entrance, mut queue) = queue(1024);
        backlog(&entrance, 4);
        let mut passed = BTreeMap::<String, usize>::new();
        for number in 0..200 {
            // It sends the next as soon as the one before is taken.
            let eager = ("hz".parse().unwrap(), "eager".parse().unwrap());
            let none_waits = queue.0.lanes().of.get(&eager).is_none_or(|lane| lane.waiting.is_empty());
            if none_waits {
                entrance.put(message("eager", number, 10_000)).unwrap();
            }
            *passed.entry(named(&queue.recv().await.unwrap()).0).or_default() += 1;
        }
        assert!(passed.len() == 5 && passed.values().all(|count| (38..=42).contains(count)), "{passed:?}");
    }

    #[tokio::test]
    async fn who_sends_into_a_full_queue_waits_until_that_message_is_taken() {
        let (entrance, mut queue) = queue(10 * (1000 + BESIDE));
        for number in 0..10 {
            assert!(entrance.put(message("a", number, 1000)).unwrap().is_none(), "there is room");
        }
        let mut waits = entrance.put(message("a", 10, 1000)).unwrap().expect("no room is left");
        for _ in 0..10 {
            queue.try_recv().unwrap();
            assert!(waits.try_recv().is_err());
        }
        queue.try_recv().unwrap();
        assert_eq!(waits.try_recv(), Ok(()));
    }

    #[tokio::test]
    async fn what_is_in_the_queue_comes_out_before_its_end_and_nothing_goes_into_one_that_has_ended() {
        let (entrance, mut queue) = super::queue(1024);
        entrance.put(message("a", 1, 10)).unwrap();
        drop(entrance);
        assert_eq!(queue.recv().await.map(|message| named(&message).1), Some(1));
        assert!(queue.recv().await.is_none());
        let (entrance, queue) = super::queue(0);
        let waits = entrance.put(message("a", 1, 10)).unwrap().unwrap();
        drop(queue);
        assert!(waits.await.is_err(), "nobody waits for what will not be taken");
        assert_eq!(entrance.put(message("a", 2, 10)).map(|_| ()), Err(Ended));
    }

    proptest! {
        #[test]
        fn whatever_comes_leaves_once_and_in_the_order_of_its_agent(
            steps in prop::collection::vec(prop::option::weighted(0.6, (0..5_usize, 0..20_000_usize)), 0..400)
        ) {
            let (entrance, mut queue) = queue(30_000);
            let (mut put, mut taken) = (BTreeMap::<String, usize>::new(), BTreeMap::<String, usize>::new());
            let mut take = |message: Inbound| {
                let (agent, number) = named(&message);
                let before = taken.entry(agent).or_default();
                assert_eq!(number, *before, "in the order of sending");
                *before += 1;
            };
            for step in steps {
                if let Some((agent, bytes)) = step {
                    let agent = format!("agent-{agent}");
                    let number = put.entry(agent.clone()).or_default();
                    entrance.put(message(&agent, *number, bytes)).unwrap();
                    *number += 1;
                } else if let Some(message) = queue.try_recv() {
                    take(message);
                }
            }
            while let Some(message) = queue.try_recv() {
                take(message);
            }
            prop_assert_eq!(put, taken);
            let lanes = queue.0.lanes();
            prop_assert!(lanes.bytes == 0 && lanes.of.is_empty() && lanes.fresh.is_empty() && lanes.backlog.is_empty());
        }
    }
}

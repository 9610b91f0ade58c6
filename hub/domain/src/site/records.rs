//! Records as they come: each is taken in once, and the newest of its device is judged.

use lobby_contract::{AgentId, Data, FactValue, Lost, Record};

use super::{Cause, Changes, Site};
use crate::{
    changes::NewRecord,
    condition::Sample,
    delivery::{Arrival, Stream},
    device::{Device, Last},
    time::{Span, Timestamp},
};

/// 2020-01-01: the product is younger.
const OLDEST: Timestamp = Timestamp::from_millis(1_577_836_800_000);

impl Site {
    /// Records came.
    pub fn data(&mut self, agent: &AgentId, data: Data, now: Timestamp, changes: &mut Changes) {
        let known = self.agents.contains_key(agent);
        let watched = self.watched(agent, now);
        watched.agent.clock.observe(data.sent_at, now);
        let clock = watched.agent.clock;
        let session = (watched.agent.epoch, watched.agent.session);
        let link_changed = watched.agent.heard(data.epoch, data.session, data.sent_at, now);
        let current = watched.agent.epoch;
        let session_changed = session != (watched.agent.epoch, watched.agent.session);
        let ask_for_birth = watched.unborn && watched.birth_due.is_none();
        let born_at = watched.agent.born_at();
        let stream = watched.agent.streams.entry(data.epoch).or_insert_with(|| Stream::opened(now));
        let (before, counted) = (stream.committed(), changes.duplicates);
        // Of an epoch that is new to the hub, the first record may have any number.
        let is_unheard = stream.is_unheard();
        let (oldest, absurd): (Option<u64>, Option<u64>) = match data.oldest {
            Some(oldest) if !is_unheard && !stream.may_lack(oldest) => (None, Some(oldest)),
            oldest => (oldest, None),
        };
        let lost = oldest.map(|oldest| stream.starts_at(oldest)).unwrap_or_default();
        if let Some(oldest) = absurd {
            let detail = format!("`oldest` {oldest} of epoch {} is too far ahead of all records", data.epoch);
            changes.complain(agent, None, Cause::BadRecord, detail);
        }
        let mut news = !lost.is_empty();
        watched.agent.losses.add(&lost, now);
        changes.lost.extend(lost.into_iter().map(|(from, to)| (agent.clone(), Lost { epoch: data.epoch, from, to })));
        for refused in data.refused {
            if let Some(seq) = refused.seq.filter(|seq| stream.may_be(*seq))
                // It will never become readable: waiting for it would hold up everything behind it.
                && stream.refuse(seq)
            {
                changes.unreadable.push((agent.clone(), data.epoch, seq));
                news = true;
            }
            let detail = format!("entry {} of the message is no record: {}", refused.index, refused.reason);
            changes.complain(agent, None, Cause::BadRecord, detail);
        }
        let mut fresh = Vec::with_capacity(data.records.len());
        let mut had_waited = 0;
        for record in data.records {
            if !stream.may_be(record.seq) {
                let detail = format!("record {} of epoch {} is too far ahead of all others", record.seq, data.epoch);
                changes.complain(agent, None, Cause::BadRecord, detail);
                continue;
            }
            had_waited += u64::from(born_at.is_some_and(|born_at| record.at <= born_at));
            match stream.take(record.seq) {
                Arrival::Duplicate => changes.duplicates += 1,
                Arrival::New => {
                    let at = clock.corrected(record.at);
                    // Of what is said to be older than the product, nobody knows how long it was on its way.
                    if at >= OLDEST {
                        stream.delayed(now.since(at), now);
                    }
                    fresh.push(record);
                }
            }
        }
        stream.note(now);
        // A repeat is news for the ledger, which is as durable as the records.
        news |= stream.committed() != before || !fresh.is_empty() || changes.duplicates != counted;
        watched.agent.delivered(had_waited);
        watched.agent.rate.observe(u32::try_from(fresh.len()).unwrap_or(u32::MAX), now);
        if news {
            changes.streams.insert((agent.clone(), data.epoch));
        }
        changes.acks.insert((agent.clone(), data.epoch));
        if !known || session_changed {
            changes.agents.insert(agent.clone());
        }
        if ask_for_birth {
            self.ask_for_birth(agent, now, changes);
        }
        if link_changed {
            self.link_changed(agent, now, changes);
        }
        for mut record in fresh {
            let at = clock.corrected(record.at);
            // What an agent found out before its last start says nothing of the present.
            let age = if data.epoch == current { clock.age(record.at, data.sent_at, now) } else { None };
            self.record(agent, data.epoch, &mut record, (at, age), now, changes);
            let (agent, clock_suspect) = (agent.clone(), clock.is_suspect());
            changes.records.push(NewRecord { agent, epoch: data.epoch, record, received_at: now, at, clock_suspect });
        }
    }

    fn record(
        &mut self,
        agent: &AgentId,
        epoch: u64,
        record: &mut Record,
        (at, age): (Timestamp, Option<Span>),
        now: Timestamp,
        changes: &mut Changes,
    ) {
        if !self.devices.get(&record.device).is_some_and(|device| device.announced && device.agent == *agent) {
            self.ask_for_birth(agent, now, changes);
        }
        let admission = self.admission;
        let device = self.devices.entry(record.device.clone()).or_insert_with(|| {
            changes.devices.insert(record.device.clone());
            Box::new(Device { life: admission, ..Device::new(record.device.clone(), agent.clone()) })
        });
        if device.agent != *agent {
            let detail = format!("the device belongs to agent `{}`: the record is stored, not judged", device.agent);
            changes.complain(agent, Some(&record.device), Cause::ForeignDevice, detail);
            // What had waited may be from before the device was given to another agent.
            if age.is_some_and(|age| age <= device.fresh_for()) {
                device.reported_by(agent, now);
            }
            return;
        }
        let order = (epoch, record.seq);
        // A record older than the newest one processed, or too old to tell the present, is history: it never moves a live state.
        let newest = device.last.as_ref().is_none_or(|last| last.order < order);
        if !newest || age.is_none_or(|age| age > device.fresh_for()) {
            // What comes from before the first known record is stored alone: what followed it has been judged without it.
            let stream = self.agents.get(agent).and_then(|watched| watched.agent.streams.get(&epoch));
            if stream.is_none_or(|stream| record.seq > stream.base()) {
                let mut sample = taken(record);
                let refused = self::refused(agent, device, record, &mut sample, changes);
                self.replay(&record.device, order, &sample, at, changes);
                put_back(record, sample, refused);
            }
            return;
        }
        let was_known = device.in_sight && device.fresh_until().is_some_and(|until| now <= until);
        let follows = device.replay.as_ref().is_some_and(|replay| replay.goes_on(order, at, device.fresh_for()));
        device.count_until(now);
        let before = device.last.take().map(|last| last.said);
        let mut sample = taken(record);
        let mut said = self.scratch.said(&sample, before.as_ref(), &self.shared);
        let mut refused = Vec::new();
        // What is as before has been checked.
        if before.as_ref() != Some(&said) {
            refused = self::refused(agent, device, record, &mut sample, changes);
            if !refused.is_empty() {
                said = self.scratch.said(&sample, before.as_ref(), &self.shared);
            }
        }
        let same = before.is_some_and(|before| before == said);
        device.last = Some(Last { order, at, received_at: now, said });
        // Where nothing is wrong and nothing has changed, no rule can decide anything.
        if !(same && was_known && !follows && device.watch.is_quiet()) {
            if follows {
                self.catch_up(&record.device, order, &sample, at, changes);
            }
            self.judge(&record.device, Some(&sample), now, changes);
            self.settle_replay(&record.device);
        }
        put_back(record, sample, refused);
    }

    /// An agent no longer has some records.
    pub fn lost(&mut self, agent: &AgentId, lost: &Lost, now: Timestamp, changes: &mut Changes) {
        let watched = self.watched(agent, now);
        let stream = watched.agent.streams.entry(lost.epoch).or_insert_with(|| Stream::opened(now));
        if !stream.may_lack(lost.to) {
            let detail = format!("`lost` up to {} of epoch {} is too far ahead of all records", lost.to, lost.epoch);
            changes.complain(agent, None, Cause::BadRecord, detail);
            return;
        }
        let new = stream.give_up(lost.from, lost.to);
        stream.note(now);
        watched.agent.losses.add(&new, now);
        changes.agents.insert(agent.clone());
        changes.streams.insert((agent.clone(), lost.epoch));
        changes.acks.insert((agent.clone(), lost.epoch));
        changes.lost.extend(new.into_iter().map(|(from, to)| (agent.clone(), Lost { epoch: lost.epoch, from, to })));
    }
}

/// Takes the record's sample out of it, to be put back.
fn taken(record: &mut Record) -> Sample {
    let (facts, faults) = (std::mem::take(&mut record.facts), std::mem::take(&mut record.faults));
    Sample { reach: record.reach, facts, faults }
}

/// Takes out of a record's sample what its kind does not allow.
fn refused(
    agent: &AgentId,
    device: &Device,
    record: &Record,
    sample: &mut Sample,
    changes: &mut Changes,
) -> Vec<Refused> {
    let Some(rules) = device.watch.kind() else { return Vec::new() };
    let mut refused = Vec::new();
    for (index, (name, value)) in sample.facts.iter_mut().enumerate() {
        if let Some(Err(mismatch)) = rules.kind.fact(name).map(|fact| fact.check(value)) {
            changes.complain(agent, Some(&record.device), Cause::BadFact, mismatch.to_string());
            refused.push((index, std::mem::replace(value, FactValue::Unknown)));
        }
    }
    refused
}

/// A value that a fact's kind does not allow, and the fact's place among all.
type Refused = (usize, FactValue);

/// Lets the record be again as it came, to be stored.
fn put_back(record: &mut Record, sample: Sample, refused: Vec<Refused>) {
    (record.facts, record.faults) = (sample.facts, sample.faults);
    for (index, value) in refused {
        if let Some(place) = record.facts.values_mut().nth(index) {
            *place = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use lobby_contract::Reach;

    use super::*;
    use crate::{calendar::Calendar, pack::Pack};

    const T0: Timestamp = Timestamp::from_millis(1_795_140_000_000);
    /// More than any agent makes.
    const ABSURD: u64 = 1 << 52;

    #[test]
    fn what_no_agent_can_have_made_is_neither_given_up_nor_acknowledged() {
        let mut site = Site::new("hz".parse().unwrap(), Calendar::always_open(TimeZone::UTC), Pack::built_in(), T0);
        let agent: AgentId = "box".parse().unwrap();
        let data = |oldest, seqs: &[u64]| {
            let record = |seq: &u64| Record {
                seq: *seq,
                at: T0.millis(),
                device: "led".parse().unwrap(),
                reach: Reach::Ok,
                facts: [].into(),
                faults: vec![],
            };
            let records = seqs.iter().map(record).collect();
            Data { epoch: 1, session: 1, sent_at: T0.millis(), oldest: Some(oldest), records, refused: Vec::new() }
        };
        let lost = |from, to| Lost { epoch: 1, from, to };
        let mut changes = Changes::default();
        site.lost(&agent, &lost(1, ABSURD), T0, &mut changes);
        site.data(&agent, data(1, &[1, 2]), T0, &mut changes);
        site.lost(&agent, &lost(3, ABSURD), T0, &mut changes);
        site.data(&agent, data(ABSURD, &[3]), T0, &mut changes);
        assert_eq!(changes.lost, []);
        assert_eq!(site.agent(&agent).unwrap().streams[&1].committed(), Some(3), "what came is stored");
        let told: Vec<&str> = changes.complaints.iter().map(|complaint| &*complaint.detail).collect();
        let (of_lost, of_oldest) = (
            "`lost` up to 4503599627370496 of epoch 1 is too far ahead of all records",
            "`oldest` 4503599627370496 of epoch 1 is too far ahead of all records",
        );
        assert_eq!(told, [of_lost, of_lost, of_oldest]);
        site.lost(&agent, &lost(4, 9), T0, &mut changes);
        assert_eq!(changes.lost, [(agent, lost(4, 9))]);
    }
}

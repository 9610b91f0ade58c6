//! Judging what is known now: of a device, of an agent, and of the site as a whole.

use std::cmp::Reverse;

use lobby_contract::{AgentId, DeviceId};

use super::{
    Changes, Site, link,
    samples::{agent_sample, are_together, site_sample},
};
use crate::{
    agent::{Agent, Link},
    alert::Subject,
    condition::Sample,
    time::{Span, Timestamp},
    watch::Scene,
};

/// How often the state of the site as a whole counts as another sample.
const SAMPLE_SITE_EVERY: Span = Span::from_secs(10);

impl Site {
    pub(super) fn evaluate_agent(&mut self, id: &AgentId, now: Timestamp, changes: &mut Changes) {
        let is_ones_own = self.is_ones_own(id, now);
        let Some(watched) = self.agents.get_mut(id) else { return };
        let scene = Scene { site: &self.id, part: self.part, now, is_new: watched.is_sample(now), explained: &[] };
        let subject = Subject::Agent(id.clone());
        let mut outcomes = Vec::new();
        let sample = is_ones_own.then(|| agent_sample(&watched.agent, now));
        watched.watch.evaluate(&subject, sample.as_ref(), scene, &mut outcomes);
        self.collect(&subject, outcomes, now, changes);
    }

    /// Whether what is known of an agent is about it alone. While the site as a whole is cut off, or may turn out to be, the state of an
    /// agent that is down is left as it is. Whoever was lost long before it, or long after, says nothing of that.
    fn is_ones_own(&self, id: &AgentId, now: Timestamp) -> bool {
        let Some(Link::Down { since }) = self.agent(id).map(|agent| agent.link) else { return true };
        if self.agents.len() < 2 {
            return true;
        }
        let with_it = |agent: &&Agent| agent.silent_since().is_none_or(|at| are_together(at, since));
        let doubtful = self.agents().filter(|agent| agent.is_doubtful(now)).filter(with_it).count();
        let most = doubtful * 100 >= self.agents.len() * 60;
        let with_site = self.watch.failed_since().is_some_and(|at| since <= at || are_together(since, at));
        !most && !with_site
    }

    pub(super) fn evaluate_site(&mut self, now: Timestamp, changes: &mut Changes) {
        let sample = site_sample(self.agents.values().map(|watched| &watched.agent), self.incidents.held_back(now));
        let is_new = self.sampled_at.is_none_or(|at| now.since(at) >= SAMPLE_SITE_EVERY);
        if is_new {
            self.sampled_at = Some(now);
        }
        let scene = Scene { site: &self.id, part: self.part, now, is_new, explained: &[] };
        let mut outcomes = Vec::new();
        self.watch.evaluate(&Subject::Site, Some(&sample), scene, &mut outcomes);
        self.collect(&Subject::Site, outcomes, now, changes);
    }

    pub(super) fn evaluate_device(&mut self, id: &DeviceId, now: Timestamp, changes: &mut Changes) {
        self.judge(id, None, now, changes);
    }

    /// Judges a device by what is known of it now; `new` is what it has just stated.
    pub(super) fn judge(&mut self, id: &DeviceId, new: Option<&Sample>, now: Timestamp, changes: &mut Changes) {
        let explained = self.explained(id);
        let Some(device) = self.devices.get_mut(id) else { return };
        let link = link(&self.agents, device);
        let scene = Scene { site: &self.id, part: self.part, now, is_new: new.is_some(), explained: &explained };
        let mut outcomes = Vec::new();
        if device.life.is_judged() {
            device.judge(link, scene, new, &mut outcomes);
        }
        let state = device.verdict(link, self.part.expected(), now).state();
        if device.state_since.is_none_or(|(before, _)| before != state) {
            device.state_since = Some((state, now));
        }
        changes.touched.insert(device.id.clone());
        // One more millisecond, because data is still fresh in the last one.
        let stale_at = device.fresh_until().map(|until| until.shifted(1)).filter(|at| *at > now);
        if let Some(due) = device.watch.due().into_iter().chain(stale_at).min().map(|due| due.max(now.shifted(1)))
            && device.due.is_none_or(|noted| due < noted)
        {
            device.due = Some(due);
            self.due.push(Reverse((due, device.id.clone())));
        }
        if !outcomes.is_empty() {
            self.collect(&Subject::Device(id.clone()), outcomes, now, changes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::tz::TimeZone;
    use lobby_contract::{AgentInfo, Birth, Data, DeviceInfo, Reach, Record};

    use super::*;
    use crate::{calendar::Calendar, device::Freshness, pack::Pack};

    const T0: Timestamp = Timestamp::from_millis(1_795_140_000_000);

    fn freshness(site: &Site, now: Timestamp) -> Freshness {
        let device = site.devices().next().unwrap();
        device.verdict(site.link_of(device), site.part_of_day().expected(), now).freshness
    }

    #[test]
    fn a_device_that_reports_often_is_noted_once_and_looked_at_when_its_data_is_no_longer_fresh() {
        let calendar = Calendar::new(TimeZone::UTC, [None; 7], BTreeMap::new());
        let mut site = Site::new("hz".parse().unwrap(), calendar, Pack::built_in(), T0);
        let (agent, mut changes) = ("box".parse().unwrap(), Changes::default());
        let device = DeviceInfo {
            id: "led".parse().unwrap(),
            kind: "led-display".into(),
            name: "".into(),
            place: "".into(),
            every_ms: 10_000,
        };
        let version = AgentInfo { version: "1".into() };
        let birth = Birth {
            epoch: 1,
            session: 1,
            sent_at: T0.millis(),
            agent: version,
            queued: 0,
            unsaved: 0,
            refused: Vec::new(),
            devices: vec![device],
        };
        site.birth(&agent, &birth, T0, &mut changes);
        let mut now = T0;
        for seq in 1..=1000 {
            now = now.shifted(10);
            let celsius = f64::from(u32::try_from(seq % 50).unwrap());
            let facts = [("temperature_c".into(), celsius.into())].into();
            let device = "led".parse().unwrap();
            let record = Record { seq, at: now.millis(), device, reach: Reach::Ok, facts, faults: vec![] };
            let sent_at = now.millis();
            let data = Data { epoch: 1, session: 1, sent_at, oldest: Some(1), records: vec![record], refused: vec![] };
            site.data(&agent, data, now, &mut changes);
        }
        assert_eq!(site.due.len(), 1);
        let stale = now.shifted(30_001);
        for second in 1..=40 {
            let at = now.shifted(second * 1000);
            let mut changes = Changes::default();
            // Its agent goes on speaking, so it is the device's own data that is missing.
            let data =
                Data { epoch: 1, session: 1, sent_at: at.millis(), oldest: None, records: vec![], refused: vec![] };
            site.data(&agent, data, at, &mut changes);
            site.tick(at, &mut changes);
            assert_eq!(freshness(&site, at) == Freshness::Fresh, at < stale);
            let told = changes.touched.iter().any(|device| device.as_str() == "led");
            assert!(told || at != now.shifted(31_000), "readers are told when it is no longer fresh");
        }
    }
}

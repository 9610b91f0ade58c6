//! Why a rule fired at some time, or why it did not: the same rules, run again over what was stored of that time.

mod held;

use std::sync::Arc;

use lobby_contract::{AgentId, DeviceId, Reach, SiteId};

pub use self::held::Held;
use crate::{
    agent::Link,
    calendar::{Calendar, PartOfDay},
    condition::{Part, Sample, Truth},
    device::{Device, Last, Life, LinkWord},
    inhibit::{Causes, Inhibition},
    overlay::Facts,
    pack::KindRules,
    restraint::Restraint,
    rule::{Kept, Rule},
    said::{Scratch, Shared},
    time::{Span, Timestamp},
    watch::{Scene, Watch},
};

/// Opening hours begin and end with a minute.
const MINUTE: Span = Span::from_mins(1);

/// What the link of an agent became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkEvent {
    /// When the hub knew.
    pub at: Timestamp,
    /// What it became.
    pub link: LinkWord,
}

/// A record as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// Where it stands among its agent's: epoch and seq.
    pub order: (u64, u64),
    /// When the device was probed, by the hub's clock.
    pub at: Timestamp,
    /// When it was received.
    pub received_at: Timestamp,
    /// What it stated.
    pub sample: Sample,
}

/// What is asked, and what of the device does not change with time.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The site.
    pub site: &'a SiteId,
    /// Its hours.
    pub calendar: &'a Calendar,
    /// The device.
    pub device: &'a DeviceId,
    /// The agent that watches it.
    pub agent: &'a AgentId,
    /// By how much that agent's clock is slow: what it probes seems to be so much older when it comes. One that is further off than is
    /// tolerated is corrected before a record is stored.
    pub slow: Span,
    /// Its heartbeat.
    pub every: Span,
    /// Where it stood in its life at the time in question.
    pub life: Life,
    /// Its kind and the rules that judge it.
    pub rules: Option<Arc<KindRules>>,
    /// From when on everything is replayed: long enough before `at` for every timer to have run.
    pub from: Timestamp,
    /// The time in question.
    pub at: Timestamp,
}

/// What was known of a device at some time, and what each rule made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The time in question.
    pub at: Timestamp,
    /// From when on everything was replayed. What was wrong before has begun here, as far as this trace knows.
    pub from: Timestamp,
    /// Whether the hub heard the device's agent, if that is known.
    pub link: Option<LinkWord>,
    /// The last record that was live when it came.
    pub last: Option<Received>,
    /// For how long a record tells the present.
    pub fresh_for: Span,
    /// Whether the last record still told the present.
    pub is_fresh: bool,
    /// The part of the site's day.
    pub part: PartOfDay,
    /// Where the device stood in its life.
    pub life: Life,
    /// How many records were replayed.
    pub records: usize,
    /// Each rule of the device's kind.
    pub rules: Vec<RuleTrace>,
}

/// What one rule made of what was known.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleTrace {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Whether it applied at that time of day.
    pub applies: bool,
    /// Whether the fault was there.
    pub fire: Truth,
    /// Whether it was clearly gone.
    pub recover: Truth,
    /// `when`, part by part.
    pub when: Vec<Part>,
    /// `until`, part by part; empty if the rule has none.
    pub until: Vec<Part>,
    /// The phase, and how much time or which samples had counted towards leaving it.
    pub kept: Kept,
    /// Whether it turned between bad and good too often.
    pub flapping: bool,
    /// Why no alert was raised, or why the open one was not cleared; and what kept the open one quiet.
    pub held: Vec<Held>,
}

impl Trace {
    /// Tells what kept the device's alerts quiet: `open` are those of its site that were open at the time in question, `restraints`
    /// those that were in force then. Both are judged as they were at that time, whatever has become of them since.
    pub fn quieted(
        &mut self,
        device: &DeviceId,
        open: &[Facts<'_>],
        inhibitions: &[Inhibition],
        restraints: &[Restraint],
    ) {
        let causes = open.iter().map(|alert| (alert.labels, alert.id));
        let causes = Causes::among(inhibitions, causes);
        for alert in open.iter().filter(|alert| alert.labels.device == device.as_str()) {
            for told in self.rules.iter_mut().filter(|told| *told.rule.id == *alert.labels.rule) {
                told.held.extend((!self.life.pages()).then_some(Held::Life(self.life)));
                told.held.extend(held::overlays(alert, &causes, restraints, self.at));
            }
        }
    }
}

/// Replays `records` and `links` (each in the order of time; the first link may be from before) and tells how things stood.
pub fn trace(question: &Question<'_>, records: &[Received], links: &[LinkEvent]) -> Trace {
    let mut past = Past::new(question);
    let (mut records, mut links) = (records.iter().peekable(), links.iter().peekable());
    loop {
        // What is due comes before what comes at the same time.
        let next = [
            past.next_part.map(|at| (at, Next::Part)),
            past.due.map(|at| (at, Next::Timer)),
            links.peek().map(|event| (event.at, Next::Link)),
            records.peek().map(|record| (record.received_at, Next::Record)),
        ];
        let Some((at, next)) =
            next.into_iter().flatten().min_by_key(|(at, _)| *at).filter(|(at, _)| *at <= question.at)
        else {
            break;
        };
        past.now = at.max(past.now);
        match next {
            Next::Link => past.link = links.next().map(|event| event.link),
            Next::Record => {
                if !records.next().is_some_and(|record| past.receive(record)) {
                    continue;
                }
            }
            Next::Part => past.look_at_the_clock(),
            Next::Timer => {}
        }
        past.evaluate(matches!(next, Next::Record));
    }
    past.now = question.at;
    past.evaluate(false);
    past.told()
}

/// What happens next.
#[derive(Clone, Copy)]
enum Next {
    Link,
    Record,
    Part,
    Timer,
}

struct Past<'a> {
    question: &'a Question<'a>,
    device: Device,
    /// What it last stated.
    stated: Option<Sample>,
    scratch: Scratch,
    shared: Shared,
    link: Option<LinkWord>,
    part: PartOfDay,
    /// When the part of the day is next another one.
    next_part: Option<Timestamp>,
    now: Timestamp,
    due: Option<Timestamp>,
    records: usize,
}

impl<'a> Past<'a> {
    fn new(question: &'a Question<'a>) -> Self {
        let mut device = Device::new(question.device.clone(), question.agent.clone());
        device.every = question.every;
        device.watch = Watch::new(question.rules.clone());
        let (part, now) = (question.calendar.part_of_day(question.from), question.from);
        let (stated, scratch, shared) = (None, Scratch::default(), Shared::default());
        let mut begun = Self {
            question,
            device,
            stated,
            scratch,
            shared,
            link: None,
            part,
            next_part: None,
            now,
            due: None,
            records: 0,
        };
        begun.look_at_the_clock();
        begun
    }

    fn look_at_the_clock(&mut self) {
        let start_of = |minute: i64| Timestamp::from_millis(minute * MINUTE.millis());
        let minute = |at: Timestamp| at.millis().div_euclid(MINUTE.millis());
        self.part = self.question.calendar.part_of_day(self.now);
        let mut to_come = (minute(self.now) + 1..=minute(self.question.at)).map(start_of);
        self.next_part = to_come.find(|at| self.question.calendar.part_of_day(*at) != self.part);
    }

    /// Takes in a record if it told the present when it came.
    fn receive(&mut self, record: &Received) -> bool {
        let newest = self.device.last.as_ref().is_none_or(|last| last.order < record.order);
        if !newest || record.received_at.since(record.at) > self.device.fresh_for() + self.question.slow {
            return false;
        }
        self.records += 1;
        // Of a time before links were kept, a record is the proof that its agent was heard.
        self.link.get_or_insert(LinkWord::Up);
        let Received { order, at, received_at, sample } = record.clone();
        self.device.count_until(self.now);
        let before = self.device.last.take().map(|last| last.said);
        let said = self.scratch.said(&sample, before.as_ref(), &self.shared);
        self.device.last = Some(Last { order, at, received_at, said });
        self.stated = Some(sample);
        true
    }

    fn link(&self) -> Link {
        match self.link {
            Some(LinkWord::Up) => Link::Up,
            _ => Link::Unverified { since: self.now },
        }
    }

    fn evaluate(&mut self, is_new: bool) {
        let scene = Scene { site: self.question.site, part: self.part, now: self.now, is_new, explained: &[] };
        // What would be raised is told by the phases.
        self.device.judge(self.link(), scene, self.stated.as_ref(), &mut Vec::new());
        let stale_at = self.device.fresh_until().map(|until| until.shifted(1));
        let due = [self.device.watch.due(), stale_at].into_iter().flatten();
        self.due = due.filter(|at| *at > self.now).min();
    }

    fn told(self) -> Trace {
        let known = self.device.known(self.link(), self.now).and(self.stated.as_ref());
        let rules = self.device.watch.states().map(|(rule, state)| {
            let applies = rule.during.includes(self.part);
            let input = rule.input(known, applies);
            let nothing = Sample { reach: Reach::Unknown, facts: [].into(), faults: Vec::new() };
            let stated = self.stated.as_ref().unwrap_or(&nothing);
            let kind = &self.question.rules.as_ref().expect("a device without rules has no states").kind;
            let parts =
                |condition: &crate::condition::Condition| condition.parts(kind, stated, known.unwrap_or(&nothing));
            let mut told = RuleTrace {
                rule: Arc::clone(rule),
                applies,
                fire: input.fire,
                recover: input.recover,
                when: parts(&rule.when),
                until: rule.until.as_ref().map(parts).unwrap_or_default(),
                kept: state.kept(),
                flapping: state.flaps().flapping(),
                held: Vec::new(),
            };
            if self.question.life.is_judged() {
                told.held = held::reasons(&told, self.link, self.device.fresh_until(), known.is_some());
            } else {
                // What the rules would have made of it, nobody asked them.
                (told.kept, told.flapping) = (Kept::default(), false);
                told.held.push(Held::Life(self.question.life));
            }
            told
        });
        let rules = rules.collect();
        let fresh_for = self.device.fresh_for();
        let (at, part, is_fresh, from) = (self.now, self.part, known.is_some(), self.question.from);
        let last = self.device.last.zip(self.stated);
        let last =
            last.map(|(Last { order, at, received_at, .. }, sample)| Received { order, at, received_at, sample });
        let (link, records, life) = (self.link, self.records, self.question.life);
        Trace { at, from, link, last, fresh_for, is_fresh, part, life, records, rules }
    }
}

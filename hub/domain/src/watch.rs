//! The rules of one subject at work: evaluates each on what is known now and collects what follows.

use std::sync::Arc;

use lobby_contract::SiteId;

use crate::{
    alert::{AlertId, Clear, ClearReason, ClearRefusal, Raise, Step, Subject},
    calendar::PartOfDay,
    condition::{Sample, Truth},
    label::{Label, Lang},
    pack::KindRules,
    rule::{Beside, Decision, Effect, Input, Kept, OnNoData, Phase, Places, Rule, State, step},
    time::Timestamp,
};

/// The state of each rule of one subject's kind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Watch {
    rules: Option<Arc<KindRules>>,
    pub(crate) places: Places,
    raised: u32,
}

/// What an evaluation is about.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The site.
    pub site: &'a SiteId,
    /// The part of its day.
    pub part: PartOfDay,
    /// The time.
    pub now: Timestamp,
    /// Whether the sample is a new one, rather than the last one looked at again.
    pub is_new: bool,
    /// The rules whose alerts would be consequences of an open one at present, by id.
    pub explained: &'a [Box<str>],
}

/// What came of an evaluation.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A rule entered another phase, or its timer got on: to be kept over a restart.
    Phase {
        /// The rule.
        rule: Arc<Rule>,
        /// Where it stands.
        kept: Kept,
    },
    /// An open alert comes and goes too often to be told of each time.
    Unstable(Unstable),
    /// An alert is to be raised.
    Raise(Raise),
    /// An alert is to be cleared.
    Clear(Clear),
}

/// An open alert has begun to flap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unstable {
    /// What it is about.
    pub subject: Subject,
    /// The rule, by id.
    pub rule: Box<str>,
    /// When.
    pub at: Timestamp,
}

impl Watch {
    /// A watch by the rules of a kind; without any, for a kind the pack does not know.
    pub fn new(rules: Option<Arc<KindRules>>) -> Self {
        let count = rules.as_ref().map_or(0, |rules| rules.rules.len());
        Self { rules, places: Places::new(count), raised: 0 }
    }

    /// The kind and its rules.
    pub fn kind(&self) -> Option<&Arc<KindRules>> {
        self.rules.as_ref()
    }

    /// Each rule with its phase.
    pub fn phases(&self) -> impl Iterator<Item = (&Arc<Rule>, Phase)> {
        self.states().map(|(rule, state)| (rule, state.phase))
    }

    /// Each rule with where it stands.
    pub fn states(&self) -> impl Iterator<Item = (&Arc<Rule>, State)> {
        self.rules.iter().flat_map(|rules| &rules.rules).zip(self.places.states())
    }

    /// Whether a rule turns between bad and good too often to be told of each time.
    pub fn flapping(&self, rule: &str) -> bool {
        self.states().any(|(known, state)| &*known.id == rule && state.flaps().flapping())
    }

    /// Puts a rule where it stood before a restart. Returns whether the kind still has the rule.
    pub fn restore(&mut self, rule: &str, kept: Kept) -> bool {
        let place = self.place_of(rule);
        let known = place.is_some();
        if let Some(place) = place {
            self.places.set(place, State::from_kept(kept));
        }
        known
    }

    /// Puts a rule at rest.
    pub(crate) fn rest(&mut self, rule: &str) {
        if let Some(place) = self.place_of(rule) {
            self.places.set(place, State::default());
        }
    }

    /// What is wrong by a rule began at `since` already, as records that came late have shown; unless an alert is open.
    pub(crate) fn backdate(&mut self, rule: &str, since: Timestamp) {
        if let Some(place) = self.place_of(rule) {
            self.places.change(place, |state| state.backdated(since));
        }
    }

    fn place_of(&self, rule: &str) -> Option<usize> {
        self.rules.iter().flat_map(|rules| &rules.rules).position(|known| &*known.id == rule)
    }

    /// Goes on with a rule that is exactly the same as before: its timers have counted under the same conditions.
    fn go_on(&mut self, before: &Rule, state: State) -> bool {
        let place = self.rules.iter().flat_map(|rules| &rules.rules).position(|known| **known == *before);
        if let Some(place) = place {
            self.places.set(place, state);
        }
        place.is_some()
    }

    /// Changes the kind, or its rules. A rule that stays as it was goes on with its timers, one that is changed keeps its phase and
    /// counts anew from there, and open alerts of rules that are gone are cleared as such.
    pub fn change_kind(
        &mut self,
        rules: Option<Arc<KindRules>>,
        subject: &Subject,
        now: Timestamp,
        out: &mut Vec<Outcome>,
    ) {
        let before = std::mem::replace(self, Self::new(rules));
        self.raised = before.raised;
        for (rule, state) in before.states() {
            if self.go_on(rule, state) || state.phase == Phase::Ok || self.restore(&rule.id, state.phase.into()) {
                continue;
            }
            if state.phase.alerting_since().is_some() {
                out.push(Outcome::Clear(cleared(subject, rule, now, ClearReason::RuleRemoved)));
            }
            out.push(Outcome::Phase { rule: Arc::clone(rule), kept: Kept::default() });
        }
    }

    /// Evaluates every rule on `sample`; `None` stands for no fresh data.
    pub fn evaluate(&mut self, subject: &Subject, sample: Option<&Sample>, scene: Scene<'_>, out: &mut Vec<Outcome>) {
        let Some(rules) = &self.rules else { return };
        let open = self.phases().filter(|(_, phase)| phase.alerting_since().is_some());
        let mut worst = open.map(|(rule, _)| rule.effect).max();
        for (place, rule) in rules.rules.iter().enumerate() {
            let is_new = scene.is_new && sample.is_some();
            let beside = match worst {
                _ if scene.explained.contains(&rule.id) => Beside::Cause,
                Some(worst) if worst >= rule.effect => Beside::AsBad,
                _ => Beside::Nothing,
            };
            let input = Input { is_new, beside, ..rule.input(sample, rule.during.includes(scene.part)) };
            let before = self.places.state(place);
            let (after, decision) = step(rule, before, input, scene.now);
            if after != before {
                self.places.set(place, after);
            }
            // With each record its timers are stored as well, so that a restart sets them back by no more than a heartbeat. Before what is
            // decided, which may be put back.
            let steadied = before.flaps().flapping() != after.flaps().flapping();
            if before.phase != after.phase || steadied || (is_new && after.phase.is_timed()) {
                out.push(Outcome::Phase { rule: Arc::clone(rule), kept: after.kept() });
            }
            match decision {
                Some(Decision::Raise { since }) => {
                    worst = worst.max(Some(rule.effect));
                    let evidence = match sample {
                        Some(sample) if input.fire != Truth::Unknown => explained(rule, rules, sample),
                        _ => without_data(rule),
                    };
                    let id = AlertId::derive(scene.site, subject, &rule.id, scene.now, self.raised);
                    self.raised = self.raised.wrapping_add(1);
                    let (subject, rule) = (subject.clone(), Arc::clone(rule));
                    let (step, at) = (Step::Later, scene.now);
                    out.push(Outcome::Raise(Raise { id, subject, rule, since, at, evidence, step, tell: true }));
                }
                Some(Decision::Clear { .. }) => {
                    out.push(Outcome::Clear(cleared(subject, rule, scene.now, ClearReason::Recovered)));
                }
                None => {}
            }
            if is_unstable(&after) && !is_unstable(&before) {
                let (subject, rule) = (subject.clone(), rule.id.clone());
                out.push(Outcome::Unstable(Unstable { subject, rule, at: scene.now }));
            }
        }
    }

    /// Lets running timers count up to `at`, up to which what was last seen is known to have stayed so. Decides nothing.
    pub(crate) fn count_until(&mut self, at: Timestamp) {
        self.places.change_moving(|state| state.count_until(at));
    }

    /// Takes back that a rule fires, because its alert cannot open now: it will fire again at the next evaluation that sees the fault, also
    /// after a restart, for which this is what is to be stored of it.
    pub fn put_back(&mut self, rule: &str) -> Option<Kept> {
        let rules = self.rules.as_ref()?;
        let place = rules.rules.iter().position(|known| *known.id == *rule)?;
        let unfired = self.places.state(place).unfired(&rules.rules[place]);
        self.places.set(place, unfired);
        Some(unfired.kept())
    }

    /// Ends everything, without saying that any fault is gone.
    pub fn abandon(&mut self, subject: &Subject, now: Timestamp, reason: ClearReason, out: &mut Vec<Outcome>) {
        let rules = self.rules.iter().flat_map(|rules| &rules.rules);
        for (place, rule) in rules.enumerate() {
            let before = self.places.state(place).phase;
            self.places.set(place, State::default());
            if before.alerting_since().is_some() {
                out.push(Outcome::Clear(cleared(subject, rule, now, reason)));
            }
            if before != Phase::Ok {
                out.push(Outcome::Phase { rule: Arc::clone(rule), kept: Kept::default() });
            }
        }
    }

    /// Clears the open alert of a rule because `by` says so, unless the fault is there or nobody can tell.
    pub fn clear_by_hand(
        &mut self,
        subject: &Subject,
        rule: &str,
        sample: Option<&Sample>,
        by: &str,
        now: Timestamp,
    ) -> Result<[Outcome; 2], ClearRefusal> {
        let Some(rules) = &self.rules else { return Err(ClearRefusal::NotOpen) };
        let mut known = rules.rules.iter().enumerate();
        let (place, rule) = known.find(|(_, known)| *known.id == *rule).ok_or(ClearRefusal::NotOpen)?;
        if self.places.state(place).phase.alerting_since().is_none() {
            return Err(ClearRefusal::NotOpen);
        }
        match rule.input(sample, true).fire {
            Truth::True => return Err(ClearRefusal::StillTrue),
            Truth::Unknown => return Err(ClearRefusal::Unknown),
            Truth::False => self.places.set(place, State::default()),
        }
        let clear = Clear { by: by.into(), ..cleared(subject, rule, now, ClearReason::Manual) };
        Ok([Outcome::Phase { rule: Arc::clone(rule), kept: Kept::default() }, Outcome::Clear(clear)])
    }

    /// When the mere passing of time will next change a rule's phase.
    pub fn due(&self) -> Option<Timestamp> {
        self.states().filter_map(|(rule, state)| state.due(rule)).min()
    }

    /// Whether every rule is at rest, so that the same sample would change nothing.
    pub fn is_quiet(&self) -> bool {
        self.places.states().all(|state| state.is_quiet())
    }

    /// The worst effect of what is wrong now, whether an alert has been raised for it or not yet.
    pub fn effect(&self) -> Effect {
        let wrong = self.phases().filter(|(_, phase)| *phase != Phase::Ok);
        wrong.map(|(rule, _)| rule.effect).max().unwrap_or(Effect::None)
    }

    /// Since when something has failed by its rules, or may turn out to have.
    pub(crate) fn failed_since(&self) -> Option<Timestamp> {
        let failed = self.phases().filter(|(rule, _)| rule.effect == Effect::Failed);
        failed.filter_map(|(_, phase)| phase.wrong_since()).max()
    }
}

/// Whether it flaps while an alert is open.
fn is_unstable(state: &State) -> bool {
    state.flaps().flapping() && state.phase.alerting_since().is_some()
}

fn explained(rule: &Rule, rules: &KindRules, sample: &Sample) -> Label {
    let explain = |lang| rule.when.explain(&rules.kind, sample, lang);
    Label::new(explain(Lang::Zh), explain(Lang::En))
}

fn without_data(rule: &Rule) -> Label {
    match rule.on_no_data {
        OnNoData::FireAfter(span) => Label::new(format!("已 {span} 没有新数据"), format!("no fresh data for {span}")),
        OnNoData::Hold | OnNoData::Unknown => Label::default(),
    }
}

fn cleared(subject: &Subject, rule: &Rule, at: Timestamp, reason: ClearReason) -> Clear {
    Clear { subject: subject.clone(), rule: rule.id.clone(), at, reason, by: "".into() }
}

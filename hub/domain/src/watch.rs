//! The rules of one subject at work: evaluates each on what is known now and collects what follows.

use std::sync::Arc;

use lobby_contract::SiteId;

use crate::{
    alert::{AlertId, Clear, ClearReason, Raise, Step, Subject},
    calendar::PartOfDay,
    condition::Sample,
    label::{Label, Lang},
    pack::KindRules,
    rule::{Decision, Effect, Phase, Rule, State, step},
    time::Timestamp,
};

/// The state of each rule of one subject's kind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Watch {
    rules: Option<Arc<KindRules>>,
    pub(crate) states: Vec<State>,
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
}

/// What came of an evaluation.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A rule entered another phase, which is to be kept over a restart.
    Phase {
        /// The rule's id.
        rule: Arc<Rule>,
        /// Its new phase.
        phase: Phase,
    },
    /// An alert is to be raised.
    Raise(Raise),
    /// An alert is to be cleared.
    Clear(Clear),
}

impl Watch {
    /// A watch by the rules of a kind; without any, for a kind the pack does not know.
    pub fn new(rules: Option<Arc<KindRules>>) -> Self {
        let states = rules.as_ref().map_or(0, |rules| rules.rules.len());
        Self { rules, states: vec![State::default(); states], raised: 0 }
    }

    /// The kind and its rules.
    pub fn kind(&self) -> Option<&Arc<KindRules>> {
        self.rules.as_ref()
    }

    /// Each rule with its phase.
    pub fn phases(&self) -> impl Iterator<Item = (&Arc<Rule>, Phase)> {
        self.rules.iter().flat_map(|rules| &rules.rules).zip(&self.states).map(|(rule, state)| (rule, state.phase))
    }

    /// Puts a rule into the phase it had before a restart. Returns whether the kind still has the rule.
    pub fn restore(&mut self, rule: &str, phase: Phase) -> bool {
        let place = self.rules.iter().flat_map(|rules| &rules.rules).position(|known| &*known.id == rule);
        if let Some(place) = place {
            self.states[place] = State::restored(phase);
        }
        place.is_some()
    }

    /// Goes on with a rule that is exactly the same as before: its timers have counted under the same conditions.
    fn go_on(&mut self, before: &Rule, state: State) -> bool {
        let place = self.rules.iter().flat_map(|rules| &rules.rules).position(|known| **known == *before);
        if let Some(place) = place {
            self.states[place] = state;
        }
        place.is_some()
    }

    /// Changes the kind, or its rules. A rule that stays as it was goes on with its timers, one that is changed keeps its phase and
    /// counts anew, and open alerts of rules that are gone are cleared as such.
    pub fn change_kind(
        &mut self,
        rules: Option<Arc<KindRules>>,
        subject: &Subject,
        now: Timestamp,
        out: &mut Vec<Outcome>,
    ) {
        let before = std::mem::replace(self, Self::new(rules));
        self.raised = before.raised;
        for (rule, state) in before.rules.iter().flat_map(|rules| &rules.rules).zip(&before.states) {
            let phase = state.phase;
            if self.go_on(rule, *state) || phase == Phase::Ok || self.restore(&rule.id, phase) {
                continue;
            }
            if phase.alerting_since().is_some() {
                out.push(Outcome::Clear(cleared(subject, rule, now, ClearReason::RuleRemoved)));
            }
            out.push(Outcome::Phase { rule: Arc::clone(rule), phase: Phase::Ok });
        }
    }

    /// Evaluates every rule on `sample`; `None` stands for no fresh data.
    pub fn evaluate(&mut self, subject: &Subject, sample: Option<&Sample>, scene: Scene<'_>, out: &mut Vec<Outcome>) {
        let Some(rules) = &self.rules else { return };
        for (rule, state) in rules.rules.iter().zip(&mut self.states) {
            let input = rule.input(sample, rule.during.includes(scene.part));
            let before = state.phase;
            let (after, decision) = step(rule, *state, input, scene.now);
            *state = after;
            match decision {
                Some(Decision::Raise { since }) => {
                    let evidence = sample.map_or_else(Label::default, |sample| {
                        let explain = |lang| rule.when.explain(&rules.kind, sample, lang);
                        Label::new(explain(Lang::Zh), explain(Lang::En))
                    });
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
            if before != after.phase {
                out.push(Outcome::Phase { rule: Arc::clone(rule), phase: after.phase });
            }
        }
    }

    /// Takes back that a rule fires, because its alert cannot open now: it will fire again at the next evaluation that sees the fault.
    pub fn put_back(&mut self, rule: &str) {
        let rules = self.rules.iter().flat_map(|rules| &rules.rules);
        for (known, state) in rules.zip(&mut self.states) {
            if *known.id == *rule {
                *state = state.unfired(known);
            }
        }
    }

    /// Ends everything, without saying that any fault is gone.
    pub fn abandon(&mut self, subject: &Subject, now: Timestamp, reason: ClearReason, out: &mut Vec<Outcome>) {
        let rules = self.rules.iter().flat_map(|rules| &rules.rules);
        for (rule, state) in rules.zip(&mut self.states) {
            let before = std::mem::take(state).phase;
            if before.alerting_since().is_some() {
                out.push(Outcome::Clear(cleared(subject, rule, now, reason)));
            }
            if before != Phase::Ok {
                out.push(Outcome::Phase { rule: Arc::clone(rule), phase: Phase::Ok });
            }
        }
    }

    /// When the mere passing of time will next change a rule's phase.
    pub fn due(&self) -> Option<Timestamp> {
        let rules = self.rules.iter().flat_map(|rules| &rules.rules);
        rules.zip(&self.states).filter_map(|(rule, state)| state.due(rule)).min()
    }

    /// Whether every rule is at rest, so that the same sample would change nothing.
    pub fn is_quiet(&self) -> bool {
        self.states.iter().all(|state| state.phase == Phase::Ok)
    }

    /// The worst effect of what is wrong now, whether an alert has been raised for it or not yet.
    pub fn effect(&self) -> Effect {
        let wrong = self.phases().filter(|(_, phase)| *phase != Phase::Ok);
        wrong.map(|(rule, _)| rule.effect).max().unwrap_or(Effect::None)
    }
}

fn cleared(subject: &Subject, rule: &Rule, at: Timestamp, reason: ClearReason) -> Clear {
    Clear { subject: subject.clone(), rule: rule.id.clone(), at, reason }
}

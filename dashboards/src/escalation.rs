//! How something is followed up along the chain of command: who has it now, and what happens if nobody acts.

use askama::Template;

use crate::{
    chrome::{Choice, Chrome, page},
    texts::{Texts, fill2, filled},
    time::When,
};

/// How an escalation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EscalationState {
    /// 待响应: whoever has it has not answered.
    Triggered,
    /// 有人处理: somebody is at it.
    Held,
    /// 暂停: nothing is to be done now.
    Paused,
}

/// Who has something, and the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// The post that has it.
    pub post: String,
    /// Who of that post, where a roster says so.
    pub holder: Option<String>,
    /// How it stands.
    pub state: EscalationState,
    /// The post that is next if nobody answers; none if the same post is told again.
    pub next: Option<String>,
    /// When that is.
    pub at: Option<When>,
    /// The posts it may be sent up to by the reader: the id and the words of each; none if it may not.
    pub above: Vec<(String, String)>,
}

impl Escalation {
    /// Who has it.
    pub(crate) fn has(&self, t: &Texts) -> String {
        match &self.holder {
            Some(holder) => format!("{} {} {holder}", self.post, t.separator),
            None => self.post.clone(),
        }
    }

    pub(crate) fn word(&self, t: &Texts) -> &'static str {
        match self.state {
            EscalationState::Triggered => t.escalation_triggered,
            EscalationState::Held => t.escalation_held,
            EscalationState::Paused => t.escalation_paused,
        }
    }

    /// What happens if nobody acts, and when.
    pub(crate) fn step(&self, t: &Texts) -> Option<String> {
        let at = &self.at.as_ref()?.local;
        Some(match (self.state, &self.next) {
            (EscalationState::Triggered, Some(next)) => fill2(t.escalation_goes_up, at, next),
            (EscalationState::Triggered, None) => filled(t.escalation_again, at),
            (EscalationState::Held, _) => filled(t.escalation_lapses, at),
            (EscalationState::Paused, _) => filled(t.escalation_begins, at),
        })
    }
}

/// One thing that is followed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscalationLine {
    /// What is wrong.
    pub title: String,
    /// Its page.
    pub href: String,
    /// The ticket's number; none of an alert without one.
    pub ticket: Option<String>,
    /// What it is about, and where.
    pub subject: String,
    /// What is to be done.
    pub phase: EscalationPhase,
    /// Since when it has been followed up.
    pub since: When,
    /// Who has it, and the next step.
    pub escalation: Escalation,
}

/// What is to be done by whoever has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EscalationPhase {
    /// 维修.
    Repair,
    /// 验收: to look and confirm.
    Confirm,
    /// 处理: to see to an alert.
    Notice,
}

impl EscalationPhase {
    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Repair => t.escalation_repair,
            Self::Confirm => t.escalation_confirm,
            Self::Notice => t.escalation_notice,
        }
    }
}

/// `/escalations`: what waits for an answer, by whom, and what happens next.
#[derive(Debug, Clone, Template)]
#[template(path = "escalations.html", blocks = ["main", "lamp"])]
pub struct EscalationsPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// All, or one of the posts that have something.
    pub posts: Vec<Choice>,
    /// What is followed up, what is due first before the others.
    pub lines: Vec<EscalationLine>,
    /// How many more there are, whose next step is later.
    pub later: usize,
}

page!(EscalationsPage);

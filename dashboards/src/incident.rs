//! An incident in six lines: what, since when, effect, owner, next step, deadline; and how far its ticket is.

use crate::{
    escalation::Escalation,
    texts::{Texts, fill, fill2},
    ticket::{Rejected, TicketStep},
    time::{When, lasting},
};

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadlineKind {
    /// Somebody must accept the ticket.
    Respond,
    /// Somebody must be there.
    Arrive,
    /// The fault must be put right.
    Complete,
}

/// A time limit set by the standard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadline {
    /// What is due.
    pub kind: DeadlineKind,
    /// When.
    pub at: When,
}

impl Deadline {
    pub(crate) fn word(&self, t: &Texts) -> &'static str {
        match self.kind {
            DeadlineKind::Respond => t.deadline_respond,
            DeadlineKind::Arrive => t.deadline_arrive,
            DeadlineKind::Complete => t.deadline_complete,
        }
    }
}

/// How far an incident's ticket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketLine {
    /// The ticket's number, such as `BX-202611-0042`.
    pub no: String,
    /// The version that an action must name.
    pub version: i64,
    /// Its step.
    pub step: TicketStep,
    /// Why it was closed without a repair, if it was.
    pub rejected: Option<Rejected>,
    /// Whether the reader may confirm the repair now.
    pub may_confirm: bool,
}

/// Something wrong with a device, as the post that depends on it sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// What is wrong, in a few words that follow the device's name: "黑屏".
    pub what: String,
    /// Since when.
    pub since: When,
    /// What it means for guests and staff.
    pub effect: String,
    /// The department that owns it now.
    pub department: String,
    /// The person who owns it now, if somebody accepted it.
    pub person: Option<String>,
    /// What happens or must be done next.
    pub next_step: String,
    /// The next time limit.
    pub deadline: Option<Deadline>,
    /// Who is responsible now, and what happens if nobody acts.
    pub escalation: Option<Escalation>,
    /// The ticket, if one was opened.
    pub ticket: Option<TicketLine>,
}

impl Incident {
    /// "{name}{what} 6 分钟，工程已接单": the sentence a page opens with.
    pub(crate) fn sentence(&self, t: &Texts, name: &str, now: i64) -> String {
        let what = fill2(t.what_lasting, &self.what, &lasting(t, self.since.ms, now));
        let mut sentence = format!("{name}{}{what}", t.word_gap);
        if let Some(ticket) = &self.ticket {
            sentence.push_str(t.comma);
            sentence.push_str(&fill(ticket.step.progress(t), &self.department));
        }
        sentence
    }
}

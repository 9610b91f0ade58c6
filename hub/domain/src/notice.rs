//! What is told of alerts, when, and in how many messages. The sender asks at each look; nothing is kept here.
//!
//! Alerts of one site that go to one channel are a group, as Alertmanager has it: the first is told after `wait`, what follows after
//! `interval`, and what is over before that is never told. A critical alert does not wait. Where more is due than the receiver takes,
//! everything that is due becomes one digest.

mod bucket;
mod mention;
mod month;
mod personal;
mod plan;
mod text;

pub use self::{
    bucket::{Bucket, Rate, RateError, backoff},
    mention::{Chat, ChatIdError, ChatIds, Holds, holds, is_mobile},
    month::{ItemOfMonth, MonthReport},
    personal::{Personal, Preferences, QuietHours, QuietHoursError},
    plan::{Fate, Grouping, Kind, Plan, Telling, Waiting, fate, is_due_again, plan},
    text::{About, Deadline, State, clipped, head, line, single, subject_line},
};

use crate::time::Timestamp;

/// What an event of the outbox tells of its alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It was raised.
    Raised,
    /// What kept it quiet ended at this time, and it is still there.
    Unmuted(Timestamp),
    /// It is still there, long after it was last told.
    Again,
    /// It went up along the chain of command, or is to be seen to by the same post once more.
    Escalated,
    /// Its ticket was given to somebody.
    Assigned,
    /// It comes and goes.
    Unstable,
    /// Another channel did not take what it was told of it.
    Undelivered,
    /// Somebody has taken notice.
    Acknowledged,
    /// Who repairs will not: its ticket was rejected, and it is still there.
    Rejected,
    /// It is over.
    Cleared,
    /// Anything else about an open alert.
    Other,
}

impl What {
    /// What an event is about, by its name: `{alert}:{what}`, or `{alert}:{what}:{time}`, or `{alert}:undelivered:{channel}`.
    pub fn of(event: &str) -> Self {
        let mut parts = event.split(':').skip(1);
        let (what, time) = (parts.next().unwrap_or_default(), parts.next().and_then(|time| time.parse().ok()));
        match what {
            "raised" => Self::Raised,
            "unmuted" => Self::Unmuted(Timestamp::from_millis(time.unwrap_or(0))),
            "again" => Self::Again,
            "escalated" => Self::Escalated,
            "assigned" => Self::Assigned,
            "unstable" => Self::Unstable,
            "undelivered" => Self::Undelivered,
            "acknowledged" => Self::Acknowledged,
            "rejected" => Self::Rejected,
            "cleared" => Self::Cleared,
            _ => Self::Other,
        }
    }

    /// Whether it tells that something has begun which a person has to see to.
    pub const fn is_beginning(self) -> bool {
        matches!(self, Self::Raised | Self::Unmuted(_) | Self::Escalated | Self::Assigned | Self::Undelivered)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a-1:raised", What::Raised)]
    #[case("a-1:unmuted:5", What::Unmuted(Timestamp::from_millis(5)))]
    #[case("a-1:again:5", What::Again)]
    #[case("a-1:acknowledged:5", What::Acknowledged)]
    #[case("a-1:rejected:5", What::Rejected)]
    #[case("a-1:cleared", What::Cleared)]
    #[case("a-1:unstable:5", What::Unstable)]
    #[case("a-1:undelivered:ops", What::Undelivered)]
    #[case("a-1:escalated:2", What::Escalated)]
    #[case("a-1:assigned:2", What::Assigned)]
    #[case("a-1:renamed", What::Other)]
    #[case("", What::Other)]
    fn an_event_is_known_by_its_name(#[case] event: &str, #[case] what: What) {
        assert_eq!(What::of(event), what);
    }
}

//! Repair tickets (报修单): how one is opened, joined by further alerts, moved by people, and closed.
//!
//! ```text
//! new → assigned → accepted → in_progress ⇄ waiting
//!  │       │          │           └→ fixed → closed
//!  └───────┴──────────┴→ self_recovered ──────┘       (the fault went away before anybody worked on it)
//!
//! new, assigned, accepted, in_progress, waiting → closed: rejected, with a reason
//! ```
//!
//! A ticket is never closed silently: the reporting post confirms, or says that it still does not work; or those who repair say why there
//! is nothing for them to repair. A fault that comes back re-opens
//! the ticket it had. While those who repair wait for parts, a supplier or access, no deadline runs (see [`crate::sla`]).

pub mod arrival;
pub mod queue;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp};

/// A fault that comes back within this time of the ticket's closing re-opens the ticket.
pub const REOPEN_WINDOW: Span = Span::from_mins(24 * 60);

/// A ticket's number, such as `BX-202611-0042`: year and month of opening in the site's zone, and a count within the month.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketNumber(Box<str>);

impl TicketNumber {
    /// The `count`th number of a month, counted from 1.
    pub fn new(year: i16, month: i8, count: i64) -> Self {
        Self(format!("BX-{year:04}{month:02}-{count:04}").into())
    }

    /// A number as it stands in the database or an address.
    pub fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    /// The number as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TicketNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a ticket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has accepted it.
    New,
    /// It was given to somebody, who has not accepted it yet.
    Assigned,
    /// Somebody of the department has.
    Accepted,
    /// It is being worked on.
    InProgress,
    /// Those who work on it wait for others.
    Waiting,
    /// The department says it works again; the reporting post has to confirm.
    Fixed,
    /// The fault went away before anybody worked on it; the reporting post has to confirm.
    SelfRecovered,
    /// Confirmed.
    Closed,
}

/// What those who repair wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaitingFor {
    /// Parts.
    Parts,
    /// A supplier.
    Supplier,
    /// Access to the place.
    Access,
}

/// Why a ticket is closed without a repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// There is no fault. Nobody can say so while telemetry shows one.
    NoFaultFound,
    /// It is not for those who repair. The fault may well be there, and stays visible as an alert.
    OutOfScope,
    /// Another open ticket is about the same, and has its faults from now on.
    Duplicate,
}

/// What a person does with a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Give it to somebody, who then accepts.
    Assign,
    /// Take it on.
    Accept,
    /// Begin the work, on site.
    Start,
    /// Say what has to be waited for.
    Wait(WaitingFor),
    /// Go on with the work.
    Resume,
    /// Say that it works again.
    Finish,
    /// Confirm, at the reporting post, that it does.
    Confirm,
    /// Say, at the reporting post, that it does not.
    Reopen,
    /// Close it without a repair.
    Reject(Rejection),
}

/// Why an action was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The action does not fit where the ticket stands.
    #[error("a ticket that is {state} cannot be moved by `{action}`")]
    NotNow {
        /// The action.
        action: Action,
        /// Where the ticket stands.
        state: State,
    },
    /// Telemetry still shows the fault, so nobody can confirm that it is gone, or that there is none.
    #[error("the fault is still there, by what the device reports")]
    StillFaulty,
}

/// What an alert does to the last ticket of its device and fault class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRaise {
    /// There is none that fits: open one.
    Open,
    /// Join the open one, which stays or goes to this state.
    Join(State),
    /// Re-open the one closed not long ago.
    Reopen,
}

/// What is known of the last ticket of a device and fault class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Last {
    /// Where it stands.
    pub state: State,
    /// When it was closed, if it is.
    pub closed_at: Option<Timestamp>,
    /// Why it was closed without a repair, if it was.
    pub rejected: Option<Rejection>,
}

/// Decides what becomes of the ticket when an alert is raised.
pub fn on_raise(last: Option<Last>, now: Timestamp) -> OnRaise {
    match last {
        None => OnRaise::Open,
        // What was found to be none of theirs, or another one's, is so still: a fault that comes back is reported anew.
        Some(Last { state: State::Closed, rejected: Some(Rejection::OutOfScope | Rejection::Duplicate), .. }) => {
            OnRaise::Open
        }
        Some(Last { state: State::Closed, closed_at, .. }) => {
            if closed_at.is_some_and(|closed| now.since(closed) <= REOPEN_WINDOW) {
                OnRaise::Reopen
            } else {
                OnRaise::Open
            }
        }
        // It was not gone after all, or not repaired.
        Some(Last { state: State::SelfRecovered, .. }) => OnRaise::Join(State::New),
        Some(Last { state: State::Fixed, .. }) => OnRaise::Join(State::InProgress),
        Some(Last { state, .. }) => OnRaise::Join(state),
    }
}

/// Where the ticket goes when the last of its alerts is cleared; `None` if it stays.
pub fn on_clear(state: State) -> Option<State> {
    match state {
        State::New | State::Assigned | State::Accepted => Some(State::SelfRecovered),
        State::InProgress | State::Waiting | State::Fixed | State::SelfRecovered | State::Closed => None,
    }
}

/// Where an open ticket goes when it takes over the faults of a duplicate; `faulty` says whether one of them is still there.
pub fn taken(state: State, faulty: bool) -> State {
    let last = Last { state, closed_at: None, rejected: None };
    match on_raise(Some(last), Timestamp::default()) {
        OnRaise::Join(joined) if faulty => joined,
        _ => state,
    }
}

/// Where `action` takes a ticket. `faulty` says whether one of its alerts is still open.
pub fn act(state: State, action: Action, faulty: bool) -> Result<State, Refusal> {
    match (state, action) {
        (State::New | State::Assigned | State::Accepted, Action::Assign) => Ok(State::Assigned),
        (State::New | State::Assigned, Action::Accept) => Ok(State::Accepted),
        (State::New | State::Assigned | State::Accepted, Action::Start)
        | (State::Waiting, Action::Resume)
        | (State::Fixed, Action::Reopen) => Ok(State::InProgress),
        (State::Accepted | State::InProgress, Action::Wait(_)) => Ok(State::Waiting),
        (State::Accepted | State::InProgress | State::Waiting, Action::Finish) => Ok(State::Fixed),
        (State::SelfRecovered, Action::Reopen) => Ok(State::New),
        (
            State::New | State::Assigned | State::Accepted | State::InProgress | State::Waiting,
            Action::Reject(Rejection::NoFaultFound),
        )
        | (State::Fixed | State::SelfRecovered, Action::Confirm)
            if faulty =>
        {
            Err(Refusal::StillFaulty)
        }
        (State::New | State::Assigned | State::Accepted | State::InProgress | State::Waiting, Action::Reject(_))
        | (State::Fixed | State::SelfRecovered, Action::Confirm) => Ok(State::Closed),
        _ => Err(Refusal::NotNow { action, state }),
    }
}

impl State {
    /// Every state, in the order in which a ticket passes them.
    pub const ALL: [Self; 8] = [
        Self::New,
        Self::Assigned,
        Self::Accepted,
        Self::InProgress,
        Self::Waiting,
        Self::Fixed,
        Self::SelfRecovered,
        Self::Closed,
    ];

    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::InProgress => "in_progress",
            Self::Waiting => "waiting",
            Self::Fixed => "fixed",
            Self::SelfRecovered => "self_recovered",
            Self::Closed => "closed",
        }
    }

    /// The state of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl WaitingFor {
    /// Everything that is waited for.
    pub const ALL: [Self; 3] = [Self::Parts, Self::Supplier, Self::Access];

    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parts => "parts",
            Self::Supplier => "supplier",
            Self::Access => "access",
        }
    }

    /// What is called so.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|waiting| waiting.as_str() == text)
    }
}

impl Rejection {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::NoFaultFound, Self::OutOfScope, Self::Duplicate];

    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoFaultFound => "no_fault_found",
            Self::OutOfScope => "out_of_scope",
            Self::Duplicate => "duplicate",
        }
    }

    /// The reason of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

impl Action {
    /// Every action, with one thing that may be waited for, and every reason to reject.
    pub const ALL: [Self; 11] = [
        Self::Assign,
        Self::Accept,
        Self::Start,
        Self::Wait(WaitingFor::Parts),
        Self::Resume,
        Self::Finish,
        Self::Confirm,
        Self::Reopen,
        Self::Reject(Rejection::NoFaultFound),
        Self::Reject(Rejection::OutOfScope),
        Self::Reject(Rejection::Duplicate),
    ];

    /// As it stands in addresses and the history of a ticket.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assign => "assign",
            Self::Accept => "accept",
            Self::Start => "start",
            Self::Wait(_) => "wait",
            Self::Resume => "resume",
            Self::Finish => "finish",
            Self::Confirm => "confirm",
            Self::Reopen => "reopen",
            Self::Reject(_) => "reject",
        }
    }

    /// The action of that name; waiting needs `waiting_for`, and rejecting a reason.
    pub fn from_text(text: &str, waiting_for: Option<WaitingFor>, reason: Option<Rejection>) -> Option<Self> {
        let (waits, rejects) = (waiting_for.map(Self::Wait), reason.map(Self::Reject));
        let all = [Self::Assign, Self::Accept, Self::Start, Self::Resume, Self::Finish, Self::Confirm, Self::Reopen];
        all.into_iter().chain(waits).chain(rejects).find(|action| action.as_str() == text)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::taken_on(State::New, Action::Accept, State::Accepted)]
    #[case::given_to_somebody(State::New, Action::Assign, State::Assigned)]
    #[case::given_to_somebody_else(State::Accepted, Action::Assign, State::Assigned)]
    #[case::taken_on_by_whom_it_was_given_to(State::Assigned, Action::Accept, State::Accepted)]
    #[case::begun_by_whom_it_was_given_to(State::Assigned, Action::Start, State::InProgress)]
    #[case::begun_at_once(State::New, Action::Start, State::InProgress)]
    #[case::begun(State::Accepted, Action::Start, State::InProgress)]
    #[case::done(State::InProgress, Action::Finish, State::Fixed)]
    #[case::confirmed(State::Fixed, Action::Confirm, State::Closed)]
    #[case::held_up(State::InProgress, Action::Wait(WaitingFor::Parts), State::Waiting)]
    #[case::held_up_before_it_began(State::Accepted, Action::Wait(WaitingFor::Access), State::Waiting)]
    #[case::gone_on(State::Waiting, Action::Resume, State::InProgress)]
    #[case::done_by_those_waited_for(State::Waiting, Action::Finish, State::Fixed)]
    #[case::not_repaired(State::Fixed, Action::Reopen, State::InProgress)]
    #[case::not_gone(State::SelfRecovered, Action::Reopen, State::New)]
    #[case::confirmed_although_nobody_worked(State::SelfRecovered, Action::Confirm, State::Closed)]
    fn a_ticket_moves_from_opening_to_confirmation(#[case] from: State, #[case] action: Action, #[case] to: State) {
        assert_eq!(act(from, action, false), Ok(to));
    }

    #[rstest]
    #[case::at_once(State::New)]
    #[case::when_it_was_looked_at(State::Accepted)]
    #[case::after_work(State::InProgress)]
    #[case::while_others_are_waited_for(State::Waiting)]
    fn a_ticket_that_is_no_repair_is_rejected_with_a_reason(#[case] from: State) {
        for reason in Rejection::ALL {
            assert_eq!(act(from, Action::Reject(reason), false), Ok(State::Closed));
        }
        assert_eq!(act(from, Action::Reject(Rejection::NoFaultFound), true), Err(Refusal::StillFaulty));
        assert_eq!(act(from, Action::Reject(Rejection::OutOfScope), true), Ok(State::Closed));
        assert_eq!(act(from, Action::Reject(Rejection::Duplicate), true), Ok(State::Closed));
    }

    #[test]
    fn what_is_said_to_be_repaired_or_gone_is_confirmed_and_not_rejected() {
        for state in [State::Fixed, State::SelfRecovered, State::Closed] {
            for action in Rejection::ALL.map(Action::Reject) {
                assert_eq!(act(state, action, false), Err(Refusal::NotNow { action, state }));
            }
        }
    }

    #[rstest]
    #[case(Rejection::NoFaultFound, OnRaise::Reopen)]
    #[case(Rejection::OutOfScope, OnRaise::Open)]
    #[case(Rejection::Duplicate, OnRaise::Open)]
    fn a_fault_that_comes_back_reopens_a_rejected_ticket_only_if_none_was_found(
        #[case] reason: Rejection,
        #[case] expected: OnRaise,
    ) {
        let last = Last { state: State::Closed, closed_at: Some(Timestamp::default()), rejected: Some(reason) };
        assert_eq!(on_raise(Some(last), Timestamp::default() + REOPEN_WINDOW), expected);
    }

    #[test]
    fn nobody_confirms_a_repair_while_the_device_still_reports_the_fault() {
        assert_eq!(act(State::Fixed, Action::Confirm, true), Err(Refusal::StillFaulty));
    }

    #[rstest]
    #[case::there_was_none(None, OnRaise::Open)]
    #[case::open(Some((State::Accepted, None)), OnRaise::Join(State::Accepted))]
    #[case::said_to_be_fixed(Some((State::Fixed, None)), OnRaise::Join(State::InProgress))]
    #[case::gone_by_itself(Some((State::SelfRecovered, None)), OnRaise::Join(State::New))]
    #[case::closed_a_day_ago(Some((State::Closed, Some(0))), OnRaise::Reopen)]
    #[case::closed_long_ago(Some((State::Closed, Some(-1))), OnRaise::Open)]
    fn a_fault_joins_the_ticket_it_has(#[case] last: Option<(State, Option<i64>)>, #[case] expected: OnRaise) {
        let last =
            last.map(|(state, closed)| Last { state, closed_at: closed.map(Timestamp::from_millis), rejected: None });
        assert_eq!(on_raise(last, Timestamp::default() + REOPEN_WINDOW), expected);
    }

    #[test]
    fn a_ticket_that_takes_over_a_fault_is_not_repaired_any_more() {
        assert_eq!(taken(State::Fixed, true), State::InProgress);
        assert_eq!(taken(State::SelfRecovered, true), State::New);
        for state in State::ALL {
            assert_eq!(taken(state, false), state);
        }
    }

    #[test]
    fn a_fault_that_goes_away_closes_no_ticket() {
        for state in State::ALL {
            assert_ne!(on_clear(state), Some(State::Closed));
        }
        assert_eq!(on_clear(State::New), Some(State::SelfRecovered));
        assert_eq!(on_clear(State::InProgress), None);
    }

    #[test]
    fn actions_are_named_and_waiting_says_for_what_and_rejecting_why() {
        for action in Action::ALL {
            let reason = if let Action::Reject(reason) = action { Some(reason) } else { None };
            assert_eq!(Action::from_text(action.as_str(), Some(WaitingFor::Parts), reason), Some(action));
        }
        assert_eq!(Action::from_text("wait", None, None), None);
        assert_eq!(Action::from_text("reject", None, None), None);
        assert_eq!(Action::from_text("close", Some(WaitingFor::Parts), Some(Rejection::OutOfScope)), None);
        for waiting in WaitingFor::ALL {
            assert_eq!(WaitingFor::from_text(waiting.as_str()), Some(waiting));
        }
    }

    proptest! {
        #[test]
        fn only_a_confirmation_or_a_rejection_closes_a_ticket(
            state in prop::sample::select(State::ALL.to_vec()),
            action in prop::sample::select(Action::ALL.to_vec()),
            faulty in any::<bool>(),
        ) {
            if act(state, action, faulty) == Ok(State::Closed) {
                prop_assert!(matches!(action, Action::Confirm | Action::Reject(_)));
                prop_assert!(!faulty || matches!(action, Action::Reject(Rejection::OutOfScope | Rejection::Duplicate)));
            }
        }
    }
}

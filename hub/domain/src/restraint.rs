//! What keeps alerts from being told for a time: a silence, or a maintenance window. Neither touches what is judged or stored.
//!
//! ```text
//! pending → active → expired
//! ```
//!
//! Who was told of an alert follows from when it was restrained, so the past of a restraint is never rewritten: where its beginning or its
//! matchers change, the old one ends and a new one begins.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    alert::AlertId,
    matchers::{Labels, Matchers},
    overlay::Facts,
    time::{Span, Timestamp},
};

/// The longest restraint. What is to be quiet for longer is to be repaired, or its rule to be changed.
pub const LONGEST: Span = Span::from_mins(366 * 24 * 60);

/// One silence or maintenance window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RestraintId(pub Uuid);

/// What a restraint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Alerts that match are not told.
    Silence(Matchers),
    /// One alert is not told, until it is cleared.
    UntilResolved(AlertId),
    /// Work is done on the devices that match: data is collected and judged, alerts are not told.
    Maintenance {
        /// What is worked on.
        matchers: Matchers,
        /// Whether alerts that were open before it began are kept quiet too. What began in a window that this one goes on from is anyway.
        include_firing: bool,
    },
}

/// A silence or a maintenance window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restraint {
    /// Its id.
    pub id: RestraintId,
    /// What it is.
    pub kind: Kind,
    /// When it begins.
    pub starts: Timestamp,
    /// When it ends, this moment not included; `None` for one that ends with its alert.
    pub ends: Option<Timestamp>,
    /// Who made it.
    pub author: Box<str>,
    /// Why.
    pub comment: Box<str>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who last changed or ended it; empty if nobody did.
    pub changed_by: Box<str>,
    /// The one that it goes on from.
    pub replaces: Option<RestraintId>,
}

/// Where a restraint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has not begun.
    Pending,
    /// It restrains.
    Active,
    /// It is over.
    Expired,
}

/// A change that a person asks for; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// What it is about.
    pub matchers: Option<Matchers>,
    /// For maintenance: whether alerts that were open before it began are kept quiet too.
    pub include_firing: Option<bool>,
    /// When it begins.
    pub starts: Option<Timestamp>,
    /// When it ends.
    pub ends: Option<Timestamp>,
    /// Why.
    pub comment: Option<Box<str>>,
    /// Who changes it.
    pub by: Box<str>,
}

/// What a change came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It is still the same restraint.
    Same(Restraint),
    /// It is over, and another one goes on in its place.
    Replaced {
        /// The old one, which ended now.
        old: Restraint,
        /// The one in its place.
        new: Restraint,
    },
}

/// Why a restraint was not made or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It has ended.
    #[error("it is over: what was restrained and when is not changed afterwards; make a new one")]
    Over,
    /// It would never be active.
    #[error("the end must be later than the beginning and later than now")]
    NeverActive,
    /// It would last too long.
    #[error("it may last 366 days at most")]
    TooLong,
    /// Only one that ends with its alert may be without an end.
    #[error("say when it ends")]
    NoEnd,
    /// A silence that ends with its alert has neither matchers nor a beginning of its own, and only maintenance includes what fires.
    #[error(
        "this cannot be changed here: a silence until an alert is resolved is about that alert from its making, and only maintenance has `include_firing`"
    )]
    NotOfThisKind,
}

impl Refusal {
    /// Whether the wish itself was wrong, rather than too late.
    pub const fn is_mistake(self) -> bool {
        !matches!(self, Self::Over)
    }
}

impl fmt::Display for RestraintId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Kind {
    /// What it matches; `None` for one that is about a single alert.
    pub const fn matchers(&self) -> Option<&Matchers> {
        match self {
            Self::Silence(matchers) | Self::Maintenance { matchers, .. } => Some(matchers),
            Self::UntilResolved(_) => None,
        }
    }

    /// Whether it is maintenance.
    pub const fn is_maintenance(&self) -> bool {
        matches!(self, Self::Maintenance { .. })
    }
}

impl Restraint {
    /// Checks a restraint that is to be made. One that would have begun earlier begins now: nobody was restrained before.
    pub fn made(mut self, now: Timestamp) -> Result<Self, Refusal> {
        self.starts = self.starts.max(now);
        let Some(ends) = self.ends else {
            return if self.kind.matchers().is_none() { Ok(self) } else { Err(Refusal::NoEnd) };
        };
        if ends <= self.starts {
            return Err(Refusal::NeverActive);
        }
        if ends.since(self.starts) > LONGEST { Err(Refusal::TooLong) } else { Ok(self) }
    }

    /// Where it stands.
    pub fn state(&self, now: Timestamp) -> State {
        if self.ends.is_some_and(|ends| ends <= now) {
            State::Expired
        } else if self.starts <= now {
            State::Active
        } else {
            State::Pending
        }
    }

    /// Whether it is active and matches. A silence of a single alert matches nothing but that alert.
    pub fn covers(&self, labels: &Labels<'_>, now: Timestamp) -> bool {
        self.state(now) == State::Active && self.kind.matchers().is_some_and(|matchers| matchers.matches(labels))
    }

    /// Changes it as a person asks.
    pub fn change(&self, change: Change, id: RestraintId, now: Timestamp) -> Result<Changed, Refusal> {
        let state = self.state(now);
        if state == State::Expired {
            return Err(Refusal::Over);
        }
        let kind = self.changed_kind(&change)?;
        let starts =
            change.starts.map_or(self.starts, |starts| if starts == self.starts { starts } else { starts.max(now) });
        if kind.matchers().is_none() && starts != self.starts {
            return Err(Refusal::NotOfThisKind);
        }
        let ends = change.ends.or(self.ends);
        if ends.is_some_and(|ends| ends <= starts.max(now)) {
            return Err(Refusal::NeverActive);
        }
        if ends.is_some_and(|ends| ends.since(starts) > LONGEST) {
            return Err(Refusal::TooLong);
        }
        let comment = change.comment.unwrap_or_else(|| self.comment.clone());
        if kind == self.kind && (starts == self.starts || state == State::Pending) {
            return Ok(Changed::Same(Self { starts, ends, comment, changed_by: change.by, ..self.clone() }));
        }
        let new = Self {
            id,
            kind,
            starts: starts.max(now),
            ends,
            author: change.by.clone(),
            comment,
            created_at: now,
            changed_by: "".into(),
            replaces: Some(self.id),
        };
        Ok(Changed::Replaced { old: self.ended(now, change.by), new })
    }

    fn changed_kind(&self, change: &Change) -> Result<Kind, Refusal> {
        match (&self.kind, &change.matchers, change.include_firing) {
            (_, None, None) => Ok(self.kind.clone()),
            (Kind::Silence(_), Some(matchers), None) => Ok(Kind::Silence(matchers.clone())),
            (Kind::Maintenance { matchers: before, include_firing: did }, matchers, include_firing) => {
                Ok(Kind::Maintenance {
                    matchers: matchers.as_ref().unwrap_or(before).clone(),
                    include_firing: include_firing.unwrap_or(*did),
                })
            }
            (Kind::Silence(_) | Kind::UntilResolved(_), ..) => Err(Refusal::NotOfThisKind),
        }
    }

    /// Ends it now.
    pub fn end(&self, by: Box<str>, now: Timestamp) -> Result<Self, Refusal> {
        if self.state(now) == State::Expired { Err(Refusal::Over) } else { Ok(self.ended(now, by)) }
    }

    /// One that has not begun never will.
    fn ended(&self, now: Timestamp, by: Box<str>) -> Self {
        Self { starts: self.starts.min(now), ends: Some(now), changed_by: by, ..self.clone() }
    }
}

/// Those of `restraints` that are about an alert, at whatever time. A maintenance window is about what began in it, or in another one that
/// was about it too and that this one went on from without a gap: windows that overlap are one work.
pub fn about<'a>(restraints: &'a [Restraint], alert: &Facts<'_>) -> Vec<&'a Restraint> {
    let matches = |restraint: &&Restraint| match &restraint.kind {
        Kind::Silence(matchers) | Kind::Maintenance { matchers, .. } => matchers.matches(&alert.labels),
        Kind::UntilResolved(id) => *id == alert.id,
    };
    let mut found: Vec<&Restraint> = restraints.iter().filter(matches).collect();
    found.sort_by_key(|restraint| restraint.starts);
    // Until when windows that were about it have gone on without a gap, of those that began earlier than this and of all so far.
    let (mut begun, mut earlier, mut all) = (None, None, None);
    found.retain(|restraint| {
        let Kind::Maintenance { include_firing, .. } = restraint.kind else { return true };
        let begins = restraint.starts;
        if begun.replace(begins) != Some(begins) {
            earlier = all;
        }
        let is_about = include_firing || alert.opened_at >= begins || earlier >= Some(begins);
        // One that was ended before it began was never there.
        if is_about && restraint.ends > Some(begins) {
            all = all.max(restraint.ends);
        }
        is_about
    });
    found
}

/// Those of `restraints` that keep an alert from being told at `at`.
pub fn active<'a>(
    restraints: &'a [Restraint],
    alert: &Facts<'_>,
    at: Timestamp,
) -> impl Iterator<Item = &'a Restraint> + use<'a> {
    about(restraints, alert).into_iter().filter(move |restraint| restraint.state(at) == State::Active)
}

impl State {
    /// As it stands in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::matchers::Field;

    const OLD: RestraintId = RestraintId(Uuid::from_u128(1));
    const NEW: RestraintId = RestraintId(Uuid::from_u128(2));

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn device(id: &str) -> Matchers {
        Matchers::new([(Field::Device, vec![id.into()])]).unwrap()
    }

    fn restraint(kind: Kind, starts: i64, ends: Option<i64>) -> Restraint {
        Restraint {
            id: OLD,
            kind,
            starts: at(starts),
            ends: ends.map(at),
            author: "李工".into(),
            comment: "换屏".into(),
            created_at: at(0),
            changed_by: "".into(),
            replaces: None,
        }
    }

    fn silence() -> Restraint {
        restraint(Kind::Silence(device("led")), 100, Some(200))
    }

    fn maintenance() -> Restraint {
        restraint(Kind::Maintenance { matchers: device("led"), include_firing: false }, 100, Some(200))
    }

    fn until_resolved() -> Restraint {
        restraint(Kind::UntilResolved(AlertId(Uuid::nil())), 100, None)
    }

    #[rstest]
    #[case::before(99, State::Pending)]
    #[case::its_first_moment(100, State::Active)]
    #[case::its_last_moment(199, State::Active)]
    #[case::its_end(200, State::Expired)]
    fn a_restraint_is_active_from_its_beginning_up_to_its_end(#[case] now: i64, #[case] state: State) {
        assert_eq!(silence().state(at(now)), state);
        let led = Labels { device: "led", ..Labels::default() };
        assert_eq!(silence().covers(&led, at(now)), state == State::Active);
        assert!(!silence().covers(&Labels { device: "tv", ..led }, at(now)));
    }

    #[rstest]
    #[case::usual(100, Some(200), Ok(100))]
    #[case::said_to_have_begun_earlier(-50, Some(200), Ok(10))]
    #[case::over_before_it_begins(100, Some(100), Err(Refusal::NeverActive))]
    #[case::over_already(5, Some(10), Err(Refusal::NeverActive))]
    #[case::a_year_and_two_days(100, Some(101 + LONGEST.millis()), Err(Refusal::TooLong))]
    #[case::without_an_end(100, None, Err(Refusal::NoEnd))]
    fn a_restraint_that_is_made_begins_no_earlier_than_now_and_ends(
        #[case] starts: i64,
        #[case] ends: Option<i64>,
        #[case] expected: Result<i64, Refusal>,
    ) {
        let made = restraint(Kind::Silence(device("led")), starts, ends).made(at(10));
        assert_eq!(made.map(|made| made.starts.millis()), expected);
    }

    #[test]
    fn a_silence_until_an_alert_is_resolved_needs_no_end() {
        assert_eq!(until_resolved().made(at(10)), Ok(until_resolved()));
        assert_eq!(until_resolved().state(at(i64::MAX)), State::Active);
    }

    fn change() -> Change {
        Change { by: "王工".into(), ..Change::default() }
    }

    #[rstest]
    #[case::its_end(Change { ends: Some(at(900)), ..change() }, 150)]
    #[case::its_comment(Change { comment: Some("再等".into()), ..change() }, 150)]
    #[case::matchers_to_what_they_were(Change { matchers: Some(device("led")), ..change() }, 150)]
    #[case::its_beginning_to_what_it_was(Change { starts: Some(at(100)), ..change() }, 150)]
    #[case::the_beginning_of_one_to_come(Change { starts: Some(at(120)), ..change() }, 50)]
    fn what_rewrites_no_past_changes_the_restraint_itself(#[case] change: Change, #[case] now: i64) {
        let Ok(Changed::Same(same)) = silence().change(change, NEW, at(now)) else { panic!("it is another one") };
        assert_eq!((same.id, &*same.changed_by, &*same.author), (OLD, "王工", "李工"));
    }

    #[rstest]
    #[case::matchers(silence(), Change { matchers: Some(device("tv")), ..change() }, 150, 150)]
    #[case::matchers_of_one_to_come(silence(), Change { matchers: Some(device("tv")), ..change() }, 50, 100)]
    #[case::the_beginning_of_an_active_one(silence(), Change { starts: Some(at(170)), ..change() }, 150, 170)]
    #[case::an_earlier_beginning(silence(), Change { starts: Some(at(20)), ..change() }, 150, 150)]
    #[case::whether_firing_alerts_are_included(maintenance(), Change { include_firing: Some(true), ..change() }, 150, 150)]
    fn what_would_rewrite_the_past_ends_the_restraint_and_makes_a_new_one(
        #[case] before: Restraint,
        #[case] change: Change,
        #[case] now: i64,
        #[case] starts: i64,
    ) {
        let Ok(Changed::Replaced { old, new }) = before.change(change, NEW, at(now)) else { panic!("it is the same") };
        assert_eq!((old.id, old.state(at(now)), &*old.changed_by), (OLD, State::Expired, "王工"));
        assert_eq!((old.kind, old.starts.min(at(now)), old.ends), (before.kind, old.starts, Some(at(now))));
        assert_eq!((new.id, new.replaces, &*new.author, new.starts), (NEW, Some(OLD), "王工", at(starts)));
        assert_eq!((new.ends, new.comment), (Some(at(200)), before.comment));
    }

    #[rstest]
    #[case::one_that_is_over(silence(), change(), 200, Refusal::Over)]
    #[case::an_end_in_the_past(silence(), Change { ends: Some(at(140)), ..change() }, 150, Refusal::NeverActive)]
    #[case::an_end_before_the_beginning(silence(), Change { ends: Some(at(90)), ..change() }, 50, Refusal::NeverActive)]
    #[case::for_ever(silence(), Change { ends: Some(at(i64::MAX)), ..change() }, 150, Refusal::TooLong)]
    #[case::maintenances_option(silence(), Change { include_firing: Some(true), ..change() }, 150, Refusal::NotOfThisKind)]
    #[case::matchers_of_a_single_alert(until_resolved(), Change { matchers: Some(device("tv")), ..change() }, 150, Refusal::NotOfThisKind)]
    #[case::beginning_of_a_single_alert(until_resolved(), Change { starts: Some(at(300)), ..change() }, 150, Refusal::NotOfThisKind)]
    fn a_change_that_makes_no_sense_is_refused(
        #[case] before: Restraint,
        #[case] change: Change,
        #[case] now: i64,
        #[case] expected: Refusal,
    ) {
        assert_eq!(before.change(change, NEW, at(now)), Err(expected));
    }

    #[rstest]
    #[case::active(150, Ok((100, 150)))]
    #[case::to_come(50, Ok((50, 50)))]
    #[case::over(200, Err(Refusal::Over))]
    fn a_restraint_is_ended_once_and_one_to_come_never_begins(
        #[case] now: i64,
        #[case] expected: Result<(i64, i64), Refusal>,
    ) {
        let ended = silence().end("王工".into(), at(now));
        if let Ok(ended) = &ended {
            assert_eq!(ended.state(at(now)), State::Expired);
        }
        assert_eq!(ended.map(|ended| (ended.starts.millis(), ended.ends.unwrap().millis())), expected);
    }
}

//! What held a rule back: why no alert was raised at that time, why the open one was not cleared, and what kept it quiet.

use super::RuleTrace;
use crate::{
    alert::AlertId,
    condition::Truth,
    device::{Life, LinkWord},
    inhibit::Causes,
    label::Label,
    overlay::{Facts, Live, overlay},
    restraint::{Restraint, RestraintId},
    rule::Phase,
    time::{Span, Timestamp},
};

/// One reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The hub did not hear the device's agent, so nothing was known.
    LinkNotUp(Option<LinkWord>),
    /// No record has told anything of the device.
    NoRecord,
    /// The last record was too old to tell the present since then.
    Stale(Timestamp),
    /// The rule does not apply at that time of day.
    OutsideItsHours,
    /// The device does not state what the rule asks for.
    NotStated,
    /// Nothing is wrong.
    NotWrong,
    /// Not yet wrong for long enough.
    TooShort {
        /// How long it is known to have been wrong.
        held: Span,
        /// How long it must be.
        needed: Span,
    },
    /// Not yet wrong often enough.
    TooFew {
        /// How many samples were bad.
        bad: u32,
        /// How many must be.
        needed: u32,
        /// Of how many.
        of: u32,
    },
    /// Still wrong.
    StillWrong,
    /// Neither wrong nor clearly right: within the dead band, or `until` does not hold yet.
    NotClearlyRight,
    /// Not yet right for long enough.
    NotRightForLong {
        /// How long it is known to have been right.
        held: Span,
        /// How long it must be.
        needed: Span,
    },
    /// It comes and goes: the alert stays open until it has been stable.
    Flapping,
    /// The device was not in use: it was not judged, or nobody was told.
    Life(Life),
    /// The alert was the consequence of another one, and asked nobody to act on its own.
    Inhibited(AlertId),
    /// A silence was about the alert.
    Silenced(RestraintId),
    /// A maintenance window covered the alert.
    Maintained(RestraintId),
}

impl Held {
    /// As it stands in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LinkNotUp(_) => "link_not_up",
            Self::NoRecord => "no_record",
            Self::Stale(_) => "stale",
            Self::OutsideItsHours => "outside_its_hours",
            Self::NotStated => "not_stated",
            Self::NotWrong => "not_wrong",
            Self::TooShort { .. } => "too_short",
            Self::TooFew { .. } => "too_few",
            Self::StillWrong => "still_wrong",
            Self::NotClearlyRight => "not_clearly_right",
            Self::NotRightForLong { .. } => "not_right_for_long",
            Self::Flapping => "flapping",
            Self::Life(_) => "life",
            Self::Inhibited(_) => "inhibited",
            Self::Silenced(_) => "silenced",
            Self::Maintained(_) => "maintenance",
        }
    }

    /// In words.
    pub fn words(self) -> Label {
        match self {
            Self::LinkNotUp(_) => Label::new("采集器未连通，状态未知", "the agent was not heard, so nothing was known"),
            Self::NoRecord => Label::new("这段时间没有设备数据", "no record tells of the device"),
            Self::Stale(_) => Label::new("最近的数据已过期，不能说明当时情况", "the last record was too old to tell"),
            Self::OutsideItsHours => Label::new("规则在该时段不适用", "the rule does not apply at this time of day"),
            Self::NotStated => {
                Label::new("设备没有给出规则所需的数据", "the device does not state what the rule asks for")
            }
            Self::NotWrong => Label::new("没有异常", "nothing is wrong"),
            Self::TooShort { held, needed } => Label::new(
                format!("异常持续 {held}，满 {needed} 才告警"),
                format!("wrong for {held} of the {needed} that make an alert"),
            ),
            Self::TooFew { bad, needed, of } => Label::new(
                format!("最近 {of} 次中异常 {bad} 次，满 {needed} 次才告警"),
                format!("wrong in {bad} of the last {of} samples, {needed} make an alert"),
            ),
            Self::StillWrong => Label::new("异常仍在", "still wrong"),
            Self::NotClearlyRight => Label::new("尚未明确恢复", "not clearly right again"),
            Self::NotRightForLong { held, needed } => Label::new(
                format!("恢复 {held}，满 {needed} 才解除"),
                format!("right for {held} of the {needed} that end the alert"),
            ),
            Self::Flapping => Label::new("时好时坏，稳定后才解除", "it comes and goes: it must be stable first"),
            Self::Life(Life::Announced) => {
                Label::new("设备当时尚未确认使用，不判断", "nobody had admitted the device, so it was not judged")
            }
            Self::Life(Life::Trial) => {
                Label::new("设备当时在试运行，不通知", "the device was on trial, so nobody was told")
            }
            Self::Life(Life::Live) => Label::new("设备当时在使用中", "the device was in use"),
            Self::Life(Life::Maintenance) => {
                Label::new("设备当时在检修，不通知", "the device was under maintenance, so nobody was told")
            }
            Self::Life(Life::Retired) => {
                Label::new("设备当时已停用，不判断", "the device was retired, so it was not judged")
            }
            Self::Inhibited(_) => Label::new(
                "当时由另一告警说明原因，不单独通知",
                "another alert explained it, so nobody was told of this one alone",
            ),
            Self::Silenced(_) => Label::new("当时处于静音", "a silence kept it quiet"),
            Self::Maintained(_) => Label::new("当时处于维护窗口", "a maintenance window kept it quiet"),
        }
    }

    /// The id of the alert, silence or maintenance window that is the reason, if it is one.
    pub fn by(self) -> Option<uuid::Uuid> {
        match self {
            Self::Inhibited(id) => Some(id.0),
            Self::Silenced(id) | Self::Maintained(id) => Some(id.0),
            _ => None,
        }
    }
}

/// Why the rule stayed in its phase.
pub(super) fn reasons(
    told: &RuleTrace,
    link: Option<LinkWord>,
    fresh_until: Option<Timestamp>,
    is_known: bool,
) -> Vec<Held> {
    let unknown = match (is_known, link, fresh_until) {
        (true, ..) => None,
        (_, Some(LinkWord::Up), Some(until)) => Some(Held::Stale(until)),
        (_, None | Some(LinkWord::Up), None) => Some(Held::NoRecord),
        (_, link, _) => Some(Held::LinkNotUp(link)),
    };
    let outside = (!told.applies).then_some(Held::OutsideItsHours);
    let open = told.kept.phase.alerting_since().is_some();
    let own = if open { Some(not_cleared(told)) } else { not_raised(told) };
    let flapping = (open && told.flapping).then_some(Held::Flapping);
    // Where nothing is known, what the rule makes of it says nothing more.
    let own = own.filter(|_| is_known || matches!(told.kept.phase, Phase::Pending { .. } | Phase::Recovering { .. }));
    unknown.into_iter().chain(outside).chain(own).chain(flapping).collect()
}

/// What lay over an alert that was open at `at`; `causes` are those that were open then.
pub(super) fn overlays(
    alert: &Facts<'_>,
    causes: &Causes<'_, AlertId>,
    restraints: &[Restraint],
    at: Timestamp,
) -> impl Iterator<Item = Held> {
    let live = Live { inhibited: causes.of(&alert.labels), ..Live::default() };
    let over = overlay(&Facts { cleared_at: None, ..*alert }, restraints, live, at);
    let maintained = over.maintenance_by.into_iter().map(Held::Maintained);
    over.inhibited_by
        .map(Held::Inhibited)
        .into_iter()
        .chain(maintained)
        .chain(over.silenced_by.into_iter().map(Held::Silenced))
}

fn not_raised(told: &RuleTrace) -> Option<Held> {
    match (told.kept.phase, told.rule.samples, told.fire) {
        (Phase::Pending { .. }, Some(samples), _) => {
            Some(Held::TooFew { bad: told.kept.bad.count_ones(), needed: samples.bad, of: samples.of })
        }
        (Phase::Pending { .. }, None, _) => {
            Some(Held::TooShort { held: told.kept.held, needed: told.rule.raise_after })
        }
        (_, _, Truth::False) => Some(Held::NotWrong),
        (_, _, Truth::Unknown) => Some(Held::NotStated),
        (_, _, Truth::True) => None,
    }
}

fn not_cleared(told: &RuleTrace) -> Held {
    match (told.kept.phase, told.fire, told.recover) {
        (Phase::Recovering { .. }, ..) => Held::NotRightForLong { held: told.kept.held, needed: told.rule.clear_after },
        (_, Truth::True, _) => Held::StillWrong,
        (_, Truth::Unknown, _) | (_, _, Truth::Unknown) => Held::NotStated,
        _ => Held::NotClearlyRight,
    }
}

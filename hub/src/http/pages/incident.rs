//! What is wrong with a device in the six lines that a post needs: its worst open alert and how far the ticket is.

use lobby_dashboards::{
    Deadline, DeadlineKind, Incident, Reason, Rejected, Severity, TicketLine, TicketStep, WaitingFor,
};
use lobby_domain::{
    alert::Subject,
    device::Device,
    label::Label,
    rule::Effect,
    site::Site,
    ticket::{self, State},
    time::Timestamp,
};

use super::{Scene, escalations::standing};
use crate::store::{AlertRow, TicketEvent, TicketRow};

/// The worst open alert of a device among those of `which`, or its ticket if that only waits to be confirmed.
pub(super) fn of(
    scene: &Scene<'_>,
    site: &Site,
    device: &Device,
    which: impl Fn(&AlertRow) -> bool,
) -> Option<Incident> {
    let subject = Subject::Device(device.id.clone());
    let alerts = scene.open.alerts_about(&site.id, &subject).filter(|alert| which(alert));
    match alerts.min_by_key(|alert| (severity(&alert.severity), alert.since)) {
        Some(alert) => Some(of_alert(scene, device, alert)),
        None => Some(to_confirm(scene, device, scene.open.to_confirm(&site.id, &subject)?)),
    }
}

fn of_alert(scene: &Scene<'_>, device: &Device, alert: &AlertRow) -> Incident {
    let rule = scene.pack.rule(&alert.rule);
    let ticket = alert.ticket.as_deref().and_then(|number| scene.open.ticket(number));
    let number = alert.ticket.as_deref();
    let rejected = scene.open.rejected.iter().find(|ticket| Some(ticket.number.as_str()) == number);
    let owner = ticket.map(|ticket| &ticket.department).or(alert.department.as_ref());
    let told = alert.tells.iter().map(|post| scene.post(post)).collect::<Vec<_>>();
    let effect = effect(scene, rule.map_or(Effect::Failed, |rule| rule.effect));
    let evidence = scene.text(&alert.evidence);
    Incident {
        what: without_kind(scene, device, &alert.title),
        since: scene.when(alert.since),
        effect: if evidence.is_empty() { effect.to_owned() } else { format!("{effect} · {evidence}") },
        department: owner.map_or_else(|| told.join(scene.texts().list_comma), |id| scene.department(id)),
        person: ticket.and_then(person),
        next_step: rule.map_or_else(|| scene.text(&alert.title), |rule| scene.text(&rule.advice)),
        deadline: ticket.and_then(|ticket| deadline(scene, ticket)),
        escalation: match ticket {
            Some(ticket) => scene.open.followed(ticket.number.as_str()),
            None => scene.open.followed_alert(alert.id),
        }
        .map(|row| standing(scene, row)),
        ticket: ticket.or(rejected).map(|ticket| line(scene, ticket)),
    }
}

/// The fault is gone; the post has to look and say so.
fn to_confirm(scene: &Scene<'_>, device: &Device, ticket: &TicketRow) -> Incident {
    Incident {
        what: without_kind(scene, device, &ticket.title),
        since: scene.when(ticket.opened_at),
        effect: scene.pick("数据显示已恢复", "The data show that it works again").to_owned(),
        department: scene.post(&ticket.confirmed_by),
        person: person(ticket),
        next_step: scene
            .pick("请到现场查看，确认后工单关闭", "Look at it on site; the ticket closes when you confirm")
            .to_owned(),
        deadline: None,
        escalation: scene.open.followed(ticket.number.as_str()).map(|row| standing(scene, row)),
        ticket: Some(line(scene, ticket)),
    }
}

fn effect(scene: &Scene<'_>, effect: Effect) -> &'static str {
    match effect {
        Effect::Failed => scene.pick("设备不能使用", "It cannot be used"),
        Effect::Degraded => scene.pick("设备只能部分使用", "It works only in part"),
        Effect::None => scene.pick("需要留意", "It needs attention"),
    }
}

/// A fault's title without the kind of the device, whose name goes before it.
fn without_kind(scene: &Scene<'_>, device: &Device, title: &Label) -> String {
    let title = title.in_lang(scene.words());
    let Some(kind) = scene.pack.kinds.get(&*device.kind) else { return title.to_owned() };
    let kind = kind.kind.label.in_lang(scene.words());
    // "LED 显示屏" is a "显示屏" in titles.
    let short = kind.rsplit(' ').next().unwrap_or(kind);
    let rest = title.strip_prefix(kind).or_else(|| title.strip_prefix(short)).unwrap_or(title);
    let rest = rest.trim_start_matches([' ', ':', '：']);
    if rest.is_empty() { title.to_owned() } else { rest.to_owned() }
}

/// An alert's severity by its name in the database.
pub(super) fn severity(name: &str) -> Severity {
    match name {
        "critical" => Severity::Critical,
        "major" => Severity::Major,
        "warning" => Severity::Minor,
        _ => Severity::Info,
    }
}

/// A ticket's step.
pub(super) fn step(ticket: &TicketRow) -> TicketStep {
    match ticket.state {
        State::New | State::Assigned => TicketStep::Reported,
        State::Accepted => TicketStep::Accepted,
        State::InProgress | State::Waiting => TicketStep::InProgress,
        State::Fixed | State::SelfRecovered => TicketStep::AwaitingConfirmation,
        State::Closed if ticket.rejected.is_some() => TicketStep::Cancelled,
        State::Closed => TicketStep::Closed,
    }
}

/// Why a ticket was closed without a repair, if it was.
pub(super) fn rejected(ticket: &TicketRow, said: Option<&TicketEvent>) -> Option<Rejected> {
    let text = |text: &String| (!text.is_empty()).then(|| text.clone());
    Some(Rejected {
        no: ticket.number.to_string(),
        reason: reason(ticket.rejected?),
        duplicate_of: ticket.duplicate_of.as_ref().map(ToString::to_string),
        by: said.and_then(|said| text(&said.actor)),
        note: said.and_then(|said| text(&said.note)),
    })
}

/// A reason to close a ticket without a repair.
pub(super) fn reason(reason: ticket::Rejection) -> Reason {
    match reason {
        ticket::Rejection::NoFaultFound => Reason::NoFaultFound,
        ticket::Rejection::OutOfScope => Reason::OutOfScope,
        ticket::Rejection::Duplicate => Reason::Duplicate,
    }
}

/// The next time limit of a ticket.
pub(super) fn deadline(scene: &Scene<'_>, ticket: &TicketRow) -> Option<Deadline> {
    due_at(ticket).map(|(kind, at)| Deadline { kind, at: scene.when(at) })
}

/// What of a ticket is due next, and when.
pub(super) fn due_at(ticket: &TicketRow) -> Option<(DeadlineKind, Timestamp)> {
    match ticket.state {
        State::New | State::Assigned => Some((DeadlineKind::Respond, ticket.respond_by)),
        State::Accepted => Some((DeadlineKind::Arrive, ticket.arrive_by)),
        State::InProgress => Some((DeadlineKind::Complete, ticket.complete_by)),
        State::Waiting | State::Fixed | State::SelfRecovered | State::Closed => None,
    }
}

/// What a ticket waits for.
pub(super) fn waiting_for(ticket: &TicketRow) -> Option<WaitingFor> {
    (ticket.state == State::Waiting).then_some(ticket.waiting_for).flatten().map(|waiting| match waiting {
        ticket::WaitingFor::Parts => WaitingFor::Parts,
        ticket::WaitingFor::Supplier => WaitingFor::Supplier,
        ticket::WaitingFor::Access => WaitingFor::Access,
    })
}

/// Who works a ticket.
pub(super) fn person(ticket: &TicketRow) -> Option<String> {
    (!ticket.owner.is_empty()).then(|| ticket.owner.clone())
}

fn line(scene: &Scene<'_>, ticket: &TicketRow) -> TicketLine {
    let step = step(ticket);
    let confirms = scene.reader.caller.at(&ticket.site).may(lobby_dashboards::Action::Confirm.need());
    TicketLine {
        no: ticket.number.to_string(),
        version: ticket.version,
        step,
        rejected: rejected(ticket, None),
        may_confirm: step == TicketStep::AwaitingConfirmation && !ticket.faulty && confirms,
    }
}

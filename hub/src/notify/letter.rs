//! What a message says, in the channel's language: made once, stored with the message, and sent in whatever form the channel has.

use std::collections::BTreeMap;

use lobby_domain::{
    alert::Subject,
    label::{Label, Lang},
    notice::{About, Deadline, Holds, MonthReport, State, What, clipped, head, holds, line, single, subject_line},
    pack::Pack,
    rule::Severity,
    ticket,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Channel, Target, dingtalk, email, feishu, ntfy, webhook, wecom};
use crate::{
    fleet::Fleet,
    store::{AlertRow, EscalationRow, TicketRow},
};

/// Most alerts in one message.
pub(super) const MOST_ALERTS: usize = 50;
/// Bytes for the first line of a message about several alerts.
const HEAD: usize = 200;

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Letter {
    /// Its id.
    pub id: String,
    /// `single`, `group`, `digest`, `report` or `test`.
    pub kind: String,
    /// `alert.opened`, `alert.acknowledged`, `alert.escalated`, `alert.assigned`, `alert.undelivered`, `alert.closed`, `alert.updated`,
    /// `alerts.group`, `alerts.digest`, `month.report` or `test`.
    pub r#type: String,
    /// The gravest severity of what is open in it, or `recovered`.
    pub severity: String,
    /// In one line.
    pub title: String,
    /// In some lines.
    pub text: String,
    /// Where there is more.
    pub link: Option<String>,
    /// When it was made, in ms since 1970 UTC.
    pub made_at: i64,
    /// The alerts it tells of.
    pub alerts: Vec<Item>,
    /// The one person who has what it tells of to see to, by their id: those chats mention them whose id of them is known when it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mention: Option<String>,
}

/// An alert in a message, for programs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    /// The alert.
    pub id: Uuid,
    /// What of it is told: the events of the outbox.
    pub events: Vec<String>,
    /// `open` or `cleared`.
    pub state: String,
    pub site: String,
    pub subject: String,
    pub rule: String,
    pub severity: String,
    pub title: Label,
    pub evidence: Label,
    pub since: i64,
    pub cleared_at: Option<i64>,
    pub clear_reason: Option<String>,
    pub acknowledged_by: Option<String>,
    pub ticket: Option<String>,
}

/// An alert that is to be told, with all that is told of it.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub alert: AlertRow,
    pub ticket: Option<TicketRow>,
    /// How it is followed up, if it is.
    pub escalation: Option<EscalationRow>,
    /// Events of the outbox.
    pub events: Vec<String>,
}

impl Told {
    /// Its ticket while somebody works it.
    fn worked(&self) -> Option<&TicketRow> {
        use ticket::State::{Accepted, Assigned, InProgress, Waiting};
        self.ticket.as_ref().filter(|ticket| matches!(ticket.state, Assigned | Accepted | InProgress | Waiting))
    }

    /// Who has taken notice of it, or repairs it; empty if nobody knows who.
    fn seen_to_by(&self) -> Option<&str> {
        self.alert.acked.as_ref().map(|(_, by)| by.as_str()).or_else(|| Some(&self.worked()?.owner))
    }
}

impl Letter {
    /// Its text with the keyword before it, and its link and reference after it, within so many bytes.
    pub(super) fn text_within(&self, keyword: &str, most: usize) -> String {
        self.text_mentioning("", keyword, most)
    }

    /// The same with a mention in a line of its own after the text; the bytes are those of all of it, and the text alone is cut.
    pub(super) fn text_mentioning(&self, mention: &str, keyword: &str, most: usize) -> String {
        let mention = if mention.is_empty() { String::new() } else { format!("\n{mention}") };
        let end = mention + &ending(self.link.as_deref(), &self.id);
        let text = clipped(&self.text, most.saturating_sub(keyword.len() + end.len()));
        format!("{keyword}{text}{end}")
    }
}

/// Who has what is told of an alert to see to. Nobody of what is over or back with somebody else: then no phone need ring.
pub(super) fn held(told: &Told) -> Option<Holds<'_>> {
    let ticket = told.worked().filter(|ticket| !ticket.owner.is_empty());
    let worker = ticket.map(|ticket| ticket.owner_id.as_deref().unwrap_or_default());
    let escalation = told.escalation.as_ref().map(|row| &row.escalation);
    match state(told, "") {
        // It went to one level, and it is theirs whatever the ticket says.
        State::Escalated(_) => holds(escalation, None),
        State::Assigned(_) => worker.map(Holds::Worker),
        State::Open | State::Again | State::Unstable | State::Undelivered(_) => holds(escalation, worker),
        State::Acknowledged(_) | State::Rejected | State::Cleared(..) => None,
    }
}

/// What comes after the text: a repeat can be told by the same reference.
fn ending(link: Option<&str>, id: &str) -> String {
    let link = link.map(|link| format!("\n{link}")).unwrap_or_default();
    format!("{link}\n#{}", id.get(..8).unwrap_or(id))
}

/// The bytes that a channel has for the text alone.
fn room(channel: &Channel, link: Option<&str>) -> usize {
    let most = match channel.target {
        Target::Wecom { .. } => wecom::MOST,
        Target::Dingtalk { .. } => dingtalk::MOST,
        Target::Feishu { .. } => feishu::MOST,
        Target::Ntfy { .. } => ntfy::MOST,
        Target::Webhook { .. } => webhook::MOST,
        Target::Smtp(_) => email::MOST,
    };
    most.saturating_sub(channel.keyword.len() + ending(link, "01234567").len())
}

/// Writes a message about as many of `told` as fit, from the first on. Returns it with how many those are.
pub(super) fn write(
    fleet: &Fleet,
    channel: &Channel,
    public_url: Option<&str>,
    (id, kind): (Uuid, &str),
    told: &[Told],
    now: Timestamp,
) -> (Letter, usize) {
    let abouts: Vec<About> = told.iter().take(MOST_ALERTS).map(|told| about(fleet, told, channel.lang)).collect();
    let (title, text, taken) = match abouts.as_slice() {
        [one] => (subject_line(channel.lang, one), single(channel.lang, one), 1),
        several => {
            let lines: Vec<String> = several.iter().map(|about| line(channel.lang, about)).collect();
            let link = public_url.map(|url| format!("{url}/alerts"));
            let (mut left, mut taken) = (room(channel, link.as_deref()).saturating_sub(HEAD), 0);
            for line in &lines {
                // The first is taken at any rate, and cut if need be.
                if taken > 0 && line.len() + 1 > left {
                    break;
                }
                left = left.saturating_sub(line.len() + 1);
                taken += 1;
            }
            let over = several[..taken].iter().filter(|about| matches!(about.state, State::Cleared(..))).count();
            let site = (kind == "group").then_some(several[0].site.as_str());
            let head = clipped(&head(channel.lang, kind == "digest", site, taken - over, over), HEAD - 1);
            (head.clone(), format!("{head}\n{}", lines[..taken].join("\n")), taken)
        }
    };
    let told = &told[..taken];
    let path = match told {
        [one] => one.alert.ticket.as_ref().map_or_else(|| "/alerts".to_owned(), |ticket| format!("/t/{ticket}")),
        _ => "/alerts".to_owned(),
    };
    let letter = Letter {
        id: id.to_string(),
        kind: kind.to_owned(),
        r#type: type_of(told, kind).to_owned(),
        severity: severity_of(told),
        title,
        text,
        link: public_url.map(|url| format!("{url}{path}")),
        made_at: now.millis(),
        alerts: told.iter().map(item).collect(),
        mention: None,
    };
    (letter, taken)
}

/// A message that says nothing but that messages arrive.
pub(super) fn test(channel: &Channel, public_url: Option<&str>, id: Uuid, now: Timestamp) -> Letter {
    let (title, text) = match channel.lang {
        Lang::Zh => ("测试消息", format!("这是一条测试消息：通道 {} 可以收到通知。", channel.name)),
        Lang::En => ("Test message", format!("This is a test: channel {} receives notifications.", channel.name)),
    };
    Letter {
        id: id.to_string(),
        kind: "test".to_owned(),
        r#type: "test".to_owned(),
        severity: "info".to_owned(),
        title: title.to_owned(),
        text,
        link: public_url.map(|url| format!("{url}/outbox")),
        made_at: now.millis(),
        alerts: Vec::new(),
        mention: None,
    }
}

/// A message that carries a month's report, which is to be seen at `path`.
pub(super) fn report(
    channel: &Channel,
    public_url: Option<&str>,
    (id, path): (Uuid, &str),
    report: &MonthReport,
    now: Timestamp,
) -> Letter {
    Letter {
        id: id.to_string(),
        kind: "report".to_owned(),
        r#type: "month.report".to_owned(),
        severity: Severity::Info.as_str().to_owned(),
        title: report.title(channel.lang),
        text: report.text(channel.lang),
        link: public_url.map(|url| format!("{url}{path}")),
        made_at: now.millis(),
        alerts: Vec::new(),
        mention: None,
    }
}

/// A message that says a code which proves that it arrived.
pub(super) fn code(lang: Lang, code: &str, id: Uuid, now: Timestamp) -> Letter {
    let (title, text) = match lang {
        Lang::Zh => (
            "验证码",
            format!("验证码：{code}\n请在“我的账号”页面输入，15 分钟内有效。如果不是您本人操作，请忽略此邮件。"),
        ),
        Lang::En => (
            "Your code",
            format!(
                "Your code: {code}\nEnter it on your account page within 15 minutes. If you did not ask for it, ignore this message."
            ),
        ),
    };
    Letter {
        id: id.to_string(),
        kind: "code".to_owned(),
        r#type: "code".to_owned(),
        severity: "info".to_owned(),
        title: title.to_owned(),
        text,
        link: None,
        made_at: now.millis(),
        alerts: Vec::new(),
        mention: None,
    }
}

fn type_of(told: &[Told], kind: &str) -> &'static str {
    match told {
        [one] => match state(one, "") {
            State::Cleared(..) => "alert.closed",
            State::Acknowledged(_) => "alert.acknowledged",
            State::Open => "alert.opened",
            State::Escalated(_) => "alert.escalated",
            State::Assigned(_) => "alert.assigned",
            State::Undelivered(_) => "alert.undelivered",
            State::Again | State::Unstable | State::Rejected => "alert.updated",
        },
        _ if kind == "digest" => "alerts.digest",
        _ => "alerts.group",
    }
}

fn severity_of(told: &[Told]) -> String {
    let open = told.iter().filter(|told| told.alert.cleared_at.is_none());
    let gravest = open.filter_map(|told| Severity::from_text(&told.alert.severity)).max();
    gravest.map_or("recovered", Severity::as_str).to_owned()
}

fn item(told: &Told) -> Item {
    let alert = &told.alert;
    Item {
        id: alert.id.0,
        events: told.events.clone(),
        state: if alert.cleared_at.is_some() { "cleared" } else { "open" }.to_owned(),
        site: alert.site.to_string(),
        subject: alert.subject.to_string(),
        rule: alert.rule.clone(),
        severity: alert.severity.clone(),
        title: alert.title.clone(),
        evidence: alert.evidence.clone(),
        since: alert.since.millis(),
        cleared_at: alert.cleared_at.map(Timestamp::millis),
        clear_reason: alert.clear_reason.clone(),
        acknowledged_by: alert.acked.as_ref().map(|(_, by)| by.clone()),
        ticket: alert.ticket.clone(),
    }
}

/// How an alert stands, by what is told of it; `post` is the one that has it.
fn state(told: &Told, post: &str) -> State {
    let alert = &told.alert;
    let escalated = told.events.iter().any(|event| What::of(event) == What::Escalated);
    // Of one that is over it may be told that its repair is to be confirmed.
    if let Some(at) = alert.cleared_at
        && !(escalated && told.escalation.is_some())
    {
        return State::Cleared(at, alert.clear_reason.as_deref().unwrap_or_default().into());
    }
    let tells = |wanted: fn(What) -> bool| told.events.iter().any(|event| wanted(What::of(event)));
    if tells(|what| what == What::Rejected) {
        State::Rejected
    } else if tells(|what| what == What::Assigned)
        && let Some(ticket) = told.worked()
    {
        let to = ticket.owner.as_str().into();
        if ticket.state == ticket::State::Assigned { State::Assigned(to) } else { State::Acknowledged(to) }
    } else if tells(|what| what == What::Acknowledged)
        && let Some(by) = told.seen_to_by()
    {
        State::Acknowledged(by.into())
    } else if escalated && told.escalation.is_some() {
        State::Escalated(post.into())
    } else if let Some(channel) = told.events.iter().find_map(|event| event.split_once(":undelivered:")) {
        State::Undelivered(channel.1.into())
    } else if tells(|what| what == What::Unstable) {
        State::Unstable
    } else if tells(|what| what == What::Raised) {
        State::Open
    } else {
        State::Again
    }
}

fn about(fleet: &Fleet, told: &Told, lang: Lang) -> About {
    let (alert, setup) = (&told.alert, fleet.setup());
    let site = fleet.name_of(&alert.site);
    let sites = fleet.read();
    let live = sites.get(&alert.site);
    let subject = match &alert.subject {
        Subject::Device(id) => {
            let name = live.and_then(|site| site.device(id)).map(|device| device.name.to_string());
            name.filter(|name| !name.is_empty()).unwrap_or_else(|| id.to_string())
        }
        Subject::Agent(id) => id.to_string(),
        Subject::Site => site.clone(),
    };
    let post =
        |id: &str| setup.pack.posts.get(id).map_or_else(|| id.to_owned(), |label| label.in_lang(lang).to_owned());
    let has = told.escalation.as_ref().map(|row| post(row.escalation.post())).unwrap_or_default();
    let state = state(told, &has);
    let (owner, deadline) = match (&state, &told.escalation) {
        (State::Escalated(_), Some(row)) => followed_up(row, has, post),
        // It is back with whoever was to confirm the repair.
        (State::Rejected, _) => {
            (told.ticket.as_ref().map(|ticket| post(&ticket.confirmed_by)).unwrap_or_default(), None)
        }
        _ => next_step(told, &setup.pack, lang),
    };
    About {
        state,
        severity: Severity::from_text(&alert.severity).unwrap_or(Severity::Warning),
        site,
        subject,
        place: alert.device.place.clone(),
        title: alert.title.in_lang(lang).to_owned(),
        evidence: alert.evidence.in_lang(lang).to_owned(),
        since: alert.since,
        owner,
        ticket: alert.ticket.clone(),
        deadline,
        zone: live.map_or_else(|| setup.zone.clone(), |site| site.calendar.zone().clone()),
    }
}

/// Who has what went up, and when it goes further.
fn followed_up(row: &EscalationRow, has: String, post: impl Fn(&str) -> String) -> (String, Option<Deadline>) {
    let escalation = &row.escalation;
    let owner = match &escalation.holder {
        Some(holder) => format!("{has} {}", holder.name),
        None => has,
    };
    let deadline = escalation.due.map(|due| {
        if escalation.is_at_top() {
            Deadline::Again(due)
        } else {
            Deadline::Answer(due, post(escalation.next_post()).into())
        }
    });
    (owner, deadline)
}

/// Who owns the next step, and by when it is due.
fn next_step(told: &Told, pack: &Pack, lang: Lang) -> (String, Option<Deadline>) {
    let label = |labels: &BTreeMap<Box<str>, Label>, id: &str| {
        labels.get(id).map_or_else(|| id.to_owned(), |label| label.in_lang(lang).to_owned())
    };
    let department = |id: &str| {
        pack.departments.get(id).map_or_else(|| id.to_owned(), |department| department.label.in_lang(lang).to_owned())
    };
    let alert = &told.alert;
    let Some(ticket) = told.ticket.as_ref().filter(|ticket| ticket.closed_at.is_none()) else {
        let posts = alert.tells.iter().map(|post| label(&pack.posts, post)).collect::<Vec<_>>();
        let department = alert.department.as_ref().map(|id| department(id));
        return (department.unwrap_or_else(|| posts.join(if lang == Lang::Zh { "、" } else { ", " })), None);
    };
    let department = department(&ticket.department);
    let named = match ticket.owner.as_str() {
        "" => department,
        person => format!("{department} {person}"),
    };
    match ticket.state {
        ticket::State::New | ticket::State::Assigned => (named, Some(Deadline::Respond(ticket.respond_by))),
        ticket::State::Accepted | ticket::State::InProgress => (named, Some(Deadline::Complete(ticket.complete_by))),
        ticket::State::Fixed | ticket::State::SelfRecovered => {
            (label(&pack.posts, &ticket.confirmed_by), Some(Deadline::Confirm))
        }
        // While others are waited for, no time limit runs.
        ticket::State::Waiting | ticket::State::Closed => (named, None),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A message with this text.
    pub(in crate::notify) fn letter(text: &str) -> Letter {
        Letter {
            id: "01234567-89ab-cdef-0123-456789abcdef".into(),
            kind: "single".into(),
            r#type: "alert.opened".into(),
            severity: "critical".into(),
            title: "[紧急] 入口屏".into(),
            text: text.into(),
            link: Some("https://hub/t/1".into()),
            made_at: 1_795_140_000_000,
            alerts: Vec::new(),
            mention: None,
        }
    }

    #[test]
    fn a_letter_reads_back_as_it_was_stored_and_keeps_its_end_when_it_is_cut() {
        let letter = letter(&"门".repeat(100));
        let stored = serde_json::to_string(&letter).unwrap();
        assert_eq!(serde_json::from_str::<Letter>(&stored).unwrap(), letter);
        let text = letter.text_within("【案场】", 100);
        assert!(text.len() <= 100 && text.starts_with("【案场】门"), "{text}");
        assert!(text.ends_with("…\nhttps://hub/t/1\n#01234567"), "{text}");
    }
}

//! What a notification says, in the channel's language and the clock time of the site.

use jiff::tz::TimeZone;

use crate::{calendar::local, label::Lang, rule::Severity, time::Timestamp};

/// How an alert stands when it is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is there.
    Open,
    /// It is still there.
    Again,
    /// This post has it now; see [`crate::escalation`].
    Escalated(Box<str>),
    /// It was given to this person, who has not answered yet.
    Assigned(Box<str>),
    /// It comes and goes.
    Unstable,
    /// It is there, and this channel did not take what it was told of it.
    Undelivered(Box<str>),
    /// This person has taken notice; empty if nobody knows who.
    Acknowledged(Box<str>),
    /// It is still there, and those who repair have said that it is not for them.
    Rejected,
    /// It is over, since then, and why.
    Cleared(Timestamp, Box<str>),
}

/// The next time limit of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deadline {
    /// To be accepted.
    Respond(Timestamp),
    /// To work again.
    Complete(Timestamp),
    /// The fault is gone, and somebody has to say so.
    Confirm,
    /// To be answered: otherwise this post has it.
    Answer(Timestamp, Box<str>),
    /// To be answered: there is nobody else, so the same post is told again.
    Again(Timestamp),
}

/// What is told of one alert, each word in the language of the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// How it stands.
    pub state: State,
    /// How grave it is.
    pub severity: Severity,
    /// What people call the site.
    pub site: String,
    /// What people call the device, agent or site that it is about.
    pub subject: String,
    /// Where that stands; may be empty.
    pub place: String,
    /// The fault.
    pub title: String,
    /// Why it was raised; may be empty.
    pub evidence: String,
    /// Since when the fault has been there.
    pub since: Timestamp,
    /// Who owns the next step; may be empty.
    pub owner: String,
    /// The ticket's number.
    pub ticket: Option<String>,
    /// By when the next step is due.
    pub deadline: Option<Deadline>,
    /// The time zone of the site.
    pub zone: TimeZone,
}

pub(super) fn pick(lang: Lang, zh: &'static str, en: &'static str) -> &'static str {
    match lang {
        Lang::Zh => zh,
        Lang::En => en,
    }
}

fn moment(about: &About, at: Timestamp) -> String {
    local(at, &about.zone).strftime("%m-%d %H:%M").to_string()
}

/// One or two words for how it stands.
fn word(lang: Lang, about: &About) -> String {
    match &about.state {
        State::Open => match about.severity {
            Severity::Critical => pick(lang, "紧急", "Critical"),
            Severity::Major => pick(lang, "重要", "Major"),
            Severity::Warning => pick(lang, "提醒", "Warning"),
            Severity::Info => pick(lang, "信息", "Info"),
        }
        .to_owned(),
        State::Again => pick(lang, "仍未恢复", "Still there").to_owned(),
        State::Escalated(post) => match lang {
            Lang::Zh => format!("请{post}处理"),
            Lang::En => format!("For {post}"),
        },
        State::Assigned(to) => format!("{}{to}", pick(lang, "已派给", "Given to ")),
        State::Unstable => pick(lang, "时好时坏", "Comes and goes").to_owned(),
        State::Undelivered(channel) => match lang {
            Lang::Zh => format!("通道 {channel} 未送达"),
            Lang::En => format!("Not delivered by {channel}"),
        },
        State::Acknowledged(by) if by.is_empty() => pick(lang, "已有人处理", "Being seen to").to_owned(),
        State::Acknowledged(by) => format!("{}{by}", pick(lang, "已有人处理：", "Being seen to by ")),
        State::Rejected => pick(lang, "不属维修范围，仍未恢复", "Not for us to repair, still there").to_owned(),
        // That a rule is gone, or a device, says nothing about the fault.
        State::Cleared(_, reason) => match &**reason {
            "rule_removed" => pick(lang, "规则已取消，不再判断", "No longer judged"),
            "retired" => pick(lang, "设备已停用", "Device retired"),
            "manual" => pick(lang, "已人工解除", "Cleared by hand"),
            _ => pick(lang, "已恢复", "Recovered"),
        }
        .to_owned(),
    }
}

/// The next step: who has to do what, and by when.
fn step(lang: Lang, about: &About) -> Option<String> {
    let by = |at: Timestamp, zh: &str, en: &str| match lang {
        Lang::Zh => format!("{} {zh}", moment(about, at)),
        Lang::En => format!("{en} {}", moment(about, at)),
    };
    let due = about.deadline.as_ref().map(|deadline| match deadline {
        Deadline::Respond(at) => by(*at, "前接单", "accept by"),
        Deadline::Complete(at) => by(*at, "前恢复", "restore by"),
        Deadline::Confirm => pick(lang, "请现场确认", "please look and confirm").to_owned(),
        Deadline::Answer(at, next) => match lang {
            Lang::Zh => format!("{} 前无人响应则升级至{next}", moment(about, *at)),
            Lang::En => format!("answer by {}, or it goes up to {next}", moment(about, *at)),
        },
        Deadline::Again(at) => by(*at, "前无人响应则再次提醒", "answer, or you are told again at"),
    });
    let parts: Vec<&str> =
        [Some(about.owner.as_str()).filter(|owner| !owner.is_empty()), due.as_deref()].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(pick(lang, "，", ", ")))
}

/// The title of a message about one alert.
pub fn subject_line(lang: Lang, about: &About) -> String {
    let title = format!("[{}] {} · {}", word(lang, about), about.site, about.subject);
    format!("{title}{}{}", pick(lang, "：", ": "), about.title)
}

/// The text of a message about one alert: what, where, since when, why, and who does what by when.
pub fn single(lang: Lang, about: &About) -> String {
    let mut lines = vec![format!("[{}] {}", word(lang, about), about.title)];
    let place = [&about.site, &about.place, &about.subject].into_iter().filter(|part| !part.is_empty());
    let place = place.map(String::as_str).collect::<Vec<_>>().join(" · ");
    lines.push(format!("{}{place}", pick(lang, "位置：", "Where: ")));
    lines.push(format!("{}{}", pick(lang, "开始：", "Since: "), moment(about, about.since)));
    if let State::Cleared(at, _) = &about.state {
        lines.push(format!("{}{}", pick(lang, "结束：", "Until: "), moment(about, *at)));
    } else if !about.evidence.is_empty() {
        lines.push(format!("{}{}", pick(lang, "依据：", "Evidence: "), about.evidence));
    }
    if let Some(step) = step(lang, about) {
        lines.push(format!("{}{step}", pick(lang, "处理：", "Next: ")));
    }
    if let Some(ticket) = &about.ticket {
        lines.push(format!("{}{ticket}", pick(lang, "工单：", "Ticket: ")));
    }
    lines.join("\n")
}

/// One line about an alert in a message about several.
pub fn line(lang: Lang, about: &About) -> String {
    let time = match &about.state {
        State::Cleared(at, _) => moment(about, *at),
        _ => format!("{}{}", pick(lang, "自 ", "since "), moment(about, about.since)),
    };
    let mut parts = vec![
        format!("[{}] {} · {}{}{}", word(lang, about), about.site, about.subject, pick(lang, "：", ": "), about.title),
        time,
    ];
    parts.extend(step(lang, about).filter(|_| !matches!(about.state, State::Cleared(..))));
    parts.extend(about.ticket.clone());
    format!("- {}", parts.join(pick(lang, "，", ", ")))
}

/// The first line of a message about several alerts.
pub fn head(lang: Lang, digest: bool, site: Option<&str>, open: usize, over: usize) -> String {
    let what = if digest { pick(lang, "通知汇总", "Digest") } else { pick(lang, "设备告警", "Device alerts") };
    let site = site.map(|site| format!("{site} · ")).unwrap_or_default();
    match lang {
        Lang::Zh => format!("{site}{what}：{open} 项未恢复，{over} 项已结束"),
        Lang::En => format!("{site}{what}: {open} open, {over} ended"),
    }
}

/// A text of at most `most` bytes, cut between two characters and marked as cut.
pub fn clipped(text: &str, most: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most.saturating_sub(MARK.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    if most < MARK.len() { String::new() } else { format!("{}{MARK}", &text[..end]) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// 2026-11-20 10:00 in Shanghai.
    const T0: Timestamp = Timestamp::from_millis(1_795_140_000_000);

    fn about(state: State, lang: Lang) -> About {
        let say = |zh: &'static str, en: &'static str| pick(lang, zh, en).to_owned();
        About {
            state,
            severity: Severity::Critical,
            site: say("云汀案场", "Cloud Court"),
            subject: say("入口屏", "Entrance LED"),
            place: say("大门口", "Gate"),
            title: say("显示屏无信号", "Display has no signal"),
            evidence: say("信号：无", "signal: none"),
            since: T0,
            owner: say("工程部", "Engineering"),
            ticket: Some("BX-202611-0042".into()),
            deadline: Some(Deadline::Respond(T0.shifted(600_000))),
            zone: TimeZone::get("Asia/Shanghai").unwrap(),
        }
    }

    #[test]
    fn a_message_says_what_where_since_when_why_and_who_does_what_by_when() {
        assert_eq!(
            single(Lang::Zh, &about(State::Open, Lang::Zh)),
            "[紧急] 显示屏无信号\n位置：云汀案场 · 大门口 · 入口屏\n开始：11-20 10:00\n依据：信号：无\n处理：工程部，11-20 10:10 前接单\n工单：BX-202611-0042"
        );
        assert_eq!(
            single(Lang::En, &about(State::Open, Lang::En)),
            "[Critical] Display has no signal\nWhere: Cloud Court · Gate · Entrance LED\nSince: 11-20 10:00\nEvidence: signal: none\nNext: Engineering, accept by 11-20 10:10\nTicket: BX-202611-0042"
        );
    }

    #[rstest]
    #[case::recovered(State::Cleared(T0, "recovered".into()), "已恢复", "Recovered")]
    #[case::not_known(State::Cleared(T0, "rule_removed".into()), "规则已取消", "No longer judged")]
    #[case::gone(State::Cleared(T0, "retired".into()), "设备已停用", "Device retired")]
    #[case::by_hand(State::Cleared(T0, "manual".into()), "已人工解除", "Cleared by hand")]
    #[case::seen_to(State::Acknowledged("李工".into()), "已有人处理：李工", "Being seen to by 李工")]
    #[case::seen_to_by_somebody(State::Acknowledged("".into()), "已有人处理", "Being seen to")]
    #[case::rejected(State::Rejected, "不属维修范围，仍未恢复", "Not for us to repair, still there")]
    #[case::unstable(State::Unstable, "时好时坏", "Comes and goes")]
    #[case::undelivered(State::Undelivered("ops".into()), "通道 ops 未送达", "Not delivered by ops")]
    #[case::again(State::Again, "仍未恢复", "Still there")]
    #[case::escalated(State::Escalated("主管".into()), "请主管处理", "For 主管")]
    #[case::assigned(State::Assigned("李工".into()), "已派给李工", "Given to 李工")]
    fn every_state_has_its_words_and_an_end_that_is_no_recovery_does_not_say_so(
        #[case] state: State,
        #[case] zh: &str,
        #[case] en: &str,
    ) {
        for (lang, word) in [(Lang::Zh, zh), (Lang::En, en)] {
            let about = about(state.clone(), lang);
            for text in [single(lang, &about), line(lang, &about), subject_line(lang, &about)] {
                assert!(text.contains(word), "{text}");
            }
        }
    }

    #[test]
    fn a_line_is_one_line_and_a_ticket_that_waits_to_be_confirmed_says_so() {
        let about = About { deadline: Some(Deadline::Confirm), ..about(State::Open, Lang::Zh) };
        let text = line(Lang::Zh, &about);
        assert_eq!(
            text,
            "- [紧急] 云汀案场 · 入口屏：显示屏无信号，自 11-20 10:00，工程部，请现场确认，BX-202611-0042"
        );
        assert_eq!(head(Lang::En, true, None, 3, 1), "Digest: 3 open, 1 ended");
        assert_eq!(head(Lang::Zh, false, Some("云汀"), 1, 0), "云汀 · 设备告警：1 项未恢复，0 项已结束");
    }

    proptest! {
        #[test]
        fn a_text_is_cut_by_bytes_between_characters(text in "\\PC{0,60}", most in 0usize..200) {
            let cut = clipped(&text, most);
            prop_assert!(cut.len() <= most);
            if text.len() <= most {
                prop_assert_eq!(&cut, &text);
            } else {
                let kept = cut.strip_suffix('…').unwrap_or_default();
                prop_assert!(text.starts_with(kept));
                prop_assert!(most < 3 || most - cut.len() < 4, "as much as fits is kept");
            }
        }
    }
}

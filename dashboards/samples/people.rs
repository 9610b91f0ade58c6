//! People, what they are asked to sign in with, and what they did.

use lobby_dashboards::{
    AccountPage, AuditLine, AuditPage, Chrome, DutyDay, DutyLine, HeldLine, Mistake, Page, PeoplePage, PersonLine,
    PersonState, PersonalMistake, PersonalPart, PostNow, Preview, RosterImport, RosterPage, SelectOption, SessionLine,
    SetupPage, Sight, SignInPage, TableMistake,
};
use lobby_domain::access::Role;

use super::{HOUR, MINUTE, RosterStep, SECOND, Scene};

impl Scene {
    pub(super) fn bare(&self, page: Page) -> Chrome {
        Chrome::bare(self.0, self.1.clone(), page, format!("/{}", page.name()))
    }

    pub(super) fn sign_in(&self, mistake: Option<Mistake>) -> SignInPage {
        let login = if mistake.is_some() { "chen.gang".to_owned() } else { String::new() };
        SignInPage {
            chrome: self.bare(Page::SignIn),
            login,
            back: "/engineering".into(),
            is_new: mistake.is_none(),
            mistake,
        }
    }

    pub(super) fn setup(&self, first: bool) -> SetupPage {
        let person = (!first).then(|| ("chen.gang".to_owned(), self.say("陈刚", "Chen Gang")));
        let mistake = first.then_some(Mistake::WeakPassword);
        let typed = (self.say("王敏", "Wang Min"), "wang.min".to_owned());
        SetupPage { chrome: self.bare(Page::Setup), person, typed, mistake }
    }

    pub(super) fn account(&self) -> AccountPage {
        let session = |id: &str, browser: &str, used, is_this| SessionLine {
            id: id.into(),
            browser: browser.into(),
            used: self.at(used),
            ends: self.at(-8 * HOUR),
            is_this,
        };
        AccountPage {
            chrome: Chrome {
                person: Some(self.say("陈刚", "Chen Gang")),
                sight: Sight::OneSite,
                ..self.chrome(Page::Account)
            },
            name: self.say("陈刚", "Chen Gang"),
            login: "chen.gang".into(),
            posts: vec![(Role::Engineering, Some(self.say("湖滨壹号 案场", "Lakeside One")))],
            sessions: vec![
                session("a", "Chrome · Android", SECOND, true),
                session("b", "Firefox · Windows", 3 * HOUR, false),
            ],
            personal: Some(PersonalPart {
                address: Some("chen.gang@example.com".into()),
                asked: None,
                refused: None,
                lang: String::new(),
                least: "warning".into(),
                held_only: false,
                quiet: ["22:00".into(), "07:00".into()],
                days: [true, true, true, true, true, false, false],
                mistake: None,
            }),
            chats: lobby_dashboards::ChatPart::default(),
            mistake: None,
        }
    }

    pub(super) fn account_with_code(&self) -> AccountPage {
        let personal = PersonalPart {
            address: None,
            asked: Some("chen.gang@example.com".into()),
            refused: Some("550 no such mailbox".into()),
            lang: "en".into(),
            least: "info".into(),
            held_only: true,
            quiet: ["22:00".into(), String::new()],
            days: [true; 7],
            mistake: Some(PersonalMistake::Code),
        };
        AccountPage { personal: Some(personal), ..self.account() }
    }

    pub(super) fn audit(&self, actor: Option<&str>) -> AuditPage {
        let line = |no, action: &str, subject: &str, before: Option<&str>, after: Option<&str>| AuditLine {
            no,
            at: self.at(MINUTE),
            actor: self.say("李工", "Engineer Li"),
            kind: "person".into(),
            site: Some(self.say("湖滨壹号 案场", "Lakeside One")),
            action: action.into(),
            subject: subject.into(),
            href: action.starts_with("ticket").then(|| format!("/t/{subject}")),
            before: before.map(Into::into),
            after: after.map(Into::into),
        };
        let command = AuditLine {
            actor: "uid 0".into(),
            kind: "command".into(),
            site: None,
            ..line(40, "token.create", "q3x9", None, Some("screen: viewer"))
        };
        let newer =
            AuditLine { kind: "robot".into(), actor: String::new(), ..line(39, "later.thing", "x", None, None) };
        AuditPage {
            chrome: Chrome { roles: Some(vec![Role::Admin]), ..self.chrome(Page::Audit) },
            lines: vec![line(41, "ticket.accept", "WO-202611-0007", Some("new"), Some("accepted")), command, newer],
            actor: actor.map(Into::into),
            next: Some("/audit?after=39".into()),
        }
    }

    pub(super) fn roster(&self, step: RosterStep) -> RosterPage {
        let line = |day: Option<&str>, hours: &str, post: (&str, &str), person: Option<(&str, &str)>| DutyLine {
            day: day.map(Into::into),
            hours: hours.into(),
            post: self.say(post.0, post.1),
            person: person.map(|(zh, en)| self.say(zh, en)),
            disabled: false,
        };
        let (concierge, engineering) = (("礼宾岗", "Concierge"), ("工程", "Engineering"));
        let (zhao, chen) = (Some(("赵雪", "Zhao Xue")), Some(("陈刚", "Chen Gang")));
        let gone = DutyLine { disabled: true, ..line(None, "16:00 - 2026-11-24 00:30", concierge, chen) };
        let now = |post: (&str, &str), people: &[(&str, &str)]| PostNow {
            post: self.say(post.0, post.1),
            people: people.iter().map(|(zh, en)| self.say(zh, en)).collect(),
        };
        let mistake = |line, column, zh: &str, en: &str| TableMistake { line, column, what: self.say(zh, en) };
        let (mistakes, preview, table) = match step {
            RosterStep::Looking => (vec![], None, ""),
            RosterStep::Mistaken => (
                vec![
                    mistake(
                        2,
                        12,
                        "没有“conserge”这个岗位，是否指“concierge”？",
                        "there is no post `conserge`; did you mean `concierge`?",
                    ),
                    mistake(
                        3,
                        1,
                        "“2026-13-01”不是日期：请写年月日，如 2026-12-01",
                        "`2026-13-01` is not a date: write year, month and day, such as `2026-12-01`",
                    ),
                ],
                None,
                "date,post,shift,person\n2026-11-24,conserge,early,zhao.hz\n2026-13-01,concierge,early,zhao.hz\n",
            ),
            RosterStep::Previewing => (
                vec![],
                Some(Preview {
                    begins: vec![line(Some("2026-11-24"), "08:00 - 16:30", concierge, zhao)],
                    ends: vec![line(Some("2026-11-24"), "08:00 - 16:30", concierge, chen)],
                    over: 3,
                }),
                "date,post,shift,person\n2026-11-24,concierge,early,zhao.hz\n",
            ),
        };
        RosterPage {
            chrome: Chrome {
                person: Some(self.say("王敏", "Wang Min")),
                roles: Some(vec![Role::Supervisor]),
                ..self.chrome(Page::Roster)
            },
            sites: vec![],
            now: Some(vec![now(concierge, &[("赵雪", "Zhao Xue"), ("王敏", "Wang Min")]), now(engineering, &[])]),
            gaps: Some(vec![
                line(Some("2026-11-24"), "00:30 - 08:00", concierge, None),
                line(Some("2026-11-23"), "15:00 - 2026-11-30 15:00", engineering, None),
            ]),
            days: vec![
                DutyDay { day: "2026-11-23".into(), duties: vec![line(None, "08:00 - 16:30", concierge, zhao), gone] },
                DutyDay { day: "2026-11-24".into(), duties: vec![line(None, "08:00 - 16:30", concierge, chen)] },
            ],
            import: Some(RosterImport {
                site: "hz-01".into(),
                shifts: vec![("early".into(), "08:00 - 16:30".into()), ("late".into(), "16:00 - 00:30".into())],
                table: table.into(),
                mistakes,
                preview,
            }),
        }
    }

    pub(super) fn people(&self) -> PeoplePage {
        let person = |id: &str, zh: &str, en: &str, role, state| PersonLine {
            id: id.into(),
            name: self.say(zh, en),
            login: format!("{id}.hz"),
            held: vec![HeldLine {
                role,
                site: (role != Role::Admin).then(|| ("hz-01".into(), self.say("湖滨壹号 案场", "Lakeside One"))),
                may_take: false,
            }],
            holds_more: false,
            chats: lobby_dashboards::ChatPart::default(),
            state,
        };
        let option = |value: &str, label: String| SelectOption { value: value.into(), label, chosen: false };
        PeoplePage {
            chrome: Chrome {
                person: Some(self.say("王敏", "Wang Min")),
                roles: Some(vec![Role::Admin]),
                ..self.chrome(Page::People)
            },
            people: vec![
                person("wang", "王敏", "Wang Min", Role::Admin, PersonState::Active),
                person("chen", "陈刚", "Chen Gang", Role::Engineering, PersonState::Invited),
                person("zhao", "赵雪", "Zhao Xue", Role::Concierge, PersonState::Disabled),
                PersonLine {
                    name: self.say("已删除人员 1", "Former member 1"),
                    login: "former member 1".into(),
                    ..person("gone", "", "", Role::Concierge, PersonState::Erased)
                },
            ],
            may_erase: true,
            roles: Role::ALL.to_vec(),
            sites: vec![option("hz-01", self.say("湖滨壹号 案场", "Lakeside One"))],
            all_sites: true,
            link: Some((
                self.say("陈刚", "Chen Gang"),
                "lobby.example.com/setup/3PjHhTZxkq0sYw8uJr1mVb6nQd4cLfEa7gRtXo2iKz5".into(),
            )),
            typed: (String::new(), String::new()),
            mistake: Some(Mistake::Taken),
        }
    }
}

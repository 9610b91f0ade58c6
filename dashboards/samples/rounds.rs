//! Rounds and readiness.

use lobby_dashboards::{
    ChecksPage, Choice, Clause, ItemFlag, ItemLine, ItemSaid, ItemStated, Lack, Page, PhotoStage, PhotoWanted,
    Readiness, RoundLine, RoundPage, RoundStart, RoundState, SelectOption, Signed,
};

use super::{HOUR, MINUTE, Scene};

impl Scene {
    pub(super) fn round(&self, state: RoundState, progress: (usize, usize)) -> RoundLine {
        RoundLine {
            href: (state != RoundState::Scheduled).then(|| "/checks/1c0ffee0-5a11-4b1d-8e55-0123456789ab".into()),
            label: self.say("上网区交接", "Internet area's handover"),
            site: None,
            post: self.say("接待岗", "Reception"),
            takes_over: Some(self.say("接待岗", "Reception")),
            people: vec![self.say("小张", "Zhang")],
            opens: self.at(HOUR),
            due: self.at(-20 * MINUTE),
            state,
            progress,
        }
    }

    pub(super) fn checks(&self) -> ChecksPage {
        let choice = |zh, en, href: &str, current| Choice { label: self.say(zh, en), href: href.into(), current };
        let other = |state| RoundLine {
            label: self.say("斯诺克收场清点", "Snooker's closing count"),
            takes_over: None,
            people: vec![],
            ..self.round(state, (0, 5))
        };
        ChecksPage {
            chrome: self.chrome(Page::Checks),
            posts: vec![
                choice("全部", "All", "/checks", true),
                choice("接待岗", "Reception", "/checks?post=reception", false),
            ],
            today: vec![
                self.round(RoundState::Missed, (1, 4)),
                self.round(RoundState::SignedOut, (4, 4)),
                other(RoundState::Open),
                RoundLine { progress: (0, 0), ..other(RoundState::Scheduled) },
                self.round(RoundState::Done, (4, 4)),
            ],
            past: vec![other(RoundState::DoneLate), other(RoundState::Excused)],
            start: Some(RoundStart {
                action: "/checks/start/hz-01".into(),
                key: "01936e2c-7d3a-7000-8000-000000000001".into(),
                lists: vec![SelectOption {
                    value: "snooker-opening".into(),
                    label: self.say("斯诺克打球前检查", "Snooker before play"),
                    chosen: false,
                }],
            }),
        }
    }

    pub(super) fn item(&self, id: &str, zh: &str, en: &str) -> ItemLine {
        ItemLine {
            id: id.into(),
            label: self.say(zh, en),
            count: None,
            photo: PhotoWanted::None,
            said: None,
            note: String::new(),
            stated: None,
            readings: vec![],
            flag: None,
            ticket: None,
            by: None,
            photos: vec![],
            lacking: false,
        }
    }

    pub(super) fn round_page(&self, state: RoundState) -> RoundPage {
        let done = state == RoundState::SignedOut;
        let by = Some(Signed { by: self.say("小张", "Zhang"), at: self.at(9 * MINUTE) });
        let laptop = ItemLine {
            said: Some(ItemSaid::Fail),
            note: self.say("屏幕裂了", "The screen is cracked"),
            stated: Some(ItemStated::Fine),
            readings: vec![
                self.fact("磁盘使用率", "Disk in use", "41", "%"),
                self.word(("网络", "Network"), ("正常", "ok")),
            ],
            flag: Some(ItemFlag::DeviceFine),
            ticket: Some("20261123-007".into()),
            by: by.clone(),
            photos: vec![self.photo(PhotoStage::Report, 9 * MINUTE)],
            ..self.item("laptops.pc-1", "一号电脑：电脑无损坏、可用", "Laptop 1: it is whole and works")
        };
        let network = ItemLine {
            stated: Some(ItemStated::Unknown),
            said: done.then_some(ItemSaid::Pass),
            flag: done.then_some(ItemFlag::TickedUnknown),
            by: by.clone().filter(|_| done),
            lacking: !done,
            ..self.item("network", "网络：可用", "Network: it works")
        };
        let books = ItemLine {
            count: Some(30),
            said: Some(ItemSaid::Count(29)),
            by: by.clone(),
            ..self.item("books", "书籍", "Books")
        };
        let seats = ItemLine {
            photo: PhotoWanted::Required,
            said: done.then_some(ItemSaid::NotApplicable),
            note: if done { self.say("正在清洗", "Being cleaned") } else { String::new() },
            lacking: !done,
            by: by.filter(|_| done),
            ..self.item("seats", "座椅、灯具完好", "Seats and lamps are whole")
        };
        RoundPage {
            chrome: self.chrome(Page::Round),
            round: self.round(state, if done { (4, 4) } else { (2, 4) }),
            action: "/checks/1c0ffee0-5a11-4b1d-8e55-0123456789ab".into(),
            clauses: vec![Clause {
                id: "REC-S4.3".into(),
                reference: self.say("接待岗 工作标准 第 4 条第 3 款", "Reception, standard 4.3"),
            }],
            items: vec![laptop, network, books, seats],
            key: "1c0ffee0-5a11-4b1d-8e55-0123456789ab".into(),
            may_answer: !done,
            may_take: false,
            asks_name: false,
            signed_out: None,
            signed_in: None,
            dispute: String::new(),
            passed: None,
        }
    }

    pub(super) fn readiness(&self, trouble: bool) -> Readiness {
        let lack = |what: String, why: String, who: String, href: &str| Lack { what, why, who, href: href.into() };
        let lacks = vec![
            lack(
                self.led_ref().name,
                self.say("入口屏黑屏", "The display is dark"),
                self.say("工程 李工", "Engineering, Li"),
                "/d/entrance-led?site=hz-01",
            ),
            lack(
                self.say("礼宾开门前检查", "Concierge's opening check"),
                self.say("点检未完成 1/2", "round not done 1/2"),
                self.say("礼宾岗 小陈", "Concierge, Chen"),
                "/checks/1c0ffee0-5a11-4b1d-8e55-0123456789ab",
            ),
        ];
        Readiness { site: None, lacks: if trouble { lacks } else { vec![] } }
    }
}

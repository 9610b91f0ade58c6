//! The register in every situation.

use lobby_dashboards::{
    Choice, Chrome, ItemEventLine, ItemForm, ItemGuestPage, ItemInput, ItemLabelLine, ItemPage, LabelPage, MoveLine,
    MovesPage, Page, PhotoLine, PhotoStage, RegisterItem, RegisterPage, ReportForm, ReportMistake, ReportPage,
    ReportReader, Reported, ReportedItem, SelectOption, Signed, TakeLine, TakeLink, TakePage,
};
use lobby_domain::register::{
    Deed, Field, State as ItemState,
    moving::{State as MoveState, Way},
    taking::Seen,
};

use super::{HOSTILE, MINUTE, Sample, Scene};

const TAKE: &str = "/register/demo/stock-takes/1c0ffee0-5a11-4b1d-8e55-0123456789ab";

/// The pages, in `s`.
pub(super) fn all(s: &Scene) -> Vec<Sample> {
    let list = |page: RegisterPage| (page.render(), page.render_main());
    let item = |page: ItemPage| (page.render(), page.render_main());
    let take = |page: TakePage| (page.render(), page.render_main());
    let label = |page: LabelPage| (page.render(), page.render_main());
    let moves = MovesPage { chrome: s.chrome(Page::Register), moves: s.register_moves() };
    let guest = ItemGuestPage {
        name: s.say("青花瓷瓶", "Porcelain vase"),
        place: s.say("样板房客厅", "Show flat, living room"),
        form: Some(ReportForm {
            action: "/d/7k3f9q2m/report".into(),
            key: "1c0ffee0-5a11-4b1d-8e55-0123456789ab".into(),
            reader: ReportReader::GuestOfItem,
            mistake: Some(ReportMistake::NoWords),
            ..ReportForm::default()
        }),
        back: "/d/7k3f9q2m".into(),
        chrome: Chrome::bare(s.0, s.1.clone(), Page::Report, "/d/7k3f9q2m".into()),
    };
    let report = ReportPage {
        item: Some(ReportedItem {
            name: HOSTILE.into(),
            number: "00003-3".into(),
            place: s.say("样板房客厅", "Show flat, living room"),
            href: "/register/demo/00003-3".into(),
        }),
        device: None,
        devices: vec![],
        form: ReportForm {
            action: "/d/7k3f9q2m/report".into(),
            key: "1c0ffee0-5a11-4b1d-8e55-0123456789ab".into(),
            what: Reported::Damage,
            note: HOSTILE.into(),
            mistake: Some(ReportMistake::TooLong),
            ..ReportForm::default()
        },
        chrome: s.chrome(Page::Report),
    };
    let thanks = ItemGuestPage { form: None, ..guest.clone() };
    let closed = TakePage { closed: Some(s.signed(MINUTE)), ..s.take(true) };
    let empty = RegisterPage { items: vec![], takes: vec![], places: vec![], missing: 0, waiting: 0, ..s.register() };
    let pages = [
        ("register", list(s.register())),
        ("register-empty", list(empty)),
        ("item", item(s.item_page())),
        ("item-gone", item(ItemPage { form: None, photos: vec![], moves: vec![], take: None, ..s.item_page() })),
        ("stock-take", take(s.take(false))),
        ("stock-take-closed", take(closed)),
        ("moves", (moves.render(), moves.render_main())),
        ("label", label(s.register_label(None))),
        ("label-bound", label(s.register_label(Some((s.say("沙发", "Sofa"), "/register/demo/00001-3".into()))))),
        ("report-item", (report.render(), report.render_main())),
        ("guest-item", (guest.render(), guest.render_main())),
        ("guest-item-thanks", (thanks.render(), thanks.render_main())),
    ];
    let sample = |(name, (page, main))| -> Sample {
        let (page, main): (Result<String, _>, Result<String, _>) = (page, main);
        Sample { name, page: page.expect("a page of samples renders"), main: main.expect("a page of samples renders") }
    };
    pages.into_iter().map(sample).collect()
}

impl Scene {
    fn signed(&self, ago: i64) -> Signed {
        Signed { by: self.say("小林", "Lin"), at: self.at(ago) }
    }

    fn register_item(&self, nth: usize, name: (&'static str, &'static str), state: ItemState) -> RegisterItem {
        RegisterItem {
            number: format!("0000{nth}-3"),
            href: format!("/register/demo/0000{nth}-3"),
            name: self.say(name.0, name.1),
            kind: self.say("陈设", "Furnishing"),
            quantity: if nth == 2 { 4 } else { 1 },
            place: self.say("样板房客厅", "Show flat, living room"),
            state,
            counted: (nth > 1).then(|| self.at(9000 * MINUTE)),
            photo: (nth == 1).then(|| "c2FtcGxlLXBob3RvLTEyMw".into()),
        }
    }

    pub(super) fn item_form(&self, action: &str) -> ItemForm {
        let option = |value: &str, label: String| SelectOption { value: value.into(), label, chosen: false };
        let input = |field: Field| ItemInput {
            field,
            value: if field == Field::Name { HOSTILE.into() } else { String::new() },
            options: match field {
                Field::State => vec![option("in-use", self.say("在用", "In use"))],
                Field::Post => {
                    vec![option("", self.say("无", "none")), option("showflat", self.say("样板房", "Show flat"))]
                }
                _ => vec![],
            },
            note: None,
        };
        ItemForm {
            action: action.into(),
            inputs: Field::ALL.into_iter().map(input).collect(),
            places: vec![self.say("样板房客厅", "Show flat, living room"), HOSTILE.into()],
            kinds: vec![self.say("陈设", "Furnishing")],
            label: String::new(),
        }
    }

    pub(super) fn register(&self) -> RegisterPage {
        let choice = |label: String, current| Choice { label, href: "/register?site=demo".into(), current };
        RegisterPage {
            chrome: self.chrome(Page::Register),
            sites: vec![],
            places: vec![
                choice(self.say("全部位置", "All places"), true),
                choice(self.say("样板房客厅", "Show flat, living room"), false),
                choice(HOSTILE.into(), false),
            ],
            items: vec![
                self.register_item(1, ("沙发", "Sofa"), ItemState::InUse),
                self.register_item(2, ("餐椅", "Dining chair"), ItemState::InRepair),
                self.register_item(3, ("青花瓷瓶", "Porcelain vase"), ItemState::Missing),
                self.register_item(4, (HOSTILE, HOSTILE), ItemState::Out),
            ],
            missing: 1,
            waiting: 2,
            takes: vec![
                TakeLink {
                    href: TAKE.into(),
                    place: String::new(),
                    started: self.signed(60 * MINUTE),
                    closed: false,
                    seen: false,
                },
                TakeLink {
                    href: TAKE.into(),
                    place: HOSTILE.into(),
                    started: self.signed(9000 * MINUTE),
                    closed: true,
                    seen: false,
                },
            ],
            due_after: Some(90),
            key: "1c0ffee0-5a11-4b1d-8e55-0123456789ab".into(),
            form: self.item_form("/register/demo"),
        }
    }

    pub(super) fn register_moves(&self) -> Vec<MoveLine> {
        let line = |state, own, overdue| MoveLine {
            action: "/register/demo/moves/1c0ffee0-5a11-4b1d-8e55-0123456789ab".into(),
            item: (self.say("沙发", "Sofa"), "/register/demo/00001-3".into()),
            way: Way::Out,
            pieces: 1,
            place: self.say("滨江案场", "Riverside site"),
            reason: HOSTILE.into(),
            wanted: "2026-12-01".into(),
            state,
            overdue,
            asked: self.signed(6000 * MINUTE),
            decided: (state != MoveState::Asked).then(|| (self.signed(90 * MINUTE), self.say("可以", "Fine"))),
            done: (state == MoveState::Done).then(|| self.signed(MINUTE)),
            own,
            refused: None,
        };
        vec![
            line(MoveState::Asked, false, true),
            line(MoveState::Asked, true, false),
            line(MoveState::Approved, false, false),
            line(MoveState::Refused, false, false),
            MoveLine { way: Way::Back, ..line(MoveState::Done, false, false) },
        ]
    }

    pub(super) fn item_page(&self) -> ItemPage {
        let event = |deed, changes, cause: bool| ItemEventLine {
            deed,
            changes,
            reason: if deed == Deed::Add { String::new() } else { HOSTILE.into() },
            cause: cause.then(|| TAKE.into()),
            by: self.signed(60 * MINUTE),
        };
        let label = |on, elsewhere: &str, ago| ItemLabelLine {
            code: "7k3f9q2m".into(),
            on,
            elsewhere: elsewhere.into(),
            reason: if on { String::new() } else { HOSTILE.into() },
            by: self.signed(ago * MINUTE),
        };
        let state = (Field::State, self.say("在用", "In use"), self.say("缺失", "Missing"));
        ItemPage {
            chrome: self.chrome(Page::Register),
            item: self.register_item(3, ("青花瓷瓶", "Porcelain vase"), ItemState::Missing),
            facts: vec![(Field::Serial, HOSTILE.into()), (Field::Value, "1280.00".into())],
            device: Some("/d/tv-1?site=demo".into()),
            photos: vec![PhotoLine {
                id: "c2FtcGxlLXBob3RvLTEyMw".into(),
                stage: PhotoStage::Before,
                by: Some(HOSTILE.into()),
                at: self.at(60 * MINUTE),
                size: (1600, 1200),
            }],
            events: vec![
                event(Deed::Count, vec![state], true),
                event(Deed::Edit, vec![(Field::Note, HOSTILE.into(), String::new())], false),
                event(Deed::Add, vec![(Field::Name, String::new(), HOSTILE.into())], false),
            ],
            moves: self.register_moves(),
            labels: vec![
                label(true, "", 30),
                ItemLabelLine { code: "5c1v8n0x".into(), ..label(false, "", 40) },
                ItemLabelLine { code: "9b4h2j6d".into(), ..label(false, "00002-6", 50) },
            ],
            take: Some(TAKE.into()),
            label: "/labels?site=demo&item=00003-3".into(),
            report: Some("/d/7k3f9q2m/report".into()),
            key: "1c0ffee0-5a11-4b1d-8e55-0123456789ab".into(),
            version: 3,
            form: Some(self.item_form("/register/demo/00003-3")),
            refused: None,
        }
    }

    fn take(&self, answered: bool) -> TakePage {
        let line = |nth: u32, quantity, said: Option<(Seen, u32, &str, &str)>| TakeLine {
            nth,
            number: format!("0000{nth}-3"),
            href: format!("/register/demo/0000{nth}-3"),
            name: if nth == 1 { HOSTILE.into() } else { self.say("餐椅", "Dining chair") },
            place: if nth == 2 { String::new() } else { self.say("样板房客厅", "Show flat, living room") },
            quantity,
            by: said.map(|_| self.signed(MINUTE)),
            lacks: said.is_none_or(|said| said.3.is_empty()),
            differs: said.is_some_and(|said| said.0 != Seen::Found),
            said: said.map(|(seen, count, place, note)| (seen, count, place.to_owned(), note.to_owned())),
        };
        TakePage {
            chrome: self.chrome(Page::Register),
            action: TAKE.into(),
            place: String::new(),
            started: self.signed(60 * MINUTE),
            closed: None,
            seen: None,
            lines: vec![
                line(1, 1, Some((Seen::Missing, 0, "", if answered { HOSTILE } else { "" }))),
                line(2, 4, answered.then_some((Seen::Elsewhere, 4, HOSTILE, HOSTILE))),
                line(3, 1, Some((Seen::Found, 1, "", ""))),
            ],
            places: vec![HOSTILE.into()],
        }
    }

    fn register_label(&self, target: Option<(String, String)>) -> LabelPage {
        LabelPage {
            chrome: self.chrome(Page::Register),
            code: "7k3f9q2m".into(),
            target,
            voided: false,
            version: 1,
            targets: vec![
                SelectOption {
                    value: "item/00001-3".into(),
                    label: self.say("沙发 00001-3", "Sofa 00001-3"),
                    chosen: false,
                },
                SelectOption { value: "device/tv-1".into(), label: HOSTILE.into(), chosen: false },
            ],
            new_item: "/register?site=demo&label=7k3f9q2m".into(),
        }
    }
}

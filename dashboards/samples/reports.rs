//! What people report.

use lobby_dashboards::{
    AlertPage, AlertRow, Choice, Chrome, GuestPage, Notice, Page, PhotoStage, Progress, ReportCard, ReportForm,
    ReportMistake, ReportPage, ReportReader, Reported, Reporter, SelectOption, Severity, State, TicketStep,
};

use super::{MINUTE, Scene};

impl Scene {
    /// The form of a guest, or one that came back to them.
    pub(super) fn report_form(&self, mistake: Option<ReportMistake>) -> ReportForm {
        let symptom =
            |value: &str, zh, en, chosen| SelectOption { value: value.into(), label: self.say(zh, en), chosen };
        let came_back = mistake.is_some();
        ReportForm {
            action: "/d/7kq2m9xw/report".into(),
            key: "1c0ffee0-5a11-4b1d-8e55-0123456789ab".into(),
            reader: ReportReader::Guest,
            symptoms: vec![
                symptom("dark", "黑屏", "Dark", came_back),
                symptom("garbled", "花屏", "Garbled picture", false),
                symptom("no-sound", "无声", "No sound", came_back),
                symptom("other", "其他", "Something else", false),
            ],
            note: if came_back { self.say("右下角一块", "The lower right part") } else { String::new() },
            mistake,
            ..ReportForm::default()
        }
    }

    pub(super) fn guest(&self, form: Option<ReportForm>, step: Option<TicketStep>) -> GuestPage {
        GuestPage {
            chrome: self.bare(Page::Report),
            name: self.led_ref().name,
            place: self.led_ref().place,
            state: if step.is_some() { State::Abnormal } else { State::Normal },
            progress: step.map(|step| Progress {
                step,
                department: self.say("工程部", "Engineering"),
                due: Some(self.at(-24 * MINUTE)),
            }),
            form,
            back: "/d/7kq2m9xw".into(),
        }
    }

    pub(super) fn report(&self, of_device: bool) -> ReportPage {
        let device = of_device.then(|| self.led_ref());
        let choice = |zh, en, href: &str| Choice { label: self.say(zh, en), href: href.into(), current: false };
        let form = self.report_form((!of_device).then_some(ReportMistake::NoThing));
        ReportPage {
            chrome: Chrome { notice: of_device.then_some(Notice::Told), ..self.chrome(Page::Report) },
            devices: if of_device {
                vec![]
            } else {
                vec![
                    choice("入口屏 · 大门口", "Entrance LED · Entrance", "/d/entrance-led/report?site=hz-01"),
                    choice("一号鞋套机 · 样板房", "Machine 1 · Show flat", "/d/covers-1/report?site=hz-01"),
                ]
            },
            device,
            item: None,
            form: ReportForm {
                action: "/report?site=hz-01".into(),
                reader: if of_device { ReportReader::Unnamed } else { ReportReader::SignedIn },
                asks_thing: !of_device,
                what: if of_device { Reported::Fault } else { Reported::Damage },
                ..form
            },
        }
    }

    /// What was reported to a superior.
    pub(super) fn damage(&self) -> AlertPage {
        let alert = self.alert("物品损坏：大堂花瓶", "Damage: vase in the lobby", Severity::Minor);
        AlertPage {
            chrome: self.chrome(Page::Alerts),
            alert: AlertRow { reported: true, ticket: None, acked: None, ..alert },
            evidence: self
                .say("员工报告；请勿移动，保持现场原样", "Said by the staff; do not touch, keep the place as it is"),
            reports: self.reports(),
            may_acknowledge: true,
        }
    }

    pub(super) fn reports(&self) -> Vec<ReportCard> {
        let card = |source, by: Option<String>, post: Option<String>, before| ReportCard {
            source,
            by,
            post,
            phone: None,
            call: None,
            what: Reported::Fault,
            thing: String::new(),
            symptoms: self.say("黑屏、无声", "Dark, No sound"),
            note: String::new(),
            at: self.at(before),
            photos: vec![],
        };
        let guest = ReportCard {
            photos: vec![self.photo(PhotoStage::Report, 25 * MINUTE)],
            phone: Some("138****1234".into()),
            note: self.say("右下角一块", "The lower right part"),
            ..card(Reporter::Guest, None, None, 25 * MINUTE)
        };
        let (name, post) = (self.say("周敏", "Zhou Min"), self.say("礼宾岗", "Concierge"));
        let staff = ReportCard {
            what: Reported::Damage,
            thing: self.say("大门口 门框", "Door frame, entrance"),
            ..card(Reporter::Person, Some(name), Some(post), 20 * MINUTE)
        };
        vec![guest, staff]
    }
}

//! Tickets, on a page and on paper.

use lobby_dashboards::{
    Acceptance, Action, Arriving, Chrome, Copies, DeviceLabel, DeviceRef, Draft, EscalationState, Evidence, LabelSheet,
    Notice, Page, Paper, PhotoLine, PhotoStage, Priority, Reason, Rejected, Repair, RepairForm, Severity, Sheet,
    TicketEvent, TicketPage, TicketStep, TimelineEntry,
};

use lobby_domain::ticket::arrival::Arrival;

use super::{MINUTE, SECOND, Scene};

impl Scene {
    pub(super) fn repair(&self) -> Repair {
        Repair {
            cause: Some(self.say("发送卡到接收卡的网线老化", "The cable from the sending card had aged")),
            work: Some(self.say("更换网线并固定接口", "Changed the cable and fixed its plug")),
            materials: vec![
                (self.say("六类网线", "Cat 6 cable"), Some("3 m".into())),
                (self.say("扎带", "Cable ties"), None),
            ],
            cost: Some("¥12.50".into()),
        }
    }

    pub(super) fn ticket(&self, step: TicketStep) -> TicketPage {
        let done = matches!(step, TicketStep::AwaitingConfirmation | TicketStep::Closed);
        let entry = |before, event, actor: Option<String>, note: Option<String>| TimelineEntry {
            at: self.at(before),
            event,
            actor,
            note,
        };
        let li = || Some(self.say("工程部 李工", "Li, Engineering"));
        let mut timeline = vec![entry(26 * MINUTE, TicketEvent::Reported, None, None)];
        if step != TicketStep::Reported {
            timeline.insert(0, entry(21 * MINUTE, TicketEvent::Accepted, li(), None));
            timeline.insert(
                0,
                entry(
                    12 * MINUTE,
                    TicketEvent::Started,
                    li(),
                    Some(
                        self.say(
                            "发送卡接口松动，正在更换网线",
                            "The sending card's plug was loose; changing the cable",
                        ),
                    ),
                ),
            );
        }
        if done {
            timeline.insert(0, entry(3 * MINUTE, TicketEvent::Recovered, None, None));
            timeline.insert(0, entry(2 * MINUTE, TicketEvent::Finished, li(), None));
        }
        TicketPage {
            chrome: Chrome {
                notice: (step == TicketStep::InProgress).then_some(Notice::Conflict),
                path: "/t/BX-202611-0042".into(),
                ..self.chrome(Page::Ticket)
            },
            no: "BX-202611-0042".into(),
            version: 4,
            check: "3f9a0c51d7e2".into(),
            title: self.say("入口屏黑屏", "Entrance LED is dark"),
            step,
            priority: Priority::Urgent,
            reporter: self.say("系统（礼宾岗）", "System, for the concierge"),
            department: self.say("工程部", "Engineering"),
            owner: (step != TicketStep::Reported).then(|| self.say("李工", "Li")),
            device: Some(self.led_ref()),
            site_name: self.say("湖滨壹号 案场", "Lakeside One"),
            description: None,
            reported_at: self.at(26 * MINUTE),
            respond_by: Some(self.at(16 * MINUTE)),
            responded_at: (step != TicketStep::Reported).then(|| self.at(21 * MINUTE)),
            arrive_by: Some(self.at(-4 * MINUTE)),
            arrived_at: (done || step == TicketStep::InProgress).then(|| self.at(12 * MINUTE)),
            arrival: (done || step == TicketStep::InProgress).then_some(Arrival::Label),
            arriving: matches!(step, TicketStep::Reported | TicketStep::Accepted)
                .then(|| Arriving { key: "1c0ffee0-5a11-4b1d-8e55-0123456789ac".into() }),
            complete_by: Some(self.at(-24 * MINUTE)),
            completed_at: done.then(|| self.at(2 * MINUTE)),
            waiting_for: None,
            assignees: match step {
                TicketStep::Reported => {
                    Some(vec![("li".to_owned(), self.say("李工", "Li")), ("wang".to_owned(), self.say("王工", "Wang"))])
                }
                TicketStep::Accepted => Some(Vec::new()),
                _ => None,
            },
            may_wait: step == TicketStep::InProgress,
            priorities: Vec::new(),
            escalation: (!done).then(|| self.escalation(EscalationState::Triggered)),
            evidence: vec![Evidence {
                rule: self.say("显示屏无信号", "Display without signal"),
                explanation: self
                    .say("电源 = 开，且 信号 = 无信号，已持续 60 秒", "power is on and signal is lost, for 60 s"),
                first_seen: self.at(27 * MINUTE),
                last_seen: Some(self.at(4 * SECOND)),
                clauses: self.alert("", "", Severity::Critical).clauses,
            }],
            alerts: vec![self.alert("入口屏黑屏", "Entrance LED is dark", Severity::Critical)],
            timeline,
            actions: match step {
                TicketStep::Reported => vec![Action::Accept, Action::Start],
                step => step.next_action().into_iter().collect(),
            },
            rejected: (step == TicketStep::Cancelled).then(|| Rejected {
                no: "BX-202611-0042".into(),
                reason: Reason::Duplicate,
                duplicate_of: Some("BX-202611-0041".into()),
                by: Some(self.say("李工", "Li")),
                note: Some(self.say("同一块屏", "The same display")),
            }),
            reasons: if step == TicketStep::InProgress { vec![Reason::OutOfScope, Reason::Duplicate] } else { vec![] },
            others: vec![("BX-202611-0041".into(), self.say("入口屏无信号", "Entrance LED has no signal"))],
            repair: done.then(|| self.repair()),
            draft: Draft::default(),
            reports: if step == TicketStep::InProgress { self.reports() } else { vec![] },
            photos: if done { vec![self.photo(PhotoStage::After, 2 * MINUTE)] } else { vec![] },
            comment: (!matches!(step, TicketStep::Closed | TicketStep::Cancelled))
                .then(|| "1c0ffee0-5a11-4b1d-8e55-0123456789ab".to_owned()),
        }
    }

    pub(super) fn sheet(&self, path: &str, back: &str) -> Sheet {
        Sheet {
            lang: self.0,
            calendar: self.1.clone(),
            path: path.into(),
            back: back.into(),
            base: "https://lobby.example.com".into(),
            only_here: false,
        }
    }

    pub(super) fn form(&self, step: TicketStep) -> RepairForm {
        let ticket = self.ticket(step);
        let mut work = ticket.timeline.clone();
        work.retain(|entry| entry.note.is_some());
        RepairForm {
            sheet: self.sheet("/t/BX-202611-0042/print", "/t/BX-202611-0042"),
            paper: Paper::A4,
            copies: Copies::One,
            no: ticket.no,
            check: ticket.check,
            step,
            waiting_for: ticket.waiting_for,
            priority: ticket.priority,
            site_name: ticket.site_name,
            post: self.say("礼宾岗", "Concierge"),
            reporter: self.say("系统", "System"),
            reported_at: ticket.reported_at,
            device: ticket.device,
            code: Some("k7q2m9xa".into()),
            title: ticket.title,
            description: (step == TicketStep::Closed).then(|| {
                self.say(
                    "早上开机后一直没有画面，重启播放盒也不行。",
                    "No picture since it was switched on this morning; restarting the player did not help.",
                )
            }),
            evidence: ticket.evidence,
            department: ticket.department,
            owner: ticket.owner,
            taken_at: ticket.responded_at,
            respond_by: ticket.respond_by,
            arrive_by: ticket.arrive_by,
            complete_by: ticket.complete_by,
            arrived_at: ticket.arrived_at,
            arrival: ticket.arrival,
            finished_at: ticket.completed_at,
            repair: ticket.repair,
            work,
            acceptance: (step == TicketStep::Closed).then(|| Acceptance {
                at: self.at(MINUTE),
                by: Some(self.say("礼宾 小周", "Zhou")),
                remarks: Some(self.say("画面正常", "The picture is fine")),
            }),
        }
    }

    /// A form whose every text is longer than any paper.
    pub(super) fn long_form(&self) -> RepairForm {
        let form = self.form(TicketStep::Closed);
        let long = self.say(
            "屏幕左上角先闪烁再整屏变黑，随后又亮起，",
            "The upper left corner flickers, then the whole screen goes dark and comes back. WWW ",
        );
        let long = long.repeat(40);
        let proof = Evidence { rule: long.clone(), explanation: long.clone(), ..form.evidence[0].clone() };
        let entry = TimelineEntry { note: Some(long.clone()), ..form.work[0].clone() };
        RepairForm {
            copies: Copies::Three,
            site_name: long.clone(),
            post: long.clone(),
            reporter: long.clone(),
            device: form.device.map(|device| DeviceRef { name: long.clone(), place: long.clone(), ..device }),
            title: long.clone(),
            description: Some(long.clone()),
            evidence: vec![proof; 5],
            department: long.clone(),
            owner: Some(long.clone()),
            repair: Some(Repair {
                cause: Some(long.clone()),
                work: Some(long.clone()),
                materials: vec![(long.clone(), Some(long.clone())); 7],
                cost: Some("¥10000000.00".into()),
            }),
            work: vec![entry; 9],
            acceptance: form.acceptance.map(|word| Acceptance { remarks: Some(long.clone()), ..word }),
            ..form
        }
    }

    pub(super) fn labels(&self, count: usize) -> LabelSheet {
        let device = |n: usize| if n.is_multiple_of(2) { self.led_ref() } else { self.machine(1).device };
        let label = |n: usize| DeviceLabel {
            device: device(n),
            code: format!("k7q2m9{n:02}"),
            site_name: self.say("湖滨壹号 案场", "Lakeside One"),
        };
        LabelSheet {
            sheet: Sheet { only_here: count == 2, ..self.sheet("/labels?site=hz-01", "/engineering?site=hz-01") },
            labels: (0..count).map(label).collect(),
        }
    }

    pub(super) fn photo(&self, stage: PhotoStage, before: i64) -> PhotoLine {
        PhotoLine {
            id: "3f9a0c51d7e24b1d8e550123456789ab".into(),
            stage,
            by: (stage == PhotoStage::After).then(|| self.say("李工", "Li")),
            at: self.at(before),
            size: (1600, 1200),
        }
    }

    /// Names as bad as people and machines can make them.
    pub(super) fn hostile(&self) -> TicketPage {
        let bad = "\"><script>alert('x')</script>&amp;<b>".to_owned();
        let mut page = self.ticket(TicketStep::Reported);
        page.chrome.site.as_mut().expect("the scene has a site").name.clone_from(&bad);
        page.chrome.path = "/t/x?a=1&b=\"><script>".into();
        page.chrome.person = Some(bad.clone());
        page.device.as_mut().expect("the ticket has a device").name.clone_from(&bad);
        page.evidence[0].explanation.clone_from(&bad);
        page.evidence[0].clauses[0].reference.clone_from(&bad);
        page.timeline[0].note = Some(bad.clone());
        page.alerts[0].title.clone_from(&bad);
        TicketPage {
            no: bad.clone(),
            title: bad.clone(),
            owner: Some(bad.clone()),
            description: Some("长".repeat(400)),
            ..page
        }
    }
}

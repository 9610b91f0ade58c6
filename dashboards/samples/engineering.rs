//! Engineering's queue and the alerts.

use lobby_dashboards::{
    Action, AlertFilter, AlertRow, AlertsPage, ChannelCard, ChannelState, Choice, Chrome, Collection, Deadline,
    DeadlineKind, DeliveryLine, DeliveryState, EngineeringPage, Escalation, EscalationLine, EscalationPhase,
    EscalationState, EscalationsPage, FindingKey, FindingRow, FindingSeverity, HealthPage, Link, Newcomer, OutboxPage,
    Page, Priority, QueueGroup, QueueStage, QueueTicket, Restrained, RestraintRow, RestraintsPage, SelectOption,
    Selection, Severity, TicketStep,
};

use super::{DAY, HOUR, MINUTE, SECOND, Scene, no_tickets};

impl Scene {
    pub(super) fn queue_ticket(&self, no: &str, title: (&str, &str), step: TicketStep, due: i64) -> QueueTicket {
        QueueTicket {
            no: no.into(),
            version: 2,
            title: self.say(title.0, title.1),
            device: Some(self.led_ref()),
            site_name: None,
            priority: Priority::Urgent,
            step,
            reported_at: self.at(26 * MINUTE),
            deadline: Some(Deadline {
                kind: if step == TicketStep::Reported { DeadlineKind::Respond } else { DeadlineKind::Complete },
                at: self.at(-due),
            }),
            owner: (step != TicketStep::Reported).then(|| self.say("李工", "Li")),
            waiting_for: None,
            recovered: false,
            actions: step.next_action().filter(|action| *action != Action::Confirm).into_iter().collect(),
        }
    }

    pub(super) fn engineering(&self) -> EngineeringPage {
        let choice = |zh, en, href: &str, current| Choice { label: self.say(zh, en), href: href.into(), current };
        let two_sites = vec![
            choice("全部案场", "All sites", "/engineering", true),
            choice("湖滨壹号 案场", "Lakeside One", "/engineering?site=hz-01", false),
            choice("云栖里 案场", "Cloud Rest", "/engineering?site=hz-02", false),
        ];
        let laptop = self.device_ref("laptop-3", ("3 号笔记本", "上网区"), ("Laptop 3", "Internet area"));
        let group = |stage, tickets: Vec<QueueTicket>| QueueGroup {
            stage,
            count: u32::try_from(tickets.len()).unwrap_or(u32::MAX),
            tickets,
            more: None,
        };
        let mut tickets = vec![
            self.queue_ticket(
                "BX-202611-0042",
                ("入口屏黑屏", "Entrance LED is dark"),
                TicketStep::Reported,
                -5 * MINUTE,
            ),
            self.queue_ticket(
                "BX-202611-0043",
                ("鞋套机卡套", "Shoe-cover machine jammed"),
                TicketStep::Accepted,
                12 * MINUTE,
            ),
            QueueTicket {
                priority: Priority::Normal,
                device: Some(laptop.clone()),
                ..self.queue_ticket(
                    "BX-202611-0041",
                    ("笔记本磁盘将满", "Laptop disk nearly full"),
                    TicketStep::Reported,
                    80 * MINUTE,
                )
            },
            QueueTicket {
                priority: Priority::Planned,
                recovered: true,
                ..self.queue_ticket(
                    "BX-202611-0039",
                    ("球台灯管更换", "Replace a table lamp"),
                    TicketStep::InProgress,
                    26 * HOUR,
                )
            },
            self.queue_ticket(
                "BX-202611-0038",
                ("电视无信号", "Television without signal"),
                TicketStep::AwaitingConfirmation,
                HOUR,
            ),
        ];
        let confirm = tickets.split_off(4);
        let working = tickets.split_off(3);
        let reported = tickets.split_off(2);
        let queue = vec![
            QueueGroup {
                count: 41,
                more: Some("/engineering?state=due&after=2".into()),
                ..group(QueueStage::Due, tickets)
            },
            group(QueueStage::Reported, reported),
            group(QueueStage::Working, working),
            group(QueueStage::Confirm, confirm),
        ];
        EngineeringPage {
            chrome: Chrome {
                site: None,
                sites: two_sites,
                collection: Collection { up: 3, agents: 4, last: Some(self.at(SECOND)) },
                ..self.chrome(Page::Engineering)
            },
            queue,
            counts: [41, 1, 1, 1],
            overdue: 1,
            alerts: vec![
                self.alert("入口屏黑屏", "Entrance LED is dark", Severity::Critical),
                AlertRow {
                    device: laptop,
                    overlay: Some(self.say("维护中，不通知", "in maintenance, nobody is told")),
                    ..self.alert("磁盘将满", "Disk nearly full", Severity::Minor)
                },
            ],
            alerts_open: 7,
            newcomers: vec![Newcomer {
                device: self.device_ref("lift-tv-2", ("二号电梯厅电视", "电梯厅"), ("Lift TV 2", "Lift lobby")),
                kind: self.say("电视", "Television"),
                agent: "lobby-box".to_owned(),
            }],
            agents: vec![self.agent(Link::Up), self.agent(Link::Down), self.agent(Link::Unverified)],
            agents_known: 4,
        }
    }

    pub(super) fn blind_engineering(&self) -> EngineeringPage {
        EngineeringPage {
            chrome: Chrome {
                collection: Collection { up: 0, agents: 0, last: None },
                ..self.chrome(Page::Engineering)
            },
            queue: no_tickets(),
            counts: [0; 4],
            overdue: 0,
            alerts: vec![],
            alerts_open: 0,
            newcomers: vec![],
            agents: vec![],
            agents_known: 0,
        }
    }

    pub(super) fn alert(&self, zh: &str, en: &str, severity: Severity) -> AlertRow {
        AlertRow {
            id: en.to_lowercase().replace(' ', "-"),
            acked: None,
            device: self.led_ref(),
            site_name: None,
            title: self.say(zh, en),
            severity,
            since: self.at(6 * MINUTE),
            cleared: None,
            overlay: None,
            clauses: vec![
                self.clause("CON-D7", "礼宾岗 岗位职责 第 7 条", "Concierge, duty 7"),
                self.clause("CON-S9", "礼宾岗 工作标准 第 9 条", "Concierge, standard 9"),
            ],
            ticket: Some("BX-202611-0042".into()),
            reported: false,
            may_answer: true,
            may_silence: true,
        }
    }

    pub(super) fn alerts(&self, filter: AlertFilter) -> AlertsPage {
        let mut alerts = vec![
            self.alert("入口屏黑屏", "Entrance LED is dark", Severity::Critical),
            AlertRow {
                acked: Some(self.say("李工", "Li")),
                overlay: Some(self.say("已静默，直到恢复", "Silenced until solved")),
                ..self.alert("鞋套不足", "Shoe covers run low", Severity::Major)
            },
        ];
        if filter == AlertFilter::All {
            alerts.push(AlertRow {
                cleared: Some(self.at(2 * HOUR)),
                since: self.at(DAY),
                ..self.alert("温度偏高", "Running hot", Severity::Minor)
            });
            alerts.push(AlertRow {
                ticket: None,
                clauses: vec![],
                ..self.alert("例行重启", "Routine restart", Severity::Info)
            });
        }
        let next = (filter == AlertFilter::All).then(|| "/alerts?state=all&before=1795330000000".to_owned());
        AlertsPage { chrome: self.chrome(Page::Alerts), filter, open: 2, alerts, next }
    }

    pub(super) fn restraints(&self, kind: Restrained) -> RestraintsPage {
        let row = |id: &str, starts: i64, ends: Option<i64>| RestraintRow {
            id: id.into(),
            what: self.say("设备：入口屏", "Device: Entrance LED"),
            starts: self.at(-starts),
            ends: ends.map(|ends| self.at(-ends)),
            author: self.say("李工", "Li"),
            comment: self.say("更换模组", "Changing a module"),
            include_firing: kind == Restrained::Maintenance,
        };
        let option = |value: &str, zh: &str, en: &str, chosen| SelectOption {
            value: value.into(),
            label: self.say(zh, en),
            chosen,
        };
        let t = self.0.texts();
        let selections = vec![
            Selection {
                name: "device",
                label: t.restraint_device,
                options: vec![
                    option("entrance-led", "入口屏", "Entrance LED", true),
                    option("covers-a", "1 号鞋套机", "Machine 1", false),
                ],
            },
            Selection {
                name: "severity",
                label: t.restraint_severity,
                options: vec![option("critical", "紧急", "Critical", false)],
            },
        ];
        let page = if kind == Restrained::Silences { Page::Silences } else { Page::Maintenance };
        RestraintsPage {
            chrome: self.chrome(page),
            kind,
            rows: vec![
                row("r1", -HOUR, Some(2 * HOUR)),
                row("r2", -HOUR, (kind == Restrained::Maintenance).then_some(3 * HOUR)),
                row("r3", DAY, Some(DAY + HOUR)),
                row("r4", -DAY, Some(-HOUR)),
            ],
            selections,
            site: None,
            whole: false,
            starts: String::new(),
            ends: "2026-11-23T17:20".into(),
            include_firing: false,
            comment: String::new(),
            by: String::new(),
        }
    }

    pub(super) fn channel(&self, name: &str, state: ChannelState, waiting: i64) -> ChannelCard {
        ChannelCard {
            name: name.into(),
            kind: "wecom",
            posts: self.say("工程部、礼宾", "Engineering, Concierge"),
            state,
            waiting,
            answered: (state != ChannelState::New).then(|| self.at(3 * MINUTE)),
            answer: match state {
                ChannelState::New => String::new(),
                ChannelState::Failing => "no connection in time".into(),
                _ => r#"{"errcode":0,"errmsg":"ok"}"#.into(),
            },
        }
    }

    pub(super) fn outbox(&self) -> OutboxPage {
        let line = |state: DeliveryState, attempts, note: &str| DeliveryLine {
            state,
            what: self.say("入口屏：黑屏 · 发生", "Entrance LED: dark · raised"),
            post: self.say("工程部", "Engineering"),
            channel: "wecom".into(),
            created: self.at(5 * MINUTE),
            attempts,
            next: (state == DeliveryState::Retry).then(|| self.at(-MINUTE)),
            note: note.into(),
            reference: (attempts > 0).then(|| "3f2a9c1d".into()),
            resend: (state == DeliveryState::Dead).then(|| "3f2a9c1d-0000-5000-8000-000000000001".into()),
        };
        OutboxPage {
            chrome: self.chrome(Page::Outbox),
            channels: vec![
                self.channel("wecom", ChannelState::Ok, 0),
                self.channel("ops-mail", ChannelState::Failing, 3),
                self.channel("ding", ChannelState::Paused, 1),
                self.channel("hook", ChannelState::Disabled, 0),
                self.channel("phone", ChannelState::New, 0),
            ],
            filter: None,
            deliveries: vec![
                line(DeliveryState::Queued, 0, &self.say("已静默", "silenced")),
                line(DeliveryState::Sending, 1, ""),
                line(DeliveryState::Retry, 2, "HTTP 503"),
                line(DeliveryState::Sent, 1, "HTTP 204"),
                line(DeliveryState::Digested, 1, "HTTP 204"),
                line(DeliveryState::Dead, 1, r#"{"errcode":93000,"errmsg":"invalid <webhook>"}"#),
                line(DeliveryState::Cancelled, 0, &self.say("发送前已恢复", "over before it was sent")),
            ],
            next: Some("/outbox?after=1795330000000_x_y_z".into()),
        }
    }

    pub(super) fn health(&self) -> HealthPage {
        let t = self.0.texts();
        let finding = |(domain, about): (&str, &'static str), key: FindingKey, severity, values: &[&str]| {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            FindingRow {
                domain: domain.to_owned(),
                about,
                id: key.as_str().to_owned(),
                severity,
                title: key.title(self.0, &values),
                advice: key.advice(self.0, &values),
                page: None,
                since: self.at(12 * MINUTE),
                ignored: false,
                persistent: false,
            }
        };
        let findings = vec![
            finding(
                ("storage", t.finding_storage),
                FindingKey::DiskFull,
                FindingSeverity::Critical,
                &["/var/lib/lobby"],
            ),
            FindingRow {
                persistent: true,
                ..finding(
                    ("clock", t.finding_clock),
                    FindingKey::ClockStepped,
                    FindingSeverity::Error,
                    &["+1 h", "2026-11-23 15:20"],
                )
            },
            FindingRow {
                page: Some("/a/hz-01/lobby-box".to_owned()),
                ..finding(
                    ("estate", t.finding_estate),
                    FindingKey::AgentLost,
                    FindingSeverity::Warning,
                    &["hz-01/lobby-box", "42"],
                )
            },
            FindingRow {
                ignored: true,
                ..finding(("estate", t.finding_estate), FindingKey::NoHours, FindingSeverity::Warning, &["hz-01"])
            },
        ];
        let chrome = Chrome { troubles: 3, ..self.chrome(Page::Health) };
        HealthPage { chrome, findings, evaluated: Some(self.at(SECOND)) }
    }

    pub(super) fn escalation(&self, state: EscalationState) -> Escalation {
        let supervisor = self.say("主管", "Supervisor");
        let manager = self.say("服务中心经理", "Service-centre manager");
        Escalation {
            post: self.say("领班", "Shift leader"),
            holder: Some(self.say("陈刚", "Chen Gang")),
            state,
            next: Some(supervisor.clone()),
            at: (state != EscalationState::Paused).then(|| self.at(-9 * MINUTE)),
            above: vec![("supervisor".into(), supervisor), ("manager".into(), manager)],
        }
    }

    pub(super) fn escalations(&self) -> EscalationsPage {
        let line = |zh, en, no: Option<&str>, phase, escalation| EscalationLine {
            title: self.say(zh, en),
            href: no.map_or_else(|| "/alerts".into(), |no| format!("/t/{no}")),
            ticket: no.map(Into::into),
            subject: self.say("湖滨壹号 · 大门口 · 入口屏", "Lakeside One · Gate · Entrance LED"),
            phase,
            since: self.at(26 * MINUTE),
            escalation,
        };
        let top = Escalation {
            post: self.say("服务中心经理", "Service-centre manager"),
            holder: None,
            next: None,
            ..self.escalation(EscalationState::Triggered)
        };
        EscalationsPage {
            chrome: self.chrome(Page::Escalations),
            later: 42,
            posts: [
                ("/escalations", "全部 4", "All 4"),
                ("/escalations?post=leader", "领班 3", "Shift leader 3"),
                ("/escalations?post=manager", "服务中心经理 1", "Service-centre manager 1"),
            ]
            .map(|(href, zh, en)| Choice {
                label: self.say(zh, en),
                href: href.to_owned(),
                current: href == "/escalations",
            })
            .into(),
            lines: vec![
                line(
                    "入口屏黑屏",
                    "Entrance LED is dark",
                    Some("BX-202611-0042"),
                    EscalationPhase::Repair,
                    self.escalation(EscalationState::Triggered),
                ),
                line("电视无信号", "TV without signal", Some("BX-202611-0040"), EscalationPhase::Confirm, top),
                line(
                    "鞋套机卡套",
                    "Shoe-cover machine jammed",
                    Some("BX-202611-0039"),
                    EscalationPhase::Repair,
                    self.escalation(EscalationState::Held),
                ),
                line(
                    "鞋套快用完了",
                    "Shoe covers running low",
                    None,
                    EscalationPhase::Notice,
                    self.escalation(EscalationState::Paused),
                ),
            ],
        }
    }
}

//! Shoe covers and what is left of them.

use lobby_dashboards::{
    DueRefill, HeldPieces, Incident, LastDone, LowStock, Machine, Page, RefillForm, ShowflatPage, State, StockEntry,
    StockItem, StockMachine, StockOrder, StockPage, StockPlace, TicketStep, UsedUp,
};

use super::{DAY, HOUR, MINUTE, SECOND, Scene};

impl Scene {
    pub(super) fn machine(&self, left: u32) -> Machine {
        Machine {
            device: self.device_ref("covers-a", ("1 号鞋套机", "样板房入口"), ("Machine 1", "Show flat entrance")),
            state: State::Normal,
            since: Some(self.at(2 * DAY)),
            seen: Some(self.at(6 * SECOND)),
            maintenance: None,
            left: Some(left),
            capacity: Some(500),
            low_level: Some(50),
            low_stock: None,
            runs_out: Some(UsedUp { likely: self.at(-100 * MINUTE), give_or_take: Some(35 * MINUTE) }),
            refilled: Some(self.done(200, 5 * HOUR)),
            refill: Some(Self::refill("covers-a")),
            dispensed_today: Some(188),
            facts: vec![self.fact("今日卡套", "Jams today", "0", "")],
            incident: None,
        }
    }

    pub(super) fn second_machine(&self) -> Machine {
        Machine {
            device: self.device_ref("covers-b", ("2 号鞋套机", "样板房通道"), ("Machine 2", "Passage")),
            maintenance: Some(self.say("检修中，至 16:20", "Under maintenance until 16:20")),
            runs_out: None,
            refilled: None,
            refill: None,
            dispensed_today: Some(64),
            ..self.machine(430)
        }
    }

    pub(super) fn low_machine(&self) -> Machine {
        let low_stock = LowStock {
            since: self.at(18 * MINUTE),
            who: Some(self.say("样板房 王敏", "Wang Min, show flat")),
            refill: Some(DueRefill { by: self.at(-40 * MINUTE), pieces: 160 }),
        };
        Machine {
            low_stock: Some(low_stock),
            runs_out: Some(UsedUp { likely: self.at(-20 * MINUTE), give_or_take: None }),
            ..self.machine(42)
        }
    }

    pub(super) fn jammed_machine(&self) -> Machine {
        let incident = Incident {
            what: self.say("卡套", "jammed"),
            effect: self.say("客人无法自助穿鞋套", "Guests cannot use the machine"),
            next_step: self.say("工程清理出口", "Engineering clears the outlet"),
            ..self.dark_incident(TicketStep::InProgress)
        };
        Machine {
            state: State::Abnormal,
            since: Some(self.at(6 * MINUTE)),
            incident: Some(incident),
            ..self.machine(275)
        }
    }

    pub(super) fn done(&self, pieces: i64, before: i64) -> LastDone {
        LastDone { pieces, at: self.at(before), who: self.say("王敏", "Wang Min") }
    }

    pub(super) fn refill(device: &str) -> RefillForm {
        let place = format!("machine/{device}");
        let (site, item, key) = ("hz-01".into(), "shoe-cover".into(), "0192f0c1-1111-7000-8000-000000000001".into());
        RefillForm { site, item, place, amount: 200, key }
    }

    pub(super) fn stock_machine(&self) -> StockMachine {
        StockMachine {
            name: self.say("1 号鞋套机", "Machine 1"),
            href: "/d/covers-a?site=hz-01".into(),
            device: "covers-a".into(),
            left: Some(120),
            capacity: Some(500),
            booked: None,
            used_up: Some(UsedUp { likely: self.at(-80 * MINUTE), give_or_take: Some(35 * MINUTE) }),
            today: 188,
            refilled: Some(self.done(200, 5 * HOUR)),
            counted: None,
            low: false,
            unknown: false,
            seen: Some(self.at(6 * SECOND)),
            held: vec![],
            refill: Some(Self::refill("covers-a")),
        }
    }

    pub(super) fn stock_item(&self) -> StockItem {
        let place = |place: &str, name: String, pieces| StockPlace { place: place.into(), name, pieces };
        StockItem {
            id: "shoe-cover".into(),
            name: self.say("鞋套", "Shoe covers"),
            unit: self.say("片", "pcs"),
            kept: true,
            on_hand: 1200,
            min: 200,
            low: false,
            used_up: Some(UsedUp { likely: self.at(-4 * DAY), give_or_take: Some(9 * HOUR) }),
            counted: Some(self.done(1400, 3 * DAY)),
            orders: vec![],
            machines: vec![
                self.stock_machine(),
                StockMachine {
                    name: self.say("2 号鞋套机", "Machine 2"),
                    device: "covers-b".into(),
                    left: None,
                    unknown: true,
                    used_up: None,
                    seen: None,
                    refilled: None,
                    ..self.stock_machine()
                },
            ],
            places: vec![
                place("store", self.say("库房", "Store room"), 1200),
                place("machine/covers-a", self.say("1 号鞋套机", "Machine 1"), 120),
            ],
            hand_out: "store".into(),
            order: 800,
            due: "2026-11-26".into(),
            statement: "/stock/statement/2026-11?site=hz-01&item=shoe-cover".into(),
            plan: "/stock/plan/2026-12?site=hz-01&item=shoe-cover".into(),
        }
    }

    pub(super) fn stock_entry(&self, what: (&str, &str), pieces: i64, before: i64) -> StockEntry {
        StockEntry {
            id: format!("0192f0c1-2222-7000-8000-{before:012}"),
            what: self.say(what.0, what.1),
            item: self.say("鞋套", "Shoe covers"),
            from: self.say("库房", "Store room"),
            to: self.say("1 号鞋套机", "Machine 1"),
            pieces,
            reason: String::new(),
            who: self.say("王敏", "Wang Min"),
            at: self.at(before),
            corrects: false,
            corrected: false,
        }
    }

    pub(super) fn stock(&self, items: Vec<StockItem>) -> StockPage {
        let refill = || self.stock_entry(("补货", "Refill"), 200, 5 * HOUR);
        let correction = StockEntry {
            corrects: true,
            reason: self.say("填错", "A slip"),
            ..self.stock_entry(("补货", "Refill"), 20, HOUR)
        };
        StockPage {
            chrome: self.chrome(Page::Stock),
            sites: vec![],
            items,
            entries: vec![
                correction,
                StockEntry { corrected: true, ..self.stock_entry(("补货", "Refill"), 20, 2 * HOUR) },
                refill(),
            ],
            next: Some("/stock?site=hz-01&after=1_2".into()),
            key: "0192f0c1-1111-7000-8000-000000000002".into(),
            refused: None,
        }
    }

    pub(super) fn low_stock(&self) -> Vec<StockItem> {
        let order = StockOrder {
            id: "0192f0c1-3333-7000-8000-000000000001".into(),
            pieces: 300,
            ordered: 800,
            due: self.at(DAY),
            who: self.say("王敏", "Wang Min"),
        };
        let held = HeldPieces { hour: self.at(3 * HOUR), pieces: 9000 };
        let machine = StockMachine {
            booked: Some(97),
            low: true,
            held: vec![held],
            counted: Some(self.done(150, DAY)),
            ..self.stock_machine()
        };
        vec![StockItem {
            on_hand: -20,
            low: true,
            used_up: None,
            orders: vec![order],
            machines: vec![machine],
            ..self.stock_item()
        }]
    }

    pub(super) fn showflat(&self, machines: Vec<Machine>) -> ShowflatPage {
        ShowflatPage { chrome: self.chrome(Page::Showflat), machines }
    }
}

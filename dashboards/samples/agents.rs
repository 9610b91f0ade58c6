//! The agents and their deliveries.

use lobby_dashboards::{AgentPage, AgentRow, Delivery, Link, Loss, Page};

use super::{DAY, HOUR, MINUTE, SECOND, Scene};

impl Scene {
    pub(super) fn agent(&self, link: Link) -> AgentRow {
        let up = link == Link::Up;
        AgentRow {
            site: "hz-01".parse().expect("a name"),
            id: if up { "lobby-box" } else { "lift-box" }.parse().expect("a name"),
            site_name: None,
            link,
            since: Some(self.at(3 * HOUR)),
            seen: (link != Link::Unverified).then(|| self.at(if up { 3 * SECOND } else { 22 * MINUTE })),
            version: "0.1.0".into(),
            devices: 6,
            backlog: (link != Link::Unverified).then_some(if up { 0 } else { 132 }),
            missing: if up { 0 } else { 7 },
            lost: if up { 0 } else { 42 },
            clock_offset_ms: Some(if up { -38 } else { 184_200 }),
            clock_suspect: !up,
        }
    }

    pub(super) fn loss(&self, records: u64, from: Option<i64>) -> Loss {
        Loss {
            epoch: 7,
            first: 1201,
            last: 1200 + records,
            unreadable: records == 1,
            from: from.map(|from| self.at(from)),
            to: self.at(from.unwrap_or(DAY) - 20 * MINUTE),
        }
    }

    pub(super) fn delivery(&self, missing: u64, lost: u64) -> Delivery {
        Delivery {
            produced: 48_210,
            stored: 48_210 - missing - lost,
            missing,
            missing_since: (missing > 0).then(|| self.at(4 * MINUTE)),
            lost,
            unreadable: u64::from(lost > 0),
            duplicates: 12,
            resends: 2,
            longest_delay_ms: 754_000,
            longest_delay_day_ms: 640,
            per_minute: (missing == 0).then_some(42.4),
        }
    }

    pub(super) fn agent_page(&self, link: Link, missing: u64, losses: Vec<Loss>) -> AgentPage {
        AgentPage {
            chrome: self.chrome(Page::Agent),
            agent: AgentRow { clock_suspect: false, ..self.agent(link) },
            epoch: 7,
            session: 3,
            delivery: self.delivery(missing, losses.iter().map(Loss::count).sum()),
            next: (!losses.is_empty()).then(|| "/a/hz-01/lobby-box?after=7_1201".into()),
            losses,
        }
    }
}

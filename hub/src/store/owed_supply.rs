//! That machines and the store room do not run out while guests are there (SHO-D4), and that whoever refills and buys was told before one
//! did (BAR-D5). Alerts say when a machine was empty; that it never was can only be said of one that was heard of. Of the store room the
//! books say it.

use std::collections::BTreeMap;

use lobby_contract::DeviceId;
use lobby_domain::{
    alert::{AlertId, Subject},
    compliance::{
        By, Duty, Evidence, Excuse, Instance, Kept, OutTime, SEEN_ENOUGH, SUPPLY, Stocked, WARNED, opening, ran_out,
        room_outs, settled, supply_of,
    },
    device::Life,
    label::Label,
    pack::Item,
    past::Times,
    rule::Supply,
    stock::low::Low,
    time::Timestamp,
};
use uuid::Uuid;

use super::{StoreError, Tx, compliance::Owing, on, statements};

statements! {
    MACHINES = "SELECT id, kind, name, life FROM device WHERE site = $1 AND announced ORDER BY id";
    // What was discovered late was told to nobody, and happened all the same.
    SUPPLIES = "SELECT id, subject, rule, title_zh, title_en, opened_at, since, late, cleared_at FROM alert
        WHERE site = $1 AND since < $3 AND (cleared_at IS NULL OR cleared_at >= $2) AND (tells <> '' OR late)
        ORDER BY since, id";
    HEARD = "SELECT a.acked_at, (SELECT MIN(d.told_at) FROM delivery d WHERE d.alert = a.id AND d.state IN ('sent', 'digested')) AS told_at,
            EXISTS (SELECT 1 FROM delivery d WHERE d.alert = a.id AND d.state = 'cancelled') AS needless,
            EXISTS (SELECT 1 FROM outbox o WHERE o.alert = a.id) AS recorded
        FROM alert a WHERE a.id = $1";
    // The books of a store room begin with the first entry that is about it.
    ROOM_BEGAN = "SELECT COUNT(*), COALESCE(CAST(SUM(CASE WHEN target = 'store' THEN pieces ELSE -pieces END) AS BIGINT), 0) FROM stock_entry
        WHERE site = $1 AND item = $2 AND (source = 'store' OR target = 'store') AND at < $3";
    ROOM_CHANGES = "SELECT at, CASE WHEN target = 'store' THEN pieces ELSE -pieces END, kind = 'count' FROM stock_entry
        WHERE site = $1 AND item = $2 AND (source = 'store' OR target = 'store') AND at >= $3 AND at < $4 ORDER BY at, id";
}

#[derive(sqlx::FromRow)]
struct Machine {
    id: String,
    kind: String,
    name: String,
    life: String,
}

#[derive(sqlx::FromRow)]
struct Said {
    id: Uuid,
    subject: String,
    rule: String,
    title_zh: String,
    title_en: String,
    opened_at: i64,
    since: i64,
    late: bool,
    cleared_at: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct Heard {
    acked_at: Option<i64>,
    told_at: Option<i64>,
    needless: bool,
    recorded: bool,
}

impl Said {
    fn began(&self) -> Timestamp {
        // What was raised in time became known then; a fault that was discovered late was there since.
        Timestamp::from_millis(if self.late { self.since } else { self.opened_at })
    }

    fn ended(&self) -> Option<Timestamp> {
        self.cleared_at.map(Timestamp::from_millis)
    }

    fn title(&self, of: &Label) -> Label {
        Label::new(format!("{} · {}", of.zh, self.title_zh), format!("{} · {}", of.en, self.title_en))
    }
}

/// A machine of the site that hands something out, and the posts that fill it.
struct Supplied {
    id: DeviceId,
    name: Label,
    post: Option<Box<str>>,
}

impl Machine {
    fn supplied(self, of: &Owing<'_>) -> Result<Option<Supplied>, StoreError> {
        let dispenses = of.pack.kinds.get(&*self.kind).and_then(|kind| kind.kind.dispenses.as_ref());
        let (Some(dispenses), true) = (dispenses, self.life == Life::Live.as_str()) else { return Ok(None) };
        let bad = |error: lobby_contract::NameError| StoreError::Inconsistent {
            table: "device",
            id: self.id.clone(),
            what: format!("id: {error}"),
        };
        let id: DeviceId = self.id.parse().map_err(bad)?;
        let post = of.pack.items.get(&dispenses.item).and_then(|item| item.tells.first()).cloned();
        let name = if self.name.is_empty() { id.as_str() } else { &*self.name };
        Ok(Some(Supplied { name: Label::new(name, name), id, post }))
    }
}

impl Supplied {
    fn instance(&self, of: &Owing<'_>, kept: Kept) -> Instance {
        Instance {
            duty: Duty::Supply,
            clauses: of.clauses(&[SUPPLY]),
            post: self.post.clone(),
            title: self.name.clone(),
            due: of.period().1,
            done: None,
            by: By::Nobody,
            kept,
            evidence: Evidence::Device(self.id.clone()),
        }
    }

    /// That it did not run out: for the whole month, and only if it was heard of.
    fn never_out(&self, of: &Owing<'_>, seen: Times) -> Instance {
        let until = settled(of.now);
        let open = opening(of.calendar, of.month, until);
        let known = seen.normal + seen.abnormal;
        self.instance(
            of,
            match () {
                () if of.now < of.period().1 => Kept::Open,
                () if open == 0 || known * 10 < open * SEEN_ENOUGH => Kept::Excused(Excuse::Unseen),
                () => Kept::Met,
            },
        )
    }

    fn was_out(&self, of: &Owing<'_>, out: &OutTime, said: &Said) -> Instance {
        Instance {
            title: said.title(&self.name),
            due: out.period.0,
            done: said.ended(),
            evidence: Evidence::Alert(AlertId(said.id)),
            ..self.instance(of, Kept::Missed)
        }
    }
}

impl Tx {
    /// Of every machine in use each time that it ran out, and whether that was told before; of one that did not, that.
    pub(super) async fn owed_supply(
        &mut self,
        of: Owing<'_>,
        seen: &[(DeviceId, Times)],
    ) -> Result<Vec<Instance>, StoreError> {
        let (site, (from, to)) = (of.site.as_str(), of.period());
        let machines: Vec<Machine> = on!(self, "read the machines of a site", conn => sqlx::query_as(MACHINES).bind(site)
            .fetch_all(conn).await)?;
        let machines: Vec<Option<Supplied>> =
            machines.into_iter().map(|machine| machine.supplied(&of)).collect::<Result<_, _>>()?;
        let machines: Vec<Supplied> = machines.into_iter().flatten().collect();
        let said: Vec<Said> = on!(self, "read what was said of supplies", conn => sqlx::query_as(SUPPLIES).bind(site)
            .bind(from.millis()).bind(to.millis()).fetch_all(conn).await)?;
        let mut outs: BTreeMap<String, Vec<Said>> = BTreeMap::new();
        let mut lows: BTreeMap<String, Vec<Said>> = BTreeMap::new();
        let mut rooms = Vec::new();
        for said in said {
            let sorted = match (supply_of(of.pack, &said.rule), Low::from_rule(&said.rule)) {
                (_, Some((Low::Room, _))) => &mut rooms,
                (Some(Supply::Out), _) => outs.entry(said.subject.clone()).or_default(),
                (Some(Supply::Low), _) => lows.entry(said.subject.clone()).or_default(),
                (None, _) => continue,
            };
            sorted.push(said);
        }
        let mut all = Vec::new();
        for machine in machines {
            let subject = Subject::Device(machine.id.clone()).to_string();
            let mut outs = outs.remove(&subject).unwrap_or_default();
            outs.sort_by_key(|said| (said.began(), said.id));
            let times: Vec<_> = outs.iter().map(|said| (said.began(), said.ended())).collect();
            let found = ran_out(of.calendar, (from, to), &times, of.now);
            if found.is_empty() {
                let seen = seen.iter().find(|(device, _)| *device == machine.id).map(|(_, times)| *times);
                all.push(machine.never_out(&of, seen.unwrap_or_default()));
            }
            let lows = lows.remove(&subject).unwrap_or_default();
            for out in &found {
                let was_out = machine.was_out(&of, out, &outs[out.alert]);
                all.push(self.warned(&of, (&machine.name, &was_out), &lows).await?);
                all.push(was_out);
            }
        }
        for (id, item) in &of.pack.items {
            let lows: Vec<Said> = rooms.extract_if(.., |said| said.rule == Low::Room.rule_id(id)).collect();
            self.owed_room(&of, (id, item), &lows, &mut all).await?;
        }
        Ok(all)
    }

    /// Each time that the books of a store room said that nothing was left, and whether that was told before.
    async fn owed_room(
        &mut self,
        of: &Owing<'_>,
        (id, item): (&str, &Item),
        lows: &[Said],
        all: &mut Vec<Instance>,
    ) -> Result<(), StoreError> {
        let (site, (from, to)) = (of.site.as_str(), of.period());
        let (entries, began): (i64, i64) = on!(self, "read what a store room held", conn => sqlx::query_as(ROOM_BEGAN)
            .bind(site).bind(id).bind(from.millis()).fetch_one(conn).await)?;
        let changes: Vec<(i64, i64, bool)> = on!(self, "read what came to a store room and went", conn =>
            sqlx::query_as(ROOM_CHANGES).bind(site).bind(id).bind(from.millis()).bind(to.millis()).fetch_all(conn).await)?;
        let change = |(at, pieces, counted)| Stocked { at: Timestamp::from_millis(at), pieces, counted };
        let mut changes: Vec<Stocked> = changes.into_iter().map(change).collect();
        if entries == 0 && changes.is_empty() {
            return Ok(());
        }
        // What nobody kept books of was not empty by them.
        let (since, began) = match entries {
            0 => {
                let first = changes.remove(0);
                (first.at, first.pieces)
            }
            _ => (from, began),
        };
        let outs = room_outs(since, began, &changes);
        let found = ran_out(of.calendar, (from, to), &outs, of.now);
        let kept = |kept| Instance {
            duty: Duty::Supply,
            clauses: of.clauses(&[SUPPLY]),
            post: item.tells.first().cloned(),
            title: Label::new(format!("{} · 库房", item.label.zh), format!("{} · store room", item.label.en)),
            due: to,
            done: None,
            by: By::Nobody,
            kept,
            evidence: Evidence::Statement(id.into(), of.month),
        };
        if found.is_empty() {
            all.push(kept(if of.now < to { Kept::Open } else { Kept::Met }));
        }
        for out in &found {
            let was_out = Instance { due: out.period.0, done: outs[out.alert].1, ..kept(Kept::Missed) };
            let name = was_out.title.clone();
            all.push(self.warned(of, (&name, &was_out), lows).await?);
            all.push(was_out);
        }
        Ok(())
    }

    /// Whether somebody heard that something was low before it ran out.
    async fn warned(
        &mut self,
        of: &Owing<'_>,
        (name, was_out): (&Label, &Instance),
        lows: &[Said],
    ) -> Result<Instance, StoreError> {
        let at = was_out.due;
        let mut none = Instance {
            duty: Duty::Warned,
            clauses: of.clauses(&[WARNED]),
            post: None,
            by: By::Hub,
            done: None,
            ..was_out.clone()
        };
        let was_low = |low: &&Said| low.began() <= at && low.ended().is_none_or(|ended| ended >= at);
        for low in lows.iter().filter(was_low) {
            let heard: Heard =
                on!(self, "read who heard of it", conn => sqlx::query_as(HEARD).bind(low.id).fetch_one(conn).await)?;
            none.evidence = Evidence::Alert(AlertId(low.id));
            none.title = low.title(name);
            let told = [heard.told_at, heard.acked_at].into_iter().flatten().min().map(Timestamp::from_millis);
            let kept = match told {
                // It is kept quiet on purpose, or too old for the record of who was told.
                None if !low.late && (heard.needless || !heard.recorded) => Kept::Excused(Excuse::Quiet),
                told => Kept::by_time(at, told, of.now),
            };
            if told.is_some() || matches!(kept, Kept::Excused(_)) {
                return Ok(Instance { done: told, kept, ..none });
            }
        }
        Ok(none)
    }
}

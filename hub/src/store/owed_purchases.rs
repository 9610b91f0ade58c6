//! What a month asks of whoever keeps the stock (SHO-D4): its statement is looked at, and what is bought for the next one is approved before
//! that begins. An item is asked for once its ledger was begun before the month, or as soon as somebody has begun a plan of it.

use std::collections::BTreeMap;

use lobby_domain::{
    compliance::{By, Duty, Evidence, Instance, Kept, STATEMENT_WITHIN, SUPPLY},
    label::Label,
    pack::Item,
    purchase::Act,
    time::Timestamp,
};

use super::{
    PurchaseKey, PurchaseRow, StoreError, Tx,
    compliance::{Owing, person},
    on, statements,
};

statements! {
    LEDGERS = "SELECT item, MIN(at) FROM stock_entry WHERE site = $1 GROUP BY item";
    STATEMENTS_SINCE = "SELECT MAX(at) FROM statement_since";
    // What was never used cannot be planned.
    USED = "SELECT item, MIN(at) FROM (SELECT item, at FROM stock_entry WHERE site = $1 AND kind = 'hand-out'
            UNION ALL SELECT h.item, h.at FROM stock_hour h JOIN device d ON d.no = h.device_no
            WHERE d.site = $1 AND h.pieces + h.gap_pieces > 0) AS used GROUP BY item";
}

type Firsts = BTreeMap<String, Timestamp>;

/// A plan as something that was owed.
fn plan(of: &Owing<'_>, (id, item): (&str, &Item), row: Option<&PurchaseRow>) -> Instance {
    let approvers = &item.approved_by;
    let standing = row.map(PurchaseRow::standing);
    let last = row.and_then(|row| row.steps.iter().rfind(|step| step.act == Act::Approve));
    let approved = standing.as_ref().is_some_and(|standing| standing.is_approved(approvers.len()));
    // With nobody to approve it, it is settled by being handed up.
    let settled = last.or_else(|| row.and_then(|row| row.steps.last())).filter(|_| approved);
    let (next, due) = (of.month.next(), of.period().1);
    let done = settled.map(|step| step.at);
    // Whose turn it is has not done it.
    let turn = standing.as_ref().and_then(|standing| standing.turn(approvers));
    let turn = if approved { approvers.last() } else { turn };
    Instance {
        duty: Duty::Plan,
        clauses: of.clauses(&[SUPPLY]),
        post: turn.or_else(|| item.tells.first()).cloned(),
        title: Label::new(format!("{} {next}", item.label.zh), format!("{} {next}", item.label.en)),
        due,
        done,
        by: settled.map_or(By::Nobody, |step| person(Some(&step.who))),
        kept: Kept::by_time(due, done, of.now),
        evidence: Evidence::Plan(id.into(), next),
    }
}

/// A statement as something that was owed.
fn statement(of: &Owing<'_>, (id, item): (&str, &Item), closed: Option<&(String, Timestamp)>) -> Instance {
    let due = of.period().1 + STATEMENT_WITHIN;
    let done = closed.map(|(_, at)| *at);
    Instance {
        duty: Duty::Statement,
        clauses: of.clauses(&[SUPPLY]),
        post: item.tells.first().cloned(),
        title: Label::new(format!("{} {}", item.label.zh, of.month), format!("{} {}", item.label.en, of.month)),
        due,
        done,
        by: closed.map_or(By::Nobody, |(who, _)| person(Some(who))),
        kept: Kept::by_time(due, done, of.now),
        evidence: Evidence::Statement(id.into(), of.month),
    }
}

impl Tx {
    async fn firsts(&mut self, sql: &'static str, of: &Owing<'_>) -> Result<Firsts, StoreError> {
        let raw: Vec<(String, i64)> = on!(self, "read since when a ledger is kept", conn => sqlx::query_as(sql)
            .bind(of.site.as_str()).fetch_all(conn).await)?;
        Ok(raw.into_iter().map(|(item, at)| (item, Timestamp::from_millis(at))).collect())
    }

    /// The statement of the month and the plan of the next one, of every item of which a ledger is kept.
    pub(super) async fn owed_purchases(&mut self, of: Owing<'_>) -> Result<Vec<Instance>, StoreError> {
        let (ledgers, used) = (self.firsts(LEDGERS, &of).await?, self.firsts(USED, &of).await?);
        let since: Option<i64> = on!(self, "read since when statements are agreed to", conn =>
            sqlx::query_scalar(STATEMENTS_SINCE).fetch_one(conn).await)?;
        let (from, to) = of.period();
        let could_agree = since.is_none_or(|since| Timestamp::from_millis(since) < to + STATEMENT_WITHIN);
        let mut all = Vec::new();
        for (id, item) in &of.pack.items {
            let before = |firsts: &Firsts, at: Timestamp| firsts.get(&**id).is_some_and(|first| *first < at);
            let key = PurchaseKey { site: of.site, item: id, month: of.month.next() };
            let row = self.purchase(key).await?.filter(|row| !row.steps.is_empty());
            if row.is_some() || before(&ledgers, from) && before(&used, from) {
                all.push(plan(&of, (id, item), row.as_ref()));
            }
            let closed = self.closed_statement(of.site, id, of.month).await?;
            if closed.is_some() || could_agree && before(&ledgers, to) {
                all.push(statement(&of, (id, item), closed.as_ref()));
            }
        }
        Ok(all)
    }
}

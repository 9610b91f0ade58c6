//! In which states devices were while they were under maintenance: by a window for it, or because a person has said so of the device.

use std::collections::BTreeMap;

use lobby_contract::DeviceId;
use lobby_domain::{
    alert::Subject,
    compliance::{meet, open_within, settled},
    device::{Device, Life},
    matchers::Labels,
    past::{Period, Rollup, Times, merged},
    time::{Span, Timestamp},
};

use crate::{
    fleet::{Fleet, Setup},
    history::harmful,
    store::{Grain, LifeChange, Owing, Store, StoreError, Tx},
};

const HOUR: Span = Span::from_mins(60);

/// A device of the database.
struct Known {
    no: i64,
    id: DeviceId,
    every: Span,
}

/// Of each device that was under maintenance in opening hours of a month, what was seen of it then.
pub(super) async fn of(store: &Store, fleet: &Fleet, of: Owing<'_>) -> Result<BTreeMap<DeviceId, Times>, StoreError> {
    let (from, to) = of.period();
    let month = (from, to.min(settled(of.now)));
    if month.0 >= month.1 {
        return Ok(BTreeMap::new());
    }
    let windows = windows(store, fleet, of, month).await?;
    if windows.is_empty() {
        return Ok(BTreeMap::new());
    }
    let open = open_within(of.calendar, month);
    let mut tx = store.read().await?;
    let mut all = BTreeMap::new();
    for (no, id, every) in tx.devices_of(of.site).await? {
        let Some(windows) = windows.get(&id) else { continue };
        let within = common(&open, windows);
        if within.is_empty() {
            continue;
        }
        let device = Known { no, id, every: Span::from_millis(every) };
        let times = seen(&mut tx, &fleet.setup(), (of.site.as_str(), &device), &open, &within).await?;
        all.insert(device.id, times);
    }
    Ok(all)
}

/// When each device was under maintenance, in order.
async fn windows(
    store: &Store,
    fleet: &Fleet,
    of: Owing<'_>,
    month: Period,
) -> Result<BTreeMap<DeviceId, Vec<Period>>, StoreError> {
    let planned = store.maintenance_between(month).await?;
    let lives = store.lives(of.site, None, month.1).await?;
    let mut all: BTreeMap<DeviceId, Vec<Period>> = BTreeMap::new();
    let sites = fleet.read();
    let Some(site) = sites.get(of.site) else { return Ok(all) };
    for device in site.devices() {
        let labels = Labels::of_device(of.site, device);
        let about = planned.iter().filter(|window| window.kind.matchers().is_some_and(|of| of.matches(&labels)));
        let by_window = about.map(|window| (window.starts, window.ends.unwrap_or(month.1)));
        let found = by_window.chain(said(device, &lives, month)).filter_map(|window| meet(window, month));
        let found = merged(found.collect());
        if !found.is_empty() {
            all.insert(device.id.clone(), found);
        }
    }
    Ok(all)
}

/// When people have said that a device is under maintenance.
fn said(device: &Device, lives: &[LifeChange], month: Period) -> Vec<Period> {
    let (mut all, mut since) = (Vec::new(), None);
    for change in lives.iter().filter(|change| change.device == device.id.as_str()) {
        if let Some(from) = since.take() {
            all.push((from, change.at));
        }
        since = (change.after == Life::Maintenance.as_str()).then_some(change.at);
    }
    all.extend(since.map(|from| (from, month.1)));
    all
}

/// What periods, each list of them in order, have in common.
fn common(some: &[Period], others: &[Period]) -> Vec<Period> {
    some.iter().flat_map(|one| others.iter().filter_map(|other| meet(*one, *other))).collect()
}

/// What was seen of a device within periods: by the hour where they cover all of it, or else from its records.
async fn seen(
    tx: &mut Tx,
    setup: &Setup,
    (site, device): (&str, &Known),
    open: &[Period],
    within: &[Period],
) -> Result<Times, StoreError> {
    let mut times = Times::default();
    let (Some(first), Some(last)) = (within.first(), within.last()) else { return Ok(times) };
    let begin = first.0.shifted(-first.0.millis().rem_euclid(HOUR.millis()));
    let rows = tx.rolled_up(device.no, Grain::Hour, (begin, last.1)).await?;
    let rows: BTreeMap<Timestamp, Times> = rows.into_iter().map(|row| (row.at, row.rollup.open)).collect();
    let hours = std::iter::successors(Some(begin), |at| Some(*at + HOUR)).take_while(|at| *at < last.1);
    for hour in hours.map(|at| (at, at + HOUR)) {
        let pieces = common(within, &[hour]);
        if pieces.is_empty() {
            continue;
        }
        let row = rows.get(&hour.0).copied();
        if pieces == common(open, &[hour])
            && let Some(row) = row
        {
            times += row;
            continue;
        }
        for piece in pieces {
            times += part(tx, setup, (site, device), piece, row).await?;
        }
    }
    Ok(times)
}

/// What was seen of a device in a part of an hour. Where its records are gone, as much as may be of what was wrong in the hour lies in it.
async fn part(
    tx: &mut Tx,
    setup: &Setup,
    (site, device): (&str, &Known),
    piece: Period,
    row: Option<Times>,
) -> Result<Times, StoreError> {
    let gap = setup.gap(site, device.every);
    let samples = tx.samples(device.no, (piece.0 - gap, piece.1)).await?;
    if !samples.is_empty() || row.is_none() {
        let subject = Subject::Device(device.id.clone());
        let faults = harmful(&setup.pack, tx.faults(site, &subject, piece).await?, piece.1);
        return Ok(Rollup::of(piece, &samples, gap, &faults, &[piece]).open);
    }
    let (row, mut left) = (row.unwrap_or_default(), piece.1.since(piece.0).millis());
    let mut take = |of: i64| {
        let taken = of.min(left);
        left -= taken;
        taken
    };
    let (abnormal, offline, unknown) = (take(row.abnormal), take(row.offline), take(row.unknown));
    Ok(Times { abnormal, offline, unknown, normal: take(i64::MAX) })
}

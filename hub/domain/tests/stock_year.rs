//! A year of a site with three shoe-cover machines of which everything is known: quiet and busy weekdays, launches, jams, counters that wrap
//! and are cleared, agents that start anew, theft and miscounts. What the ledger, the forecast, the warnings and the proposals make of it is
//! compared with the truth, and the purchases with those of a site that goes by a fixed minimum alone (SHO-D4, BAR-D5).

#![expect(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped is a failure")]
#![expect(clippy::print_stdout, reason = "the figures are worth reading")]
#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a year of a site has small numbers")]

use std::collections::BTreeMap;

use jiff::{
    ToSpan,
    civil::{Date, Weekday, date, time},
    tz::TimeZone,
};
use lobby_domain::{
    calendar::{Calendar, Day, Launches},
    forecast::Forecast,
    purchase::{Month, Proposal, Stock, in_boxes},
    stock::{
        dispensed::{Counted, Hour, Reading, step},
        low::{Coming, Machine, Room, in_time},
    },
    time::{Span, Timestamp},
};

const BEGINS: Date = date(2025, 1, 1);
const ENDS: Date = date(2026, 1, 1);
const MACHINES: usize = 3;
/// Which share of the guests takes which machine, in percent.
const SHARES: [u64; MACHINES] = [50, 30, 20];
/// Pieces that a machine holds.
const CAPACITY: i64 = 300;
/// How long an order takes, in days.
const LEAD_DAYS: u32 = 3;
const PACK: i64 = 100;
const MIN: i64 = 300;
const TARGET: i64 = 3000;
/// No machine hands out more in a minute.
const MOST_PER_MINUTE: u32 = 60;
/// Days of launches, on which three times as many guests come.
const LAUNCHES: [(i8, i8); 6] = [(3, 15), (5, 1), (5, 2), (9, 20), (10, 2), (12, 20)];

/// Random numbers that are the same for the same seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// Guests who come at random: of `of` who might, each does with that chance in a thousand.
    fn some(&mut self, of: u64, in_thousand: u64) -> u64 {
        (0..of).map(|_| u64::from(self.below(1000) < in_thousand)).sum()
    }
}

fn calendar() -> Calendar {
    let day = Day { ready_by: time(8, 20, 0, 0), open: time(9, 0, 0, 0), close: time(18, 0, 0, 0) };
    let weekly = std::array::from_fn(|weekday| (weekday != 0).then_some(day));
    Calendar::new(TimeZone::get("Asia/Shanghai").unwrap(), weekly, [(date(2025, 1, 29), None)].into())
}

/// The same site, which names its launch days.
fn announced() -> Calendar {
    let days = LAUNCHES.iter().map(|(month, day)| date(2025, *month, *day)).collect();
    calendar().with_launches(Launches { days, factor: 3.0 })
}

fn at(date: Date, hour: i8, minute: i8) -> Timestamp {
    let zoned = calendar().zone().to_zoned(date.at(hour, minute, 0, 0)).unwrap();
    Timestamp::from_millis(zoned.timestamp().as_millisecond())
}

fn open_days() -> impl Iterator<Item = Date> {
    BEGINS.series(1.day()).take_while(|date| *date < ENDS).filter(|date| calendar().opens_on(*date))
}

/// Pieces that guests want of each machine in each ten minutes of a day, two for each guest.
fn wanted(date: Date, dice: &mut Dice) -> Vec<[i64; MACHINES]> {
    let weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
    let season = 90 + (date.day_of_year() - 1).unsigned_abs() * 20 / 365;
    let launch = if LAUNCHES.contains(&(date.month(), date.day())) { 3 } else { 1 };
    let guests = if weekend { 220 } else { 110 } * u64::from(season) / 100 * launch;
    // More in the afternoon.
    let busy = |slot: u64| if slot >= 30 { 24 } else { 14 };
    (0..54)
        .map(|slot| SHARES.map(|share| i64::try_from(2 * dice.some(guests * share / 100, busy(slot))).unwrap()))
        .collect()
}

/// A machine's counter as its agent tells it.
struct Counter {
    epoch: i64,
    seq: i64,
    /// What stands in the register of 16 bits.
    register: i64,
    /// What the agent has added up since its start.
    total: i64,
    period: i64,
}

impl Counter {
    fn hands_out(&mut self, pieces: i64) {
        self.register = (self.register + pieces) % 65_536;
        self.total += pieces;
    }

    fn reading(&mut self, at: Timestamp) -> Reading {
        self.seq += 1;
        Reading { agent: 1, epoch: self.epoch, seq: self.seq, at, count: self.total, period: Some(self.period) }
    }

    /// The agent starts anew: it knows what stands in the register.
    fn agent_starts(&mut self) {
        (self.epoch, self.seq, self.total, self.period) = (self.epoch + 1, 0, self.register, 0);
    }

    /// Somebody clears it; the agent sees that, or takes it for a start of the year.
    fn is_cleared(&mut self, seen: bool) {
        (self.register, self.total, self.period) = (0, 0, self.period + i64::from(seen));
    }
}

/// The truth, and what was told of it.
struct Year {
    /// Pieces handed out, by machine and day.
    truth: BTreeMap<(usize, Date), i64>,
    /// What the machines' records said, in the order in which they were made.
    told: [Vec<Reading>; MACHINES],
    /// What guests wanted, by day, slot and machine.
    wanted: BTreeMap<Date, Vec<[i64; MACHINES]>>,
}

fn year(seed: u64) -> Year {
    let mut dice = Dice(seed);
    let mut told: [Vec<Reading>; MACHINES] = Default::default();
    let (mut truth, mut by_day) = (BTreeMap::new(), BTreeMap::new());
    for (machine, told) in told.iter_mut().enumerate() {
        let mut counter = Counter { epoch: 1, seq: 0, register: 64_000, total: 64_000, period: 0 };
        told.push(counter.reading(at(BEGINS, 0, 0)));
        for date in open_days() {
            let wanted = &*by_day.entry(date).or_insert_with(|| wanted(date, &mut dice));
            // A jam, of which an hour goes by before it is cleared.
            let jammed = if dice.below(30) == 0 { dice.below(50) } else { u64::MAX };
            for (slot, pieces) in (0_u64..).zip(wanted) {
                let (hour, minute) = (9 + i8::try_from(slot / 6).unwrap(), i8::try_from(slot % 6 * 10 + 9).unwrap());
                if !(jammed..jammed.saturating_add(6)).contains(&slot) {
                    counter.hands_out(pieces[machine]);
                    *truth.entry((machine, date)).or_default() += pieces[machine];
                }
                told.push(counter.reading(at(date, hour, minute)));
            }
            match dice.below(40) {
                0 => counter.agent_starts(),
                1 => counter.is_cleared(true),
                2 => counter.is_cleared(false),
                _ => {}
            }
        }
    }
    Year { truth, told, wanted: by_day }
}

/// What the ledger makes of a machine's records: pieces by hour, each hour from its own records and the gap before it.
fn by_hour(told: &[Reading]) -> BTreeMap<Timestamp, Counted> {
    let mut hours: BTreeMap<i64, Vec<Reading>> = BTreeMap::new();
    for reading in told {
        hours.entry(reading.at.millis().div_euclid(3_600_000)).or_default().push(*reading);
    }
    let mut before: Option<Reading> = None;
    let mut counted = BTreeMap::new();
    for (hour, readings) in hours {
        let made = Hour::of(&readings, MOST_PER_MINUTE).unwrap();
        let gap = before.map_or_else(Counted::default, |before| step(&before, &made.first, MOST_PER_MINUTE));
        counted.insert(Timestamp::from_millis(hour * 3_600_000), gap + made.within);
        before = Some(made.last);
    }
    counted
}

fn used(hours: &[BTreeMap<Timestamp, Counted>]) -> Vec<(Timestamp, u32)> {
    let mut sum: BTreeMap<Timestamp, u32> = BTreeMap::new();
    for (at, counted) in hours.iter().flatten() {
        *sum.entry(*at).or_default() += u32::try_from(counted.pieces).unwrap();
    }
    sum.into_iter().collect()
}

#[test]
fn each_piece_of_a_year_is_counted_once() {
    for seed in 1..=5 {
        let mut year = year(seed);
        let mut dice = Dice(seed + 100);
        for (machine, told) in year.told.iter_mut().enumerate() {
            // Records come late and twice, in any order.
            for _ in 0..told.len() {
                let (one, other) = (dice.below(told.len() as u64) as usize, dice.below(told.len() as u64) as usize);
                told.swap(one, other);
            }
            told.extend_from_within(..1000);
            let hours = by_hour(told);
            let mut days: BTreeMap<Date, i64> = BTreeMap::new();
            for (at, counted) in &hours {
                assert_eq!(counted.held, 0);
                let day = lobby_domain::calendar::local(*at, calendar().zone()).date();
                *days.entry(day).or_default() += counted.pieces;
            }
            for date in open_days() {
                assert_eq!(days.get(&date), year.truth.get(&(machine, date)), "seed {seed}, machine {machine}, {date}");
            }
        }
    }
}

#[test]
fn proposals_are_as_good_as_they_say() {
    let (mut errors, mut worst) = (Vec::new(), 0.0_f64);
    for seed in 1..=5 {
        let year = year(seed);
        let used = used(&year.told.each_ref().map(|told| by_hour(told)));
        for month in 4..=11 {
            let month = Month::of(date(2025, month, 1));
            let now = at(month.previous().first().saturating_add(24.days()), 18, 0);
            let known: Vec<_> = used.iter().copied().filter(|(at, _)| *at <= now).collect();
            let stock =
                Stock { on_hand: 800, on_order: 0, pack: PACK, min_order: PACK, lead_days: LEAD_DAYS, price: None };
            let proposal = Proposal::make(month, &calendar(), &known, stock, now).unwrap();
            let truly: i64 =
                year.truth.iter().filter(|((_, day), _)| Month::of(*day) == month).map(|(_, pieces)| pieces).sum();
            let error = (proposal.demand - truly) as f64 / truly as f64 * 100.0;
            errors.push(error.abs());
            worst = worst.max(error.abs());
            for seen in &proposal.hindsight {
                assert!(seen.error_percent().is_some_and(|error| error.abs() < 25.0), "{seen:?}");
            }
        }
    }
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    println!("{} months: the forecast was wrong by {mean:.1} % in the mean, {worst:.1} % at worst", errors.len());
    assert!(mean < 7.0 && worst < 20.0, "mean {mean}, worst {worst}");
}

/// By how many percent the proposals of the months with launches are wrong, without regard to the sign.
fn errors_of_launch_months(year: &Year, used: &[(Timestamp, u32)], calendar: &Calendar) -> Vec<f64> {
    let months = [5, 9, 10, 12].map(|month| Month::of(date(2025, month, 1)));
    let error = |month: Month| {
        let now = at(month.previous().first().saturating_add(24.days()), 18, 0);
        let known: Vec<_> = used.iter().copied().filter(|(at, _)| *at <= now).collect();
        let stock = Stock { on_hand: 800, on_order: 0, pack: PACK, min_order: PACK, lead_days: LEAD_DAYS, price: None };
        let proposal = Proposal::make(month, calendar, &known, stock, now).unwrap();
        let launches = month.days().filter(|date| calendar.is_launch(*date)).count();
        assert_eq!(proposal.launches.map_or(0, |launches| launches.open as usize), launches);
        let truly = year.truth.iter().filter(|((_, day), _)| Month::of(*day) == month).map(|(_, pieces)| pieces);
        let truly: i64 = truly.sum();
        ((proposal.demand - truly) as f64 / truly as f64 * 100.0).abs()
    };
    months.map(error).to_vec()
}

#[test]
fn months_with_launches_are_forecast_better_if_these_are_announced() {
    let mean = |errors: &[f64]| errors.iter().sum::<f64>() / errors.len() as f64;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for seed in 1..=5 {
        let year = year(seed);
        let used = used(&year.told.each_ref().map(|told| by_hour(told)));
        without.extend(errors_of_launch_months(&year, &used, &calendar()));
        with.extend(errors_of_launch_months(&year, &used, &announced()));
    }
    let (without, with) = (mean(&without), mean(&with));
    println!("months with launches: wrong by {without:.1} % in the mean, by {with:.1} % with launches announced");
    assert!(with * 1.5 < without && with < 5.0, "{with} announced, {without} not");
}

/// What became of the warnings of machines that are filled each morning as far as it was warned of the day before.
#[derive(Debug, Default)]
struct Warnings {
    run_outs: u32,
    unannounced: u32,
    told: u32,
    without_cause: u32,
}

fn warnings(year: &Year) -> Warnings {
    let mut result = Warnings::default();
    for machine in 0..MACHINES {
        let hours: Vec<(Timestamp, u32)> = used(&[by_hour(&year.told[machine])]);
        let mut left = CAPACITY;
        for (number, date) in open_days().enumerate() {
            let (mut low, mut ran_out, mut warned_at) = (false, None, None);
            let closes = at(date, 18, 0);
            for slot in 0..54_u8 {
                let now = at(date, 9, 0) + Span::from_mins(10).times(slot.into());
                if slot % 3 == 0 && number >= 14 {
                    let known = hours.iter().copied().take_while(|(at, _)| *at + Span::from_mins(60) <= now);
                    let recent = known.filter(|(at, _)| now.since(*at) < Span::from_mins(84 * 24 * 60));
                    let forecast = Forecast::learn(&calendar(), recent, now).unwrap();
                    let expected = forecast.expected(now, closes).mean;
                    let is_low = Machine { left, low_at: None, expected, speaks: false, open: true }.is_low(low);
                    if is_low && !low {
                        warned_at = warned_at.or(Some((now, forecast.expected(now, closes))));
                        result.told += 1;
                    }
                    low = is_low;
                }
                left -= year.wanted[&date][usize::from(slot)][machine];
                if left <= 0 && ran_out.is_none() {
                    ran_out = Some(now);
                }
            }
            if number >= 14 {
                if let Some(ran_out) = ran_out {
                    result.run_outs += 1;
                    result.unannounced += u32::from(warned_at.is_none_or(|(at, _)| at > ran_out));
                } else if let Some((_, demand)) = warned_at
                    && left as f64 > 2.0 * demand.deviation() + demand.mean / 10.0
                {
                    result.without_cause += 1;
                }
            }
            // Filled up in the morning, if at most a day's use is left.
            if left < CAPACITY / 3 {
                left = CAPACITY;
            }
        }
    }
    result
}

#[test]
fn machines_are_told_to_run_out_before_they_do_and_not_without_cause() {
    for seed in 1..=3 {
        let seen = warnings(&year(seed));
        println!("seed {seed}: {seen:?}");
        assert!(seen.run_outs > 20, "{seen:?}");
        assert_eq!(seen.unannounced, 0, "{seen:?}");
        // Guests come at random: of a hundred warnings two may be of a day that turns out to be quieter than nearly any other.
        assert!(seen.without_cause * 50 <= seen.told, "{seen:?}");
    }
}

/// A year of a store room by one way of ordering.
#[derive(Debug, Default)]
struct Room365 {
    /// Days on which guests would have got nothing, and whether the room was told to be low by then.
    empty: Vec<(Date, bool)>,
    orders: u32,
    /// Pieces there at closing, in the mean.
    mean: i64,
}

/// Orders up to [`TARGET`] whenever `is_low`.
fn room(year: &Year, calendar: &Calendar, theft: u64, is_low: impl Fn(&Room, bool) -> bool) -> Room365 {
    let mut dice = Dice(theft);
    let used = used(&year.told.each_ref().map(|told| by_hour(told)));
    let (mut result, mut on_hand, mut booked) = (Room365::default(), TARGET, TARGET);
    let (mut coming, mut low, mut sum, mut days): (Vec<Coming>, _, _, _) = (Vec::new(), false, 0, 0);
    for date in BEGINS.series(1.day()).take_while(|date| *date < ENDS) {
        let closes = at(date, 18, 0);
        let arrived: i64 = coming.iter().filter(|order| order.due <= closes).map(|order| order.pieces).sum();
        coming.retain(|order| order.due > closes);
        let taken: i64 = (0..MACHINES).filter_map(|machine| year.truth.get(&(machine, date))).sum();
        if on_hand + arrived < taken {
            result.empty.push((date, low || !coming.is_empty()));
        }
        // Somebody takes a box home now and then; a count at the end of the month finds it, give or take a few.
        let stolen = if dice.below(45) == 0 { PACK } else { 0 };
        on_hand = (on_hand + arrived - taken - stolen).max(0);
        booked += arrived - taken;
        if date.last_of_month() == date {
            booked = on_hand + i64::try_from(dice.below(7)).unwrap() - 3;
        }
        (sum, days) = (sum + on_hand, days + 1);
        let known: Vec<_> = used.iter().copied().filter(|(at, _)| *at <= closes).collect();
        let Some(forecast) = Forecast::learn(calendar, known, closes) else { continue };
        let runs_out = forecast.runs_out(booked, closes).map(|out| out.likely);
        let room = Room {
            on_hand: booked,
            arriving: in_time(&coming, runs_out),
            expected: forecast.expected(closes, closes + Span::from_mins(24 * 60).times(LEAD_DAYS)).mean,
            min: MIN,
        };
        let (is_low_now, ordered) = (is_low(&room, low), coming.iter().map(|order| order.pieces).sum::<i64>());
        let pieces = in_boxes(TARGET - booked - ordered, PACK, PACK);
        if is_low_now && pieces > 0 {
            coming.push(Coming { pieces, due: closes + Span::from_mins(24 * 60).times(LEAD_DAYS) });
            result.orders += 1;
        }
        low = is_low_now;
    }
    result.mean = sum / days;
    result
}

#[test]
fn a_store_room_that_is_looked_at_ahead_is_empty_after_launches_alone_unlike_one_that_goes_by_its_minimum() {
    let (mut ahead_empty, mut fixed_empty) = (0, 0);
    for seed in 1..=3 {
        let year = year(seed);
        let ahead = room(&year, &calendar(), seed, Room::is_low);
        let fixed = room(&year, &calendar(), seed, |room, _| room.on_hand + room.arriving < room.min);
        let told = |room: &Room365| {
            format!("{} days empty, {} orders, {} pieces in the mean", room.empty.len(), room.orders, room.mean)
        };
        println!("seed {seed}: by forecast {}; by a fixed minimum {}", told(&ahead), told(&fixed));
        let launch = |date: Date| LAUNCHES.contains(&(date.month(), date.day()));
        let surprised = |(date, told): &(Date, bool)| launch(*date) || (*told && launch(date.yesterday().unwrap()));
        assert!(ahead.empty.iter().all(surprised), "launches, which no forecast knows of, and no more: {ahead:?}");
        ahead_empty += ahead.empty.len();
        fixed_empty += fixed.empty.len();
    }
    assert!(ahead_empty * 5 < fixed_empty, "{ahead_empty} days by forecast, {fixed_empty} by a fixed minimum");
}

#[test]
fn a_store_room_whose_launches_are_announced_is_empty_less_often() {
    let (mut with, mut without) = (0, 0);
    for seed in 1..=3 {
        let year = year(seed);
        with += room(&year, &announced(), seed, Room::is_low).empty.len();
        without += room(&year, &calendar(), seed, Room::is_low).empty.len();
    }
    println!("{with} days empty with launches announced, {without} without");
    assert!(with < without, "{with} announced, {without} not");
}

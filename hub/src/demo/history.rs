//! Thirty days that the demonstration has behind it when it starts, so that charts and figures have something to show. Nothing here is
//! random: the same time gives the same history. Counters end where the live equipment begins.

use std::{collections::BTreeMap, time::Duration};

use lobby_contract::{DeviceId, FactValue, Reach};
use lobby_domain::time::Timestamp;

use super::{
    covers::{CAPACITY, MACHINES, Stock},
    curve::{self, Local},
    display::{ENTRANCE_LED, LIFT_TV, Plate},
    snooker::{self, BALLS, CUES, ENERGY_KWH, IDLE_W, LAMP_W},
};

/// Time between two records of a device, in ms.
const SLOT_MS: i64 = 600_000;
/// Slots of an hour.
const SLOTS_PER_HOUR: i32 = 6;
/// Slots of thirty days.
const SLOTS: usize = 30 * 24 * 6;
/// A machine is refilled when fewer covers than this are left.
const REFILL_BELOW: i32 = 50;

/// What one device stated at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryRecord {
    /// The device.
    pub device: DeviceId,
    /// When.
    pub at: Timestamp,
    /// What it said of itself; empty unless it was reached.
    pub facts: BTreeMap<Box<str>, FactValue>,
    /// Whether it answered.
    pub reach: Reach,
}

/// The records of the thirty days before `now`, by time: at most one per device and ten minutes.
pub fn history(now: Timestamp) -> impl Iterator<Item = HistoryRecord> {
    moments(now).into_iter().flat_map(|moment| {
        DEVICES.iter().map(move |&(device, facts)| {
            let found = facts(&moment);
            HistoryRecord {
                device: device.parse().expect("the ids of the demonstration are names"),
                at: moment.at,
                reach: if found.is_some() { Reach::Ok } else { Reach::Unreachable },
                facts: found.unwrap_or_default().into_iter().map(|(fact, value)| (fact.into(), value)).collect(),
            }
        })
    })
}

/// What a device says at a moment.
type Facts = Vec<(&'static str, FactValue)>;

/// A device of the past; its function says `None` while it does not answer.
type Device = (&'static str, fn(&Moment) -> Option<Facts>);

const DEVICES: [Device; 10] = [
    ("entrance-led", |moment| Some(moment.display(&ENTRANCE_LED, moment.outage(2, 12, 2)))),
    ("led-cabinet", |moment| Some(moment.cabinet())),
    ("lift-tv", |moment| (!moment.outage(4, 18, 5)).then(|| moment.display(&LIFT_TV, false))),
    ("covers-1", |moment| Some(moment.machine(0, moment.outage(6, 7, 2)))),
    ("covers-2", |moment| Some(moment.machine(1, false))),
    ("snooker-1", |moment| Some(moment.table())),
    ("snooker-rack", |moment| Some(rack(moment.outage(8, 10, 4)))),
    ("laptop-1", |moment| Some(moment.this_computer())),
    ("laptop-2", |moment| (!moment.outage(10, 9, 6)).then(|| moment.laptop())),
    ("internet", |moment| Some(moment.internet(moment.outage(12, 15, 3)))),
];

/// One slot of the past, with what has added up by then.
#[derive(Debug, Clone, Copy)]
struct Moment {
    at: Timestamp,
    local: Local,
    covers: [Stock; 2],
    energy_kwh: f64,
    /// Slots from here until now in which the displays ran.
    shown_until_now: i32,
}

/// All slots, oldest first. They are made backwards, from where the live equipment begins.
fn moments(now: Timestamp) -> Vec<Moment> {
    let last = now.millis().div_euclid(SLOT_MS) * SLOT_MS;
    let mut covers = MACHINES;
    let (mut energy_kwh, mut shown_until_now) = (ENERGY_KWH, 0);
    let mut moments = Vec::with_capacity(SLOTS);
    for back in (1_i64..).take(SLOTS) {
        let at = Timestamp::from_millis(last - back * SLOT_MS);
        let local = Local::of(at);
        for (stream, stock) in (20..).zip(&mut covers) {
            *stock = before(*stock, given(stream, at, local), at);
        }
        energy_kwh -= snooker::kwh(lamp(at, local).1, Duration::from_mins(10));
        shown_until_now += i32::from(local.is_open());
        moments.push(Moment { at, local, covers, energy_kwh, shown_until_now });
    }
    moments.reverse();
    moments
}

/// Covers that a machine gives within the slot at `at`.
fn given(stream: u32, at: Timestamp, local: Local) -> i32 {
    2 * curve::whole(curve::visitors(local) * 2.0 * curve::noise(stream, at))
}

/// The stock before `given` covers were taken. Where it would not fit into the machine, the machine was refilled meanwhile.
fn before(after: Stock, given: i32, at: Timestamp) -> Stock {
    let left = after.left + given;
    let left = if left > CAPACITY { REFILL_BELOW - 2 - curve::whole(18.0 * curve::noise(30, at)) } else { left };
    Stock { left, dispensed: after.dispensed - given }
}

/// Whether the lamp of the snooker table is on, and what it draws in W.
fn lamp(at: Timestamp, local: Local) -> (bool, f64) {
    // A game takes most of an hour, and there are more of them when there are more visitors.
    let hour = Timestamp::from_millis(at.millis().div_euclid(6 * SLOT_MS) * 6 * SLOT_MS);
    let on = local.is_open() && curve::noise(31, hour) < 0.2 + 0.15 * curve::visitors(local);
    (on, if on { LAMP_W + 2.0 * curve::noise(32, at) - 1.0 } else { IDLE_W })
}

impl Moment {
    fn noise(&self, stream: u32) -> f64 {
        curve::noise(stream, self.at)
    }

    /// Whether this is within an outage of a few slots, at some hour of opening, on about one of `one_in` days.
    fn outage(&self, stream: u32, one_in: i32, slots: i32) -> bool {
        let begins = 9 * 60 + curve::whole(curve::of_day(stream + 1, self.local) * 480.0);
        let is_today = curve::of_day(stream, self.local) * f64::from(one_in) < 1.0;
        is_today && (begins..begins + slots * 10).contains(&self.local.minute)
    }

    fn display(&self, plate: &Plate, dark: bool) -> Facts {
        let on = self.local.is_open() && !dark;
        let hours = plate.lamp_hours - self.shown_until_now / SLOTS_PER_HOUR;
        let mut facts =
            vec![("power", if on { "on" } else { "standby" }.into()), ("lamp_hours", f64::from(hours).into())];
        facts.extend(["fan", "lamp", "temperature", "cover", "filter", "hardware"].map(|part| (part, "ok".into())));
        if on {
            facts.extend([("signal", "ok".into()), ("video_mute", false.into()), ("freeze", false.into())]);
        }
        facts
    }

    fn cabinet(&self) -> Facts {
        vec![
            ("temperature_c", curve::rounded(curve::cabinet_c(self.at), 1).into()),
            ("temperature_limit_c", 60.0.into()),
            ("voltage_v", curve::rounded(curve::mains_v(self.at), 1).into()),
        ]
    }

    fn machine(&self, index: usize, jammed: bool) -> Facts {
        let Stock { left, dispensed } = self.covers[index];
        vec![
            ("covers_left", f64::from(left).into()),
            ("covers_dispensed", f64::from(dispensed).into()),
            ("capacity", f64::from(CAPACITY).into()),
            ("low_at", f64::from(REFILL_BELOW).into()),
            ("jam", jammed.into()),
            ("empty", (left <= 0).into()),
            ("motor", "ok".into()),
            ("supply", "ok".into()),
            ("supply_v", curve::rounded(24.0 + 0.3 * self.noise(33), 1).into()),
        ]
    }

    fn table(&self) -> Facts {
        let (on, watts) = lamp(self.at, self.local);
        vec![
            ("lamp", if on { "on" } else { "off" }.into()),
            ("lamp_w", curve::rounded(watts, 1).into()),
            ("lamp_min_w", 20.0.into()),
            ("occupied", on.into()),
            ("voltage_v", curve::rounded(curve::mains_v(self.at), 1).into()),
            ("energy_kwh", curve::rounded(self.energy_kwh, 3).into()),
        ]
    }

    fn this_computer(&self) -> Facts {
        let used = curve::visitors(self.local) / 9.0;
        vec![
            ("cpu_percent", curve::rounded(3.0 + 55.0 * used * self.noise(34) + 4.0 * self.noise(35), 0).into()),
            ("memory_percent", curve::rounded(34.0 + 25.0 * used + 5.0 * self.noise(36), 0).into()),
            ("temperature_c", curve::rounded(37.0 + 22.0 * used + 3.0 * self.noise(37), 0).into()),
        ]
    }

    fn laptop(&self) -> Facts {
        vec![("latency_ms", curve::rounded(2.0 + 6.0 * self.noise(38), 0).into())]
    }

    fn internet(&self, down: bool) -> Facts {
        let busy = curve::visitors(self.local);
        let ms = |least: f64, stream: u32| curve::rounded(least + (4.0 + 6.0 * busy) * self.noise(stream), 0).into();
        let works = if down { "failed" } else { "ok" };
        let mut facts = vec![
            ("link", "up".into()),
            ("gateway", "ok".into()),
            ("gateway_ms", ms(1.0, 39)),
            ("dns", works.into()),
            ("tcp", works.into()),
            ("http", works.into()),
            ("loss_percent", if down { 100.0 } else { 0.0 }.into()),
        ];
        if !down {
            facts.extend([("dns_ms", ms(6.0, 40)), ("tcp_ms", ms(14.0, 41)), ("latency_ms", ms(14.0, 41))]);
        }
        facts
    }
}

/// What the rack counts; at times a ball has rolled under the table.
fn rack(lost: bool) -> Facts {
    let balls = BALLS - i32::from(lost);
    vec![
        ("balls", f64::from(balls).into()),
        ("balls_expected", f64::from(BALLS).into()),
        ("cues", f64::from(CUES).into()),
        ("cues_expected", f64::from(CUES).into()),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lobby_domain::pack::Pack;

    use super::*;
    use crate::demo::agents;

    const NOW: Timestamp = Timestamp::from_millis(1_795_432_123_456);

    fn number(record: &HistoryRecord, fact: &str) -> f64 {
        let FactValue::Number(number) = record.facts[fact] else { panic!("{fact} of {record:?}") };
        number
    }

    fn of(device: &str) -> Vec<HistoryRecord> {
        history(NOW).filter(|record| record.device.as_str() == device).collect()
    }

    #[test]
    fn there_is_one_record_per_device_and_ten_minutes_of_thirty_days_in_order_and_none_after_now() {
        let records = history(NOW).collect::<Vec<_>>();
        assert_eq!(records.len(), 10 * 30 * 144);
        assert!(records.is_sorted_by_key(|record| record.at));
        let slots = records.iter().map(|record| (record.device.clone(), record.at.millis() / 600_000));
        assert_eq!(slots.collect::<BTreeSet<_>>().len(), records.len());
        let day = 86_400_000;
        assert!(records.iter().all(|record| record.at < NOW && record.at.millis() > NOW.millis() - 30 * day - 600_000));
    }

    #[test]
    fn the_same_time_gives_the_same_history() {
        assert!(history(NOW).eq(history(NOW)));
    }

    #[test]
    fn every_fact_is_one_that_its_devices_kind_may_state() {
        let (pack, kinds) = (Pack::built_in(), agents::kinds());
        for record in history(NOW) {
            let kind = &pack.kinds[&kinds[record.device.as_str()]].kind;
            for (fact, value) in &record.facts {
                let known = kind.fact(fact).unwrap_or_else(|| panic!("{} has no {fact}", kind.id));
                known.check(value).unwrap();
            }
            assert_eq!(record.facts.is_empty(), record.reach != Reach::Ok);
        }
    }

    #[test]
    fn the_count_of_covers_only_grows_and_ends_where_the_machine_begins() {
        for (device, machine) in ["covers-1", "covers-2"].into_iter().zip(MACHINES) {
            let records = of(device);
            let counts = records.iter().map(|record| number(record, "covers_dispensed")).collect::<Vec<_>>();
            assert!(counts.is_sorted());
            let month = f64::from(machine.dispensed) - counts[0];
            assert!((2000.0..20_000.0).contains(&month), "{month} covers in a month");
            let at_end = f64::from(machine.dispensed) - counts[counts.len() - 1];
            assert!((0.0..50.0).contains(&at_end), "{at_end}");
        }
    }

    #[test]
    fn the_stock_falls_by_what_is_given_and_rises_only_when_refilled() {
        for device in ["covers-1", "covers-2"] {
            let records = of(device);
            let mut refills = 0;
            for pair in records.windows(2) {
                let fell = number(&pair[0], "covers_left") - number(&pair[1], "covers_left");
                let given = number(&pair[1], "covers_dispensed") - number(&pair[0], "covers_dispensed");
                let is_refill = fell < 0.0;
                refills += u32::from(is_refill);
                assert!(is_refill || (fell - given).abs() < 0.5, "{pair:?}");
                assert!((0.0..=500.0).contains(&number(&pair[0], "covers_left")));
            }
            assert!((3..60).contains(&refills), "{refills} refills of {device}");
        }
    }

    #[test]
    fn displays_rest_at_night_and_nothing_is_given_then() {
        let records = of("entrance-led");
        let on = FactValue::from("on");
        let night = records.iter().filter(|record| !Local::of(record.at).is_open());
        assert!(night.clone().count() > 2000 && night.clone().all(|record| record.facts["power"] != on));
        let day = records.iter().filter(|record| Local::of(record.at).is_open()).collect::<Vec<_>>();
        let dark = day.iter().filter(|record| record.facts["power"] != on).count();
        assert!(dark > 0 && dark * 20 < day.len(), "dark in {dark} of {} slots", day.len());
    }

    #[test]
    fn the_past_has_its_troubles_but_not_many() {
        for device in ["lift-tv", "laptop-2"] {
            let records = of(device);
            let away = records.iter().filter(|record| record.reach != Reach::Ok).count();
            assert!(away > 0 && away * 20 < records.len(), "{device} away in {away} slots");
        }
    }

    #[test]
    fn the_meter_only_counts_up_to_where_the_live_one_begins() {
        let records = of("snooker-1");
        let energy = records.iter().map(|record| number(record, "energy_kwh")).collect::<Vec<_>>();
        assert!(energy.is_sorted() && energy[0] > 0.0 && energy[energy.len() - 1] <= ENERGY_KWH);
    }
}

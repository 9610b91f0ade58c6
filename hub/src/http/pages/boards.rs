//! The boards of the posts: which devices stand on which, and what each board says of them.

use std::collections::BTreeMap;

use lobby_contract::{FactValue, SiteId};
use lobby_dashboards::{
    ConciergePage, DeviceTile, DueRefill, Fact, LowStock, Machine, Page, ReceptionPage, ShowflatPage,
};
use lobby_domain::{
    device::Device,
    pack::KindRules,
    rule::Effect,
    site::Site,
    stock::{Kind as Moved, Place, low::Low},
};

use super::{App, Html, Open, PageError, Reader, Scene, incident, rounds, stock, tiles};
use crate::{
    stock::{ItemStock, MachineStock, of_sites},
    store::AlertRow,
};

/// The facts by which a machine's stock is told.
const STOCK: [&str; 2] = ["covers_left", "level_low"];
/// What the bar of a machine shows already, or nobody at the post needs.
const NOT_BESIDE_THE_BAR: [&str; 5] =
    ["covers_left", "capacity", "low_at", "covers_dispensed", "covers_dispensed_epoch"];

/// The devices on a post's board with their kinds, by site and name.
pub(super) fn devices<'s>(
    scene: &'s Scene<'_>,
    post: &'s str,
) -> impl Iterator<Item = (&'s Site, &'s Device, &'s KindRules)> {
    scene.shown().flat_map(move |site| on_board(site, post).map(move |(device, kind)| (site, device, kind)))
}

/// The devices of one site on a post's board. A device that its agent no longer names, or that is not in use, is on none.
pub(super) fn on_board<'s>(site: &'s Site, post: &'s str) -> impl Iterator<Item = (&'s Device, &'s KindRules)> {
    site.devices().filter(|device| device.announced && device.life.is_judged()).filter_map(move |device| {
        let kind = device.watch.kind()?;
        kind.kind.boards.iter().any(|board| **board == *post).then_some((device, &**kind))
    })
}

/// Are the displays fine?
pub(super) fn concierge(scene: &Scene<'_>) -> ConciergePage {
    let tiles = devices(scene, "concierge").map(|(site, device, kind)| tiles::tile(scene, site, device, kind));
    ConciergePage { tiles: tiles.collect(), chrome: scene.chrome(Page::Concierge) }
}

/// Are the snooker and internet areas fit for guests?
pub(super) fn reception(scene: &Scene<'_>) -> ReceptionPage {
    let (snooker, internet): (Vec<_>, Vec<_>) =
        devices(scene, "reception").partition(|(_, _, kind)| kind.kind.id.starts_with("snooker"));
    let tiles = |devices: &[(&Site, &Device, &KindRules)]| -> Vec<DeviceTile> {
        devices.iter().map(|(site, device, kind)| tiles::tile(scene, site, device, kind)).collect()
    };
    ReceptionPage {
        snooker: tiles(&snooker),
        snooker_figures: in_use(scene, &snooker).into_iter().collect(),
        internet: tiles(&internet),
        internet_figures: Vec::new(),
        rounds: rounds::current(scene, "reception"),
        readiness: rounds::readiness(scene),
        chrome: scene.chrome(Page::Reception),
    }
}

/// How many of the tables that tell it are occupied.
fn in_use(scene: &Scene<'_>, devices: &[(&Site, &Device, &KindRules)]) -> Option<Fact> {
    let (mut tables, mut occupied, mut label) = (0, 0, None);
    for (site, device, kind) in devices {
        let Some(said) = device.known(site.link_of(device), scene.now) else { continue };
        if let Some(FactValue::Bool(taken)) = said.fact("occupied") {
            tables += 1;
            occupied += u32::from(taken);
            label = kind.kind.fact("occupied").map(|fact| scene.text(&fact.label));
        }
    }
    let value = Some(format!("{occupied} / {tables}"));
    Some(Fact { label: label?, value, unit: String::new(), at: None, notable: false })
}

/// What is in stock, by site.
type Stocks = BTreeMap<SiteId, Vec<ItemStock>>;

/// Will the shoe covers last?
pub(super) async fn showflat_page(app: &App, reader: &Reader) -> Result<String, PageError> {
    let site = reader.site()?;
    let open = Open::read(&app.store, site.as_ref(), app.clock.now()).await?;
    let shown = Scene::with(app, reader, site.clone(), &open, |scene| {
        Ok(scene.shown().map(|site| site.id.clone()).collect::<Vec<_>>())
    })?;
    let stocks = of_sites(&app.store, &app.fleet, &shown, app.clock.now()).await?;
    let page = Scene::with(app, reader, site, &open, |scene| Ok(showflat(scene, &stocks)))?;
    page.html(reader.fragment)
}

pub(super) fn showflat(scene: &Scene<'_>, stocks: &Stocks) -> ShowflatPage {
    let machines = devices(scene, "showflat").map(|(site, device, kind)| machine(scene, stocks, (site, device), kind));
    ShowflatPage { machines: machines.collect(), chrome: scene.chrome(Page::Showflat) }
}

/// What is in a machine, and of what.
fn in_stock<'s>(stocks: &'s Stocks, site: &Site, device: &Device) -> Option<(&'s ItemStock, &'s MachineStock)> {
    let machine = |stock: &'s ItemStock| {
        let found = stock.machines.iter().find(|machine| machine.device == device.id);
        found.map(|machine| (stock, machine))
    };
    stocks.get(&site.id)?.iter().find_map(machine)
}

fn machine(scene: &Scene<'_>, stocks: &Stocks, (site, device): (&Site, &Device), kind: &KindRules) -> Machine {
    let stock = in_stock(stocks, site, device);
    let ledger =
        stock.and_then(|(_, machine)| machine.booked).map(|booked| u32::try_from(booked.max(0)).unwrap_or(u32::MAX));
    let place = Place::Machine(device.id.clone());
    let tile = tiles::tile(scene, site, device, kind);
    let subject = lobby_domain::alert::Subject::Device(device.id.clone());
    let low = scene.open.alerts_about(&site.id, &subject).find(|alert| is_low_stock(scene, alert));
    let beside = |fact: &str| {
        let declared = kind.kind.fact(fact).map(|fact| scene.text(&fact.label));
        move |shown: &Fact| declared.as_ref() == Some(&shown.label)
    };
    let bar: Vec<_> = NOT_BESIDE_THE_BAR.iter().map(|fact| beside(fact)).collect();
    Machine {
        left: pieces(device, "covers_left").or(ledger),
        capacity: pieces(device, "capacity"),
        low_level: pieces(device, "low_at"),
        low_stock: low.map(|alert| LowStock {
            since: scene.when(alert.since),
            who: alert.tells.first().map(|post| scene.post(post)),
            refill: stock
                .and_then(|(_, machine)| machine.refill)
                .map(|refill| DueRefill { by: scene.when(refill.by), pieces: refill.pieces }),
        }),
        runs_out: stock.and_then(|(_, machine)| machine.runs_out).map(|out| stock::used_up(scene, out)),
        dispensed_today: stock.map(|(_, machine)| u32::try_from(machine.today.max(0)).unwrap_or(u32::MAX)),
        refilled: stock.and_then(|(stock, _)| stock::last(scene, stock, &place, Moved::Refill)),
        refill: stock.and_then(|(stock, machine)| stock::refill(scene, &site.id, stock, machine)),
        facts: tile.facts.into_iter().filter(|fact| !bar.iter().any(|shows| shows(fact))).collect(),
        incident: incident::of(scene, site, device, |alert| !is_low_stock(scene, alert)),
        device: tile.device,
        state: tile.state,
        since: tile.since,
        seen: tile.seen,
        maintenance: tile.maintenance,
    }
}

/// Whether an alert says that a machine which still works runs low.
fn is_low_stock(scene: &Scene<'_>, alert: &AlertRow) -> bool {
    if Low::from_rule(&alert.rule).is_some_and(|(low, _)| low == Low::Machine) {
        return true;
    }
    let works = scene.pack.rule(&alert.rule).is_some_and(|rule| rule.effect == Effect::None);
    works && STOCK.iter().any(|fact| tiles::is_about(scene, alert, fact))
}

fn pieces(device: &Device, fact: &str) -> Option<u32> {
    let number = tiles::number(device, fact)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a number saturates")]
    let pieces = number.round() as u32;
    Some(pieces)
}

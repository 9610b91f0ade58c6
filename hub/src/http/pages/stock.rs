//! What is in stock: the ledger's page, and its forms.

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::StatusCode,
    response::Response,
};
use jiff::civil::Date;
use lobby_contract::SiteId;
use lobby_dashboards::{
    HeldPieces, LastDone, Page, RefillForm, StockEntry, StockItem, StockMachine, StockMistake, StockOrder, StockPage,
    StockPlace, StockRefused, UsedUp,
};
use lobby_domain::{
    access::Need,
    alert::Subject,
    calendar::local,
    forecast::RunOut,
    purchase::Month,
    stock::{Kind, Place, Refusal, low::Low},
    time::Timestamp,
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    App, Html, Open, PageError, Path, Reader, Scene,
    act::{filled, noticed},
    answer::{answer, document, is_local, refuse, see},
    month::About,
};
use crate::{
    http::{
        api::stock::{NewMovement, NotEntered, correct, enter, told},
        error::ApiError,
    },
    restraints::new_id,
    stock::{self, ItemStock, MachineStock},
    store::{Cursor, EntryFilter, EntryRow, HeldVerdict, StockError},
};

/// Movements of one page.
const MOST: i64 = 50;

/// A form that says what has been done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    key: Uuid,
    item: String,
    kind: String,
    pieces: String,
    place: Option<String>,
    to: Option<String>,
    order: Option<String>,
    /// The day on which what is ordered is to come.
    due: String,
    reason: String,
    by: String,
    back: Option<String>,
}

/// A form that undoes a movement.
#[derive(Debug, Deserialize)]
pub(super) struct Undone {
    key: Uuid,
    of: Uuid,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    by: String,
}

/// A form that says whether pieces count which are not believed.
#[derive(Debug, Deserialize)]
pub(super) struct Decided {
    device: String,
    hour: i64,
    pieces: i64,
    accept: String,
    #[serde(default)]
    by: String,
}

/// When something is used up, as pages tell it.
pub(super) fn used_up(scene: &Scene<'_>, out: RunOut) -> UsedUp {
    let spread = |latest: Timestamp| {
        let (before, after) = (out.likely.since(out.earliest), latest.since(out.likely));
        // To five minutes: nobody knows it better.
        (before.max(after).millis() + 299_999) / 300_000 * 300_000
    };
    UsedUp { likely: scene.when(out.likely), give_or_take: out.latest.map(spread) }
}

/// What was done last with a place.
pub(super) fn last(scene: &Scene<'_>, stock: &ItemStock, place: &Place, kind: Kind) -> Option<LastDone> {
    let row = stock.book.last.get(&(place.clone(), kind))?;
    let pieces = row.movement.counted.unwrap_or(row.movement.pieces);
    Some(LastDone { pieces, at: scene.when(row.at), who: row.who.clone() })
}

/// The form by which a machine is refilled, for whoever may.
pub(super) fn refill(
    scene: &Scene<'_>,
    site: &SiteId,
    stock: &ItemStock,
    machine: &MachineStock,
) -> Option<RefillForm> {
    let place = Place::Machine(machine.device.clone());
    let before = stock.book.last.get(&(place.clone(), Kind::Refill)).map(|row| row.movement.pieces);
    let room = machine.capacity.zip(machine.left()).map(|(capacity, left)| capacity - left);
    let amount = before.or(room.filter(|room| *room > 0)).unwrap_or(stock.levels.pack);
    let form = RefillForm {
        site: site.to_string(),
        item: stock.id.to_string(),
        place: place.to_string(),
        amount,
        key: new_id().to_string(),
    };
    scene.reader.caller.at(site).may(Need::Stock).then_some(form)
}

/// What people call a place.
pub(super) fn place(scene: &Scene<'_>, site: &SiteId, stock: Option<&ItemStock>, place: &Place) -> String {
    let t = scene.texts();
    let counter =
        || stock.and_then(|stock| stock.levels.hand_out.clone()).unwrap_or_else(|| t.stock_at_hand.to_owned());
    match place {
        Place::Store => t.stock_room.to_owned(),
        Place::Counter => counter(),
        Place::Machine(device) => scene.subject(site, &Subject::Device(device.clone())).name,
        Place::Ordered => t.stock_ordered.to_owned(),
        Place::Supplier => t.stock_supplier.to_owned(),
        Place::Guests => t.stock_guests.to_owned(),
        Place::Waste => t.stock_waste.to_owned(),
        Place::Difference => t.stock_difference.to_owned(),
    }
}

fn word(scene: &Scene<'_>, kind: Kind) -> String {
    let t = scene.texts();
    let word = match kind {
        Kind::Receive => t.stock_receive,
        Kind::Refill => t.stock_refill,
        Kind::HandOut => t.stock_hand_out,
        Kind::Count => t.stock_count,
        Kind::Waste => t.stock_waste,
        Kind::Transfer => t.stock_transfer,
        Kind::Order => t.stock_order,
    };
    word.to_owned()
}

/// Whether it was told that something runs low.
fn is_low(scene: &Scene<'_>, site: &SiteId, subject: &Subject, low: Low, item: &str) -> bool {
    let rule = low.rule_id(item);
    scene.open.alerts_about(site, subject).any(|alert| alert.rule == rule)
}

fn machine(scene: &Scene<'_>, site: &SiteId, stock: &ItemStock, machine: &MachineStock) -> StockMachine {
    let (subject, at) = (Subject::Device(machine.device.clone()), Place::Machine(machine.device.clone()));
    let held = |(hour, pieces): &(Timestamp, i64)| HeldPieces { hour: scene.when(*hour), pieces: *pieces };
    let told = |low| is_low(scene, site, &subject, low, &stock.id);
    StockMachine {
        name: machine.name.clone(),
        href: scene.subject(site, &subject).href(),
        device: machine.device.to_string(),
        left: machine.left(),
        capacity: machine.capacity,
        booked: machine.booked.filter(|booked| machine.said.is_some_and(|said| said != *booked)),
        used_up: machine.runs_out.map(|out| used_up(scene, out)),
        today: machine.today,
        refilled: last(scene, stock, &at, Kind::Refill),
        counted: last(scene, stock, &at, Kind::Count),
        low: told(Low::Machine) || told(Low::Empty),
        unknown: !machine.known || machine.left().is_none(),
        seen: machine.seen.map(|at| scene.when(at)),
        held: machine.dispensed.held.iter().map(held).collect(),
        refill: refill(scene, site, stock, machine),
    }
}

fn item(scene: &Scene<'_>, site: &SiteId, stock: &ItemStock) -> StockItem {
    let (book, levels) = (&stock.book, &stock.levels);
    let mut places = vec![Place::Store];
    places.extend(levels.hand_out.as_ref().map(|_| Place::Counter));
    places.extend(stock.machines.iter().map(|machine| Place::Machine(machine.device.clone())));
    // What is left in a machine that is not there any more can still be taken out of it.
    places.extend(book.balances.ours().filter(|(_, pieces)| *pieces != 0).map(|(place, _)| place.clone()));
    let mut seen = std::collections::BTreeSet::new();
    places.retain(|place| seen.insert(place.clone()));
    let named = |at: &Place| StockPlace {
        place: at.to_string(),
        name: place(scene, site, Some(stock), at),
        pieces: book.balances.of(at),
    };
    let order = |order: &crate::store::OpenOrder| StockOrder {
        id: order.id.to_string(),
        pieces: order.pieces,
        ordered: order.ordered,
        due: scene.when(order.due),
        who: order.who.clone(),
    };
    let hand_out = if levels.hand_out.is_some() { Place::Counter } else { Place::Store };
    let coming: i64 = book.orders.iter().map(|order| order.pieces).sum();
    let wanted = (levels.target - stock.room.on_hand.max(0) - coming).max(levels.min_order);
    let due = local(scene.now + levels.lead(), scene.zone()).date();
    let month = Month::of(local(scene.now, scene.zone()).date());
    StockItem {
        id: stock.id.to_string(),
        name: scene.text(&stock.item.label),
        unit: scene.text(&stock.item.unit),
        kept: book.kept,
        on_hand: stock.room.on_hand,
        min: levels.min,
        low: is_low(scene, site, &Subject::Site, Low::Room, &stock.id),
        used_up: stock.runs_out.filter(|_| book.kept).map(|out| used_up(scene, out)),
        counted: last(scene, stock, &Place::Store, Kind::Count),
        orders: book.orders.iter().map(order).collect(),
        machines: stock.machines.iter().map(|of| machine(scene, site, stock, of)).collect(),
        places: places.iter().map(named).collect(),
        hand_out: hand_out.to_string(),
        order: (wanted + levels.pack - 1) / levels.pack * levels.pack,
        due: due.to_string(),
        statement: About::Statement.address(month, site, &stock.id),
        plan: About::Plan.address(month.next(), site, &stock.id),
    }
}

fn entry(scene: &Scene<'_>, site: &SiteId, stocks: &[ItemStock], row: EntryRow) -> StockEntry {
    let stock = stocks.iter().find(|stock| *stock.id == *row.item);
    let label = scene.pack.items.get(&*row.item).map(|item| scene.text(&item.label));
    StockEntry {
        id: row.id.to_string(),
        what: word(scene, row.movement.kind),
        item: label.unwrap_or(row.item),
        from: place(scene, site, stock, &row.movement.from),
        to: place(scene, site, stock, &row.movement.to),
        pieces: row.movement.pieces,
        reason: row.reason,
        who: row.who,
        at: scene.when(row.at),
        corrects: row.corrects.is_some(),
        corrected: row.corrected_by.is_some(),
    }
}

/// What is in stock at a site, and what moved.
pub(super) async fn show(State(app): State<App>, reader: Reader) -> Response {
    let page = async { page(&app, &reader, reader.site()?, None).await };
    answer(&app, &reader, page).await
}

async fn page(
    app: &App,
    reader: &Reader,
    asked: Option<SiteId>,
    refused: Option<StockRefused>,
) -> Result<String, PageError> {
    let nothing = Open::default();
    let chosen = Scene::with(app, reader, asked, &nothing, |scene| Ok(scene.chosen().cloned()))?;
    let Some(site) = chosen else {
        let page = Scene::with(app, reader, None, &nothing, |scene| {
            let (sites, key) = (scene.site_choices(), String::new());
            let chrome = scene.chrome(Page::Stock);
            Ok(StockPage { chrome, sites, items: Vec::new(), entries: Vec::new(), next: None, key, refused })
        })?;
        return page.html(reader.fragment);
    };
    let open = Open::read(&app.store, Some(&site), app.clock.now()).await?;
    let stocks = stock::of_site(&app.store, &app.fleet, &site, app.clock.now()).await?;
    let after: Option<Cursor> = reader.asked.after.as_deref().map(str::parse).transpose()?;
    let filter = EntryFilter { site: Some(site.clone()), ..EntryFilter::default() };
    let (rows, next) = app.store.stock_entries(&filter, after.as_ref(), MOST).await??;
    let page = Scene::with(app, reader, Some(site.clone()), &open, |scene| {
        let mut chrome = scene.chrome(Page::Stock);
        if refused.is_some() {
            // The page has no address under which it could be fetched again with what was typed.
            chrome.live = false;
            chrome.path = format!("/stock?site={site}");
        }
        Ok(StockPage {
            chrome,
            sites: Vec::new(),
            items: stocks.iter().map(|stock| item(scene, &site, stock)).collect(),
            entries: rows.into_iter().map(|row| entry(scene, &site, &stocks, row)).collect(),
            next: next.map(|next| format!("/stock?site={site}&after={next}")),
            key: new_id().to_string(),
            refused,
        })
    })?;
    page.html(reader.fragment)
}

/// What becomes of a form: it is entered, or what is wrong with what was typed, or why it cannot be meant.
fn done<T>(entered: Result<T, NotEntered>) -> Result<Result<(), StockMistake>, PageError> {
    let mistake = match entered {
        Ok(_) => return Ok(Ok(())),
        Err(NotEntered::Ledger(StockError::Refused(refusal))) => match refusal {
            Refusal::Pieces => StockMistake::Pieces,
            Refusal::Reason => StockMistake::Reason,
            Refusal::LongReason => StockMistake::LongReason,
            Refusal::Place => StockMistake::Place,
            Refusal::Arrived => StockMistake::Arrived,
        },
        Err(NotEntered::Ledger(StockError::Corrected)) => StockMistake::Corrected,
        Err(NotEntered::Ledger(StockError::KeyReused)) => return Err(PageError::KeyReused),
        Err(NotEntered::Ledger(StockError::Store(error)) | NotEntered::Asked(ApiError::Store(error))) => {
            return Err(error.into());
        }
        Err(NotEntered::Ledger(StockError::NotFound) | NotEntered::Asked(ApiError::NotFound(_))) => {
            return Err(PageError::NotFound);
        }
        Err(NotEntered::Asked(_)) => return Err(PageError::BadRequest),
    };
    Ok(Err(mistake))
}

/// The page again, with the form that was not taken as it was filled in.
async fn again(app: &App, reader: &Reader, site: SiteId, refused: StockRefused) -> Result<Response, PageError> {
    let status = if refused.mistake.is_stale() { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(document(status, page(app, reader, Some(site), Some(refused)).await?))
}

impl Sent {
    /// What the form says, as it comes back.
    fn refused(&self, mistake: StockMistake) -> StockRefused {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        StockRefused {
            mistake,
            kind: self.kind.clone(),
            item: self.item.clone(),
            back: self.back.clone().filter(|back| is_local(back)).unwrap_or_default(),
            pieces: self.pieces.clone(),
            place: text(&self.place),
            to: text(&self.to),
            order: text(&self.order),
            due: self.due.clone(),
            reason: self.reason.clone(),
            by: self.by.clone(),
        }
    }

    /// How many, where it is said.
    fn count(&self) -> Result<Option<i64>, StockMistake> {
        let typed = Some(self.pieces.trim()).filter(|text| !text.is_empty());
        match typed.map(str::parse).transpose() {
            Ok(None) if self.kind != "cancel" => Err(StockMistake::Pieces),
            pieces => pieces.map_err(|_| StockMistake::Pieces),
        }
    }

    /// When what is ordered is to come: goods come by the end of their day. Nothing, if no day is said.
    fn due(&self, app: &App, site: &SiteId) -> Result<Option<i64>, StockMistake> {
        let typed = Some(self.due.trim()).filter(|text| !text.is_empty());
        let Some(day) = typed.map(str::parse::<Date>).transpose().map_err(|_| StockMistake::Day)? else {
            return Ok(None);
        };
        let zoned = day.at(18, 0, 0, 0).to_zoned(app.fleet.setup().zone_of(site)).map_err(|_| StockMistake::Day)?;
        Ok(Some(zoned.timestamp().as_millisecond()))
    }
}

/// The site of a form, if it is one that its sender may know of.
pub(super) fn known(app: &App, reader: &Reader, site: &str) -> Result<SiteId, PageError> {
    let site: SiteId = site.parse().map_err(|_| PageError::NotFound)?;
    let nothing = Open::default();
    Scene::with(app, reader, Some(site), &nothing, |scene| scene.chosen().cloned().ok_or(PageError::NotFound))
}

/// Enters what somebody says has been done.
pub(super) async fn send(
    State(app): State<App>,
    reader: Reader,
    Path(site): Path<String>,
    form: Result<Form<Sent>, FormRejection>,
) -> Response {
    sent(&app, &reader, &site, form).await.unwrap_or_else(|error| refuse(&app, &reader, error))
}

async fn sent(
    app: &App,
    reader: &Reader,
    site: &str,
    form: Result<Form<Sent>, FormRejection>,
) -> Result<Response, PageError> {
    let site = known(app, reader, site)?;
    let Form(sent) = filled(form)?;
    let (pieces, due) = match sent.count().and_then(|pieces| Ok((pieces, sent.due(app, &site)?))) {
        Ok(said) => said,
        Err(mistake) => return again(app, reader, site, sent.refused(mistake)).await,
    };
    // The form sent twice is one movement; a browser that goes back to it and sends something else makes another one.
    let said = format!("{site}\n{sent:?}");
    let id = Uuid::new_v5(&sent.key, said.as_bytes());
    let new = NewMovement {
        site: site.to_string(),
        item: sent.item.clone(),
        kind: sent.kind.clone(),
        pieces,
        place: sent.place.clone(),
        to: sent.to.clone(),
        order: sent.order.clone(),
        due,
        reason: sent.reason.clone(),
        by: sent.by.clone(),
    };
    let entered = match enter(app, &reader.caller, new, id).await {
        // The site is known: the machine or the item is gone since the page was opened.
        Err(NotEntered::Asked(ApiError::NotFound(_))) => Err(StockMistake::Gone),
        entered => done(entered)?,
    };
    if let Err(mistake) = entered {
        return again(app, reader, site, sent.refused(mistake)).await;
    }
    let back = sent.back.filter(|back| is_local(back)).unwrap_or_else(|| format!("/stock?site={site}"));
    Ok(see(&noticed(&back, "saved")))
}

/// Undoes a movement.
pub(super) async fn undo(
    State(app): State<App>,
    reader: Reader,
    Path(site): Path<String>,
    form: Result<Form<Undone>, FormRejection>,
) -> Response {
    undone(&app, &reader, &site, form).await.unwrap_or_else(|error| refuse(&app, &reader, error))
}

async fn undone(
    app: &App,
    reader: &Reader,
    site: &str,
    form: Result<Form<Undone>, FormRejection>,
) -> Result<Response, PageError> {
    let site = known(app, reader, site)?;
    let Form(Undone { key, of, reason, by }) = filled(form)?;
    let id = Uuid::new_v5(&key, format!("{site}\n{of}\n{reason}").as_bytes());
    if let Err(mistake) = done(correct(app, &reader.caller, of, (&reason, by.clone()), id).await)? {
        let sent = Sent { kind: "correct".to_owned(), reason, by, ..Sent::default() };
        return again(app, reader, site, sent.refused(mistake)).await;
    }
    Ok(see(&noticed(&format!("/stock?site={site}"), "saved")))
}

/// Notes whether pieces count which are not believed.
pub(super) async fn decide(
    State(app): State<App>,
    reader: Reader,
    Path(site): Path<String>,
    form: Result<Form<Decided>, FormRejection>,
) -> Response {
    match decided(&app, &reader, &site, form).await {
        Ok(place) => see(&place),
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn decided(
    app: &App,
    reader: &Reader,
    site: &str,
    form: Result<Form<Decided>, FormRejection>,
) -> Result<String, PageError> {
    let site = known(app, reader, site)?;
    let Form(Decided { device, hour, pieces, accept, by }) = filled(form)?;
    let (now, by) = (app.clock.now(), reader.caller.signs(by));
    let counters = stock::counters(&app.fleet, &site, now);
    let counter = counters.iter().find(|counter| counter.device.as_str() == device).ok_or(PageError::NotFound)?;
    let accepted = match accept.as_str() {
        "yes" => true,
        "no" => false,
        _ => return Err(PageError::BadRequest),
    };
    let verdict = HeldVerdict { site: &site, hour: Timestamp::from_millis(hour), pieces, accepted, by: &by };
    let is_noted = app.store.decide_held(counter, verdict, now, &reader.caller.actor(&by)).await?;
    if is_noted {
        // Nothing was typed that could be wrong.
        let _: Result<(), StockMistake> = done(told(app, &site).await.map_err(NotEntered::from))?;
    }
    // Whoever sends it again, or is not the first, finds it decided.
    Ok(noticed(&format!("/stock?site={site}"), if is_noted { "saved" } else { "over" }))
}

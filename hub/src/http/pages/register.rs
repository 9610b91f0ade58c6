//! The register of goods and equipment (SHO-S2, SHO-D2): its list, one item, and what people do with it.

mod form;
mod import;
mod item;
mod labels;
mod moves;
mod takes;

use std::collections::BTreeMap;

use axum::{
    extract::{DefaultBodyLimit, Request, State},
    http::StatusCode,
    response::Response,
};
use lobby_contract::SiteId;
use lobby_dashboards::{Choice, ItemForm, Page, RegisterItem, RegisterPage, Signed};
use lobby_domain::{
    access::Need,
    register::{AssetNumber, Field, Item, Mistake, Refusal, State as ItemState, moving},
    time::Timestamp,
};
use uuid::Uuid;

use self::form::{Filled, form, in_use};
pub(super) use self::labels::at_label;
use super::{
    App, Html, Open, PageError, Path, Reader, Scene,
    act::{LONGEST_NAME, noticed, photo_mistake},
    answer::{answer, document, refuse, see},
    month,
};
use crate::{
    export::{Cell, Sheet},
    fleet::Changed,
    http::{
        gate::{About, Policy, Routes},
        sent::{LARGEST_SENT, Sent},
    },
    new_code,
    restraints::new_id,
    store::{Acting, ItemRow, MoveRow, RegisterError, TakeRow, Target},
};

/// What a form says, field by field.
type Fields = Vec<(String, String)>;

/// The pages, and what is done without photos.
pub(super) fn routes() -> Routes {
    let (read, keep) = (Policy::read(About::Site), Policy::to(Need::Register, About::Site));
    let consent = Policy::to(Need::Consent, About::Site);
    Routes::new()
        .get("/register", Policy::read(About::List), show)
        .get("/register/moves", Policy::read(About::List), moves::show)
        .get("/register/{site}/table/{format}", read, table)
        .get("/register/{site}/import", keep, import::show)
        .get("/register/{site}/{number}", read, item::show)
        .get("/register/{site}/stock-takes/{id}", read, takes::show)
        .post("/register/{site}/labels", keep, labels::print)
        .post("/register/{site}/stock-takes", keep, takes::start)
        .post("/register/{site}/stock-takes/{id}/see", consent, takes::see_result)
        .post("/register/{site}/moves/{id}/approve", consent, moves::approve)
        .post("/register/{site}/moves/{id}/refuse", consent, moves::refuse_it)
        .post("/register/{site}/moves/{id}/confirm", keep, moves::confirm)
        .get("/labels/{code}", Policy::read(About::Handler), labels::show)
        .post("/labels/{code}/bind", Policy::to(Need::Register, About::Handler), labels::bind)
        .post("/labels/{code}/void", Policy::to(Need::Register, About::Handler), labels::void)
        .with(|router| router.layer(DefaultBodyLimit::max(super::LARGEST_FORM)))
}

/// What may bring photos, and the long form of a stock-take.
pub(super) fn with_photos() -> Routes {
    let keep = Policy::to(Need::Register, About::Site);
    Routes::new()
        .post("/register/{site}", keep, add)
        .post("/register/{site}/import", keep, import::send)
        .post("/register/{site}/{number}/{verb}", keep, item::act)
        .post("/register/{site}/stock-takes/{id}/{verb}", keep, takes::act)
        .with(|router| router.layer(DefaultBodyLimit::max(LARGEST_SENT)))
}

fn one<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.trim()).unwrap_or_default()
}

/// A form without photos, or whose photos do not matter.
async fn typed(app: &App, request: Request) -> Result<Fields, PageError> {
    Ok(Sent::<Fields>::read(app, request, false).await?.typed)
}

/// Who does what a form asks.
struct Doer {
    site: SiteId,
    who: String,
    post: &'static str,
    actor: crate::audit::Actor,
    at: Timestamp,
}

impl Doer {
    fn of(app: &App, reader: &Reader, site: &str, fields: &Fields) -> Result<Self, PageError> {
        let site = known(app, reader, site)?;
        let who = one(fields, "by").chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
        let who = reader.caller.signs(who);
        let actor = reader.caller.actor(&who);
        let post = reader.caller.at(&site).post();
        Ok(Self { site, who, post, actor, at: app.clock.now() })
    }

    fn acting(&self) -> Acting<'_> {
        Acting { site: &self.site, who: &self.who, post: self.post, actor: &self.actor, at: self.at }
    }

    /// The notice that tells what became of it.
    fn notice(&self, app: &App, done: Result<(), RegisterError>) -> Result<&'static str, PageError> {
        let notice = match done {
            Ok(()) => {
                app.fleet.tell(Changed { site: self.site.clone(), device: None });
                "saved"
            }
            Err(RegisterError::NotFound) => return Err(PageError::NotFound),
            Err(RegisterError::Store(error)) => return Err(error.into()),
            Err(RegisterError::Stale) => "conflict",
            Err(RegisterError::Refused(Refusal::Reason) | RegisterError::Move(moving::Refusal::Reason)) => "empty",
            Err(RegisterError::Refused(Refusal::WrittenOff) | RegisterError::Closed) => "over",
            Err(RegisterError::Refused(Refusal::Field(_))) => "invalid",
            Err(RegisterError::DeviceTaken(_)) => "device-taken",
            Err(RegisterError::Move(moving::Refusal::Step)) => "step",
            Err(RegisterError::Move(moving::Refusal::Own)) => "own-move",
            Err(RegisterError::Way) => "no-such-move",
            Err(RegisterError::Lacking(_)) => "unexplained",
            Err(RegisterError::NotTheirs) => "not-theirs",
        };
        Ok(notice)
    }
}

/// A site that there is and that the reader may know of.
fn known(app: &App, reader: &Reader, site: &str) -> Result<SiteId, PageError> {
    let site: SiteId = site.parse().map_err(|_| PageError::NotFound)?;
    let there = app.fleet.read().contains_key(&site) || app.fleet.setup().sites.contains_key(&site);
    if there && reader.caller.reaches(&site) { Ok(site) } else { Err(PageError::NotFound) }
}

fn href(site: &SiteId, number: AssetNumber) -> String {
    format!("/register/{site}/{number}")
}

fn signed(scene: &Scene<'_>, (who, at): &(String, Timestamp)) -> Signed {
    Signed { by: who.clone(), at: scene.when(*at) }
}

fn listed(scene: &Scene<'_>, site: &SiteId, row: &ItemRow) -> RegisterItem {
    RegisterItem {
        number: row.number.to_string(),
        href: href(site, row.number),
        name: row.item.get(Field::Name).to_owned(),
        kind: row.item.get(Field::Kind).to_owned(),
        quantity: row.item.quantity(),
        place: row.item.get(Field::Place).to_owned(),
        state: row.item.state(),
        counted: row.counted_at.map(|at| scene.when(at)),
        photo: None,
    }
}

/// The list.
async fn show(State(app): State<App>, reader: Reader) -> Response {
    let page = async { list(&app, &reader, reader.site()?, &Vec::new(), None).await };
    answer(&app, &reader, page).await
}

/// When the last stock-take of the whole site was closed.
fn last_whole(takes: &[TakeRow]) -> Option<Timestamp> {
    let whole = takes.iter().filter(|take| take.place.is_empty());
    whole.filter_map(|take| take.closed.as_ref().map(|(_, at)| *at)).max()
}

async fn list(
    app: &App,
    reader: &Reader,
    asked: Option<SiteId>,
    fields: &Fields,
    mistake: Option<&(Field, Mistake)>,
) -> Result<String, PageError> {
    let open = Open::default();
    let chosen = Scene::with(app, reader, asked, &open, |scene| Ok(scene.chosen().cloned()))?;
    let (mut rows, mut takes, mut moves, mut photos) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
    if let Some(site) = &chosen {
        rows = app.store.register(site).await?;
        takes = app.store.stock_takes(site).await?;
        moves = app.store.moves(site).await?;
        photos = app.store.newest_photos_of_items(site).await?;
    }
    let page = Scene::with(app, reader, chosen.clone(), &open, |scene| {
        let mut chrome = scene.chrome(Page::Register);
        // What is being typed must not go because something changed elsewhere.
        chrome.live = false;
        let Some(site) = &chosen else {
            return Ok(RegisterPage {
                sites: scene.site_choices(),
                places: Vec::new(),
                items: Vec::new(),
                missing: 0,
                waiting: 0,
                takes: Vec::new(),
                due_after: None,
                key: String::new(),
                form: ItemForm::default(),
                chrome,
            });
        };
        let words = scene.reader.lang.register_texts();
        let wanted = reader.asked.place.as_deref().filter(|place| !place.is_empty());
        let is_wanted = |row: &&ItemRow| wanted.is_none_or(|place| row.item.get(Field::Place) == place);
        let waits = |row: &&MoveRow| {
            let own = reader.caller.person().is_some_and(|person| person.id == row.asked_id);
            row.state == moving::State::Asked && reader.caller.at(site).may(Need::Consent) && !own
        };
        let last = last_whole(&takes);
        let every = app.fleet.setup().stock_take_every(site);
        let is_due = !rows.is_empty() && last.is_none_or(|at| scene.now.since(at) > every);
        let wrong = |field: Field| mistake.filter(|(of, _)| *of == field).map(|(_, mistake)| words.mistake(mistake));
        let fill = |field: Field| Filled { value: first(fields, field), note: wrong(field) };
        let mut form = form(scene, site, &rows, (format!("/register/{site}"), fill));
        form.label = reader.asked.label.clone().unwrap_or_else(|| one(fields, "label").to_owned());
        Ok(RegisterPage {
            sites: Vec::new(),
            places: choices(scene, site, &form.places, wanted),
            items: rows
                .iter()
                .filter(is_wanted)
                .map(|row| RegisterItem { photo: photos.get(&row.number).cloned(), ..listed(scene, site, row) })
                .collect(),
            missing: rows.iter().filter(|row| row.item.state() == ItemState::Missing).count(),
            waiting: moves.iter().filter(waits).count(),
            takes: takes.iter().map(|take| takes::link(scene, take)).collect(),
            due_after: is_due.then(|| every.millis() / (24 * 3_600_000)),
            key: new_id().to_string(),
            form,
            chrome,
        })
    })?;
    page.html(reader.fragment)
}

/// What stands in a form of a new item.
fn first(fields: &Fields, field: Field) -> String {
    match (one(fields, field.as_str()), field) {
        ("", Field::Quantity) => "1".to_owned(),
        (text, _) => text.to_owned(),
    }
}

fn choices(scene: &Scene<'_>, site: &SiteId, places: &[String], wanted: Option<&str>) -> Vec<Choice> {
    let words = scene.reader.lang.register_texts();
    let choice = |label: &str, place: Option<&str>| Choice {
        label: label.to_owned(),
        href: place.map_or_else(
            || format!("/register?site={site}"),
            |place| format!("/register?site={site}&place={}", super::reader::encoded(place)),
        ),
        current: wanted == place,
    };
    let all = choice(words.all_places, None);
    std::iter::once(all).chain(places.iter().map(|place| choice(place, Some(place)))).collect()
}

/// Enters an item.
async fn add(State(app): State<App>, reader: Reader, Path(site): Path<String>, request: Request) -> Response {
    added(&app, &reader, &site, request).await.unwrap_or_else(|error| refuse(&app, &reader, error))
}

async fn added(app: &App, reader: &Reader, site: &str, request: Request) -> Result<Response, PageError> {
    let Sent { typed: fields, photos, .. } = Sent::<Fields>::read(app, request, true).await?;
    let doer = Doer::of(app, reader, site, &fields)?;
    let photos = match photos {
        Ok(photos) => photos,
        Err(error) => {
            let notice = photo_mistake(error).name();
            return Ok(see(&noticed(&format!("/register?site={}", doer.site), notice)));
        }
    };
    let item = match Item::read(|field| Some(one(&fields, field.as_str()))) {
        Ok(item) if ItemState::CHOSEN.contains(&item.state()) && is_device(app, &doer.site, &item) => item,
        wrong => {
            let mistake = match wrong {
                // The states in which something can be entered are those to choose from.
                Ok(item) if is_device(app, &doer.site, &item) => (Field::State, Mistake::State),
                Ok(_) => (Field::Device, Mistake::Device),
                Err(mistake) => mistake,
            };
            let html = list(app, reader, Some(doer.site), &fields, Some(&mistake)).await?;
            return Ok(document(StatusCode::UNPROCESSABLE_ENTITY, html));
        }
    };
    let key: Uuid = one(&fields, "key").parse().map_err(|_| PageError::BadRequest)?;
    let said: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let id = Uuid::new_v5(&key, format!("{}\n{}", doer.site, said.join("\n")).as_bytes());
    let number = match app.store.add_to_register(id, &item, &photos, &new_code(), doer.acting()).await {
        Ok(number) => number,
        Err(error) => {
            let notice = doer.notice(app, Err(error))?;
            return Ok(see(&noticed(&format!("/register?site={}", doer.site), notice)));
        }
    };
    let mut notice = doer.notice(app, Ok(()))?;
    let label = one(&fields, "label");
    if !label.is_empty() {
        // A label that was bound to something else meanwhile says so, and the item is there.
        let target = Target::Item(number);
        let bound = app.store.bind_label(label, Some(&target), (1, ""), doer.acting()).await;
        notice = doer.notice(app, bound)?;
    }
    Ok(see(&noticed(&href(&doer.site, number), notice)))
}

/// Whether the device that an item is said to be is one of the site.
fn is_device(app: &App, site: &SiteId, item: &Item) -> bool {
    let id = item.get(Field::Device);
    let there =
        |id: &lobby_contract::DeviceId| app.fleet.read().get(site).is_some_and(|site| site.device(id).is_some());
    id.is_empty() || id.parse().is_ok_and(|id| there(&id))
}

/// The register as a table.
async fn table(State(app): State<App>, reader: Reader, Path((site, format)): Path<(String, String)>) -> Response {
    let sheets = async {
        let site = known(&app, &reader, &site)?;
        let rows = app.store.register(&site).await?;
        let open = Open::default();
        Scene::with(&app, &reader, Some(site.clone()), &open, |scene| Ok(vec![sheet(scene, &rows)]))
    };
    month::table(&app, &reader, sheets.await, &format!("register-{site}"), &format)
}

fn sheet(scene: &Scene<'_>, rows: &[ItemRow]) -> Sheet {
    let words = scene.reader.lang.register_texts();
    let head = std::iter::once(words.number).chain(Field::ALL.map(|field| words.field(field)));
    let line = |row: &ItemRow| {
        let cell = |field: Field| match field {
            Field::Quantity => Cell::Whole(i64::from(row.item.quantity())),
            Field::State => words.state(row.item.state()).into(),
            _ => row.item.get(field).into(),
        };
        std::iter::once(Cell::from(row.number.to_string())).chain(Field::ALL.map(cell)).collect()
    };
    Sheet {
        name: words.register.to_owned(),
        head: head.map(str::to_owned).collect(),
        lines: rows.iter().map(line).collect(),
    }
}

/// The names of items, by number.
fn names(rows: &[ItemRow]) -> BTreeMap<AssetNumber, String> {
    rows.iter().map(|row| (row.number, row.item.get(Field::Name).to_owned())).collect()
}

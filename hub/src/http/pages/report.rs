//! What people report: guests by the label of a device or an item, and the staff about anything.

mod item;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use lobby_contract::{DeviceId, SiteId};
use lobby_dashboards::{
    Calendar, Choice, Chrome, GuestPage, Page, PhotoLine, PhotoStage, Progress, ReportCard, ReportForm, ReportMistake,
    ReportPage, ReportReader, Reported, Reporter, SelectOption,
};
use lobby_domain::{
    access::Role,
    alert::{AlertId, Subject},
    device::{Device, Life},
    kind::{Kind, Word},
    label::Label,
    report::{Said, Source, What, is_phone, masked},
    site::Site,
    ticket,
    time::Timestamp,
};
use uuid::Uuid;

use super::{
    App, Caller, Html, Open, PageError, Path, Reader, Scene,
    act::{LONGEST_NAME, noticed, photo_mistake},
    answer::{self, document, refuse, see},
    device, incident, scene,
};
use crate::{
    fleet::Changed,
    http::{peer::Peer, sent::Sent},
    photo::{Photo, PhotoError},
    restraints::new_id,
    store::{ItemRow, PhotoRow, ReportError, ReportRow, Reporting, TicketFilter, TicketRow},
};

/// The longest note, in characters.
const LONGEST_NOTE: usize = 500;
/// The longest name of a thing, in characters.
const LONGEST_THING: usize = 100;

/// What a form says, field by field: symptoms come more than once.
pub(super) type Fields = Vec<(String, String)>;

/// What a form says, checked.
pub(in crate::http) struct Filled {
    pub key: Uuid,
    pub what: What,
    pub symptoms: Vec<String>,
    pub thing: String,
    pub note: String,
    pub phone: String,
    pub by: String,
    pub repair: bool,
}

/// What is reported about: a device, or anything else at a site.
#[derive(Clone)]
pub(in crate::http) struct Target {
    pub site: SiteId,
    pub device: Option<DeviceId>,
}

/// What a label is on that a guest has scanned.
struct OnLabel {
    target: Target,
    /// The item, if it is one that is no device.
    item: Option<ItemRow>,
}

impl OnLabel {
    /// The thing, as the reports of guests are counted.
    fn thing(&self) -> String {
        match (&self.target.device, &self.item) {
            (Some(device), _) => device.to_string(),
            // No device can be called so: their names hold no `/`.
            (None, item) => format!("item/{}", item.as_ref().map(|row| row.number.to_string()).unwrap_or_default()),
        }
    }

    /// What is wrong with a guest's form: of an item no symptoms are offered.
    fn mistake(&self, mistake: ReportMistake) -> ReportMistake {
        if self.item.is_some() && mistake == ReportMistake::Nothing { ReportMistake::NoWords } else { mistake }
    }

    /// What a guest says of it: a device does not work, and of an item they see that it is damaged or lost.
    fn about(&self, said: Filled) -> Filled {
        match &self.item {
            Some(row) => Filled { what: What::Damage, thing: item::named(row), ..said },
            None => said,
        }
    }
}

fn one<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.trim()).unwrap_or_default()
}

impl Filled {
    /// The form as it is to be taken. `guest` says that it is about a fault, whatever it says.
    fn of(fields: &Fields, guest: bool, asks_thing: bool) -> Result<Result<Self, ReportMistake>, PageError> {
        let key = one(fields, "key").parse().map_err(|_| PageError::BadRequest)?;
        let what = match one(fields, "what") {
            _ if guest => What::Fault,
            "" => What::Fault,
            text => What::from_text(text).ok_or(PageError::BadRequest)?,
        };
        let symptoms = fields.iter().filter(|(field, _)| field == "symptom").map(|(_, value)| value.clone());
        let text = |name| one(fields, name).replace('\0', "");
        let filled = Self {
            key,
            what,
            symptoms: symptoms.collect(),
            thing: if asks_thing { text("thing") } else { String::new() },
            note: text("note"),
            phone: if guest { text("phone") } else { String::new() },
            by: if guest { String::new() } else { text("by") },
            repair: !guest && !one(fields, "repair").is_empty(),
        };
        Ok(filled.mistake(asks_thing).map_or(Ok(filled), Err))
    }

    fn mistake(&self, asks_thing: bool) -> Option<ReportMistake> {
        let long = |text: &str, most| text.chars().count() > most;
        if asks_thing && self.thing.is_empty() {
            Some(ReportMistake::NoThing)
        } else if self.symptoms.is_empty() && self.note.is_empty() && !(asks_thing && self.what != What::Fault) {
            Some(ReportMistake::Nothing)
        } else if long(&self.note, LONGEST_NOTE) || long(&self.thing, LONGEST_THING) || self.by.len() > LONGEST_NAME {
            Some(ReportMistake::TooLong)
        } else {
            (!self.phone.is_empty() && !is_phone(&self.phone)).then_some(ReportMistake::Phone)
        }
    }

    /// Tells this report from any other. A browser that goes back to the form and sends something else makes another one.
    fn id(&self, target: &Target) -> Uuid {
        let device = target.device.as_ref().map_or("", DeviceId::as_str);
        let Self { what, thing, note, phone, repair, .. } = self;
        let said = [target.site.as_str(), device, what.as_str(), thing, note, phone, &self.symptoms.join(" ")];
        Uuid::new_v5(&self.key, format!("{}\n{repair}", said.join("\n")).as_bytes())
    }
}

/// What a form says and the photos that came with it, or why it is not taken.
fn checked(
    fields: &Fields,
    photos: Result<Vec<Photo>, PhotoError>,
    (guest, asks_thing): (bool, bool),
) -> Result<Result<(Filled, Vec<Photo>), ReportMistake>, PageError> {
    let photos = photos.map_err(|error| ReportMistake::Photo(photo_mistake(error)));
    Ok(Filled::of(fields, guest, asks_thing)?.and_then(|said| Ok((said, photos?))))
}

/// The form of one device.
pub(super) async fn show(State(app): State<App>, reader: Reader, Path(code): Path<String>) -> Response {
    if reader.caller.is_nobody() {
        return see(&format!("/d/{code}"));
    }
    let page = async {
        let label = item::on_label_of_staff(&app, &reader, &code).await?;
        page(&app, &reader, Asked::at_label(&label, &code), &Vec::new(), None)
    };
    answer::answer(&app, &reader, page).await
}

/// The form of things that are no devices, and the way to those that are.
pub(super) async fn show_all(State(app): State<App>, reader: Reader) -> Response {
    let page = async {
        let site = reader.site()?.or_else(|| first_site(&app, &reader.caller)).ok_or(PageError::NotFound)?;
        page(&app, &reader, Asked { target: &Target { site, device: None }, item: None }, &Vec::new(), None)
    };
    answer::answer(&app, &reader, page).await
}

fn first_site(app: &App, caller: &Caller) -> Option<SiteId> {
    let sites = app.fleet.read();
    let setup = app.fleet.setup();
    sites.keys().chain(setup.sites.keys()).find(|site| caller.reaches(site)).cloned()
}

/// What a form of the staff is about.
#[derive(Clone, Copy)]
struct Asked<'a> {
    target: &'a Target,
    /// The item, and the code on its label.
    item: Option<(&'a ItemRow, &'a str)>,
}

impl<'a> Asked<'a> {
    fn at_label(label: &'a OnLabel, code: &'a str) -> Self {
        Self { target: &label.target, item: label.item.as_ref().map(|row| (row, code)) }
    }
}

/// The page with the form, and what was filled in that could not be taken.
fn page(
    app: &App,
    reader: &Reader,
    Asked { target, item }: Asked<'_>,
    fields: &Fields,
    mistake: Option<ReportMistake>,
) -> Result<String, PageError> {
    let open = Open::default();
    let page = Scene::with(app, reader, Some(target.site.clone()), &open, |scene| {
        let site = scene.site(&target.site);
        let device = match (&target.device, site) {
            (None, _) => None,
            (Some(id), Some(site)) => Some(site.device(id).ok_or(PageError::NotFound)?),
            (Some(_), None) => return Err(PageError::NotFound),
        };
        let kind = device.and_then(|device| device.watch.kind()).map(|kind| &kind.kind);
        let mut form = form(scene.pack.symptoms(kind), reader, fields, mistake);
        form.action = match (device, item) {
            (Some(device), _) => format!("/d/{}/report?site={}", device.id, target.site),
            (None, Some((_, code))) => format!("/d/{code}/report"),
            (None, None) => format!("/report?site={}", target.site),
        };
        if item.is_some() && one(fields, "what").is_empty() {
            form.what = Reported::Damage;
        }
        if reader.caller.person().is_none() {
            form.reader = ReportReader::Unnamed;
        }
        form.asks_thing = device.is_none() && item.is_none();
        let choice = |site: &Site, device: &Device| {
            let named = scene.device(site, device);
            let place = if named.place.is_empty() { String::new() } else { format!(" · {}", named.place) };
            let href = format!("/d/{}/report?site={}", device.id, site.id);
            Choice { label: format!("{}{place}", named.name), href, current: false }
        };
        let others = site.filter(|_| form.asks_thing).into_iter().flat_map(|site| {
            let devices = site.devices().filter(|device| device.life != Life::Retired);
            devices.map(move |device| choice(site, device))
        });
        let mut chrome = scene.chrome(Page::Report);
        // What is being typed must not go because something changed elsewhere.
        chrome.live = false;
        Ok(ReportPage {
            device: site.zip(device).map(|(site, device)| scene.device(site, device)),
            item: item.map(|(row, _)| item::reported(&target.site, row)),
            devices: others.collect(),
            form,
            chrome,
        })
    })?;
    page.html(reader.fragment)
}

/// A form with these symptoms, as it was filled in.
fn form(symptoms: &[Word], reader: &Reader, fields: &Fields, mistake: Option<ReportMistake>) -> ReportForm {
    let chosen = |word: &Word| fields.iter().any(|(field, value)| field == "symptom" && **value == *word.value);
    let symptom = |word: &Word| SelectOption {
        value: word.value.to_string(),
        label: word.label.in_lang(reader.words()).to_owned(),
        chosen: chosen(word),
    };
    let text = |name| one(fields, name).to_owned();
    ReportForm {
        key: new_id().to_string(),
        what: What::from_text(one(fields, "what")).map_or(Reported::Fault, reported),
        symptoms: symptoms.iter().map(symptom).collect(),
        thing: text("thing"),
        note: text("note"),
        phone: text("phone"),
        by: text("by"),
        repair: !text("repair").is_empty(),
        mistake,
        ..ReportForm::default()
    }
}

/// What somebody reports of a device.
pub(super) async fn send(
    State(app): State<App>,
    reader: Reader,
    peer: Peer,
    Path(code): Path<String>,
    request: Request,
) -> Response {
    let sent = if reader.caller.is_nobody() {
        by_guest(&app, &reader, peer, &code, request).await
    } else {
        by_staff(&app, &reader, Some(&code), request).await
    };
    sent.unwrap_or_else(|error| refuse(&app, &reader, error))
}

/// What somebody reports of another thing.
pub(super) async fn send_other(State(app): State<App>, reader: Reader, request: Request) -> Response {
    by_staff(&app, &reader, None, request).await.unwrap_or_else(|error| refuse(&app, &reader, error))
}

async fn by_staff(app: &App, reader: &Reader, code: Option<&str>, request: Request) -> Result<Response, PageError> {
    let Sent { typed: mut fields, photos, .. } = Sent::<Fields>::read(app, request, true).await?;
    let OnLabel { target, item } = if let Some(code) = code {
        item::on_label_of_staff(app, reader, code).await?
    } else {
        let site = reader.site()?.or_else(|| first_site(app, &reader.caller)).ok_or(PageError::NotFound)?;
        OnLabel { target: Target { site, device: None }, item: None }
    };
    if let Some(row) = &item {
        // The label says what it is about, whatever the form says.
        fields.retain(|(field, _)| field != "thing");
        fields.push(("thing".to_owned(), row.number.to_string()));
    }
    if !reader.caller.reaches(&target.site) || !is_known(app, &target.site) {
        return Err(PageError::NotFound);
    }
    let (said, photos) = match checked(&fields, photos, (false, target.device.is_none()))? {
        Ok((said, photos)) => match &item {
            Some(row) => (Filled { thing: item::named(row), ..said }, photos),
            None => (said, photos),
        },
        Err(mistake) => {
            let item = item.as_ref().zip(code);
            let html = page(app, reader, Asked { target: &target, item }, &fields, Some(mistake))?;
            return Ok(document(StatusCode::UNPROCESSABLE_ENTITY, html));
        }
    };
    let (row, _) = take(app, &reader.caller, &target, (said.id(&target), &said), &photos).await?;
    Ok(see(&match (&row.ticket, &target.device, &item) {
        (Some(number), ..) => noticed(&format!("/t/{number}"), "saved"),
        (None, Some(device), _) => noticed(&format!("/d/{device}?site={}", target.site), "told"),
        (None, None, Some(row)) => noticed(&format!("/register/{}/{}", target.site, row.number), "told"),
        (None, None, None) => noticed(&format!("/report?site={}", target.site), "told"),
    }))
}

fn is_known(app: &App, site: &SiteId) -> bool {
    app.fleet.read().contains_key(site) || app.fleet.setup().sites.contains_key(site)
}

async fn by_guest(
    app: &App,
    reader: &Reader,
    Peer(from): Peer,
    code: &str,
    request: Request,
) -> Result<Response, PageError> {
    let label = item::on_label(app, code).await?;
    let (site, thing, now) = (&label.target.site, label.thing(), app.clock.now());
    // Nobody makes the hub decode photos that it does not take.
    let looks = !app.reports.guests.are_enough(site, &thing, from, now);
    let Sent { typed: fields, photos, .. } = Sent::<Fields>::read(app, request, looks).await?;
    let now = app.clock.now();
    let again = |mistake| Again { code, label: &label, fields: &fields, mistake };
    let (said, photos) = match checked(&fields, photos, (true, false))? {
        Ok((said, photos)) => (label.about(said), photos),
        Err(mistake) => {
            let html = guest_form(app, reader, again(Some(label.mistake(mistake)))).await?;
            return Ok(document(StatusCode::UNPROCESSABLE_ENTITY, html));
        }
    };
    // What came before is answered as it was, however often it comes.
    let id = said.id(&label.target);
    if app.store.report(id).await?.is_none() {
        if let Err(left) = app.reports.guests.may_report(site, &thing, from, now) {
            tracing::info!(%from, %site, thing, "a guest reports too often");
            let wait = left.millis().saturating_add(59_999) / 60_000;
            let html = guest_form(app, reader, again(Some(ReportMistake::Wait(wait)))).await?;
            let mut response = document(StatusCode::TOO_MANY_REQUESTS, html);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.saturating_mul(60)));
            return Ok(response);
        }
        if !matches!(take(app, &reader.caller, &label.target, (id, &said), &photos).await, Ok((_, true))) {
            app.reports.guests.was_none(site, &thing, from, now);
        }
    }
    // If it could not be stored, this says so.
    app.store.report(id).await?.ok_or(PageError::NotFound)?;
    Ok(see(&format!("/d/{code}/report/{id}")))
}

/// A guest's form that comes back, or a new one.
struct Again<'a> {
    code: &'a str,
    label: &'a OnLabel,
    fields: &'a Fields,
    mistake: Option<ReportMistake>,
}

/// What a label leads guests to.
pub(super) async fn guest(app: &App, reader: &Reader, code: &str) -> Result<String, PageError> {
    let label = item::on_label(app, code).await?;
    guest_form(app, reader, Again { code, label: &label, fields: &Vec::new(), mistake: None }).await
}

async fn guest_form(app: &App, reader: &Reader, asked: Again<'_>) -> Result<String, PageError> {
    let Again { code, label: OnLabel { target, item }, fields, mistake } = asked;
    if let Some(row) = item {
        return item::page(app, reader, (code, target, row), (fields, mistake));
    }
    let subject = target.device.clone().map(Subject::Device);
    let filter = TicketFilter { site: Some(target.site.clone()), subject, open: Some(true) };
    let (tickets, _) = app.store.tickets(&filter, None, 1).await??;
    guest_page(app, reader, target, code, tickets.first(), |device| {
        let setup = app.fleet.setup();
        let kind = device.watch.kind().map(|kind| &kind.kind);
        let form = form(setup.pack.symptoms(kind), reader, fields, mistake);
        Some(ReportForm { action: format!("/d/{code}/report"), reader: ReportReader::Guest, ..form })
    })
}

/// How far it is with what a guest reported.
pub(super) async fn progress(
    State(app): State<App>,
    reader: Reader,
    Path((code, id)): Path<(String, String)>,
) -> Response {
    let page = async {
        let id: Uuid = id.parse().map_err(|_| PageError::NotFound)?;
        let row = app.store.report(id).await?.ok_or(PageError::NotFound)?;
        let OnLabel { target, item } = item::on_label(&app, &code).await?;
        let subject = target.device.clone().map_or(Subject::Site, Subject::Device);
        if row.site != target.site || row.subject != subject {
            return Err(PageError::NotFound);
        }
        if let Some(item) = &item {
            return item::thanks(&app, &reader, (&code, &target, item));
        }
        let ticket = match &row.ticket {
            Some(number) => app.store.ticket(number).await?.map(|(ticket, _)| ticket),
            None => None,
        };
        guest_page(&app, &reader, &target, &code, ticket.as_ref(), |_| None)
    };
    answer::answer(&app, &reader, page).await
}

/// A page for whoever is not known: name, place and state of a device, how far its repair is, and nothing else.
fn guest_page(
    app: &App,
    reader: &Reader,
    target: &Target,
    code: &str,
    ticket: Option<&TicketRow>,
    form: impl FnOnce(&Device) -> Option<ReportForm>,
) -> Result<String, PageError> {
    let (setup, now) = (app.fleet.setup(), app.clock.now());
    let page = {
        let sites = app.fleet.read();
        let site = sites.get(&target.site).ok_or(PageError::NotFound)?;
        let device = target.device.as_ref().and_then(|id| site.device(id)).ok_or(PageError::NotFound)?;
        let calendar = Calendar::new(now.millis(), site.calendar.zone().clone());
        let text = |label: &Label| label.in_lang(reader.words()).to_owned();
        let department = |id: &str| {
            setup.pack.departments.get(id).map_or_else(|| id.to_owned(), |department| text(&department.label))
        };
        let progress = ticket.map(|ticket| Progress {
            step: incident::step(ticket),
            department: department(&ticket.department),
            due: expected(ticket).filter(|at| *at > now).map(|at| calendar.when(at.millis())),
        });
        GuestPage {
            name: if device.name.is_empty() { device.id.to_string() } else { device.name.to_string() },
            place: device.place.to_string(),
            state: scene::state_at(site, device, now),
            progress,
            form: form(device),
            back: format!("/d/{code}"),
            chrome: Chrome::bare(reader.lang, calendar, Page::Report, reader.path.clone()),
        }
    };
    page.html(false)
}

/// When somebody may expect to see that something happens.
fn expected(ticket: &TicketRow) -> Option<Timestamp> {
    match ticket.state {
        ticket::State::New | ticket::State::Accepted => Some(ticket.arrive_by),
        ticket::State::InProgress => Some(ticket.complete_by),
        _ => None,
    }
}

/// Stores a report that `key` tells from any other, and tells who looks at it.
pub(in crate::http) async fn take(
    app: &App,
    caller: &Caller,
    target: &Target,
    (key, said): (Uuid, &Filled),
    photos: &[Photo],
) -> Result<(ReportRow, bool), PageError> {
    let by = if caller.is_nobody() { String::new() } else { caller.signs(said.by.clone()) };
    let setup = app.fleet.setup();
    let (kind, zone) = {
        let sites = app.fleet.read();
        let site = sites.get(&target.site);
        let device = target.device.as_ref().and_then(|id| site.and_then(|site| site.device(id)));
        if target.device.is_some() && device.is_none() {
            return Err(PageError::NotFound);
        }
        let kind = device.and_then(|device| setup.pack.kinds.get(&*device.kind));
        (kind, site.map_or_else(|| setup.zone.clone(), |site| site.calendar.zone().clone()))
    };
    let kind: Option<&Kind> = kind.map(|kind| &kind.kind);
    let offered = setup.pack.symptoms(kind);
    let symptoms: Vec<&Word> =
        offered.iter().filter(|word| said.symptoms.iter().any(|id| **id == *word.value)).collect();
    if symptoms.len() < said.symptoms.len() && symptoms.is_empty() && said.note.is_empty() {
        return Err(PageError::BadRequest);
    }
    let reporter = caller.at(&target.site).role();
    let source = match caller {
        Caller::Nobody => Source::Guest,
        Caller::Program { .. } => Source::Program,
        Caller::Here | Caller::Person { .. } => Source::Person,
    };
    let words = |of: fn(&Label) -> &str, comma: &str| {
        symptoms.iter().map(|word| of(&word.label)).collect::<Vec<_>>().join(comma)
    };
    let row = ReportRow {
        id: key,
        site: target.site.clone(),
        subject: target.device.clone().map_or(Subject::Site, Subject::Device),
        thing: said.thing.clone(),
        what: said.what,
        source,
        reporter: by.clone(),
        post: reporter.map(|role| role.to_string()).unwrap_or_default(),
        phone: said.phone.clone(),
        symptoms: symptoms.iter().map(|word| word.value.to_string()).collect(),
        words: Label::new(words(|label| &label.zh, "、"), words(|label| &label.en, ", ")),
        note: said.note.clone(),
        at: app.clock.now(),
        alert: AlertId::of_report(key),
        ticket: None,
    };
    let Filled { what, thing, note, repair, .. } = said;
    let (what, repair) = (*what, *repair);
    let told = Said { key, what, source, role: reporter, kind, thing, symptoms: &symptoms, note, repair };
    let (rule, evidence) = (told.rule(&setup.pack), told.evidence());
    let actor = caller.actor(&by);
    let asked =
        Reporting { report: &row, rule: &rule, evidence: &evidence, zone: &zone, setup: &setup, actor: &actor, photos };
    let taken = app.store.take_report(asked).await.map_err(|error| match error {
        ReportError::KeyReused => PageError::KeyReused,
        ReportError::Store(error) => error.into(),
    })?;
    app.fleet.tell(Changed { site: target.site.clone(), device: target.device.clone() });
    Ok(taken)
}

fn reported(what: What) -> Reported {
    match what {
        What::Fault => Reported::Fault,
        What::Damage => Reported::Damage,
        What::Loss => Reported::Loss,
    }
}

/// A report as a reader may see it.
pub(super) fn card(scene: &Scene<'_>, row: &ReportRow, photos: &[PhotoRow]) -> ReportCard {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let may_call = may_call(&scene.reader.caller.at(&row.site));
    let readable = |phone: String| if may_call { phone } else { masked(&phone) };
    ReportCard {
        source: match row.source {
            Source::Guest => Reporter::Guest,
            Source::Person => Reporter::Person,
            Source::Program => Reporter::Program,
        },
        by: text(&row.reporter),
        post: text(&row.post).map(|post| scene.post(&post)),
        call: text(&row.phone).filter(|_| may_call).map(|phone| phone.replace(' ', "")),
        phone: text(&row.phone).map(readable),
        what: reported(row.what),
        thing: row.thing.clone(),
        symptoms: scene.text(&row.words),
        note: row.note.clone(),
        at: scene.when(row.at),
        photos: shown(scene, photos.iter().filter(|photo| photo.report == Some(row.id))),
    }
}

/// Photos as pages show them.
pub(super) fn shown<'a>(scene: &Scene<'_>, photos: impl Iterator<Item = &'a PhotoRow>) -> Vec<PhotoLine> {
    let line = |photo: &PhotoRow| PhotoLine {
        id: photo.id.clone(),
        stage: match photo.stage.as_str() {
            "after" => PhotoStage::After,
            "before" => PhotoStage::Before,
            _ => PhotoStage::Report,
        },
        by: (!photo.by.is_empty()).then(|| photo.by.clone()),
        at: scene.when(photo.at),
        size: (photo.width, photo.height),
    };
    photos.map(line).collect()
}

/// Who may call those who report: who repairs, and who is above.
pub(in crate::http) fn may_call(caller: &Caller) -> bool {
    let may = |role| matches!(role, Role::Engineering | Role::Supervisor | Role::Manager | Role::Admin);
    caller.any(|role| role.is_none_or(may))
}

/// Who reported a ticket, in one line: the first of them, or the hub itself.
pub(super) fn reporter(scene: &Scene<'_>, reports: &[ReportRow], opened_by: &str) -> String {
    let first = reports.first().filter(|_| lobby_domain::report::is_stated(opened_by));
    first.map_or_else(|| scene.texts().system.to_owned(), |row| card(scene, row, &[]).reporter(scene.texts()))
}

/// All that people said about a ticket, a line each, with who said it and where they can be called; nothing if nobody did.
pub(super) fn said(scene: &Scene<'_>, reports: &[ReportRow], photos: &[PhotoRow]) -> Option<String> {
    let line = |row: &ReportRow| {
        let card = card(scene, row, photos);
        let by = [Some(card.reporter(scene.texts())), card.phone.clone()].into_iter().flatten().collect::<Vec<_>>();
        format!("{}{}{}", by.join(" "), scene.texts().label_gap, card.said_with_photos(scene.texts()))
    };
    (!reports.is_empty()).then(|| reports.iter().map(line).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests;

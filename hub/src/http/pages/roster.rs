//! Who is on duty, and the form by which a roster is imported.

use std::collections::BTreeMap;

use axum::{
    extract::{
        Multipart, State,
        multipart::{MultipartError, MultipartRejection},
    },
    http::StatusCode,
    response::Response,
};
use lobby_contract::SiteId;
use lobby_dashboards::{DutyDay, DutyLine, Page, PostNow, Preview, RosterImport, RosterPage, TableMistake};
use lobby_domain::{
    access::Need,
    roster::{AHEAD, Changes, Duty, Gap, Holder, csv},
};

use super::{
    App, Open, PageError, Path, Reader, Scene,
    act::noticed,
    answer::{Html, answer, document, refuse, see},
};
use crate::{
    roster::{Words, stretch},
    store::DutyRow,
};

/// The largest form, in bytes: a table typed, the same in a file, and what surrounds them.
pub(super) const LARGEST_FORM: usize = 2 * csv::LARGEST + 16 * 1024;

/// What somebody sent.
#[derive(Default)]
struct Sent {
    table: Vec<u8>,
    file: Vec<u8>,
    import: bool,
}

/// What is shown of what was sent.
#[derive(Default)]
struct Shown {
    table: String,
    mistakes: Vec<csv::Mistake>,
    changes: Option<Changes>,
}

/// Who is on duty.
pub(super) async fn show(State(app): State<App>, reader: Reader) -> Response {
    let page = async {
        let site = reader.site()?;
        page(&app, &reader, site, Shown::default()).await
    };
    answer(&app, &reader, page).await
}

/// The site that is shown: the one asked for, or the only one.
fn chosen(app: &App, reader: &Reader, site: Option<SiteId>) -> Result<Option<SiteId>, PageError> {
    Scene::with(app, reader, site, &Open::default(), |scene| Ok(scene.chosen().cloned()))
}

async fn page(app: &App, reader: &Reader, site: Option<SiteId>, shown: Shown) -> Result<String, PageError> {
    let open = Open::default();
    let Some(site) = chosen(app, reader, site)? else {
        let page = Scene::with(app, reader, None, &open, |scene| {
            let sites = scene.site_choices();
            let chrome = scene.chrome(Page::Roster);
            Ok(RosterPage { chrome, sites, now: None, gaps: None, days: Vec::new(), import: None })
        })?;
        return page.html(reader.fragment);
    };
    let (store, now, setup) = (&app.store, app.clock.now(), app.fleet.setup());
    let words = Words::of(store, &setup, &site).await?;
    let there = store.on_duty(&site, now).await?;
    let coming = store.coming(&site, &[], now).await?;
    let rows = store.duties(&site, now, now + AHEAD).await?;
    let page = Scene::with(app, reader, Some(site.clone()), &open, |scene| {
        let gap = |gap: &Gap| {
            let (day, from, until) = stretch(&words.zone, gap.from, gap.until);
            let (day, hours) = (Some(day), format!("{from} - {until}"));
            DutyLine { day, hours, post: scene.post(&gap.post), person: None, disabled: false }
        };
        let import = reader.caller.at(&site).may(Need::Roster).then(|| import(scene, &words, &site, shown));
        Ok(RosterPage {
            chrome: scene.chrome(Page::Roster),
            sites: Vec::new(),
            now: there.map(|posts| posts_now(scene, &posts)),
            gaps: coming.map(|coming| coming.gaps.iter().map(gap).collect()),
            days: days(scene, &words, &rows),
            import,
        })
    })?;
    page.html(reader.fragment)
}

fn posts_now(scene: &Scene<'_>, posts: &BTreeMap<Box<str>, Vec<Holder>>) -> Vec<PostNow> {
    let mut now = Vec::new();
    for (post, people) in posts {
        let people = people.iter().map(|holder| holder.name.to_string()).collect();
        now.push(PostNow { post: scene.post(post), people });
    }
    now
}

fn line(scene: &Scene<'_>, words: &Words, duty: &Duty) -> DutyLine {
    let (day, from, until) = stretch(&words.zone, duty.from, duty.until);
    let (day, hours, post) = (Some(day), format!("{from} - {until}"), scene.post(&duty.post));
    DutyLine { day, hours, post, person: Some(duty.who.name.to_string()), disabled: false }
}

fn days(scene: &Scene<'_>, words: &Words, rows: &[DutyRow]) -> Vec<DutyDay> {
    let mut days: Vec<DutyDay> = Vec::new();
    for row in rows {
        let line = DutyLine { disabled: row.disabled_at.is_some(), ..line(scene, words, &row.duty) };
        let day = line.day.clone().unwrap_or_default();
        let line = DutyLine { day: None, ..line };
        match days.last_mut().filter(|last| last.day == day) {
            Some(last) => last.duties.push(line),
            None => days.push(DutyDay { day, duties: vec![line] }),
        }
    }
    days
}

fn import(scene: &Scene<'_>, words: &Words, site: &SiteId, shown: Shown) -> RosterImport {
    let lang = scene.words();
    let mistake = |mistake: csv::Mistake| TableMistake {
        line: mistake.line,
        column: mistake.column,
        what: mistake.what.say(lang),
    };
    let lines = |duties: &[Duty]| duties.iter().map(|duty| line(scene, words, duty)).collect();
    let preview =
        |changes: Changes| Preview { begins: lines(&changes.begins), ends: lines(&changes.ends), over: changes.over };
    RosterImport {
        site: site.to_string(),
        shifts: words.shifts(),
        table: shown.table,
        mistakes: shown.mistakes.into_iter().map(mistake).collect(),
        preview: shown.changes.map(preview),
    }
}

/// Shows what a table would change, or imports it.
pub(super) async fn send(
    State(app): State<App>,
    reader: Reader,
    Path(site): Path<String>,
    form: Result<Multipart, MultipartRejection>,
) -> Response {
    match sent(&app, &reader, &site, form).await {
        Ok(response) => response,
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn sent(
    app: &App,
    reader: &Reader,
    site: &str,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, PageError> {
    let site: SiteId = site.parse().map_err(|_| PageError::NotFound)?;
    let site = chosen(app, reader, Some(site))?.ok_or(PageError::NotFound)?;
    let Sent { table, file, import } = read(form.map_err(|_| PageError::BadRequest)?).await?;
    let table = if file.is_empty() { table } else { file };
    let (now, setup) = (app.clock.now(), app.fleet.setup());
    let words = Words::of(&app.store, &setup, &site).await?;
    let text = String::from_utf8(table.clone()).unwrap_or_default();
    let text = text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned);
    let (status, shown) = match words.read(&table) {
        Err(mistakes) => (StatusCode::UNPROCESSABLE_ENTITY, Shown { table: text, mistakes, changes: None }),
        Ok(plan) if import => {
            app.store.import_roster(&site, &plan, now, &reader.caller.actor("")).await?;
            // It is imported; what the heads of pages say of it comes with the next look at the latest.
            let _ = app.fleet.duties.read(&app.store, now).await;
            return Ok(see(&noticed(&format!("/roster?site={site}"), "saved")));
        }
        Ok(plan) => {
            let changes = Some(app.store.roster_changes(&site, &plan, now).await?);
            (StatusCode::OK, Shown { table: text, mistakes: Vec::new(), changes })
        }
    };
    Ok(document(status, page(app, reader, Some(site), shown).await?))
}

fn unread(error: &MultipartError) -> PageError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE { PageError::TooLarge } else { PageError::BadRequest }
}

async fn read(mut form: Multipart) -> Result<Sent, PageError> {
    let mut sent = Sent::default();
    while let Some(field) = form.next_field().await.map_err(|error| unread(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.map_err(|error| unread(&error))?;
        match name.as_str() {
            "table" => sent.table = bytes.to_vec(),
            "file" => sent.file = bytes.to_vec(),
            "what" => sent.import = &*bytes == b"import",
            _ => {}
        }
    }
    Ok(sent)
}

//! The pages of silences and of maintenance windows: those that are not over, the last that are, and a form for another one.

use std::collections::{BTreeMap, BTreeSet};

use axum::{extract::State, response::Response};
use lobby_contract::SiteId;
use lobby_dashboards::{Notice, Page, Restrained, RestraintRow, RestraintsPage, SelectOption, Selection};
use lobby_domain::{
    alert::AlertId,
    calendar::local,
    matchers::{Field, Matchers},
    restraint::{self, Kind, Restraint},
    rule::Severity,
    time::Span,
};

use super::{
    App, Html, Open, PageError, Reader, Scene,
    answer::{self, is_local},
    restrain::Wish,
};
use crate::store::RestraintFilter;

/// How many of those that are over are listed.
const PAST: i64 = 20;
/// How many of those that are not over are listed.
const MOST: usize = 100;
/// The end that the form proposes, from now.
const USUAL: Span = Span::from_mins(120);

/// The page of silences.
pub(super) async fn silences(State(app): State<App>, reader: Reader) -> Response {
    answer::answer(&app, &reader, page(&app, &reader, Restrained::Silences, None)).await
}

/// The page of maintenance windows.
pub(super) async fn maintenance(State(app): State<App>, reader: Reader) -> Response {
    answer::answer(&app, &reader, page(&app, &reader, Restrained::Maintenance, None)).await
}

/// The page with a form that could not be taken, as it was filled in.
pub(super) async fn refused(app: &App, reader: &Reader, kind: Restrained, wish: &Wish) -> Result<String, PageError> {
    page(app, reader, kind, Some(wish)).await
}

async fn page(app: &App, reader: &Reader, kind: Restrained, refused: Option<&Wish>) -> Result<String, PageError> {
    let maintenance = kind == Restrained::Maintenance;
    let site = match refused {
        Some(wish) => wish.site.parse().ok(),
        None => reader.site()?,
    };
    let now = app.clock.now();
    let mut listed: Vec<Restraint> = app
        .restraints
        .all()
        .iter()
        .filter(|row| row.kind.is_maintenance() == maintenance && row.state(now) != restraint::State::Expired)
        .cloned()
        .collect();
    let over = RestraintFilter { maintenance, state: Some(restraint::State::Expired) };
    listed.reverse();
    listed.truncate(MOST);
    listed.extend(app.store.restraints(over, now, None, PAST).await??.0);
    let concerned =
        |row: &Restraint, site: &SiteId| row.kind.matchers().is_none_or(|matchers| matchers.concern(site.as_str()));
    listed.retain(|row| site.as_ref().is_none_or(|site| concerned(row, site)));
    let titles = titles(app, &listed).await?;
    let nothing = Open::default();
    let page = Scene::with(app, reader, site, &nothing, |scene| {
        let mut chrome = scene.chrome(if maintenance { Page::Maintenance } else { Page::Silences });
        if let Some(wish) = refused {
            // A refresh would bring the empty form.
            chrome.live = false;
            chrome.notice = Some(Notice::Invalid);
            chrome.path = wish.back.clone().filter(|back| is_local(back)).unwrap_or(chrome.path);
        }
        let usual = || local(now + USUAL, scene.zone()).strftime("%Y-%m-%dT%H:%M").to_string();
        let typed = |field: fn(&Wish) -> &String| refused.map(|wish| field(wish).clone()).unwrap_or_default();
        Ok(RestraintsPage {
            kind,
            rows: listed.iter().map(|row| shown(scene, row, &titles)).collect(),
            selections: selections(scene, refused),
            site: scene.chosen().map(SiteId::to_string),
            whole: refused.is_some_and(|wish| wish.whole.is_some()),
            starts: typed(|wish| &wish.starts),
            ends: refused.map_or_else(usual, |wish| wish.ends.clone()),
            include_firing: refused.is_some_and(|wish| wish.include_firing.is_some()),
            comment: typed(|wish| &wish.comment),
            by: typed(|wish| &wish.by),
            chrome,
        })
    })?;
    page.html(reader.fragment)
}

/// The alerts that single silences are about: what they are about, and their title.
pub(super) async fn titles(
    app: &App,
    listed: &[Restraint],
) -> Result<BTreeMap<AlertId, crate::store::AlertRow>, PageError> {
    let mut titles = BTreeMap::new();
    for restraint in listed {
        if let Kind::UntilResolved(id) = restraint.kind
            && let Some(alert) = app.store.alert(id).await?
        {
            titles.insert(id, alert);
        }
    }
    Ok(titles)
}

pub(super) fn shown(
    scene: &Scene<'_>,
    row: &Restraint,
    titles: &BTreeMap<AlertId, crate::store::AlertRow>,
) -> RestraintRow {
    let what = match &row.kind {
        Kind::Silence(matchers) | Kind::Maintenance { matchers, .. } => in_words(scene, matchers),
        Kind::UntilResolved(id) => titles.get(id).map_or_else(
            || id.to_string(),
            |alert| format!("{} · {}", scene.subject(&alert.site, &alert.subject).name, scene.text(&alert.title)),
        ),
    };
    RestraintRow {
        id: row.id.to_string(),
        what,
        starts: scene.when(row.starts),
        ends: row.ends.map(|ends| scene.when(ends)),
        author: row.author.to_string(),
        comment: row.comment.to_string(),
        include_firing: matches!(row.kind, Kind::Maintenance { include_firing: true, .. }),
    }
}

fn in_words(scene: &Scene<'_>, matchers: &Matchers) -> String {
    let t = scene.texts();
    let field = |(field, values): (Field, Vec<String>)| {
        let label = match field {
            Field::Site => t.restraint_site,
            Field::Device => t.restraint_device,
            Field::Agent => t.agent,
            Field::Kind => t.restraint_kind,
            Field::Place => t.restraint_place,
            Field::Rule => t.restraint_rule,
            Field::Severity => t.restraint_severity,
        };
        format!("{label}{}{}", t.label_gap, values.join(t.list_comma))
    };
    let named =
        matchers.fields().map(|(field, values)| (field, values.map(|value| name(scene, field, value)).collect()));
    let mut told: Vec<_> = named.map(|named: (Field, Vec<String>)| (named.0, field(named))).collect();
    // Where only one site is shown, its name says nothing beside something narrower.
    if told.len() > 1 && !scene.several() {
        told.retain(|(field, _)| *field != Field::Site);
    }
    told.into_iter().map(|(_, words)| words).collect::<Vec<_>>().join(" · ")
}

/// What people call a value of a field.
fn name(scene: &Scene<'_>, field: Field, value: &str) -> String {
    let known = match field {
        Field::Site => value.parse().ok().map(|site| scene.name_of(&site)),
        Field::Device => value.parse().ok().and_then(|id| {
            let mut having = scene.shown().filter_map(|site| site.device(&id));
            having.next().filter(|device| !device.name.is_empty()).map(|device| device.name.to_string())
        }),
        Field::Kind => scene.pack.kinds.get(value).map(|kind| scene.text(&kind.kind.label)),
        Field::Rule => scene.pack.rule(value).map(|rule| scene.text(&rule.title)),
        Field::Severity => Severity::from_text(value).map(|severity| severity_word(scene, severity).to_owned()),
        Field::Agent | Field::Place => None,
    };
    known.unwrap_or_else(|| value.to_owned())
}

fn severity_word(scene: &Scene<'_>, severity: Severity) -> &'static str {
    let t = scene.texts();
    match severity {
        Severity::Critical => t.severity_critical,
        Severity::Major => t.severity_major,
        Severity::Warning => t.severity_minor,
        Severity::Info => t.severity_info,
    }
}

/// What the form can be limited to. Devices and places are those of one site: without a site chosen, the site is what to choose.
fn selections(scene: &Scene<'_>, refused: Option<&Wish>) -> Vec<Selection> {
    let t = scene.texts();
    let option = |value: &str, label: String| SelectOption { value: value.to_owned(), label, chosen: false };
    let asked = scene.reader.asked.device.as_deref();
    let mut selections = Vec::new();
    if scene.chosen().is_none() {
        let sites = scene.all_sites().map(|(id, _)| option(id.as_str(), scene.name_of(id))).collect();
        selections.push(Selection { name: "site", label: t.restraint_site, options: sites });
    } else {
        let devices = || scene.shown().flat_map(|site| site.devices().map(move |device| (site, device)));
        let device = |(site, device)| {
            let shown = scene.device(site, device);
            let label = if shown.place.is_empty() { shown.name } else { format!("{} · {}", shown.name, shown.place) };
            SelectOption { chosen: asked == Some(device.id.as_str()), ..option(device.id.as_str(), label) }
        };
        let places: BTreeSet<&str> =
            devices().map(|(_, device)| &*device.place).filter(|place| !place.is_empty()).collect();
        let places = places.into_iter().map(|place| option(place, place.to_owned())).collect();
        selections.push(Selection {
            name: "device",
            label: t.restraint_device,
            options: devices().map(device).collect(),
        });
        selections.push(Selection { name: "place", label: t.restraint_place, options: places });
    }
    let kinds = scene.pack.kinds.iter().map(|(id, kind)| option(id, scene.text(&kind.kind.label))).collect();
    let rules: BTreeMap<&str, _> =
        scene.pack.kinds.values().flat_map(|kind| &kind.rules).map(|rule| (&*rule.id, rule)).collect();
    let rules = rules.into_iter().map(|(id, rule)| option(id, scene.text(&rule.title))).collect();
    let severities = [Severity::Critical, Severity::Major, Severity::Warning, Severity::Info];
    let severities = severities.map(|severity| option(severity.as_str(), severity_word(scene, severity).to_owned()));
    selections.push(Selection { name: "kind", label: t.restraint_kind, options: kinds });
    selections.push(Selection { name: "rule", label: t.restraint_rule, options: rules });
    selections.push(Selection { name: "severity", label: t.restraint_severity, options: severities.into() });
    if let Some(wish) = refused {
        for selection in &mut selections {
            let wanted = wish.selected(selection.name);
            selection.options.iter_mut().for_each(|option| option.chosen = option.value == wanted);
        }
    }
    selections
}

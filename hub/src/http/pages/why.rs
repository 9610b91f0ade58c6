//! The page that tells why there was an alert about a device at some minute, or none.

use axum::{extract::State, response::Response};
use lobby_contract::{DeviceId, FactValue, SiteId};
use lobby_dashboards::{DayPart, Fact, Link, Page, WhyPage, WhyPart, WhyPhase, WhyRule};
use lobby_domain::{
    calendar::PartOfDay,
    condition::{Part, Truth},
    device::LinkWord,
    pack::KindRules,
    rule::Phase,
    time::Timestamp,
    trace::{Held, RuleTrace, Trace},
};

use super::{App, Html, Open, PageError, Path, Reader, Scene, alerts, answer, device};
use crate::http::trace::{self, Traced};

/// The page.
pub(super) async fn show(State(app): State<App>, reader: Reader, Path(code): Path<String>) -> Response {
    let page = async {
        let (site, device) = device::named(&app, &reader, &code).await?;
        page(&app, &reader, site, device).await
    };
    answer::answer(&app, &reader, page).await
}

async fn page(app: &App, reader: &Reader, site: SiteId, device: DeviceId) -> Result<String, PageError> {
    let asked = reader.asked.at.as_deref().filter(|at| !at.is_empty());
    let at = asked.map(str::parse).transpose().map_err(|_| PageError::BadRequest)?;
    let at = at.map_or_else(|| app.clock.now(), Timestamp::from_millis);
    let traced = trace::at(app, &site, &device, at).await?.ok_or(PageError::NotFound)?;
    let page = Scene::with(app, reader, Some(site.clone()), &Open::default(), |scene| {
        let site = scene.site(&site).ok_or(PageError::NotFound)?;
        let device = site.device(&device).ok_or(PageError::NotFound)?;
        let Traced { trace, alerts, .. } = &traced;
        Ok(WhyPage {
            device: scene.device(site, device),
            at: scene.when(trace.at),
            from: scene.when(trace.from),
            records: trace.records,
            link: trace.link.map(link),
            seen: trace.last.as_ref().map(|last| scene.when(last.received_at)),
            is_fresh: trace.is_fresh,
            part: part(trace.part),
            facts: device.watch.kind().map(|kind| facts(scene, kind, trace)).unwrap_or_default(),
            rules: rules(scene, &traced),
            alerts: alerts.iter().map(|alert| alerts::row(scene, alert)).collect(),
            chrome: scene.chrome(Page::Device),
        })
    })?;
    page.html(reader.fragment)
}

fn link(link: LinkWord) -> Link {
    match link {
        LinkWord::Up => Link::Up,
        LinkWord::Suspect => Link::Suspect,
        LinkWord::Down => Link::Down,
        LinkWord::Unverified => Link::Unverified,
    }
}

fn part(part: PartOfDay) -> DayPart {
    match part {
        PartOfDay::Closed => DayPart::Closed,
        PartOfDay::Preparing => DayPart::Preparing,
        PartOfDay::Ready => DayPart::Ready,
        PartOfDay::Open => DayPart::Open,
        PartOfDay::Closing => DayPart::Closing,
    }
}

/// What the device stated in its last record of that time.
fn facts(scene: &Scene<'_>, kind: &KindRules, trace: &Trace) -> Vec<Fact> {
    let Some(last) = &trace.last else { return Vec::new() };
    let stated = kind.kind.facts.iter().filter_map(|fact| Some((fact, last.sample.facts.get(&fact.name)?)));
    stated
        .map(|(fact, value)| Fact {
            label: scene.text(&fact.label),
            value: (*value != FactValue::Unknown).then(|| fact.show(value, scene.words())),
            unit: String::new(),
            at: None,
            notable: false,
        })
        .collect()
}

/// Rules that are not at rest first, then those of which something else than "nothing is wrong" is to be said.
fn rules(scene: &Scene<'_>, traced: &Traced) -> Vec<WhyRule> {
    let mut told: Vec<&RuleTrace> = traced.trace.rules.iter().collect();
    told.sort_by_key(|told| (told.kept.phase == Phase::Ok, !told.flapping, told.fire == Truth::False));
    told.into_iter().map(|told| rule(scene, told, traced)).collect()
}

fn rule(scene: &Scene<'_>, told: &RuleTrace, traced: &Traced) -> WhyRule {
    let (phase, since) = match told.kept.phase {
        Phase::Ok => (WhyPhase::Ok, None),
        Phase::Pending { since } => (WhyPhase::Pending, Some(since)),
        Phase::Firing { since } => (WhyPhase::Firing, Some(since)),
        Phase::Recovering { since, .. } => (WhyPhase::Recovering, Some(since)),
    };
    WhyRule {
        title: scene.text(&told.rule.title),
        phase,
        since: since.map(|since| scene.when(since)),
        is_flapping: told.flapping,
        when: parts(scene, &told.when),
        until: parts(scene, &told.until),
        held: told.held.iter().map(|held| reason(scene, *held, traced)).collect(),
    }
}

/// A reason in words; of an alert also which, and of a silence or a window whose and why.
fn reason(scene: &Scene<'_>, held: Held, traced: &Traced) -> String {
    let words = scene.text(&held.words());
    let detail = match held {
        Held::Inhibited(id) => {
            let cause = traced.others.iter().chain(&traced.alerts).find(|alert| alert.id == id);
            cause.map(|cause| scene.text(&cause.title)).unwrap_or_default()
        }
        Held::Silenced(id) | Held::Maintained(id) => {
            let restraint = traced.restraints.iter().find(|restraint| restraint.id == id);
            let said = restraint.map(|restraint| [&*restraint.author, &*restraint.comment]).into_iter().flatten();
            said.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(scene.texts().comma)
        }
        _ => String::new(),
    };
    if detail.is_empty() { words } else { words + &scene.pick("（{}）", " ({})").replace("{}", &detail) }
}

fn parts(scene: &Scene<'_>, parts: &[Part]) -> Vec<WhyPart> {
    let holds = |truth| match truth {
        Truth::True => Some(true),
        Truth::False => Some(false),
        Truth::Unknown => None,
    };
    let part = |part: &Part| WhyPart { depth: part.depth, words: scene.text(&part.words), holds: holds(part.truth) };
    parts.iter().map(part).collect()
}

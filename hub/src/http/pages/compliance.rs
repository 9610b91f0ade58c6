//! How the service standards were kept at a site in a month: the page, one clause of it, the alerts of a device, several sites beside each
//! other, and a month as tables.

mod sites;
mod tables;

use std::collections::BTreeMap;

use axum::{extract::State, response::Response};
use lobby_contract::{DeviceId, SiteId};
use lobby_dashboards::{
    AvailabilityLine, ClausePage, ComplianceMonth, CompliancePage, DeliveryState, DeviceAlertsPage, KeptLine,
    MonthSitePage, OwedLine, Page, ReportSent, Unkept,
};
use lobby_domain::{
    access::Need,
    alert::Subject,
    compliance::{By, Gaps, Instance, Sight, Tally},
    device::Device,
    pack::Clause,
    purchase::Month,
    time::Timestamp,
};

pub(super) use self::tables::tables;
use super::{
    App, Html, Open, PageError, Path, Reader, Scene,
    alerts::{further, row},
    answer::answer,
    outbox,
};
use crate::{
    checks,
    compliance::{MonthOfSite, Tallies},
    store::{AlertFilter, Cursor, Mailbox, ReportReceiver},
};

/// Instances, and alerts, on a page.
const AT_ONCE: usize = 100;
/// An hour.
const HOUR: i64 = 3_600_000;
/// The kinds that are listed first: what guests see.
const DISPLAYS: [&str; 2] = ["led-display", "tv"];

/// What is asked for; the page that compares the sites, or asks for one, if that is not said.
async fn read(app: &App, reader: &Reader, month: Option<&str>) -> Result<Result<MonthOfSite, String>, PageError> {
    let month = month.map(str::parse::<Month>).transpose().map_err(|_| PageError::NotFound)?;
    let (now, nothing) = (app.clock.now(), Open::default());
    let chosen = Scene::with(app, reader, reader.site()?, &nothing, |scene| Ok(scene.chosen().cloned()))?;
    let Some(site) = chosen else {
        if reader.caller.may(Need::Oversee) {
            return sites::page(app, reader, month).await.map(Err);
        }
        let page = Scene::with(app, reader, None, &nothing, |scene| {
            let sites = scene.site_choices();
            let path = month.map_or_else(|| "/compliance".to_owned(), |month| format!("/compliance/{month}"));
            Ok(MonthSitePage { chrome: scene.chrome(Page::Checks), path, is_empty: sites.is_empty(), sites })
        })?;
        return page.html(reader.fragment).map(Err);
    };
    let sight = Sight::of(reader.caller.at(&site).roles());
    Ok(Ok(MonthOfSite::read(&app.store, &app.fleet, (site, month), sight, now).await?))
}

/// The page of a month of a site.
fn address(site: &SiteId, month: Month) -> String {
    format!("/compliance/{month}?site={site}")
}

/// The page of a clause.
fn of_clause(of: &MonthOfSite, clause: &str) -> String {
    format!("/compliance/{}/{clause}?site={}", of.month, of.site)
}

fn head(of: &MonthOfSite, now: Timestamp) -> ComplianceMonth {
    let MonthOfSite { month, site, .. } = of;
    let table = |format: &str| format!("/compliance/{month}/table/{format}?site={site}");
    let next = month.next();
    let is_over = next.begins(&of.calendar) <= now;
    ComplianceMonth {
        month: month.to_string(),
        previous: address(site, month.previous()),
        next: is_over.then(|| address(site, next)),
        csv: table("csv"),
        xlsx: table("xlsx"),
        is_over,
    }
}

fn kept(scene: &Scene<'_>, of: &MonthOfSite, (id, clause): (&str, &Clause), (tally, before): Tallies) -> KeptLine {
    KeptLine {
        id: id.to_owned(),
        name: scene.text(&clause.reference),
        asks: scene.text(&clause.asks),
        href: Some(of_clause(of, id)),
        tally,
        before,
    }
}

fn clauses(scene: &Scene<'_>, of: &MonthOfSite) -> Vec<KeptLine> {
    let all = of.clauses(scene.pack);
    all.map(|(id, tallies)| kept(scene, of, (id, &scene.pack.clauses[id]), tallies)).collect()
}

fn posts(scene: &Scene<'_>, of: &MonthOfSite) -> Vec<KeptLine> {
    let line = |(post, (tally, before)): (Option<Box<str>>, Tallies)| KeptLine {
        id: String::new(),
        name: post_of(scene, post.as_deref()),
        asks: String::new(),
        href: None,
        tally,
        before,
    };
    of.posts().into_iter().map(line).collect()
}

/// Each device in use, displays first; a post sees those of its board.
fn devices(scene: &Scene<'_>, of: &MonthOfSite) -> Vec<AvailabilityLine> {
    let Some(site) = scene.site(&of.site) else { return Vec::new() };
    let is_theirs = |device: &&Device| of.shows_kind(scene.pack, &device.kind);
    let mut devices: Vec<_> = site.devices().filter(|device| device.life.is_judged()).filter(is_theirs).collect();
    devices.sort_by_key(|device| (!DISPLAYS.contains(&&*device.kind), &device.kind, &device.id));
    let line = |device: &&Device| {
        let named = scene.device(site, device);
        AvailabilityLine {
            href: named.href(),
            alerts: format!("/compliance/{}/devices/{}?site={}", of.month, device.id, of.site),
            name: named.name,
            availability: of.availability(&device.id, scene.now),
        }
    };
    devices.iter().map(line).collect()
}

/// What cannot be kept at the site as it is now.
fn cannot(scene: &Scene<'_>, of: &MonthOfSite, ledgers: &[String], has_channel: bool) -> Vec<String> {
    let c = scene.reader.lang.compliance_texts();
    let site = scene.site(&of.site);
    let hours = (!of.calendar.is_known()).then(|| c.cannot_hours.to_owned());
    let empty = scene.pack.checklists.iter().filter(|list| checks::lines(site, list).is_empty());
    let said = |words: &str, label| lobby_dashboards::filled_with(words, &[&scene.text(label)]);
    let is_used = |item: &str| {
        site.is_some_and(|site| {
            let kinds = site.devices().filter_map(|device| scene.pack.kinds.get(&*device.kind));
            kinds.filter_map(|kind| kind.kind.dispenses.as_ref()).any(|dispenses| *dispenses.item == *item)
        })
    };
    let unkept = scene.pack.items.iter().filter(|(id, _)| is_used(id) && !ledgers.iter().any(|kept| **kept == ***id));
    let rounds = empty.map(|list| said(c.cannot_round, &list.label));
    let unkept = unkept.map(|(_, item)| said(c.cannot_ledger, &item.label));
    let channel = (!has_channel).then(|| c.cannot_channel.to_owned());
    hours.into_iter().chain(rounds).chain(unkept).chain(channel).collect()
}

/// How the month's report stands with one of those who are sent it.
fn report(scene: &Scene<'_>, mailboxes: &BTreeMap<String, Mailbox>, one: &ReportReceiver) -> ReportSent {
    let state = DeliveryState::named(&one.state).unwrap_or(DeliveryState::Queued);
    let is_refused = matches!(state, DeliveryState::Dead | DeliveryState::Retry);
    ReportSent {
        to: outbox::channel_word(scene.reader, mailboxes, &one.channel, scene.texts().separator),
        state,
        at: scene.when(one.at),
        answer: if is_refused { one.answer.clone() } else { String::new() },
    }
}

fn owed_line(scene: &Scene<'_>, of: &MonthOfSite, instance: &Instance) -> OwedLine {
    OwedLine {
        duty: instance.duty,
        title: scene.text(&instance.title),
        href: of.address_of(&instance.evidence),
        post: post_of(scene, instance.post.as_deref()),
        due: scene.when(instance.due),
        done: instance.done.map(|done| scene.when(done)),
        by: match &instance.by {
            By::Person(name) => name.to_string(),
            By::Hub | By::Nobody => String::new(),
        },
        kept: instance.kept,
    }
}

fn unkept(scene: &Scene<'_>, id: &str, clause: &Clause) -> Unkept {
    Unkept {
        id: id.to_owned(),
        reference: scene.text(&clause.reference),
        why: clause.why_not.as_ref().map(|why| scene.text(why)),
        page: clause.page.as_deref().map(str::to_owned),
    }
}

/// A post, or the hub itself.
fn post_of(scene: &Scene<'_>, post: Option<&str>) -> String {
    post.map_or_else(|| scene.reader.lang.compliance_texts().hub.to_owned(), |post| scene.post(post))
}

/// Clauses that say why no figure of them is kept, and those that nothing cites.
fn without(scene: &Scene<'_>, gaps: &Gaps) -> Vec<Unkept> {
    let without =
        scene.pack.clauses.iter().filter(|(id, clause)| clause.why_not.is_some() || gaps.unserved.contains(*id));
    without.map(|(id, clause)| unkept(scene, id, clause)).collect()
}

/// The month that is under way.
pub(super) async fn present(State(app): State<App>, reader: Reader) -> Response {
    answer(&app, &reader, page(&app, &reader, None)).await
}

/// A month.
pub(super) async fn show(State(app): State<App>, reader: Reader, Path(month): Path<String>) -> Response {
    answer(&app, &reader, page(&app, &reader, Some(&month))).await
}

async fn page(app: &App, reader: &Reader, month: Option<&str>) -> Result<String, PageError> {
    let of = match read(app, reader, month).await? {
        Ok(of) => of,
        Err(page) => return Ok(page),
    };
    let kept = app.store.kept_books().await?;
    let ledgers: Vec<String> = kept.into_iter().filter(|(site, _)| *site == of.site).map(|(_, item)| item).collect();
    let has_channel = !app.notify.settings().channels.is_empty();
    let sent = app.store.month_report(&of.site, of.month).await?;
    let mailboxes = app.store.mailboxes_by_channel().await?;
    let open = Open::default();
    let page = Scene::with(app, reader, Some(of.site.clone()), &open, |scene| {
        let gaps = Gaps::of(scene.pack);
        let own = match &of.sight {
            Sight::All => None,
            Sight::Posts(roles) => {
                let posts: Vec<String> = roles.iter().map(|role| scene.post(role.as_str())).collect();
                Some(posts.join(scene.texts().list_comma))
            }
        };
        let cannot = cannot(scene, &of, &ledgers, has_channel);
        Ok(CompliancePage {
            chrome: scene.chrome(Page::Checks),
            of: head(&of, scene.now),
            own,
            total: Tally::of(&of.owed),
            before: Tally::of(&of.before),
            posts: posts(scene, &of),
            clauses: clauses(scene, &of),
            devices: devices(scene, &of),
            opening_hours: of.opening(scene.now) / HOUR,
            without: without(scene, &gaps),
            uncited: gaps.uncited.iter().map(|label| scene.text(label)).collect(),
            cannot,
            reports: sent.iter().map(|one| report(scene, &mailboxes, one)).collect(),
        })
    })?;
    page.html(reader.fragment)
}

/// What was owed by a clause in a month.
pub(super) async fn clause(
    State(app): State<App>,
    reader: Reader,
    Path((month, id)): Path<(String, String)>,
) -> Response {
    answer(&app, &reader, clause_page(&app, &reader, (&month, &id))).await
}

async fn clause_page(app: &App, reader: &Reader, (month, id): (&str, &str)) -> Result<String, PageError> {
    let of = match read(app, reader, Some(month)).await? {
        Ok(of) => of,
        Err(page) => return Ok(page),
    };
    let after = reader.asked.after.as_deref().map_or(Ok(0), str::parse).map_err(|_| PageError::NotFound)?;
    let open = Open::default();
    let page = Scene::with(app, reader, Some(of.site.clone()), &open, |scene| {
        // What is another post's is not there.
        let clause = scene.pack.clauses.get(id).filter(|_| of.shows(scene.pack, id)).ok_or(PageError::NotFound)?;
        let owed = of.owed_by(id);
        let more = after + AT_ONCE;
        let before = Tally::by_clause(&of.before).remove(id).unwrap_or_default();
        Ok(ClausePage {
            chrome: scene.chrome(Page::Checks),
            month: of.month.to_string(),
            back: address(&of.site, of.month),
            clause: kept(scene, &of, (id, clause), (Tally::of(owed.iter().copied()), before)),
            unkept: (clause.why_not.is_some() || clause.page.is_some()).then(|| unkept(scene, id, clause)),
            next: (owed.len() > more).then(|| format!("{}&after={more}", of_clause(&of, id))),
            owed: owed.into_iter().skip(after).take(AT_ONCE).map(|one| owed_line(scene, &of, one)).collect(),
        })
    })?;
    page.html(reader.fragment)
}

/// The alerts of a device in a month.
pub(super) async fn device(
    State(app): State<App>,
    reader: Reader,
    Path((month, device)): Path<(String, String)>,
) -> Response {
    answer(&app, &reader, device_page(&app, &reader, (&month, &device))).await
}

async fn device_page(app: &App, reader: &Reader, (month, device): (&str, &str)) -> Result<String, PageError> {
    let month: Month = month.parse().map_err(|_| PageError::NotFound)?;
    let id: DeviceId = device.parse().map_err(|_| PageError::NotFound)?;
    let open = Open::default();
    let chosen = Scene::with(app, reader, reader.site()?, &open, |scene| Ok(scene.chosen().cloned()))?;
    let site = chosen.ok_or(PageError::NotFound)?;
    let calendar = crate::compliance::calendar_of(&app.fleet, &site);
    let subject = Subject::Device(id.clone());
    let filter = AlertFilter {
        site: Some(site.clone()),
        subject: Some(subject.clone()),
        within: Some((month.begins(&calendar), month.next().begins(&calendar))),
        ..AlertFilter::default()
    };
    let after = reader.asked.after.as_deref().map(str::parse::<Cursor>).transpose()?;
    let most = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
    let (rows, next) = app.store.alerts(&filter, after.as_ref(), most).await??;
    let page = Scene::with(app, reader, Some(site.clone()), &open, |scene| {
        let is_known = scene.site(&site).is_some_and(|live| live.devices().any(|device| device.id == id));
        if !is_known && rows.is_empty() && after.is_none() {
            return Err(PageError::NotFound);
        }
        let named = scene.subject(&site, &subject);
        Ok(DeviceAlertsPage {
            chrome: scene.chrome(Page::Checks),
            month: month.to_string(),
            href: named.href(),
            device: named.name,
            back: address(&site, month),
            alerts: rows.iter().map(|alert| row(scene, alert)).collect(),
            next: next.map(|next| further(reader, &next)),
        })
    })?;
    page.html(reader.fragment)
}

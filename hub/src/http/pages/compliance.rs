//! How the service standards were kept at a site in a month: the page, one clause of it, and both as tables.

use std::collections::BTreeMap;

use axum::{extract::State, response::Response};
use lobby_contract::{DeviceId, SiteId};
use lobby_dashboards::{
    AvailabilityLine, ClausePage, ComplianceMonth, CompliancePage, KeptLine, MonthSitePage, OwedLine, Page, Unkept,
};
use lobby_domain::{
    calendar::{Calendar, local},
    compliance::{Availability, By, Evidence, Gaps, Instance, Kept, Tally, opening},
    pack::Clause,
    past::Times,
    purchase::Month,
    time::{Span, Timestamp},
};

use super::{App, Html, Open, PageError, Path, Reader, Scene, answer::answer, month::table};
use crate::{
    checks,
    export::{Cell, Sheet},
};

/// Instances on a page.
const AT_ONCE: usize = 100;
/// An hour.
const HOUR: i64 = 3_600_000;
/// Hours are rolled up so long after they ended.
const SETTLING: Span = Span::from_mins(5);
/// The kinds that are listed first: what guests see.
const DISPLAYS: [&str; 2] = ["led-display", "tv"];

/// A month of a site with what was owed in it and in the one before.
struct MonthOfSite {
    site: SiteId,
    month: Month,
    calendar: Calendar,
    owed: Vec<Instance>,
    before: Vec<Instance>,
    seen: BTreeMap<DeviceId, Times>,
}

impl MonthOfSite {
    /// What is asked for; the page that asks for the site if that is not said.
    async fn read(app: &App, reader: &Reader, month: Option<&str>) -> Result<Result<Self, String>, PageError> {
        let month = month.map(str::parse::<Month>).transpose().map_err(|_| PageError::NotFound)?;
        let (now, nothing) = (app.clock.now(), Open::default());
        let chosen = Scene::with(app, reader, reader.site()?, &nothing, |scene| Ok(scene.chosen().cloned()))?;
        let Some(site) = chosen else {
            let page = Scene::with(app, reader, None, &nothing, |scene| {
                let sites = scene.site_choices();
                let path = month.map_or_else(|| "/compliance".to_owned(), |month| format!("/compliance/{month}"));
                Ok(MonthSitePage { chrome: scene.chrome(Page::Checks), path, is_empty: sites.is_empty(), sites })
            })?;
            return page.html(reader.fragment).map(Err);
        };
        let setup = app.fleet.setup();
        let calendar = app.fleet.read().get(&site).map(|site| site.calendar.clone());
        let calendar = calendar.unwrap_or_else(|| setup.calendar(&site));
        let month = month.unwrap_or_else(|| Month::of(local(now, calendar.zone()).date()));
        let begins = [month.previous(), month, month.next()].map(|month| month.begins(&calendar));
        let owed = app.store.owed(&site, (begins[1], begins[2]), &setup.pack, now).await?;
        let before = app.store.owed(&site, (begins[0], begins[1]), &setup.pack, now).await?;
        let seen = app.store.seen_open(&site, (begins[1], begins[2])).await?.into_iter().collect();
        Ok(Ok(Self { site, month, calendar, owed, before, seen }))
    }

    fn address(&self, month: Month) -> String {
        format!("/compliance/{month}?site={}", self.site)
    }

    fn of_clause(&self, clause: &str) -> String {
        format!("/compliance/{}/{clause}?site={}", self.month, self.site)
    }

    /// For how long the site was open until the last hour that is rolled up.
    fn opening(&self, now: Timestamp) -> i64 {
        let until = (now - SETTLING).millis().div_euclid(HOUR) * HOUR;
        opening(&self.calendar, self.month, Timestamp::from_millis(until))
    }

    fn head(&self, now: Timestamp) -> ComplianceMonth {
        let Self { month, site, .. } = self;
        let table = |format: &str| format!("/compliance/{month}/table/{format}?site={site}");
        let next = month.next();
        ComplianceMonth {
            month: month.to_string(),
            previous: self.address(month.previous()),
            next: (next.begins(&self.calendar) <= now).then(|| self.address(next)),
            csv: table("csv"),
            xlsx: table("xlsx"),
            is_over: next.begins(&self.calendar) <= now,
        }
    }

    fn clause(&self, scene: &Scene<'_>, id: &str, clause: &Clause, (tally, before): (Tally, Tally)) -> KeptLine {
        KeptLine {
            id: id.to_owned(),
            name: scene.text(&clause.reference),
            asks: scene.text(&clause.asks),
            href: Some(self.of_clause(id)),
            tally,
            before,
        }
    }

    fn clauses(&self, scene: &Scene<'_>) -> Vec<KeptLine> {
        let (now, before) = (Tally::by_clause(&self.owed), Tally::by_clause(&self.before));
        let of = |all: &BTreeMap<Box<str>, Tally>, id: &str| all.get(id).copied().unwrap_or_default();
        let clauses = scene.pack.clauses.iter();
        clauses.map(|(id, clause)| self.clause(scene, id, clause, (of(&now, id), of(&before, id)))).collect()
    }

    fn posts(&self, scene: &Scene<'_>) -> Vec<KeptLine> {
        let (now, mut before) = (Tally::by_post(&self.owed), Tally::by_post(&self.before));
        let mut all: BTreeMap<Option<Box<str>>, (Tally, Tally)> = BTreeMap::new();
        for (post, tally) in now {
            let earlier = before.remove(&post).unwrap_or_default();
            all.insert(post, (tally, earlier));
        }
        all.extend(before.into_iter().map(|(post, earlier)| (post, (Tally::default(), earlier))));
        let line = |(post, (tally, before)): (Option<Box<str>>, (Tally, Tally))| KeptLine {
            id: String::new(),
            name: post_of(scene, post.as_deref()),
            asks: String::new(),
            href: None,
            tally,
            before,
        };
        all.into_iter().map(line).collect()
    }

    /// Each device in use, displays first. One of which nothing is kept is unknown for all of the time.
    fn devices(&self, scene: &Scene<'_>) -> Vec<AvailabilityLine> {
        let (opening, Some(site)) = (self.opening(scene.now), scene.site(&self.site)) else { return Vec::new() };
        let mut devices: Vec<_> = site.devices().filter(|device| device.life.is_judged()).collect();
        devices.sort_by_key(|device| (!DISPLAYS.contains(&&*device.kind), &device.kind, &device.id));
        let line = |device: &&lobby_domain::device::Device| {
            let named = scene.device(site, device);
            let seen = self.seen.get(&device.id).copied().unwrap_or_default();
            AvailabilityLine { href: named.href(), name: named.name, availability: Availability::of(opening, seen) }
        };
        devices.iter().map(line).collect()
    }

    /// What cannot be kept at the site as it is now.
    fn cannot(&self, scene: &Scene<'_>) -> Vec<String> {
        let c = scene.reader.lang.compliance_texts();
        let hours = (!self.calendar.is_known()).then(|| c.cannot_hours.to_owned());
        let empty = scene.pack.checklists.iter().filter(|list| checks::lines(scene.site(&self.site), list).is_empty());
        let round = |label| lobby_dashboards::filled_with(c.cannot_round, &[&scene.text(label)]);
        hours.into_iter().chain(empty.map(|list| round(&list.label))).collect()
    }

    /// What was owed by a clause, what was not kept first, then the newest.
    fn owed_by(&self, clause: &str) -> Vec<&Instance> {
        let mut owed: Vec<&Instance> =
            self.owed.iter().filter(|instance| instance.clauses.iter().any(|id| **id == *clause)).collect();
        let rank = |kept: Kept| match kept {
            Kept::Missed => 0,
            Kept::Late => 1,
            Kept::Open => 2,
            Kept::Met => 3,
            Kept::Excused(_) => 4,
        };
        owed.sort_by_key(|instance| {
            (rank(instance.kept), std::cmp::Reverse(instance.due), instance.duty, instance.evidence.clone())
        });
        owed
    }
}

fn owed_line(scene: &Scene<'_>, instance: &Instance) -> OwedLine {
    OwedLine {
        duty: instance.duty,
        title: scene.text(&instance.title),
        href: match &instance.evidence {
            Evidence::Round(id) => format!("/checks/{id}"),
            Evidence::Ticket(number) => format!("/t/{number}"),
            Evidence::Alert(id) => format!("/alerts/{id}"),
        },
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
    let of = match MonthOfSite::read(app, reader, month).await? {
        Ok(of) => of,
        Err(page) => return Ok(page),
    };
    let open = Open::default();
    let page = Scene::with(app, reader, Some(of.site.clone()), &open, |scene| {
        let gaps = Gaps::of(scene.pack);
        Ok(CompliancePage {
            chrome: scene.chrome(Page::Checks),
            of: of.head(scene.now),
            total: Tally::of(&of.owed),
            before: Tally::of(&of.before),
            posts: of.posts(scene),
            clauses: of.clauses(scene),
            devices: of.devices(scene),
            opening_hours: of.opening(scene.now) / HOUR,
            without: without(scene, &gaps),
            uncited: gaps.uncited.iter().map(|label| scene.text(label)).collect(),
            cannot: of.cannot(scene),
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
    let of = match MonthOfSite::read(app, reader, Some(month)).await? {
        Ok(of) => of,
        Err(page) => return Ok(page),
    };
    let after = reader.asked.after.as_deref().map_or(Ok(0), str::parse).map_err(|_| PageError::NotFound)?;
    let open = Open::default();
    let page = Scene::with(app, reader, Some(of.site.clone()), &open, |scene| {
        let clause = scene.pack.clauses.get(id).ok_or(PageError::NotFound)?;
        let owed = of.owed_by(id);
        let more = after + AT_ONCE;
        let before = Tally::by_clause(&of.before).remove(id).unwrap_or_default();
        Ok(ClausePage {
            chrome: scene.chrome(Page::Checks),
            month: of.month.to_string(),
            back: of.address(of.month),
            clause: of.clause(scene, id, clause, (Tally::of(owed.iter().copied()), before)),
            unkept: (clause.why_not.is_some() || clause.page.is_some()).then(|| unkept(scene, id, clause)),
            next: (owed.len() > more).then(|| format!("{}&after={more}", of.of_clause(id))),
            owed: owed.into_iter().skip(after).take(AT_ONCE).map(|one| owed_line(scene, one)).collect(),
        })
    })?;
    page.html(reader.fragment)
}

/// A month as tables.
pub(super) async fn tables(
    State(app): State<App>,
    reader: Reader,
    Path((month, format)): Path<(String, String)>,
) -> Response {
    let sheets = async {
        let Ok(of) = MonthOfSite::read(&app, &reader, Some(&month)).await? else { return Err(PageError::NotFound) };
        let open = Open::default();
        Scene::with(&app, &reader, Some(of.site.clone()), &open, |scene| Ok(sheets(scene, &of)))
    };
    table(&app, &reader, sheets.await, &format!("compliance-{month}"), &format)
}

fn sheets(scene: &Scene<'_>, of: &MonthOfSite) -> Vec<Sheet> {
    let c = scene.reader.lang.compliance_texts();
    let head = |first: &[&str], rest: &[&str]| first.iter().chain(rest).map(ToString::to_string).collect();
    let counts = [c.share, c.last_month, c.met, c.late, c.missed, c.excused, c.open];
    let kept = |line: KeptLine| {
        let tally = line.tally;
        let numbers = [tally.met, tally.late, tally.missed, tally.excused, tally.open];
        let words = [line.id, line.name, c.share(&tally), c.share(&line.before)].map(Cell::Text);
        words.into_iter().chain(numbers.map(|number| Cell::Whole(number.into()))).collect()
    };
    let device = |line: AvailabilityLine| {
        let parts = line.parts().map(Cell::Text);
        std::iter::once(Cell::Text(line.name)).chain(parts).collect()
    };
    let owed = |instance: &Instance| {
        let line = owed_line(scene, instance);
        let done = line.done.map_or_else(String::new, |done| done.full);
        let clauses = instance.clauses.join(" ");
        let kept = c.kept(line.kept);
        let words = [clauses, c.duty(line.duty).to_owned(), line.title, line.post, line.due.full, done, line.by, kept];
        words.into_iter().map(Cell::Text).chain([Cell::Text(line.href)]).collect()
    };
    vec![
        Sheet {
            name: c.by_clause.to_owned(),
            head: head(&[c.clause, ""], &counts),
            lines: of.clauses(scene).into_iter().map(kept).collect(),
        },
        Sheet {
            name: c.by_post.to_owned(),
            head: head(&["", c.post], &counts),
            lines: of.posts(scene).into_iter().map(kept).collect(),
        },
        Sheet {
            name: c.devices.to_owned(),
            head: head(&[c.device], &[c.good, c.bad, c.unknown]),
            lines: of.devices(scene).into_iter().map(device).collect(),
        },
        Sheet {
            name: c.instances.to_owned(),
            head: head(&[c.clause, "", c.instances, c.post, c.due, c.done], &["", c.share, c.its_page]),
            lines: of.owed.iter().map(owed).collect(),
        },
    ]
}

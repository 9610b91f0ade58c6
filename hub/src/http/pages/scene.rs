//! What one page is made from, and the words and names that every page needs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::tz::TimeZone;
use lobby_contract::SiteId;
use lobby_dashboards::{
    Calendar, Choice, Chrome, Clause, Collection, DeviceRef, HeldPost, Lang, Notice, Page, PostNow, SelectOption,
    Sight, State, Texts, When,
};
use lobby_domain::{
    access::{Grant, Need, Role},
    agent::Link,
    alert::Subject,
    area::Area,
    device::{self, Device, Life},
    label::{self, Label},
    pack::Pack,
    restraint::Restraint,
    roster::Holder,
    site::Site,
    time::Timestamp,
};

use super::{
    App, Open, PageError, Reader,
    sign_in::{first_page, home},
};
use crate::fleet::{Fleet, Setup};

/// The live state while it is held, what is open, and the reader.
pub(super) struct Scene<'a> {
    /// The standards.
    pub pack: &'a Pack,
    /// What is open.
    pub open: &'a Open,
    /// The reader.
    pub reader: &'a Reader,
    /// Now.
    pub now: Timestamp,
    /// The silences and maintenance windows that are not over.
    pub restraints: Arc<[Restraint]>,
    fleet: &'a Fleet,
    setup: &'a Setup,
    sites: &'a BTreeMap<SiteId, Site>,
    names: BTreeSet<&'a SiteId>,
    chosen: Option<SiteId>,
    calendar: Calendar,
    troubles: u32,
    demo: bool,
}

impl Scene<'_> {
    /// Builds something from the live state, which is held meanwhile. `site` is the one shown; a hub with one site shows that.
    pub fn with<T>(
        app: &App,
        reader: &Reader,
        site: Option<SiteId>,
        open: &Open,
        build: impl FnOnce(&Scene<'_>) -> Result<T, PageError>,
    ) -> Result<T, PageError> {
        let sites = app.fleet.read();
        let setup = app.fleet.setup();
        let names = sites.keys().chain(setup.sites.keys());
        let names: BTreeSet<&SiteId> = names.filter(|site| reader.caller.reaches(site)).collect();
        let chosen = match site.or_else(|| reader.caller.only_site().cloned()) {
            Some(site) if names.contains(&site) => Some(site),
            Some(_) => return Err(PageError::NotFound),
            None if names.len() == 1 => names.first().copied().cloned(),
            None => None,
        };
        // Several sites share a page in the clock time of the first.
        let zoned = chosen.as_ref().and_then(|site| sites.get(site)).or_else(|| sites.values().next());
        let zone = zoned.map_or(TimeZone::UTC, |site| site.calendar.zone().clone());
        let now = app.clock.now();
        let scene = Scene {
            pack: &setup.pack,
            open,
            reader,
            now,
            restraints: app.restraints.all(),
            fleet: &app.fleet,
            setup: &setup,
            sites: &sites,
            names,
            chosen,
            calendar: Calendar::new(now.millis(), zone),
            troubles: app.findings.count(),
            demo: app.demo,
        };
        build(&scene)
    }

    /// The one site that is shown, if it is one.
    pub fn chosen(&self) -> Option<&SiteId> {
        self.chosen.as_ref()
    }

    /// The zone of the page's clock times.
    pub fn zone(&self) -> &TimeZone {
        &self.calendar.zone
    }

    /// Now, and the zone of the page's clock times.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// What surrounds a page.
    pub fn chrome(&self, page: Page) -> Chrome {
        let name = |id: &SiteId| lobby_dashboards::Site { id: id.clone(), name: self.fleet.name_of(id) };
        Chrome {
            lang: self.reader.lang,
            calendar: self.calendar.clone(),
            page,
            path: self.reader.path.clone(),
            site: self.chosen.as_ref().map(name),
            sites: self.choices(page),
            collection: self.collection(self.shown()),
            troubles: self.troubles,
            notice: self.reader.notice().or_else(|| self.open.is_cut.then_some(Notice::Cut)),
            demo: self.demo,
            // What is shown once, and what is being typed, must not go because something changed elsewhere.
            live: !matches!(page, Page::Error | Page::Account | Page::People | Page::Roster),
            person: self.reader.caller.person().map(|person| person.name.clone()),
            roles: self.roles(),
            posts: self.posts(),
            duty: self.duty(),
            sight: if self.reader.caller.is_confined() { Sight::OneSite } else { Sight::AllSites },
            audits: self.audits(),
        }
    }

    /// Who is on duty at the site that is shown, those who act before their superiors.
    fn duty(&self) -> Vec<PostNow> {
        let there = self.chosen.as_ref().map(|site| self.fleet.duties.at(site, self.now)).unwrap_or_default();
        let level = |post: &str| self.pack.chain.steps.iter().position(|step| **step == *post);
        let mut posts: Vec<_> = there.into_iter().collect();
        posts.sort_by_key(|(post, _)| level(post));
        let names = |people: Vec<Holder>| people.into_iter().map(|holder| holder.name.into()).collect();
        posts.into_iter().map(|(post, people)| PostNow { post: self.post(&post), people: names(people) }).collect()
    }

    /// What the reader is at the site that is shown.
    fn roles(&self) -> Option<Vec<Role>> {
        let caller = &self.reader.caller;
        let here = self.chosen.as_ref().map_or_else(|| caller.roles(), |site| caller.at(site).roles())?;
        // A page of nothing in particular leads to what they may do anywhere; where it leads it is asked again.
        let anywhere = || caller.all().into_iter().flatten().map(|grant| grant.role).collect();
        Some(if here.is_empty() { anywhere() } else { here.into_iter().collect() })
    }

    /// Whether the page of all that was changed is the reader's: it tells of every site.
    fn audits(&self) -> bool {
        let audits = |grant: &Grant| grant.site.is_none() && grant.role.may(Need::Operate);
        self.reader.caller.all().is_none_or(|grants| grants.iter().any(audits))
    }

    /// What the reader holds, each with the way to its first page; nothing of whoever holds one role.
    fn posts(&self) -> Vec<HeldPost> {
        let grants = self.reader.caller.all().filter(|grants| grants.len() > 1).unwrap_or_default();
        let post = |grant: &Grant| {
            let home = home(grant.role);
            HeldPost {
                role: grant.role,
                site: grant.site.as_ref().map(|site| self.name_of(site)),
                href: first_page(grant),
                current: grant.site == self.chosen && self.reader.path.split('?').next() == Some(home),
            }
        };
        grants.iter().map(post).collect()
    }

    fn choices(&self, page: Page) -> Vec<Choice> {
        if self.names.len() < 2 {
            return Vec::new();
        }
        // A device or a ticket belongs to one site: another one is begun at its first page.
        let path = match page {
            Page::Device | Page::Agent | Page::Ticket | Page::Round | Page::Account | Page::People | Page::Error => "/",
            _ => self.reader.path.split('?').next().unwrap_or("/"),
        };
        let all =
            Choice { label: self.texts().all_sites.to_owned(), href: path.to_owned(), current: self.chosen.is_none() };
        let all = Some(all).filter(|_| !self.reader.caller.is_confined());
        let one = |id: &&SiteId| Choice {
            label: self.fleet.name_of(id),
            href: format!("{path}?site={id}"),
            current: self.chosen.as_ref() == Some(*id),
        };
        all.into_iter().chain(self.names.iter().map(one)).collect()
    }

    /// Whether data come in from `sites`.
    pub fn collection<'s>(&self, sites: impl Iterator<Item = &'s Site>) -> Collection {
        let mut collection = Collection { up: 0, agents: 0, last: None };
        let mut last = None;
        for agent in sites.flat_map(Site::agents) {
            collection.agents += 1;
            collection.up += u32::from(agent.link == Link::Up);
            last = last.max(agent.last_seen);
        }
        collection.last = last.map(|at| self.when(at));
        collection
    }

    /// The sites shown that have reported.
    pub fn shown(&self) -> impl Iterator<Item = &Site> {
        let is_shown = |site: &&Site| match &self.chosen {
            Some(chosen) => *chosen == site.id,
            None => self.names.contains(&site.id),
        };
        self.sites.values().filter(is_shown)
    }

    /// The sites of which one is to be chosen.
    pub fn site_choices(&self) -> Vec<SelectOption> {
        let option =
            |(id, _): (&SiteId, _)| SelectOption { value: id.to_string(), label: self.name_of(id), chosen: false };
        self.all_sites().map(option).collect()
    }

    /// All sites that are known, whether they have reported or not.
    pub fn all_sites(&self) -> impl Iterator<Item = (&SiteId, Option<&Site>)> {
        self.names.iter().map(|id| (*id, self.sites.get(*id)))
    }

    /// Whether several sites are shown together.
    pub fn several(&self) -> bool {
        self.chosen.is_none() && self.names.len() > 1
    }

    /// What people call a site.
    pub fn name_of(&self, site: &SiteId) -> String {
        self.fleet.name_of(site)
    }

    /// What people call a site, where several are shown together.
    pub fn site_name(&self, site: &SiteId) -> Option<String> {
        self.several().then(|| self.fleet.name_of(site))
    }

    /// The site of that name, if it has reported.
    pub fn site(&self, id: &SiteId) -> Option<&Site> {
        self.sites.get(id)
    }

    /// A text in the reader's language.
    pub fn text(&self, label: &Label) -> String {
        label.in_lang(self.words()).to_owned()
    }

    /// One of two texts, by the reader's language.
    pub fn pick(&self, zh: &'static str, en: &'static str) -> &'static str {
        match self.reader.lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }

    /// The reader's language as the standards pack names it.
    pub fn words(&self) -> label::Lang {
        self.reader.words()
    }

    /// The pages' own texts.
    pub fn texts(&self) -> &'static Texts {
        self.reader.lang.texts()
    }

    /// A moment in the page's clock time.
    pub fn when(&self, at: Timestamp) -> When {
        self.calendar.when(at.millis())
    }

    /// What people call a department; its id if the pack does not have it any more.
    pub fn department(&self, id: &str) -> String {
        self.pack.departments.get(id).map_or_else(|| id.to_owned(), |department| self.text(&department.label))
    }

    /// What people call a post; its id if the pack does not have it any more.
    pub fn post(&self, id: &str) -> String {
        self.pack.posts.get(id).map_or_else(|| id.to_owned(), |label| self.text(label))
    }

    /// The areas of a site.
    pub fn areas(&self, site: &SiteId) -> Vec<Area> {
        self.setup.areas(site)
    }

    /// The area in which a device stands, if that is known.
    pub fn area_of(&self, site: &Site, device: &Device) -> Option<Area> {
        self.setup.area_of(&site.id, &device.id, &device.kind)
    }

    /// Clauses with where they stand.
    pub fn clauses(&self, ids: &[String]) -> Vec<Clause> {
        let reference = |id: &String| self.pack.clauses.get(id.as_str()).map(|clause| self.text(&clause.reference));
        ids.iter().map(|id| Clause { id: id.clone(), reference: reference(id).unwrap_or_default() }).collect()
    }

    /// A device's state now.
    pub fn state_of(&self, site: &Site, device: &Device) -> State {
        state_at(site, device, self.now)
    }

    /// A device as pages name and link it.
    pub fn device(&self, site: &Site, device: &Device) -> DeviceRef {
        let name = if device.name.is_empty() { device.id.as_str() } else { &device.name };
        let place = match self.site_name(&site.id) {
            Some(site) if device.place.is_empty() => site,
            Some(site) => format!("{site} · {}", device.place),
            None => device.place.to_string(),
        };
        let area = self.area_of(site, device).map(|area| self.text(&area.label));
        DeviceRef { site: site.id.clone(), code: device.id.clone(), name: name.to_owned(), area, place }
    }

    /// What an alert is about, as pages name and link it. Agents and sites have no page of their own: their address leads to the page
    /// that tells of them.
    pub fn subject(&self, site: &SiteId, subject: &Subject) -> DeviceRef {
        let known = |id| self.sites.get(site).and_then(|site| Some(self.device(site, site.device(id)?)));
        let plain = |id: &str, name: String| {
            let code = id.parse().expect("agents and sites are named by the same alphabet as devices");
            DeviceRef { site: site.clone(), code, name, area: None, place: String::new() }
        };
        match subject {
            Subject::Device(id) => known(id).unwrap_or_else(|| plain(id.as_str(), id.to_string())),
            Subject::Agent(id) => plain(id.as_str(), id.to_string()),
            Subject::Site => plain(site.as_str(), self.name_of(site)),
        }
    }
}

/// A device's state at `now`.
pub(super) fn state_at(site: &Site, device: &Device, now: Timestamp) -> State {
    if device.life == Life::Maintenance {
        return State::Maintenance;
    }
    state(device.verdict(site.link_of(device), site.part_of_day().expected(), now).state())
}

/// A state as pages show it.
pub(super) fn state(state: device::State) -> State {
    match state {
        device::State::Normal => State::Normal,
        device::State::Abnormal => State::Abnormal,
        device::State::Offline => State::Offline,
        device::State::Unknown => State::Unknown,
    }
}

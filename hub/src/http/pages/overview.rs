//! The first page: a line for each post, and one for each site.

use std::collections::BTreeMap;

use lobby_dashboards::{Counts, OverviewPage, Page, PostStatus, SiteRow, State, Verdict};
use lobby_domain::{alert::Subject, site::Site};

use super::{Scene, areas, boards, incident, rounds};
use crate::store::{QueueCounts, TicketRow};

/// Where is something to do?
pub(super) fn page(scene: &Scene<'_>) -> OverviewPage {
    let posts = [
        status(scene, Page::Concierge, "concierge", Some(boards::concierge(scene).verdict())),
        status(scene, Page::Engineering, "engineering", None),
        status(scene, Page::Showflat, "showflat", Some(boards::showflat(scene, &BTreeMap::new()).verdict())),
        status(scene, Page::Reception, "reception", Some(boards::reception(scene).verdict())),
    ];
    let mut sites: Vec<SiteRow> = Vec::new();
    if scene.several() {
        sites = scene.all_sites().map(|(id, site)| row(scene, id, site)).collect();
        sites.sort_by_key(|row| (badness(&row.counts), row.name.clone()));
    }
    OverviewPage {
        posts: posts.into(),
        sites,
        readiness: rounds::readiness(scene),
        areas: areas::list(scene),
        chrome: scene.chrome(Page::Overview),
    }
}

fn status(scene: &Scene<'_>, page: Page, post: &str, verdict: Option<Verdict>) -> PostStatus {
    let (tickets, overdue) = if post == "engineering" {
        let queued = QueueCounts::sum(scene.open.queued.values());
        (queued.all(), queued.overdue)
    } else {
        count(scene, scene.open.tickets.iter().filter(|ticket| concerns(scene, ticket, post)))
    };
    let urgent = verdict.filter(|verdict| matches!(verdict.state, State::Abnormal | State::Offline));
    PostStatus {
        page,
        counts: counts(boards::devices(scene, post).map(|(site, device, _)| scene.state_of(site, device))),
        tickets,
        overdue,
        urgent: urgent.map(|verdict| verdict.sentence),
    }
}

/// Whether a ticket is on a post's mind: those it confirms and those of the devices on its board. Engineering's are all.
fn concerns(scene: &Scene<'_>, ticket: &TicketRow, post: &str) -> bool {
    let on_board = || match &ticket.subject {
        Subject::Device(id) => {
            let device = scene.site(&ticket.site).and_then(|site| site.device(id));
            let kind = device.and_then(|device| device.watch.kind());
            kind.is_some_and(|kind| kind.kind.boards.iter().any(|board| **board == *post))
        }
        Subject::Agent(_) | Subject::Site => false,
    };
    ticket.confirmed_by == post || on_board()
}

/// How many tickets there are, and how many are past a time limit.
fn count<'t>(scene: &Scene<'_>, tickets: impl Iterator<Item = &'t TicketRow>) -> (u32, u32) {
    tickets.fold((0, 0), |(all, overdue), ticket| (all + 1, overdue + u32::from(is_overdue(scene, ticket))))
}

fn is_overdue(scene: &Scene<'_>, ticket: &TicketRow) -> bool {
    incident::due_at(ticket).is_some_and(|(_, at)| at < scene.now)
}

pub(super) fn counts(states: impl Iterator<Item = State>) -> Counts {
    states.fold(Counts::default(), |mut counts, state| {
        *match state {
            State::Normal => &mut counts.normal,
            State::Abnormal => &mut counts.abnormal,
            State::Offline => &mut counts.offline,
            State::Unknown => &mut counts.unknown,
            State::Maintenance => &mut counts.maintenance,
        } += 1;
        counts
    })
}

/// Sites with trouble first, then those of which little is known.
fn badness(counts: &Counts) -> std::cmp::Reverse<(u32, u32)> {
    std::cmp::Reverse((counts.abnormal + counts.offline, counts.unknown))
}

fn row(scene: &Scene<'_>, id: &lobby_contract::SiteId, site: Option<&Site>) -> SiteRow {
    let devices = site.into_iter().flat_map(|site| {
        site.devices()
            .filter(|device| device.announced && device.life.is_judged())
            .map(move |device| scene.state_of(site, device))
    });
    let queued = scene.open.queued.get(id).copied().unwrap_or_default();
    SiteRow {
        name: scene.name_of(id),
        href: format!("/?site={id}"),
        counts: counts(devices),
        tickets: queued.all(),
        overdue: queued.overdue,
        collection: scene.collection(site.into_iter()),
    }
}

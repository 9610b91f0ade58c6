//! The month's report (月报): by e-mail, at nine in the morning of the first day after it, to whoever oversees the site. It is made once,
//! whatever restarts or runs beside this hub, and then goes the way of every message: with retries, under one id.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use lobby_contract::SiteId;
use lobby_domain::{
    access::{Need, Role},
    calendar::{Calendar, local},
    compliance::{Sight, Tally},
    label::Lang,
    notice::{ItemOfMonth, MonthReport},
    purchase::Month,
    time::{Span, Timestamp},
};
use uuid::Uuid;

use super::{Channel, Notify, Settings, Target, letter};
use crate::{
    compliance::MonthOfSite,
    lifecycle::Lifecycle,
    stock::month::ItemMonth,
    store::{ReportLetter, StoreError},
};

/// How often it is looked whether a report is due.
const EVERY: Duration = Duration::from_secs(5);
/// At this time of the first day of the next month, where the site is.
const AT: Span = Span::from_mins(9 * 60);
/// A hub that was off then makes up for it so long; later it would be no news.
const WITHIN: Span = Span::from_mins(7 * 24 * 60);
/// The namespace of ids of reports.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c6f_6262_792d_4a75_a1e5_0000_0000_0004);

/// The month whose report is due at a site, if one is.
fn due(calendar: &Calendar, now: Timestamp) -> Option<Month> {
    let month = Month::of(local(now, calendar.zone()).date());
    let at = month.begins(calendar) + AT;
    (now >= at && now < at + WITHIN).then(|| month.previous())
}

/// Whether a post is told how its site keeps the standards.
fn oversees(post: &str) -> bool {
    post.parse::<Role>().is_ok_and(|role| role != Role::Admin && role.may(Need::Oversee))
}

impl Settings {
    /// The mail channels by which those who oversee a site are told.
    fn overseers(&self, site: &SiteId) -> impl Iterator<Item = &Arc<Channel>> {
        let routes = self.routes().into_iter();
        let serve = routes.filter(|route| route.serves(site.as_str()) && route.posts.iter().any(|post| oversees(post)));
        let names: BTreeSet<String> = serve.map(|route| route.channel).collect();
        self.channels
            .values()
            .filter(move |channel| names.contains(channel.name.as_str()) && matches!(channel.target, Target::Smtp(_)))
    }
}

impl Notify {
    /// Starts the task that makes reports.
    pub fn start_month_reports(self: &Arc<Self>, lifecycle: &Lifecycle) {
        let notify = Arc::clone(self);
        lifecycle.repeat("month reports", EVERY, move || {
            let notify = Arc::clone(&notify);
            async move { notify.report_months().await }
        });
    }

    /// Makes the reports that are due.
    pub(crate) async fn report_months(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let due: Vec<(SiteId, Month)> = {
            let sites = self.fleet.read();
            sites.iter().filter_map(|(id, site)| Some((id.clone(), due(&site.calendar, now)?))).collect()
        };
        let months: BTreeSet<Month> = due.iter().map(|(_, month)| *month).collect();
        let mut made = BTreeMap::new();
        for month in months {
            made.insert(month, self.store.reported_sites(month).await?);
        }
        for (site, month) in due.into_iter().filter(|(site, month)| !made[month].contains(site)) {
            self.report_month(&site, month, now).await?;
        }
        Ok(())
    }

    async fn report_month(&self, site: &SiteId, month: Month, now: Timestamp) -> Result<(), StoreError> {
        let settings = self.settings();
        let owns = self.owns(&settings).await?;
        let theirs = owns
            .values()
            .filter(|own| own.mailbox.grants.iter().any(|grant| grant.reaches(site) && oversees(grant.role.as_str())));
        let channels: Vec<&Arc<Channel>> = settings.overseers(site).chain(theirs.map(|own| &own.channel)).collect();
        let mut letters = Vec::with_capacity(channels.len());
        for lang in [Lang::Zh, Lang::En] {
            let theirs: Vec<_> = channels.iter().filter(|channel| channel.lang == lang).collect();
            if theirs.is_empty() {
                continue;
            }
            let report = self.month_of(site, month, lang, now).await?;
            if report.is_empty() {
                break;
            }
            let path = format!("/compliance/{month}?site={site}");
            for channel in theirs {
                let name = channel.name.as_str();
                let id = Uuid::new_v5(&NAMESPACE, format!("{site}\n{month}\n{name}").as_bytes());
                let letter = letter::report(channel, settings.public_url.as_deref(), (id, &path), &report, now);
                let letter = serde_json::to_string(&letter).expect("a letter is texts and numbers");
                letters.push(ReportLetter { id, channel: name.to_owned(), letter });
            }
        }
        self.store.queue_month_report(site, month, &letters, now).await
    }

    /// What a month's report says, in a language.
    async fn month_of(
        &self,
        site: &SiteId,
        month: Month,
        lang: Lang,
        now: Timestamp,
    ) -> Result<MonthReport, StoreError> {
        let setup = self.fleet.setup();
        let of = MonthOfSite::read(&self.store, &self.fleet, (site.clone(), Some(month)), Sight::All, now).await?;
        let post =
            |id: &str| setup.pack.posts.get(id).map_or_else(|| id.to_owned(), |label| label.in_lang(lang).to_owned());
        let posts = of.posts().into_iter().filter_map(|(id, (tally, _))| Some((post(&id?), tally))).collect();
        let clauses = of.clauses(&setup.pack).map(|(id, (tally, _))| (id.to_owned(), tally)).collect();
        let devices = {
            let sites = self.fleet.read();
            let judged = sites.get(site).into_iter().flat_map(lobby_domain::site::Site::devices);
            let share = |device: &lobby_domain::device::Device| {
                let availability = of.availability(&device.id, now);
                let name = if device.name.is_empty() { device.id.to_string() } else { device.name.to_string() };
                Some((name, availability.tenths(availability.good)?))
            };
            judged.filter(|device| device.life.is_judged()).filter_map(share).collect()
        };
        let mut items = Vec::new();
        for (id, item) in &setup.pack.items {
            let Some(of_item) = ItemMonth::of(&self.fleet, site, id, now) else { continue };
            let statement = of_item.statement(&self.store, &self.fleet, (site, id), month, now).await?;
            if (statement.used(), statement.lost()) == (0, 0) {
                continue;
            }
            let plan = of_item.plan(&self.store, (site, id), month.next(), now).await?;
            let plan = plan.map(|row| {
                let standing = row.standing();
                (standing.pieces, standing.is_approved(of_item.item.approved_by.len()))
            });
            items.push(ItemOfMonth {
                name: item.label.in_lang(lang).to_owned(),
                unit: item.unit.in_lang(lang).to_owned(),
                used: statement.used(),
                lost: statement.lost(),
                plan,
            });
        }
        let (all, before) = (Tally::of(&of.owed), Tally::of(&of.before));
        Ok(MonthReport { site: self.fleet.name_of(site), month, all, before, posts, clauses, devices, items })
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn a_report_is_due_from_nine_of_the_first_day_for_a_week_where_the_site_is() {
        let calendar = Calendar::always_open(TimeZone::get("Asia/Shanghai").unwrap());
        let at = |text: &str| Timestamp::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let due = |text| due(&calendar, at(text)).map(|month| month.to_string());
        assert_eq!(due("2026-12-01T08:59:59+08:00"), None);
        assert_eq!(due("2026-12-01T09:00:00+08:00").as_deref(), Some("2026-11"));
        assert_eq!(due("2026-12-08T08:59:59+08:00").as_deref(), Some("2026-11"));
        assert_eq!(due("2026-12-08T09:00:00+08:00"), None, "it would be no news any more");
        assert_eq!(due("2026-11-30T23:59:59+08:00"), None);
    }

    #[test]
    fn supervisors_and_managers_are_told_and_nobody_else() {
        let told: Vec<&str> = Role::ALL.into_iter().map(Role::as_str).filter(|post| oversees(post)).collect();
        assert_eq!(told, ["supervisor", "manager"]);
        assert!(!oversees("gardener"));
    }
}

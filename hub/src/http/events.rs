//! The live stream of the pages: says that something changed, and nothing of what. A page fetches itself again, so a lost event costs
//! nothing.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response, Sse, sse::Event},
};
use futures_util::{Stream, StreamExt, stream};
use lobby_contract::SiteId;
use serde::Deserialize;
use tokio::{
    sync::{
        OwnedSemaphorePermit, Semaphore,
        broadcast::{Receiver, error::RecvError},
        watch,
    },
    time::{Instant, Interval, MissedTickBehavior, interval, sleep, sleep_until},
};

use super::{
    App,
    gate::{About, Caller, Policy, Routes},
};
use crate::fleet::Changed;

/// How often a page hears that the hub is there.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Changes that come closer together than this are told as one.
const LEAST_BETWEEN: Duration = Duration::from_millis(500);
/// How soon a browser connects again.
const RETRY: Duration = Duration::from_secs(2);
/// How long a page may go on listening after its reader was signed out, or got other rights.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How many pages may listen at once; a further one is refused and still refreshes itself by hand.
const MOST: usize = 1000;

/// The stream.
pub fn routes() -> Routes {
    let places = Extension(Arc::new(Semaphore::new(MOST)));
    Routes::new().get("/events", Policy::read(About::List), listen).with(|router| router.layer(places))
}

/// What a page wants to hear of.
#[derive(Debug, Default, Deserialize)]
struct Wanted {
    /// One site; all if not given.
    site: Option<String>,
}

async fn listen(
    State(app): State<App>,
    Extension(places): Extension<Arc<Semaphore>>,
    Query(wanted): Query<Wanted>,
    caller: Caller,
    headers: HeaderMap,
) -> Response {
    let site = wanted.site.map(|site| site.parse::<SiteId>());
    let Ok(site) = site.transpose() else { return StatusCode::BAD_REQUEST.into_response() };
    let Ok(place) = places.try_acquire_owned() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let feed = Feed::new(app.fleet.changes(), app.findings.changes(), site, place).into_stream();
    let over = async move {
        tokio::select! {
            () = app.stop.cancelled() => (),
            () = dismissed(&app, &caller, &headers) => (),
        }
    };
    let mut response = Sse::new(feed.take_until(over)).into_response();
    // A proxy that gathers the stream into blocks would hold events back.
    response.headers_mut().insert("x-accel-buffering", axum::http::HeaderValue::from_static("no"));
    response
}

/// Ends when who listens is not who they were: a browser then asks again, and the gate decides.
async fn dismissed(app: &App, caller: &Caller, headers: &HeaderMap) {
    loop {
        sleep(LOOK_AGAIN).await;
        if !caller.is_still(app, headers).await {
            return;
        }
    }
}

/// What a page is told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// Something changed: a device's name, or `*`.
    Changed(Box<str>),
    /// So much changed that the page is to begin anew.
    Reload,
    /// The hub is there.
    Heartbeat,
}

impl Told {
    fn event(&self) -> Event {
        // A browser drops an event without data.
        match self {
            Self::Changed(device) => Event::default().event("changed").data(device),
            Self::Reload => Event::default().event("reload").data("*"),
            Self::Heartbeat => Event::default().event("heartbeat").data("*").retry(RETRY),
        }
    }
}

/// One page's view on the changes.
struct Feed {
    changes: Receiver<Changed>,
    findings: watch::Receiver<u64>,
    site: Option<SiteId>,
    heartbeat: Interval,
    waiting: Option<Told>,
    /// Nothing but heartbeats before.
    quiet_until: Instant,
    _place: OwnedSemaphorePermit,
}

impl Feed {
    fn new(
        changes: Receiver<Changed>,
        findings: watch::Receiver<u64>,
        site: Option<SiteId>,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { changes, findings, site, heartbeat, waiting: None, quiet_until: Instant::now(), _place: place }
    }

    fn into_stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut feed| async move {
            let told = feed.next().await?;
            Some((Ok(told.event()), feed))
        })
    }

    /// What to say next; `None` when nothing will change any more.
    async fn next(&mut self) -> Option<Told> {
        loop {
            tokio::select! {
                biased;
                _ = self.heartbeat.tick() => return Some(Told::Heartbeat),
                () = sleep_until(self.quiet_until), if self.waiting.is_some() => {
                    self.quiet_until = Instant::now() + LEAST_BETWEEN;
                    return self.waiting.take();
                }
                // Every page shows how many findings there are.
                Ok(()) = self.findings.changed() => self.wait_for_all(),
                changed = self.changes.recv() => match changed {
                    Ok(changed) => self.gather(&changed),
                    Err(RecvError::Lagged(_)) => self.waiting = Some(Told::Reload),
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }

    fn wait_for_all(&mut self) {
        if self.waiting != Some(Told::Reload) {
            self.waiting = Some(Told::Changed("*".into()));
        }
    }

    fn gather(&mut self, changed: &Changed) {
        if self.site.as_ref().is_some_and(|site| *site != changed.site) {
            return;
        }
        let name = changed.device.as_ref().map_or("*", |device| device.as_str());
        self.waiting = Some(match self.waiting.take() {
            None => Told::Changed(name.into()),
            Some(Told::Changed(before)) if *before == *name => Told::Changed(before),
            Some(Told::Reload) => Told::Reload,
            Some(_) => Told::Changed("*".into()),
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast;

    use super::*;

    fn feed(site: Option<&str>) -> (broadcast::Sender<Changed>, Feed) {
        let (sender, receiver) = broadcast::channel(4);
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let findings = watch::channel(0).1;
        (sender, Feed::new(receiver, findings, site.map(|site| site.parse().unwrap()), place))
    }

    fn changed(site: &str, device: Option<&str>) -> Changed {
        Changed { site: site.parse().unwrap(), device: device.map(|device| device.parse().unwrap()) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_hears_at_once_that_the_hub_is_there_and_then_every_five_seconds() {
        let (_sender, mut feed) = feed(None);
        let begun = Instant::now();
        for beat in 0..4 {
            assert_eq!(feed.next().await, Some(Told::Heartbeat));
            assert_eq!(begun.elapsed(), HEARTBEAT * beat);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn changes_within_half_a_second_are_told_as_one() {
        let (sender, mut feed) = feed(None);
        assert_eq!(feed.next().await, Some(Told::Heartbeat));
        sender.send(changed("hz", Some("led"))).unwrap();
        assert_eq!(feed.next().await, Some(Told::Changed("led".into())));
        let told = Instant::now();
        sender.send(changed("hz", Some("led"))).unwrap();
        sender.send(changed("hz", Some("tv"))).unwrap();
        assert_eq!(feed.next().await, Some(Told::Changed("*".into())));
        assert_eq!(told.elapsed(), LEAST_BETWEEN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_of_one_site_hears_nothing_of_another() {
        let (sender, mut feed) = feed(Some("hz"));
        assert_eq!(feed.next().await, Some(Told::Heartbeat));
        sender.send(changed("sh", Some("led"))).unwrap();
        assert_eq!(feed.next().await, Some(Told::Heartbeat));
        sender.send(changed("hz", None)).unwrap();
        assert_eq!(feed.next().await, Some(Told::Changed("*".into())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_fell_behind_is_told_to_reload() {
        let (sender, mut feed) = feed(None);
        assert_eq!(feed.next().await, Some(Told::Heartbeat));
        for _ in 0..9 {
            sender.send(changed("hz", Some("led"))).unwrap();
        }
        assert_eq!(feed.next().await, Some(Told::Reload));
    }
}

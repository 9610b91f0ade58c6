//! How long pages take while many people sign in at once: a password is checked on purpose with much memory and time.

use std::{fs, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use lobby_tests::hub::Options;
use tokio::time::Instant;

use crate::{percentile, start};

/// People who sign in at the same moment.
const AT_ONCE: usize = 200;
/// What stands in every request of a page of the hub's own.
const OWN_PAGE: (&str, &str) = ("sec-fetch-site", "same-origin");
const LOGIN: &str = "chen.gang";
const PASSWORD: &str = "Lift-lobby 7 covers";

/// A browser, as far as the hub can tell.
#[derive(Clone)]
struct Browser {
    client: ureq::Agent,
    base: String,
}

/// What came of it: the status, and the session if it began one.
struct Told {
    status: u16,
    cookie: Option<String>,
}

impl Browser {
    fn at(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_mins(1)))
            .proxy(None)
            .build();
        Self { client: config.into(), base: base.to_owned() }
    }

    fn send(&self, path: &str, fields: &[(&str, &str)]) -> Result<Told> {
        let request = self.client.post(format!("{}{path}", self.base)).header(OWN_PAGE.0, OWN_PAGE.1);
        let answer = request.send_form(fields.iter().copied()).with_context(|| format!("POST {path}"))?;
        let cookie = answer.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).map(ToOwned::to_owned);
        Ok(Told { status: answer.status().as_u16(), cookie })
    }

    fn sign_in(&self) -> Result<Told> {
        self.send("/sign-in", &[("login", LOGIN), ("password", PASSWORD), ("back", "/")])
    }

    fn page(&self, cookie: &str) -> Result<Duration> {
        let begun = Instant::now();
        let request = self.client.get(format!("{}/", self.base)).header("cookie", cookie).header("accept", "text/html");
        let mut answer = request.call().context("GET /")?;
        answer.body_mut().read_to_string().context("GET /")?;
        ensure!(answer.status() == 200, "GET /: status {}", answer.status());
        Ok(begun.elapsed())
    }
}

/// Prints how long pages took beside it, and what came of those who signed in.
pub fn measure() -> Result<()> {
    let hub = start(Options::default())?;
    let browser = Browser::at(hub.url());
    let link = fs::read_to_string(hub.data_dir().join("setup-link.txt"))
        .context("the link that makes the first administrator")?;
    let path = link.split_whitespace().find_map(|word| word.find("/setup/").map(|at| &word[at..])).context("a link")?;
    let fields = [("name", "陈刚"), ("login", LOGIN), ("password", PASSWORD), ("again", PASSWORD)];
    let made = browser.send(path, &fields)?;
    ensure!(made.status == 303, "the first administrator was not made: status {}", made.status);
    let cookie = browser.sign_in()?.cookie.context("a session")?;

    let mut alone = (0..50).map(|_| browser.page(&cookie)).collect::<Result<Vec<_>>>()?;
    let begun = Instant::now();
    let all: Vec<thread::JoinHandle<Result<(u16, Duration)>>> = (0..AT_ONCE)
        .map(|_| {
            let browser = Browser::at(hub.url());
            thread::spawn(move || {
                let begun = Instant::now();
                Ok((browser.sign_in()?.status, begun.elapsed()))
            })
        })
        .collect();
    let mut beside = Vec::new();
    while all.iter().any(|one| !one.is_finished()) {
        beside.push(browser.page(&cookie)?);
    }
    let took = begun.elapsed();
    let told = all.into_iter().map(|one| one.join().expect("a sign-in ends")).collect::<Result<Vec<_>>>()?;
    let (done, put_off): (Vec<_>, Vec<_>) = told.into_iter().partition(|(status, _)| *status == 303);
    let mut done: Vec<Duration> = done.into_iter().map(|(_, took)| took).collect();
    ensure!(!done.is_empty(), "nobody could sign in: {:?}", put_off.first());
    println!(
        "sign-ins: {AT_ONCE} at once in {:.1} s: {} signed in, {} were told to try again",
        took.as_secs_f64(),
        done.len(),
        put_off.len()
    );
    println!("{:<40}{:>10}{:>10}{:>10}", "", "p50 ms", "p99 ms", "worst ms");
    for (what, times) in
        [("a sign-in", &mut done), ("the home page alone", &mut alone), ("the home page beside them", &mut beside)]
    {
        times.sort();
        let at = |percent| percentile(times, percent);
        println!("{what:<40}{:>10.1}{:>10.1}{:>10.1}", at(50), at(99), at(100));
    }
    Ok(())
}

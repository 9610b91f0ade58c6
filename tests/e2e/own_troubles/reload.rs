//! A configuration that changes while the hub runs.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    hub::{Api, Hub, Options},
    wait,
};
use tokio::time::Instant;

use super::{PATIENCE, Player, SITE, found};

const CONFIG: &str =
    "[site.demo]\nname = \"湖滨壹号\"\n\n[site.demo.hours]\nzone = \"Asia/Shanghai\"\nopen = \"08:30-18:00\"\n";

#[test]
fn a_valid_change_takes_effect_and_a_mistake_does_not_and_says_where_without_dropping_a_connection() -> Result<()> {
    let mut hub = Hub::with(Options { config: Some(CONFIG.to_owned()), ..Options::default() })?;
    let path = hub.data_dir().join("hub.toml");
    let stream = ureq::get(format!("{}/events", hub.url())).call()?;
    let mut events = BufReader::new(stream.into_body().into_reader());
    let named = |hub: &Hub, name: &str, within: Duration| {
        wait::until(&format!("the site to be called {name}"), within, || {
            Ok(hub.api.get("/")?.body.contains(name).then_some(()))
        })
    };
    named(&hub, "湖滨壹号", PATIENCE)?;

    std::fs::write(&path, CONFIG.replace("湖滨壹号", "湖滨二号").replace("18:00", "25:00"))?;
    wait::until("the mistake to be found", PATIENCE, || {
        Ok(found(&hub.api)?.contains(&"config_invalid".to_owned()).then_some(()))
    })?;
    let findings = hub.api.json("/api/v1/findings")?.to_string();
    assert!(findings.contains("hub.toml:") && findings.contains("25:00"), "{findings}");
    assert!(hub.api.get("/")?.body.contains("湖滨壹号"), "nothing of it takes effect");

    std::fs::write(&path, CONFIG.replace("湖滨壹号", "湖滨三号"))?;
    hub.process().signal("HUP")?;
    named(&hub, "湖滨三号", Duration::from_secs(2))?;
    assert!(!found(&hub.api)?.contains(&"config_invalid".to_owned()));
    let heard = events.by_ref().lines().map_while(std::result::Result::ok).find(|line| line.contains("heartbeat"));
    heard.context("the open stream goes on")?;
    Ok(())
}

/// What stands in such files, and what must not.
const WORDS: [&str; 16] = [
    "=",
    "[",
    "]",
    "\n",
    "'",
    "\"\"\"",
    "{",
    "}",
    "-1",
    "1e400",
    "99999999999999999999",
    "true",
    "门",
    "\u{feff}",
    "for",
    "25:61",
];

/// The configuration and the standards of a hub, which a person edits in haste.
struct Files {
    config: PathBuf,
    standards: Vec<(PathBuf, String)>,
    random: fastrand::Rng,
}

impl Files {
    fn beside(config: PathBuf, standards: &Path) -> Result<Self> {
        Ok(Self { config, standards: copy_standards(standards)?, random: fastrand::Rng::with_seed(20) })
    }

    /// Writes all files, one of them damaged unless it is spared. Returns the name that they give the site, if all are TOML at all.
    fn write(&mut self, config: &str) -> Result<Option<String>> {
        let damaged = self.random.usize(..2 * self.standards.len());
        let spared = self.random.u8(..8) == 0;
        let config = if spared || damaged < self.standards.len() { config.to_owned() } else { self.damage(config) };
        let read = toml::from_str::<toml::Table>(&config).ok();
        let named = |config: toml::Table| Some(config.get("site")?.get(SITE)?.get("name")?.as_str()?.to_owned());
        let name = read.map(|config| named(config).unwrap_or_else(|| SITE.to_owned()));
        let mut others = true;
        replace(&self.config, &config)?;
        for number in 0..self.standards.len() {
            let (path, text) = self.standards[number].clone();
            let text = if spared || number != damaged { text } else { self.damage(&text) };
            others &= toml::from_str::<toml::Table>(&text).is_ok();
            if fs::read_to_string(&path)? != text {
                replace(&path, &text)?;
            }
        }
        Ok(name.filter(|_| others))
    }

    fn damage(&mut self, text: &str) -> String {
        let random = &mut self.random;
        let mut text: Vec<char> = text.chars().collect();
        for _ in 0..random.u8(1..4) {
            let at = random.usize(..=text.len());
            let end = (at + random.usize(..12)).min(text.len());
            match random.u8(..3) {
                0 => drop(text.drain(at..end)),
                1 => drop(text.splice(at..end, WORDS[random.usize(..WORDS.len())].chars())),
                _ => {
                    let part: Vec<char> = text[at..end].to_vec();
                    let to = random.usize(..=text.len());
                    drop(text.splice(to..to, part));
                }
            }
        }
        text.into_iter().collect()
    }
}

/// Copies the built-in standards into a folder. Returns the files with their texts.
pub(super) fn copy_standards(folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut copied = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../hub/standards"))? {
        let entry = entry?;
        let (path, text) = (folder.join(entry.file_name()), fs::read_to_string(entry.path())?);
        fs::write(&path, &text)?;
        copied.push((path, text));
    }
    copied.sort();
    Ok(copied)
}

/// Replaces a file at once, as editors do.
fn replace(path: &Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    Ok(fs::rename(new, path)?)
}

/// Whether a text names a place: `FILE.toml:LINE:COLUMN`.
fn names_a_place(text: &str) -> bool {
    text.match_indices(".toml:").any(|(at, found)| {
        let mut numbers = text[at + found.len()..].splitn(3, ':').take(2);
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        numbers.next().is_some_and(is_number) && numbers.next().is_some_and(is_number)
    })
}

fn name_of_the_site(api: &Api) -> Result<String> {
    let sites = api.all("/api/v1/sites")?;
    let site = sites.iter().find(|site| site["id"] == SITE).context("the site")?;
    Ok(site["name"].as_str().unwrap_or_default().to_owned())
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are what a person wants to see of it")]
fn of_a_thousand_damaged_files_none_takes_effect_each_says_where_and_nobody_is_disconnected() -> Result<()> {
    const ROUNDS: usize = 1000;
    /// What is promised for a reload.
    const RELOADED: Duration = Duration::from_millis(200);
    let folder = tempfile::tempdir()?;
    let config =
        |name: &str| format!("standards = \"{}\"\n\n{}", folder.path().display(), CONFIG.replace("湖滨壹号", name));
    let mut hub = Hub::with(Options { config: Some(CONFIG.to_owned()), ..Options::default() })?;
    let mut files = Files::beside(hub.data_dir().join("hub.toml"), folder.path())?;
    let mut agent = Player::born(&hub.mqtt_url(), "box")?;
    let stream = ureq::get(format!("{}/events", hub.url())).call()?;
    let mut events = BufReader::new(stream.into_body().into_reader());
    let mut in_effect = wait::until("the site", PATIENCE, || Ok(Some(name_of_the_site(&hub.api)?)))?;
    let (mut taken, mut times) = (0, Vec::with_capacity(ROUNDS));
    for round in 1..=ROUNDS {
        let name = format!("湖滨{round}号");
        let given = files.write(&config(&name))?;
        let begun = Instant::now();
        hub.process().signal("HUP")?;
        let mut count = 0;
        let said = hub.process().line("what became of the files", PATIENCE, |line| {
            let told = line.contains("the configuration was read again") || line.contains("configuration has mistakes");
            count += usize::from(told);
            (told && count == round).then(|| line.to_owned())
        })?;
        times.push(begun.elapsed());
        if said.contains("has mistakes") {
            ensure!(names_a_place(&said), "it is not said where: {said}");
        } else {
            in_effect = given.context("what is no TOML took effect")?;
            wait::until("the change to take effect", PATIENCE, || {
                Ok((name_of_the_site(&hub.api)? == in_effect).then_some(()))
            })?;
            taken += 1;
        }
        ensure!(name_of_the_site(&hub.api)? == in_effect, "nothing of a file with a mistake takes effect: {said}");
        if round % 100 == 0 {
            let seq = agent.report("ok")?;
            agent.acked_up_to(seq, PATIENCE)?;
        }
    }
    times.sort();
    let (p50, p99) = (times[ROUNDS / 2], times[ROUNDS * 99 / 100]);
    eprintln!("{taken} of {ROUNDS} files took effect; reading them took {p50:?} (p50), {p99:?} (p99)");
    ensure!(p50 <= RELOADED && (100..900).contains(&taken), "{taken} taken, {p50:?}");
    ensure!(hub.api.agent(SITE, "box")?["session"] == 1, "the agent is still in its first session");
    let heard = events.by_ref().lines().map_while(std::result::Result::ok).find(|line| line.contains("heartbeat"));
    heard.context("the open stream goes on")?;
    super::nothing_raised(&hub.api)
}

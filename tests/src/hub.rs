//! The hub as a process, and what it answers over HTTP.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::{process::Process, program, wait};

/// How long the hub may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a hub is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The broker it connects to; its own one if not given.
    pub mqtt_url: Option<String>,
    /// Its database; SQLite in its data directory if not given.
    pub database_url: Option<String>,
    /// The text of its configuration file, if it has one.
    pub config: Option<String>,
}

/// A running hub.
pub struct Hub {
    process: Process,
    data: TempDir,
    options: Options,
    http: SocketAddr,
    mqtt: Option<SocketAddr>,
    /// What it answers.
    pub api: Api,
}

impl Hub {
    /// A hub with its own broker and SQLite, in a fresh data directory.
    pub fn start() -> Result<Self> {
        Self::with(Options::default())
    }

    /// A hub as `options` say, in a fresh data directory.
    pub fn with(options: Options) -> Result<Self> {
        Self::on(tempfile::Builder::new().prefix("lobby-hub-").tempdir()?, options)
    }

    /// A hub as `options` say, in a data directory that is there.
    pub fn on(data: TempDir, options: Options) -> Result<Self> {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let (process, http, mqtt) = launch(data.path(), &options, loopback, loopback)?;
        Ok(Self { process, data, options, http, mqtt, api: Api::at(http) })
    }

    /// Starts it again after a stop or a kill: same data, same addresses.
    pub fn restart(&mut self) -> Result<()> {
        let mqtt = self.mqtt.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let (process, ..) = launch(self.data.path(), &self.options, self.http, mqtt)?;
        self.process = process;
        Ok(())
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it as a power cut does.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Asks it to stop, and waits.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.process.terminate(PATIENCE)
    }

    /// Where agents connect to: `mqtt://127.0.0.1:PORT`, of its own broker or of the one it uses.
    pub fn mqtt_url(&self) -> String {
        match (self.mqtt, &self.options.mqtt_url) {
            (Some(own), _) => format!("mqtt://{own}"),
            (None, url) => url.clone().unwrap_or_default(),
        }
    }

    /// Where its pages are: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.api.base
    }

    /// Its data directory.
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }
}

/// The command of `lobby-hub serve` in `data`.
pub fn command(data: &Path, options: &Options, http: SocketAddr, mqtt: SocketAddr) -> Result<Command> {
    let mut command = Command::new(program::own("lobby-hub")?);
    command.arg("serve").arg("--data-dir").arg(data).args(["--log-format", "json"]);
    command.arg("--listen-http").arg(http.to_string());
    match &options.mqtt_url {
        Some(url) => command.args(["--mqtt-url", url]),
        None => command.arg("--listen-mqtt").arg(mqtt.to_string()),
    };
    if let Some(url) = &options.database_url {
        command.args(["--database-url", url]);
    }
    if let Some(text) = &options.config {
        command.arg("--config").arg(config_file(data, text)?);
    }
    Ok(command)
}

fn config_file(data: &Path, text: &str) -> Result<PathBuf> {
    let path = data.join("hub.toml");
    std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}

fn launch(
    data: &Path,
    options: &Options,
    http: SocketAddr,
    mqtt: SocketAddr,
) -> Result<(Process, SocketAddr, Option<SocketAddr>)> {
    let mut process = Process::start("lobby-hub", &mut command(data, options, http, mqtt)?)?;
    let http = listening(&mut process, "http")?;
    let mqtt = if options.mqtt_url.is_none() { Some(listening(&mut process, "mqtt")?) } else { None };
    Ok((process, http, mqtt))
}

fn listening(process: &mut Process, what: &str) -> Result<SocketAddr> {
    let start = format!("{what} listening on ");
    process.line(&start, PATIENCE, |line| line.strip_prefix(&start)?.trim().parse().ok())
}

/// The hub's HTTP side.
#[derive(Clone)]
pub struct Api {
    base: String,
    client: ureq::Agent,
    token: Option<String>,
}

/// What came back for one request.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("status {}, not JSON: {}", self.status, self.body))
    }
}

impl Api {
    /// The HTTP side of a hub at `address`.
    pub fn at(address: SocketAddr) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)))
            .proxy(None)
            .build();
        Self { base: format!("http://{address}"), client: config.into(), token: None }
    }

    /// The same, asked by a program with a token: what `lobby-hub token create` printed.
    #[must_use]
    pub fn with_token(self, printed: &str) -> Self {
        Self { token: printed.lines().next_back().map(|token| format!("Bearer {token}")), ..self }
    }

    /// Gets `path` with the given headers.
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        let mut request = self.client.get(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", token);
        }
        answer(request.call().with_context(|| format!("GET {path}"))?)
    }

    /// Gets `path`.
    pub fn get(&self, path: &str) -> Result<Answer> {
        self.get_with(path, &[])
    }

    /// Gets one page of `path` as JSON; anything but status 200 is an error.
    pub fn json(&self, path: &str) -> Result<Value> {
        let answer = self.get(path)?;
        ensure!(answer.status == 200, "GET {path}: status {}: {}", answer.status, answer.body);
        answer.json()
    }

    /// Every item of a list, page by page.
    pub fn all(&self, path: &str) -> Result<Vec<Value>> {
        let join = if path.contains('?') { '&' } else { '?' };
        let mut items = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let page = match &next {
                None => self.json(path)?,
                Some(after) => self.json(&format!("{path}{join}after={after}"))?,
            };
            let found = page["items"].as_array().with_context(|| format!("GET {path}: no `items` in {page}"))?;
            items.extend(found.iter().cloned());
            let after = match &page["next"] {
                Value::Null => return Ok(items),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            ensure!(!found.is_empty(), "GET {path}: an empty page has a next one ({after})");
            ensure!(next.as_ref() != Some(&after), "GET {path}: the page after {after} is itself");
            next = Some(after);
        }
    }

    /// Posts JSON to `path`.
    pub fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        let request = self.client.post(format!("{}{path}", self.base));
        answer(request.send_json(body).with_context(|| format!("POST {path}"))?)
    }

    /// Deletes what is at `path`.
    pub fn delete(&self, path: &str) -> Result<Answer> {
        let request = self.client.delete(format!("{}{path}", self.base));
        answer(request.call().with_context(|| format!("DELETE {path}"))?)
    }

    /// The alerts of a site in a state (`open` or `all`).
    pub fn alerts(&self, site: &str, state: &str) -> Result<Vec<Value>> {
        self.all(&format!("/api/v1/alerts?site={site}&state={state}&limit=1000"))
    }

    /// The tickets of a site in a state (`open` or `all`).
    pub fn tickets(&self, site: &str, state: &str) -> Result<Vec<Value>> {
        self.all(&format!("/api/v1/tickets?site={site}&state={state}&limit=1000"))
    }

    /// Every record of a site.
    pub fn records(&self, site: &str) -> Result<Vec<Value>> {
        self.all(&format!("/api/v1/records?site={site}&limit=1000"))
    }

    /// Whether a record of `site` that was made in `from..to` (ms since 1970 UTC) is there.
    pub fn has_record(&self, site: &str, from: i64, to: i64) -> Result<bool> {
        let page = self.json(&format!("/api/v1/records?site={site}&from={from}&to={to}&limit=1"))?;
        Ok(page["items"].as_array().is_some_and(|items| !items.is_empty()))
    }

    /// The agent of a site, as the list of sites tells it.
    pub fn agent(&self, site: &str, id: &str) -> Result<Value> {
        let sites = self.all("/api/v1/sites")?;
        let agents = sites.iter().filter(|known| known["id"] == site).filter_map(|known| known["agents"].as_array());
        let found = agents.flatten().find(|agent| agent["id"] == id);
        found.cloned().with_context(|| format!("agent {id} of site {site} in {sites:?}"))
    }

    /// One device, with its state and facts.
    pub fn device(&self, site: &str, id: &str) -> Result<Value> {
        self.json(&format!("/api/v1/devices/{site}/{id}"))
    }

    /// Waits until `rule` has raised an alert for `device` that is open.
    pub fn open_alert(&self, site: &str, device: &str, rule: &str, within: Duration) -> Result<Value> {
        wait::until(&format!("an open alert {rule} of {device}"), within, || {
            Ok(self.alerts(site, "open")?.into_iter().find(|alert| alert["device"] == device && alert["rule"] == rule))
        })
    }

    /// Waits until the alert that `rule` raised for `device` has cleared.
    pub fn cleared_alert(&self, site: &str, device: &str, rule: &str, within: Duration) -> Result<Value> {
        wait::until(&format!("the alert {rule} of {device} to clear"), within, || {
            let alerts = self.alerts(site, "all")?;
            let mut of_rule = alerts.into_iter().filter(|alert| alert["device"] == device && alert["rule"] == rule);
            Ok(of_rule.find(|alert| alert["state"] == "cleared"))
        })
    }

    /// Waits until a device is in a state.
    pub fn device_state(&self, site: &str, id: &str, state: &str, within: Duration) -> Result<Value> {
        wait::until(&format!("{id} to be {state}"), within, || {
            Ok(Some(self.device(site, id)?).filter(|device| device["state"] == state))
        })
    }

    /// The metrics, as they are now.
    pub fn metrics(&self) -> Result<Metrics> {
        let answer = self.get("/metrics")?;
        ensure!(answer.status == 200, "GET /metrics: status {}", answer.status);
        Ok(Metrics(answer.body))
    }
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> Result<Answer> {
    let headers = response.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let headers = headers.collect();
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(64 * 1024 * 1024).read_to_string().context("read the body")?;
    Ok(Answer { status, headers, body })
}

/// The number of the ticket that an alert opened, such as `BX-202611-0002`.
pub fn ticket_of(alert: &Value) -> Result<&str> {
    alert["ticket"].as_str().with_context(|| format!("the alert opens a ticket: {alert}"))
}

/// Metrics in Prometheus' text format.
pub struct Metrics(pub String);

impl Metrics {
    /// The sum of all samples whose name and labels contain every one of `words`.
    pub fn sum(&self, words: &[&str]) -> f64 {
        let samples = self.0.lines().filter(|line| !line.starts_with('#'));
        let matching = samples.filter(|line| words.iter().all(|word| line.contains(word)));
        matching.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }
}

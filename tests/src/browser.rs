//! Chromium without a window, driven over its `DevTools` protocol.

use std::{fs, net::TcpStream, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

use crate::{process::Process, program, wait};

/// Where Debian and others put it.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const FLAGS: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--window-size=1280,900",
];

/// A browser with one page.
pub struct Browser {
    _process: Process,
    _profile: TempDir,
    socket: WebSocket<TcpStream>,
    calls: u64,
}

impl Browser {
    /// Starts one, if it is installed.
    pub fn start() -> Result<Option<Self>> {
        let found = NAMES.iter().find(|name| Command::new(name).arg("--version").output().is_ok());
        let Some(name) = found else { return program::skipped("chromium is not installed") };
        let profile = tempfile::tempdir()?;
        let mut command = Command::new(name);
        command.args(FLAGS).arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        let mut process = Process::start("chromium", &mut command)?;
        let address = process.line("where its DevTools are", Duration::from_mins(1), |line| {
            let rest = line.split_once("DevTools listening on ws://")?.1;
            rest.split('/').next().map(str::to_owned)
        })?;
        let socket = open_page(&address)?;
        let mut browser = Self { _process: process, _profile: profile, socket, calls: 0 };
        browser.call("Page.enable", &json!({}))?;
        Ok(Some(browser))
    }

    /// From now on its pages are seen on a phone, 360 pixels wide.
    pub fn become_phone(&mut self) -> Result<()> {
        let phone = json!({ "width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true });
        self.call("Emulation.setDeviceMetricsOverride", &phone).map(drop)
    }

    /// Opens `url` and waits until it has been read.
    pub fn open(&mut self, url: &str) -> Result<()> {
        self.call("Page.navigate", &json!({ "url": url }))?;
        let ready = format!("document.readyState == 'complete' && location.href.startsWith('{url}')");
        self.until("the page to be read", &ready, Duration::from_secs(30))
    }

    /// Presses what `selector` finds first, and waits until the page that it leads to has been read.
    pub fn press(&mut self, selector: &str) -> Result<()> {
        let pressed = format!("window.left = true, document.querySelector({selector:?}).click()");
        self.value(&pressed).with_context(|| format!("press {selector}"))?;
        let ready = "document.readyState == 'complete' && window.left === undefined";
        self.until("the next page to be read", ready, Duration::from_secs(30))
    }

    /// Chooses a photo of 2400 × 1200 for the field of that id, as a camera would: drawn by the browser itself.
    pub fn choose_photo(&mut self, id: &str) -> Result<()> {
        let choose = "(() => {
            const canvas = document.createElement('canvas');
            [canvas.width, canvas.height] = [2400, 1200];
            canvas.getContext('2d').fillRect(0, 0, 1200, 600);
            const bytes = Uint8Array.from(atob(canvas.toDataURL('image/jpeg').split(',')[1]), (c) => c.charCodeAt(0));
            const chosen = new DataTransfer();
            chosen.items.add(new File([bytes], '../../photo.jpg', { type: 'image/jpeg' }));
            document.getElementById('ID').files = chosen.files;
        })()";
        self.value(&choose.replace("ID", id)).map(drop)
    }

    /// The value of a JavaScript expression on the page.
    pub fn value(&mut self, expression: &str) -> Result<Value> {
        let answer = self.call("Runtime.evaluate", &json!({ "expression": expression, "returnByValue": true }))?;
        if let Some(wrong) = answer.get("exceptionDetails") {
            bail!("`{expression}` failed: {wrong}");
        }
        Ok(answer["result"]["value"].clone())
    }

    /// Waits until a JavaScript expression is true.
    pub fn until(&mut self, what: &str, expression: &str, within: Duration) -> Result<()> {
        wait::until(what, within, || Ok((self.value(expression)? == json!(true)).then_some(())))
    }

    /// The page as a PDF, on the paper that it asks for.
    pub fn pdf(&mut self) -> Result<Vec<u8>> {
        let answer = self.call("Page.printToPDF", &json!({ "preferCSSPageSize": true }))?;
        bytes(&answer)
    }

    /// A picture (PNG) of what `selector` finds first, each of the page's pixels as four.
    pub fn picture(&mut self, selector: &str) -> Result<Vec<u8>> {
        let place = "(({ x, y, width, height }) => ({ x: x + scrollX, y: y + scrollY, width, height, scale: 2 }))";
        let clip = self.value(&format!("{place}(document.querySelector({selector:?}).getBoundingClientRect())"))?;
        let wanted = json!({ "format": "png", "clip": clip, "captureBeyondViewport": true });
        let answer = self.call("Page.captureScreenshot", &wanted)?;
        bytes(&answer)
    }

    /// The text of the page, which on a phone is no wider than it.
    pub fn says_on_phone(&mut self) -> Result<String> {
        let width = self.value("document.documentElement.scrollWidth")?;
        ensure!(width.as_i64().is_some_and(|width| width <= 360), "{width} pixels wide");
        Ok(self.value("document.body.innerText")?.as_str().context("a text")?.to_owned())
    }

    /// Fails unless the page has all of these words, and on a phone is no wider than it.
    pub fn ensure_says_on_phone(&mut self, words: &[&str]) -> Result<()> {
        let said = self.says_on_phone()?;
        words.iter().try_for_each(|word| {
            ensure!(said.contains(word), "`{word}` is not in {said}");
            Ok(())
        })
    }

    /// Keeps a picture of the page in the folder that `LOBBY_PICTURES` names, if it is set: to look at what a test saw.
    pub fn keep(&mut self, name: &str) -> Result<()> {
        let Some(folder) = std::env::var_os("LOBBY_PICTURES") else { return Ok(()) };
        fs::create_dir_all(&folder)?;
        let path = PathBuf::from(folder).join(format!("{name}.png"));
        fs::write(&path, self.picture("html")?).with_context(|| format!("write {}", path.display()))
    }

    fn call(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.calls += 1;
        let call = json!({ "id": self.calls, "method": method, "params": params });
        self.socket.send(Message::text(call.to_string())).with_context(|| format!("ask the browser to {method}"))?;
        loop {
            let Message::Text(text) = self.socket.read().with_context(|| format!("the answer to {method}"))? else {
                continue;
            };
            let mut answer: Value = serde_json::from_str(&text)?;
            if answer["id"] != json!(self.calls) {
                continue;
            }
            if let Some(error) = answer.get("error") {
                bail!("the browser refuses {method}: {error}");
            }
            return Ok(answer["result"].take());
        }
    }
}

/// What the browser sends as text.
fn bytes(answer: &Value) -> Result<Vec<u8>> {
    let text = answer["data"].as_str().context("the browser sends data")?;
    BASE64_STANDARD.decode(text).context("the browser's data is base64")
}

/// Connects to the one page that the browser opened at its start.
fn open_page(address: &str) -> Result<WebSocket<TcpStream>> {
    let url = wait::until("the browser's page", Duration::from_secs(30), || {
        let mut answer = ureq::get(format!("http://{address}/json/list")).call()?;
        let pages: Value = serde_json::from_str(&answer.body_mut().read_to_string()?)?;
        let page = pages.as_array().and_then(|pages| pages.iter().find(|page| page["type"] == "page"));
        Ok(page.and_then(|page| page["webSocketDebuggerUrl"].as_str().map(str::to_owned)))
    })?;
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let (socket, _) = tungstenite::client(url, stream).context("connect to the browser's page")?;
    Ok(socket)
}

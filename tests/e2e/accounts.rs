//! People: from the link of the first start to an engineer who takes on a ticket on a phone.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    browser::Browser,
    hub::{Hub, Options, ticket_of},
    mqtt::Peer,
    program,
    reports::Script,
};

const PATIENCE: Duration = Duration::from_secs(40);
const SITE: &str = "demo";
const PASSWORD: &str = "nine lamps over the lobby";

/// What `lobby-hub user` prints, or says if it fails.
fn user(data: &Path, arguments: &[&str]) -> Result<String> {
    let output =
        Command::new(program::own("lobby-hub")?).arg("user").args(arguments).arg("--data-dir").arg(data).output()?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
    Ok(said(&output.stdout))
}

/// Somebody with a phone.
struct Phone<'a> {
    browser: &'a mut Browser,
    hub: &'a str,
}

impl Phone<'_> {
    fn fill(&mut self, fields: &[(&str, &str)]) -> Result<()> {
        for (id, value) in fields {
            self.browser.value(&format!("document.getElementById({id:?}).value = {value:?}"))?;
        }
        Ok(())
    }

    /// Goes on with the page's main button.
    fn go_on(&mut self) -> Result<()> {
        self.browser.press("main button.main")?;
        self.fits()
    }

    fn is_at(&mut self, path: &str) -> Result<()> {
        let place = self.browser.value("location.pathname")?;
        ensure!(place == path, "at {place}, not at {path}: {}", self.says()?);
        Ok(())
    }

    fn says(&mut self) -> Result<String> {
        Ok(self.browser.value("document.body.innerText")?.as_str().context("a text")?.to_owned())
    }

    /// Nothing reaches beyond the screen.
    fn fits(&mut self) -> Result<()> {
        let width = self.browser.value("document.documentElement.scrollWidth")?;
        ensure!(width.as_i64().is_some_and(|width| width <= 360), "{width} pixels wide: {}", self.says()?);
        Ok(())
    }

    fn sign_in(&mut self, login: &str) -> Result<()> {
        self.is_at("/sign-in")?;
        self.fill(&[("login", login), ("password", PASSWORD)])?;
        self.go_on()
    }

    fn open(&mut self, path: &str) -> Result<()> {
        let url = if path.starts_with('/') { format!("{}{path}", self.hub) } else { path.to_owned() };
        self.browser.open(&url)?;
        self.fits()
    }
}

#[test]
fn from_the_link_of_the_first_start_to_an_engineer_who_takes_on_a_ticket_on_a_phone() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    browser.become_phone()?;
    let hub = Hub::start()?;
    let mut script = Script::new(SITE, "lobby-box");
    let mut peer = Peer::connect(&hub.mqtt_url(), "lobby-box", &[])?;
    peer.publish(&script.topic("birth"), script.birth(&[("entrance-led", "led-display")]))?;
    peer.publish(&script.topic("data"), script.report("entrance-led", &[("power", "standby".into())]))?;
    let alert = hub.api.open_alert(SITE, "entrance-led", "display-dark", PATIENCE)?;
    let ticket = ticket_of(&alert)?;

    let file = hub.data_dir().join("setup-link.txt");
    ensure!(fs::metadata(&file)?.permissions().mode() & 0o777 == 0o600, "the link is this user's alone");
    let link = fs::read_to_string(&file)?.trim().to_owned();
    let mut phone = Phone { browser: &mut browser, hub: hub.url() };
    phone.open(&link)?;
    phone.fill(&[("name", "王敏"), ("login", "wang"), ("password", PASSWORD), ("again", PASSWORD)])?;
    phone.go_on()?;
    ensure!(!file.exists(), "the file goes with the link");
    ensure!(hub.api.get("/api/v1/tickets")?.status == 401, "this computer alone is no longer enough");
    phone.sign_in("wang")?;
    phone.is_at("/")?;

    phone.open("/people")?;
    phone.fill(&[("name", "陈刚"), ("login", "Chen.Gang"), ("role", "engineering"), ("site", SITE)])?;
    phone.go_on()?;
    let link = phone.browser.value("document.querySelector('code.once').textContent")?;
    let link = link.as_str().context("a link")?.to_owned();
    phone.browser.press("form[action='/sign-out'] button")?;
    phone.is_at("/sign-in")?;

    phone.open(&link)?;
    ensure!(phone.says()?.contains("陈刚"), "{}", phone.says()?);
    phone.fill(&[("password", PASSWORD), ("again", PASSWORD)])?;
    phone.go_on()?;
    phone.sign_in("chen.gang")?;
    phone.is_at("/engineering")?;
    phone.open(&format!("/t/{ticket}"))?;
    phone.browser.press("button[formaction$='/accept'], form[action$='/accept'] button")?;
    let said = phone.says()?;
    ensure!(said.contains("陈刚"), "taken on by who is signed in: {said}");
    phone.open("/people").expect("the page says that it is not theirs");
    ensure!(phone.browser.value("document.querySelector('.status').textContent")? == "403", "{}", phone.says()?);
    Ok(())
}

#[test]
fn people_are_entered_beside_a_running_hub_and_before_its_first_start() -> Result<()> {
    let data = tempfile::tempdir()?;
    let printed = user(data.path(), &["create", "--login", "boss", "--name", "王敏", "--role", "admin"])?;
    let link = printed.lines().next_back().context("a last line")?;
    ensure!(link.starts_with("http://127.0.0.1:8080/setup/"), "{printed}");
    let hub = Hub::on(data, Options::default())?;
    ensure!(!hub.data_dir().join("setup-link.txt").exists(), "somebody is entered already");
    ensure!(hub.api.get("/api/v1/tickets")?.status == 401);
    ensure!(hub.api.get("/readyz")?.status == 200, "how the hub does is told to everybody");
    let path = link.trim_start_matches("http://127.0.0.1:8080");
    ensure!(hub.api.get(path)?.status == 200);

    let taken = user(hub.data_dir(), &["create", "--login", "BOSS", "--role", "viewer"]).expect_err("it is taken");
    ensure!(taken.to_string().contains("somebody else signs in as `boss`"), "{taken}");
    user(hub.data_dir(), &["create", "--login", "li", "--role", "engineering", "--site", SITE])?;
    let listed = user(hub.data_dir(), &["list"])?;
    ensure!(listed.contains("boss  王敏  admin  all sites  has not chosen a password"), "{listed}");
    ensure!(listed.contains("li  li  engineering  demo  has not chosen a password"), "{listed}");
    user(hub.data_dir(), &["disable", "li"])?;
    ensure!(user(hub.data_dir(), &["list"])?.contains("li  li  engineering  demo  disabled"));
    let again = user(hub.data_dir(), &["link", "boss"])?;
    ensure!(hub.api.get(path)?.status == 410, "the new link took the place of the first");
    let path = again.lines().next_back().context("a last line")?.trim_start_matches("http://127.0.0.1:8080");
    ensure!(hub.api.get(path)?.status == 200);
    let nobody = user(hub.data_dir(), &["link", "nobody"]).expect_err("there is nobody").to_string();
    ensure!(nobody.contains("there is nobody called `nobody`") && nobody.contains("user list"), "{nobody}");
    Ok(())
}

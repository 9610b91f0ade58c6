//! Tokens of programs, made beside a running hub and before its first start.

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    hub::{Hub, Options},
    people::token,
};

fn last_line(printed: &str) -> Result<&str> {
    printed.lines().next_back().context("a last line")
}

fn status(hub: &Hub, path: &str, token: &str) -> Result<u16> {
    Ok(hub.api.get_with(path, &[("authorization", &format!("Bearer {token}"))])?.status)
}

#[test]
fn a_token_made_beside_a_running_hub_opens_what_its_role_may_until_it_is_revoked() -> Result<()> {
    let hub = Hub::start()?;
    let printed = token(hub.data_dir(), &["create", "--role", "viewer", "--site", "demo", "--name", "wall"])?;
    let made = last_line(&printed)?;
    ensure!(made.starts_with("lobby_") && made.len() == 49, "{printed}");
    ensure!(status(&hub, "/api/v1/tickets", made)? == 200);
    ensure!(status(&hub, "/api/v1/tickets?site=other", made)? == 404, "of another site");
    ensure!(status(&hub, "/api/v1/findings", made)? == 403, "it is for one site alone");
    let listed = token(hub.data_dir(), &["list"])?;
    ensure!(listed.contains("wall  viewer  demo  good  used ") && !listed.contains(made), "{listed}");
    let id = listed.split_whitespace().next().context("an id")?;
    token(hub.data_dir(), &["revoke", id])?;
    ensure!(status(&hub, "/api/v1/tickets", made)? == 401);
    let again = token(hub.data_dir(), &["revoke", id]).expect_err("it is revoked").to_string();
    ensure!(again.contains("there is no token") && again.contains("token list"), "{again}");
    Ok(())
}

#[test]
fn a_token_made_before_the_first_start_and_between_starts_is_good_after_it() -> Result<()> {
    let data = tempfile::tempdir()?;
    let before = token(data.path(), &["create", "--role", "engineering"])?;
    let mut hub = Hub::on(data, Options::default())?;
    ensure!(status(&hub, "/api/v1/findings", last_line(&before)?)? == 200);
    ensure!(hub.stop()?.success());
    let between = token(hub.data_dir(), &["create", "--role", "manager"])?;
    hub.restart()?;
    for printed in [&before, &between] {
        ensure!(status(&hub, "/api/v1/findings", last_line(printed)?)? == 200);
    }
    ensure!(hub.api.get("/api/v1/findings")?.status == 200, "without a token this computer may read as before");
    Ok(())
}

#[test]
fn a_mistake_is_told_and_nothing_is_made() -> Result<()> {
    let data = tempfile::tempdir()?;
    let folder = data.path().join("none");
    for (arguments, told) in [
        (&["create", "--role", "boss"][..], "there is no role `boss`"),
        (&["create"][..], "--role"),
        (&["create", "--role", "admin", "--site", "a b"][..], "--site"),
        (&["create", "--role", "admin", "--days", "0"][..], "--days"),
        (&["create", "--role", "admin", "--name", " "][..], "--name"),
    ] {
        let said = token(&folder, arguments).expect_err("a mistake").to_string();
        ensure!(said.contains(told), "{arguments:?}: {said}");
        ensure!(!folder.exists(), "{arguments:?} made a folder");
    }
    Ok(())
}

//! Photos of a round that are taken without a connection: they stay on the phone until the hub has them, and are there once.

use anyhow::{Result, ensure};
use lobby_tests::{
    browser::Browser,
    hub::Hub,
    people::{enter, fill, sign_in, speak},
    wait,
};
use rstest::rstest;
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use tokio::runtime::Runtime;

use super::rounds::{Language, PATIENCE, PATROL, SITE, choose, says, with_rounds};

/// No request reaches the hub any more, until another page is opened.
const CUT: &str =
    "(() => { window.whole = window.fetch; window.fetch = () => Promise.reject(new TypeError('no connection')); })()";
/// Each request reaches the hub, and no answer comes back.
const DEAF: &str =
    "window.fetch = (...asked) => window.whole(...asked).then(() => Promise.reject(new TypeError('no answer'))); 0";
/// Counts what waits on the phone, into `window.waiting`.
const COUNT: &str = "(() => { window.waiting = undefined; const opened = indexedDB.open('kept', 1); \
    opened.onsuccess = () => { const all = opened.result.transaction('photos').objectStore('photos').getAll(); \
    all.onsuccess = () => { window.waiting = all.result; opened.result.close(); }; }; })()";

/// How many photos wait on the phone, and the largest number of bytes that one of them has.
fn waiting(browser: &mut Browser) -> Result<(i64, i64)> {
    browser.value(COUNT)?;
    browser.until("what waits to be read", "window.waiting !== undefined", PATIENCE)?;
    let count = browser.value("window.waiting.length")?.as_i64().unwrap_or(-1);
    let largest = browser.value("Math.max(0, ...window.waiting.map((photo) => photo.file.size))")?;
    Ok((count, largest.as_i64().unwrap_or(-1)))
}

/// How many photos of rounds, photos of tickets, and tickets are in the hub's database.
fn stored(runtime: &Runtime, hub: &Hub) -> Result<(i64, i64, i64)> {
    runtime.block_on(async {
        let file = hub.data_dir().join("lobby.db");
        let mut connection = SqliteConnectOptions::new().filename(file).read_only(true).connect().await?;
        let counts = "SELECT (SELECT COUNT(*) FROM photo WHERE round IS NOT NULL),
            (SELECT COUNT(*) FROM photo WHERE ticket IS NOT NULL), (SELECT COUNT(*) FROM ticket)";
        let found = sqlx::query_as(counts).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(found)
    })
}

#[rstest]
fn a_photo_without_a_connection_waits_on_the_phone_and_is_stored_once(
    #[values("zh", "en")] language: &'static str,
) -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    browser.become_phone()?;
    let (words, folder) = (Language(language), tempfile::tempdir()?);
    let devices = [("covers-1", "shoe-cover-machine")];
    let facts = [("covers_left", 83.0.into()), ("covers_dispensed", 417.0.into()), ("jam", false.into())];
    let (hub, _peer, pages) = with_rounds(folder.path(), (PATROL, &[20]), &devices, &facts)?;
    let (page, runtime) = (&pages[0], Runtime::new()?);
    enter(&mut browser, &hub, "sun", "waterbar", SITE)?;
    speak(&mut browser, &hub, language)?;
    sign_in(&mut browser, &hub, "sun", page)?;

    choose(&mut browser, &["fail.floor"])?;
    fill(&mut browser, &[("note.floor", words.say("门口有积水", "Water at the door"))])?;
    browser.choose_photo("photo.floor")?;
    browser.value(CUT)?;
    browser.value("document.querySelector('form.keeps button.main').click()")?;
    browser.until("the phone to keep it", "document.querySelectorAll('.kept').length === 2", PATIENCE)?;
    let kept = says(&mut browser, &format!("photo-kept-{language}"))?;
    ensure!(kept.contains(words.say("照片待发送：1", "Photos that wait to be sent: 1")), "{kept}");
    let (count, bytes) = waiting(&mut browser)?;
    ensure!(count == 1 && (1..200_000).contains(&bytes), "{count} photos of {bytes} bytes wait");
    ensure!(stored(&runtime, &hub)? == (0, 0, 0), "the hub has nothing");

    // The connection is back for what is sent alone: the hub has the photo, and the phone does not know.
    browser.value(DEAF)?;
    browser.value("window.dispatchEvent(new Event('online'))")?;
    wait::until("the photo to arrive", PATIENCE, || Ok((stored(&runtime, &hub)? == (1, 0, 0)).then_some(())))?;
    ensure!(waiting(&mut browser)?.0 == 1, "what is not acknowledged stays on the phone");

    browser.open(page)?;
    browser.until("what was kept to be sent", "document.body.innerText.includes('2/2')", PATIENCE)?;
    let sent = says(&mut browser, &format!("photo-sent-{language}"))?;
    ensure!(sent.contains(words.say("已完成", "Done")), "the form is sent after its photo: {sent}");
    let found = stored(&runtime, &hub)?;
    ensure!(found == (1, 1, 1), "the photo is there once, and once on the only ticket of the wet floor: {found:?}");
    ensure!(waiting(&mut browser)?.0 == 0, "nothing waits any more");
    ensure!(browser.value("localStorage.length")? == 0, "nothing is kept any more");
    Ok(())
}

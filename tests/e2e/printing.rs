//! What is printed: a repair form is one page on the right paper whatever its texts are, and QR codes lead where they should.

use std::{collections::BTreeSet, io::Cursor, time::Duration};

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    browser::Browser,
    hub::{Hub, Options, ticket_of},
    mqtt::Peer,
    reports::Script,
};
use rstest::rstest;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(40);
const SITE: &str = "demo";
const BASE: &str = "https://lobby.example.com";
/// `rqrr` counts levels as the code itself does: this is Q.
const LEVEL_Q: u16 = 3;

/// Width and height in points.
const A4: (f64, f64) = (595.0, 842.0);
const A5: (f64, f64) = (420.0, 595.0);

/// A hub with a dark display whose name and place are `name`, and the number of its ticket.
fn in_trouble(name: &str) -> Result<(Hub, String)> {
    let config = Some(format!("[http]\npublic_url = '{BASE}/'"));
    let hub = Hub::with(Options { config, ..Options::default() })?;
    let mut script = Script::new(SITE, "lobby-box");
    let mut peer = Peer::connect(&hub.mqtt_url(), "lobby-box", &[])?;
    let devices = [("entrance-led", "led-display"), ("covers-1", "shoe-cover-machine"), ("laptop-1", "laptop")];
    let mut birth: Value = serde_json::from_slice(&script.birth(&devices))?;
    birth["devices"][0]["name"] = json!(name);
    birth["devices"][0]["place"] = json!(name);
    peer.publish(&script.topic("birth"), birth.to_string().into_bytes())?;
    let dark = script.report("entrance-led", &[("power", "standby".into()), ("signal", "ok".into())]);
    peer.publish(&script.topic("data"), dark)?;
    let alert = hub.api.open_alert(SITE, "entrance-led", "display-dark", PATIENCE)?;
    let ticket = ticket_of(&alert)?.to_owned();
    Ok((hub, ticket))
}

/// Moves a ticket, with all that a person may say about it.
fn act(hub: &Hub, ticket: &str, action: &str, words: &str) -> Result<()> {
    let version = hub.api.json(&format!("/api/v1/tickets/{ticket}"))?["version"].clone();
    let mut deed = json!({ "version": version, "by": words.chars().take(60).collect::<String>(), "note": words });
    if action == "start" {
        deed["unscanned"] = "other".into();
    }
    let answer = hub.api.post(&format!("/api/v1/tickets/{ticket}/{action}"), &deed)?;
    ensure!(answer.status == 200, "{action}: {}", answer.body);
    Ok(())
}

/// The size of each page of a PDF, in points.
fn pages(pdf: &[u8]) -> Vec<(f64, f64)> {
    let text = String::from_utf8_lossy(pdf);
    let pages = text.split("/Type /Page\n").skip(1).filter_map(|page| page.split("endobj").next());
    let size = |page: &str| {
        let numbers = page.split_once("/MediaBox [")?.1.split_once(']')?.0;
        let mut numbers = numbers.split_whitespace().map(str::parse::<f64>);
        let [_, _, Some(Ok(width)), Some(Ok(height))] = [(); 4].map(|()| numbers.next()) else { return None };
        Some((width, height))
    };
    pages.map(|page| size(page).unwrap_or_default()).collect()
}

/// The texts of the QR codes in a picture.
fn codes(picture: &[u8]) -> Result<Vec<String>> {
    let mut decoder = png::Decoder::new(Cursor::new(picture));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().context("a picture of this size")?];
    let info = reader.next_frame(&mut pixels)?;
    let (width, samples) = (usize::try_from(info.width)?, info.color_type.samples());
    let grey = |x: usize, y: usize| pixels[(y * width + x) * samples];
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, usize::try_from(info.height)?, grey);
    let read = image.detect_grids().into_iter().map(|grid| {
        let (meta, text) = grid.decode()?;
        ensure!(meta.ecc_level == LEVEL_Q, "a code of level {}", meta.ecc_level);
        Ok(text)
    });
    read.collect()
}

/// Whatever would not be seen on paper: boxes that hold more than they show.
const HIDDEN: &str = "[...document.querySelectorAll('.sheet, .block, .stack, .sheet dd:not(.lines), .sheet span, .labels li, .labels p')]
    .filter(box => box.scrollHeight > box.clientHeight + 2 && box.clientHeight > 0 || box.scrollWidth > box.clientWidth + 2 && box.clientWidth > 0)
    .map(box => box.className + ' ' + box.innerText.slice(0, 40))";

/// Makes a form as full as one can be: every text has all of its lines, and there is everything that there may be.
const FULLEST: &str = r#"(() => {
    const proof = document.querySelector('.proof');
    proof.after(proof.cloneNode(true));
    proof.parentNode.insertAdjacentHTML('beforeend', '<dd class="seen">3</dd>');
    const fault = document.querySelector('.sheet .c12 dd');
    fault.insertAdjacentHTML('beforeend', '<span class="l3"></span>');
    for (const lines of [2, 3, 4])
        for (const box of document.querySelectorAll('.l' + lines)) box.textContent = Array(lines).fill('LED 屏').join('\n');
    return document.querySelectorAll('.l2, .l3, .l4').length;
})()"#;

#[rstest]
#[case::short_chinese("zh", "一号屏", "接口松动", 1)]
#[case::short_english("en", "Display 1", "The plug was loose", 1)]
#[case::long_chinese("zh", "屏幕左上角先闪烁，再整屏变黑；", "先闪烁再整屏变黑，随后又亮起；", 20)]
#[case::long_english("en", "A display with a very WIDE name ", "It WOBBLES and flickers, then goes dark again. ", 20)]
fn a_repair_form_is_one_page_of_the_paper_it_asks_for_whatever_its_texts_are(
    #[case] lang: &str,
    #[case] name: &str,
    #[case] words: &str,
    #[case] times: usize,
) -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    let (hub, ticket) = in_trouble(&name.repeat(times))?;
    for action in ["start", "finish"] {
        act(&hub, &ticket, action, &words.repeat(times))?;
    }
    let form = format!("{}/t/{ticket}/print", hub.url());
    browser.open(&form)?;
    browser.value(&format!("document.cookie = 'lang={lang}; path=/'"))?;
    for (query, count, paper) in
        [("", 1, A4), ("?copies=3", 3, A4), ("?paper=a5", 1, A5), ("?paper=a5&copies=3", 3, A5)]
    {
        browser.open(&format!("{form}{query}"))?;
        assert_eq!(browser.value("document.documentElement.lang.slice(0, 2)")?, lang);
        let sizes = pages(&browser.pdf()?);
        assert_eq!(sizes.len(), count, "{query}: {sizes:?}");
        for (width, height) in sizes {
            let is_near = (width - paper.0).abs() < 1.0 && (height - paper.1).abs() < 1.0;
            assert!(is_near, "{query}: a page of {width} by {height} points");
        }
        assert_eq!(browser.value(HIDDEN)?, json!([]), "{query}: no box holds more than it shows");
        let text = browser.value("document.querySelector('footer').innerText")?.to_string();
        let says_so = text.contains("省略号") || text.contains("shortened");
        assert_eq!(says_so, times > 1, "{query}: {text}");
        assert!(browser.value(FULLEST)?.as_i64() >= Some(5), "{query}: there is something to be filled");
        assert_eq!(browser.value(HIDDEN)?, json!([]), "{query}: the fullest form holds no more than it shows");
    }
    Ok(())
}

#[test]
fn the_codes_of_forms_and_labels_lead_to_the_ticket_and_to_each_device() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    let (hub, ticket) = in_trouble("一号屏")?;
    for paper in ["a4", "a5"] {
        browser.open(&format!("{}/t/{ticket}/print?paper={paper}", hub.url()))?;
        let read = codes(&browser.picture(".sheet")?)?;
        assert_eq!(read, [format!("{BASE}/t/{ticket}")], "{paper}");
    }
    browser.open(&format!("{}/labels?site={SITE}", hub.url()))?;
    let read: BTreeSet<String> = codes(&browser.picture(".sheet")?)?.into_iter().collect();
    assert_eq!(read.len(), 3, "{read:?}");
    assert_eq!(pages(&browser.pdf()?).len(), 1);
    assert_eq!(browser.value(HIDDEN)?, json!([]), "no label holds more than it shows");
    let millimetres = "document.querySelector('svg.qr path').getBoundingClientRect().width / 96 * 25.4";
    let width = browser.value(millimetres)?.as_f64().context("the width of a code")?;
    assert!((25.0..=30.0).contains(&width), "a code of {width} mm");
    // Each leads to a page, and each to another one.
    let mut led_to = BTreeSet::new();
    for address in &read {
        let path = address.strip_prefix(BASE).with_context(|| format!("{address} is ours"))?;
        let page = hub.api.get(path)?;
        assert_eq!(page.status, 200, "{path}");
        led_to.insert(
            page.body.split_once("id=\"name\">").context("a device's page")?.1.split('<').next().map(str::to_owned),
        );
    }
    assert_eq!(led_to.len(), 3, "{led_to:?}");

    browser.open(&format!("{}/labels?site={SITE}&device=entrance-led", hub.url()))?;
    let one = codes(&browser.picture(".sheet")?)?;
    let [address] = one.as_slice() else { anyhow::bail!("one label: {one:?}") };
    assert!(hub.api.get(address.strip_prefix(BASE).unwrap_or_default())?.body.contains("一号屏"));
    Ok(())
}

//! Every page in every situation and both languages, and what holds for all of them.

use std::fs;

use lobby_dashboards::{EN, Lang, STYLES, State, ZH};
use rstest::rstest;

#[path = "../samples/samples.rs"]
mod samples;

fn both() -> impl Iterator<Item = (String, samples::Sample)> {
    [Lang::Zh, Lang::En]
        .into_iter()
        .flat_map(|lang| samples::all(lang).into_iter().map(move |s| (format!("{}-{}", s.name, lang.name()), s)))
}

/// Whether nobody is signed in there yet.
fn is_bare(name: &str) -> bool {
    name.starts_with("sign-in") || name.starts_with("setup") || name.starts_with("guest")
}

/// Every printed document.
fn sheets() -> impl Iterator<Item = (String, String)> {
    let named = |lang: Lang| {
        samples::sheets(lang).into_iter().map(move |(name, page)| (format!("{name}-{}", lang.name()), page))
    };
    [Lang::Zh, Lang::En].into_iter().flat_map(named)
}

fn text_of(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text
}

#[test]
fn every_page_reads_as_it_did() {
    for (name, sample) in both() {
        insta::assert_snapshot!(name, sample.main);
    }
}

#[rstest]
#[case(Lang::Zh)]
#[case(Lang::En)]
fn the_frame_around_the_pages_reads_as_it_did(#[case] lang: Lang) {
    let sample = samples::all(lang).into_iter().find(|sample| sample.name == "overview-abnormal").unwrap();
    let (head, rest) = sample.page.split_once("<main").unwrap();
    let head = head.replace(lobby_dashboards::VERSION, "VERSION");
    insta::assert_snapshot!(
        format!("frame-{}", lang.name()),
        format!("{head}<main>…{}", rest.split_once("</main>").unwrap().1)
    );
}

#[test]
fn no_page_breaks_a_strict_content_security_policy() {
    for (name, sample) in both() {
        let page = sample.page.as_str();
        for banned in
            [" style=", "<style", " onclick", " onload", "javascript:", "http://", "https://", "src=\"//", "href=\"//"]
        {
            assert!(!page.contains(banned), "{name} contains {banned}");
        }
        let scripts = usize::from(!name.starts_with("error") && !is_bare(&name));
        assert_eq!(page.matches("<script").count(), scripts, "{name}: only the module, and none on an error page");
    }
}

/// A printed document with its QR codes, which are long, as the number of their characters.
fn without_codes(page: &str) -> String {
    let mut text = String::new();
    for (index, part) in page.split("<path d=\"M4 4h7v1h-7z").enumerate() {
        let rest = if index == 0 { part } else { part.trim_start_matches(|c| c != '"') };
        text += if index == 0 { "" } else { "<path d=\"…" };
        text += rest;
    }
    text
}

#[test]
fn every_printed_document_reads_as_it_did() {
    for (name, page) in sheets() {
        let page = without_codes(&page).replace(lobby_dashboards::VERSION, "VERSION");
        insta::assert_snapshot!(name, page);
    }
}

#[test]
fn a_printed_document_runs_nothing_loads_nothing_from_elsewhere_and_keeps_names_as_text() {
    for (name, page) in sheets() {
        for banned in [
            " style=",
            "<style",
            "<script",
            " onclick",
            " onload",
            "javascript:",
            "<b>\"",
            "src=",
            "href=\"http",
            "href=\"//",
        ] {
            assert!(!page.contains(banned), "{name} contains {banned}");
        }
    }
}

#[test]
fn a_form_is_one_sheet_for_each_copy_and_says_when_a_text_was_too_long() {
    for (name, page) in sheets().filter(|(name, _)| name.starts_with("form") && !name.contains("hostile")) {
        let copies = if name.contains("long") || name.contains("closed") { 3 } else { 1 };
        assert_eq!(page.matches("<article class=\"sheet ").count(), copies, "{name}");
        let texts = if name.ends_with("zh") { &ZH } else { &EN };
        assert_eq!(page.contains(texts.form_cut), name.contains("long"), "{name}");
        assert!(page.len() < 160 * 1024, "{name}: {} bytes", page.len());
    }
}

#[test]
fn a_printed_document_closes_its_elements_and_an_english_one_holds_no_chinese() {
    for (name, page) in sheets() {
        assert_closed(&name, &page);
        if name.ends_with("-en") {
            assert_eq!(chinese(&page), None, "{name}");
        }
    }
}

#[test]
fn a_hostile_name_stays_text() {
    for lang in [Lang::Zh, Lang::En] {
        let page = samples::all(lang).into_iter().find(|sample| sample.name == "hostile").unwrap().page;
        assert!(!page.contains("<script>alert") && !page.contains("<b>"), "{page}");
        assert!(page.contains("%3Fa%3D1%26b%3D%22%3E%3Cscript%3E"), "the way back is encoded: {page}");
    }
}

#[test]
fn every_page_has_landmarks_one_first_heading_and_unique_ids() {
    for (name, sample) in both() {
        let page = sample.page.as_str();
        for part in ["<main id=\"main\"", "<header class=\"head\"", "<html lang="] {
            assert_eq!(page.matches(part).count(), 1, "{name}: {part}");
        }
        let ways = page.matches("<nav class=\"nav\" aria-label=").count();
        assert_eq!(ways, usize::from(!is_bare(&name)), "{name}: before signing in no way leads anywhere");
        assert_eq!(page.matches("<h1").count(), 1, "{name}: one first heading");
        let mut ids: Vec<_> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{name}: an id stands twice");
        for reference in page.split("aria-labelledby=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(ids.binary_search(&reference).is_ok(), "{name}: no element `{reference}`");
        }
    }
}

fn assert_closed(name: &str, page: &str) {
    for tag in [
        "div", "section", "p", "ul", "ol", "li", "dl", "dt", "dd", "span", "a", "article", "form", "button", "table",
        "details", "figure", "time", "header", "nav", "svg", "strong",
    ] {
        let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{name}: <{tag}>");
    }
}

#[test]
fn every_opened_element_is_closed() {
    for (name, sample) in both() {
        assert_closed(&name, &sample.page);
    }
}

#[test]
fn what_is_refreshed_in_place_is_what_the_page_shows() {
    for (name, sample) in both() {
        let inner = sample.main.strip_prefix("<main>").unwrap().split_once("</main>").unwrap();
        assert!(sample.page.contains(inner.0.trim()) && sample.page.contains(inner.1), "{name}");
    }
}

#[test]
fn every_tile_tells_the_age_of_its_data_and_no_data_is_never_green() {
    for (name, sample) in both() {
        let tiles = sample.main.split("<article class=\"card tile").skip(1);
        for tile in tiles {
            assert!(tile.contains("<p class=\"age\">"), "{name}");
        }
        if name.contains("unknown") || name.contains("blind") || name.contains("empty") && !name.starts_with("alerts") {
            assert!(!sample.main.contains("verdict normal"), "{name} claims that all is well");
            assert!(!sample.main.contains("tile normal"), "{name} claims that all is well");
        }
    }
}

#[test]
fn every_state_has_its_word_shape_and_colour_beside_it() {
    for (name, sample) in both() {
        for pill in sample.main.split("<span class=\"state ").skip(1) {
            let (class, rest) = pill.split_once('"').unwrap();
            let inside = rest.split_once("</span>").unwrap().0;
            assert!(inside.contains(&format!("<svg class=\"shape {class}\"")), "{name}: {inside}");
            assert!(!text_of(&format!("<{inside}")).trim().is_empty(), "{name}: no word in {inside}");
        }
    }
    for state in State::ALL {
        let class = format!("{state:?}").to_lowercase();
        assert!(STYLES.contains(&format!(".{class} {{ --state")), "{class} has no colour");
        assert!(!state.word(&ZH).is_empty() && !state.word(&EN).is_empty());
    }
}

/// The first Chinese character of a page besides the language switch.
fn chinese(page: &str) -> Option<char> {
    let page = page.replace("中文", "");
    page.chars().find(|c| ('\u{3000}'..='\u{9fff}').contains(c) || ('\u{ff00}'..='\u{ffef}').contains(c))
}

#[test]
fn an_english_page_holds_no_chinese_but_the_language_switch() {
    for (name, sample) in both().filter(|(name, _)| name.ends_with("-en") && !name.starts_with("hostile")) {
        assert_eq!(chinese(&sample.page), None, "{name}");
    }
}

#[test]
fn a_page_of_the_sample_centre_stays_light() {
    for (name, sample) in both() {
        assert!(sample.page.len() < 48 * 1024, "{name}: {} bytes", sample.page.len());
    }
}

/// What is left of a template without its tags, expressions and comments.
fn literals(template: &str) -> String {
    let mut text = template.to_owned();
    for (open, close) in [("{#", "#}"), ("{%", "%}"), ("{{", "}}")] {
        while let Some(start) = text.find(open) {
            let end = text[start..].find(close).map_or(text.len(), |end| start + end + close.len());
            text.replace_range(start..end, "");
        }
    }
    let attributes: String = ["aria-label=\"", "title=\"", "alt=\"", "placeholder=\""]
        .iter()
        .flat_map(|name| text.split(name).skip(1).map(|rest| rest.split('"').next().unwrap_or("")).collect::<Vec<_>>())
        .collect();
    text_of(&text) + &attributes
}

#[test]
fn no_template_holds_words_of_its_own() {
    let mut seen = 0;
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/templates")).unwrap() {
        let path = file.unwrap().path();
        let literals = literals(&fs::read_to_string(&path).unwrap());
        let word: String = literals.chars().filter(|c| c.is_alphabetic()).collect();
        assert_eq!(word, "", "{} holds words", path.display());
        seen += 1;
    }
    assert!(seen >= 12, "only {seen} templates were looked at");
}

#[test]
fn the_search_for_words_finds_them() {
    assert_eq!(
        literals("<p title=\"x\">{{ a }}正常{% if b %} on{% endif %}</p>").split_whitespace().collect::<String>(),
        "正常onx"
    );
}

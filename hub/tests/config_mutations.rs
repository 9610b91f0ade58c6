//! The hub's configuration, damaged in every way: a mistake is said with its place, and never costs more than the start.

use lobby_hub::config::{Config, File, Overrides};

const WHOLE: &str = "\
data_dir = '/var/lib/lobby-hub'
database_url = 'postgres://lobby@db/lobby'
zone = 'Asia/Shanghai'
[http]
listen = '127.0.0.1:8080'
[mqtt]
broker = 'embedded'
listen = ['127.0.0.1:1883']
handshake = '5s'
[site.east-gate]
name = '东门案场'
[site.east-gate.hours]
zone = 'Asia/Shanghai'
ready_by = '08:20'
open = '08:30-18:00'
weekly = { sun = 'closed' }
exceptions = { '2026-10-01' = 'closed' }
";
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
    "[mqtt]\nhost = 'broker'\n",
    "25:61",
];

/// Reads the text as the hub does at its start; whether it was taken.
fn read(text: &str) -> bool {
    let Err(error) = File::parse(text, "hub.toml").and_then(|file| Config::new(file, Overrides::default())) else {
        return true;
    };
    let told = format!("{error:#}");
    assert!(!told.is_empty());
    for told in told.lines() {
        let mut place = told.strip_prefix("hub.toml:").expect("it names the file").splitn(3, ':');
        let (line, column) = (place.next().and_then(number), place.next().and_then(number));
        assert!(line.is_some_and(|line| line >= 1) && column.is_some_and(|column| column >= 1), "{told}");
        assert!(line.unwrap_or(0) <= text.matches('\n').count() + 1, "the line is in the file: {told}");
    }
    false
}

fn number(text: &str) -> Option<usize> {
    text.parse().ok()
}

#[test]
fn a_damaged_configuration_is_refused_with_its_place_or_taken_whole() {
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut dice = move |sides: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % sides as u64).expect("less than `sides`")
    };
    assert!(read(WHOLE), "what is not damaged is taken");
    let mut refused = 0;
    for _ in 0..2_000 {
        let mut text: Vec<char> = WHOLE.chars().collect();
        for _ in 0..=dice(4) {
            let at = dice(text.len() + 1);
            let end = (at + dice(12)).min(text.len());
            match dice(3) {
                0 => drop(text.drain(at..end)),
                1 => drop(text.splice(at..end, WORDS[dice(WORDS.len())].chars())),
                _ => {
                    let part: Vec<char> = text[at..end].to_vec();
                    let to = dice(text.len() + 1);
                    drop(text.splice(to..to, part));
                }
            }
        }
        refused += usize::from(!read(&text.into_iter().collect::<String>()));
    }
    assert!(refused > 1_000, "only {refused} of 2000 damaged files were refused");
}

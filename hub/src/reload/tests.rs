use std::collections::BTreeMap;

use lobby_domain::{pack::BUILT_IN, time::Timestamp};
use tempfile::TempDir;

use super::*;
use crate::clock::TokioClock;

const CONFIG: &str = "standards = \"FOLDER\"\nzone = \"Asia/Shanghai\"\n\n[http]\nlisten = \"127.0.0.1:0\"\n\n[site.hz-01]\nname = \
                      \"湖滨壹号\"\n\n[site.hz-01.hours]\nzone = \"Asia/Shanghai\"\nopen = \"08:30-18:00\"\nweekly = { sun = \
                      \"closed\" }\n";

struct Files {
    folder: TempDir,
    reloader: Reloader,
    setups: mpsc::Receiver<Setup>,
    findings: Arc<Findings>,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let standards = folder.path().join("standards");
        fs::create_dir(&standards).unwrap();
        for (name, text) in BUILT_IN {
            fs::write(standards.join(name), text).unwrap();
        }
        let path = folder.path().join("hub.toml");
        fs::write(&path, CONFIG.replace("FOLDER", &standards.display().to_string())).unwrap();
        let running = Config::read(&path, Overrides::default()).unwrap();
        let (sender, setups) = mpsc::channel(1);
        let findings = Arc::<Findings>::default();
        let clock = Arc::new(TokioClock::starting_at(Timestamp::from_millis(0)));
        let reloader =
            Reloader::of(&running, sender, watch::channel(running.notify.clone()).0, Arc::clone(&findings), clock)
                .unwrap();
        Self { folder, reloader, setups, findings }
    }

    /// The name and the text of every file, by path.
    fn texts(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let paths = self.reloader.look().into_iter().map(|(path, ..)| path);
        paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    fn found(&self) -> Vec<String> {
        self.findings.all().into_iter().map(|finding| finding.english()).collect()
    }
}

/// Whether a text names a place: `FILE:LINE:COLUMN: …`.
fn names_a_place(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').map(str::trim).collect();
    parts.windows(3).any(|part| {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        std::path::Path::new(part[0]).extension().is_some_and(|extension| extension == "toml")
            && is_number(part[1])
            && is_number(part[2])
    })
}

/// Something that happens to a file when a person edits it in haste.
fn mutated(text: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = text.to_vec();
    let at = random.below(bytes.len());
    match random.below(7) {
        0 => bytes.truncate(at),
        1 => drop(bytes.remove(at)),
        2 => bytes.insert(at, b"\"[]={}x9\n"[random.below(9)]),
        3 => bytes[at] = b"\"[]={}x9\n\xff"[random.below(10)],
        4 => {
            let end = (at + 1 + random.below(30)).min(bytes.len());
            bytes.drain(at..end);
        }
        5 => {
            let end = (at + 1 + random.below(60)).min(bytes.len());
            let part = bytes[at..end].to_vec();
            bytes.splice(at..at, part);
        }
        _ => {
            // A word becomes another word.
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2).collect();
            let (from, to) = (words[random.below(words.len())], words[random.below(words.len())]);
            bytes = text.replacen(from, to, 1).into_bytes();
        }
    }
    bytes
}

/// The same numbers at every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

#[tokio::test]
async fn of_a_thousand_mutated_files_none_that_is_invalid_takes_effect_and_each_complaint_names_a_place() {
    let mut files = Files::new();
    let good = files.texts();
    let paths: Vec<&PathBuf> = good.keys().collect();
    let mut random = Random(0x5eed);
    let (mut refused, mut applied) = (0, 0);
    for turn in 0..1000 {
        let path = paths[random.below(paths.len())];
        fs::write(path, mutated(&good[path], &mut random)).unwrap();
        let took_effect = files.reloader.reload().await;
        let valid = Config::read(&files.reloader.source.path, Overrides::default());
        assert_eq!(took_effect, valid.is_ok(), "turn {turn}, {}", path.display());
        if took_effect {
            let setup = files.setups.try_recv().unwrap();
            assert_eq!(*setup.pack, *valid.unwrap().pack);
            applied += 1;
        } else {
            assert!(files.setups.try_recv().is_err(), "turn {turn}: nothing takes effect");
            let complaint = format!("{:#}", valid.unwrap_err());
            let first = complaint.lines().find(|line| !line.ends_with(':')).unwrap();
            assert!(names_a_place(first), "turn {turn}: {complaint}");
            assert!(files.found().iter().any(|found| names_a_place(found)), "turn {turn}: {:?}", files.found());
            refused += 1;
        }
        fs::write(path, &good[path]).unwrap();
    }
    assert!(refused > 300 && applied > 50, "{refused} refused, {applied} applied: the files were hardly tried");
}

#[tokio::test]
async fn a_mistake_is_found_until_it_is_corrected() {
    let mut files = Files::new();
    let path = files.reloader.source.path.clone();
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, good.replace("08:30-18:00", "18:00-08:30")).unwrap();
    assert!(!files.reloader.reload().await);
    assert_eq!(files.found().len(), 1, "{:?}", files.found());
    fs::write(&path, good.replace("湖滨壹号", "湖滨二号")).unwrap();
    assert!(files.reloader.reload().await);
    assert_eq!(files.found(), Vec::<String>::new());
    let setup = files.setups.try_recv().unwrap();
    assert_eq!(setup.sites["hz-01"].name.as_deref(), Some("湖滨二号"));
}

#[tokio::test]
async fn what_needs_a_restart_is_said_by_name_and_the_rest_takes_effect() {
    let mut files = Files::new();
    let path = files.reloader.source.path.clone();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("reserve_mib = 32\n{}", text.replace("127.0.0.1:0", "127.0.0.1:8081"))).unwrap();
    assert!(files.reloader.reload().await);
    assert_eq!(files.found(), ["Some settings take effect after a restart: http, reserve_mib"]);
    assert!(files.setups.try_recv().is_ok());
    fs::write(&path, text).unwrap();
    assert!(files.reloader.reload().await);
    assert_eq!(files.found(), Vec::<String>::new());
}

#[test]
fn a_new_or_changed_file_of_the_standards_is_seen() {
    let files = Files::new();
    let before = files.reloader.look();
    assert_eq!(before, files.reloader.look());
    fs::write(files.folder.path().join("standards/rules-more.toml"), "").unwrap();
    assert_ne!(before, files.reloader.look());
}

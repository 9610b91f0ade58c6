//! The disk's own opinion of its health (SMART), from a file that root's timer keeps fresh with `smartctl -j -a`.

use std::{
    fs::File,
    io::Read,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Deserialize;

/// Largest file that is read, in bytes; `smartctl -j -x` of a large array member has some 200 KB.
const MAX_FILE: u64 = 1 << 20;
/// Sectors in use or in doubt that the disk could not read: data is lost or about to be.
const UNREADABLE_SECTORS: [u8; 2] = [197, 198];
/// Sectors replaced by spares.
const REPLACED_SECTORS: u8 = 5;
/// So many replaced sectors are no longer age but a surface that is going.
const MANY_REPLACED: u64 = 100;

/// The file, and what it said when it was last read.
#[derive(Debug)]
pub(super) struct SmartFile {
    path: PathBuf,
    max_age: Duration,
    /// With the time the file was written.
    last: Option<(SystemTime, Option<Smart>)>,
}

/// What a disk says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Smart {
    /// Whether it is failing; `None` if it does not say.
    pub(super) failing: Option<bool>,
    /// How much of the writing it was built for is used up, in percent; may pass 100.
    pub(super) wear_percent: Option<f64>,
}

impl SmartFile {
    pub(super) fn new(path: PathBuf, max_age: Duration) -> Self {
        Self { path, max_age, last: None }
    }

    /// What the file says, or `None` if it is missing, unreadable or stale at `now_s` (s since 1970 UTC).
    pub(super) fn read(&mut self, now_s: u64) -> Option<Smart> {
        let file = File::open(&self.path).inspect_err(|error| self.complain(error)).ok()?;
        let written = file.metadata().and_then(|metadata| metadata.modified()).ok()?;
        let written_s = written.duration_since(UNIX_EPOCH).ok()?.as_secs();
        // From the future counts as stale too: one of the two clocks was wrong, so the age is not known.
        if written_s.abs_diff(now_s) > self.max_age.as_secs() {
            return None;
        }
        if let Some((at, smart)) = self.last.filter(|(at, _)| *at == written) {
            self.last = Some((at, smart));
            return smart;
        }
        let mut bytes = Vec::new();
        file.take(MAX_FILE).read_to_end(&mut bytes).inspect_err(|error| self.complain(error)).ok()?;
        let smart = parse(&bytes).inspect_err(|error| self.complain(error)).ok();
        self.last = Some((written, smart));
        smart
    }

    fn complain(&self, error: &dyn std::fmt::Display) {
        tracing::debug!(path = %self.path.display(), %error, "no disk health: reading the file of smartctl");
    }
}

/// The parts of smartctl's output that are used. All may be missing: disks differ.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Output {
    smart_status: Option<Status>,
    nvme_smart_health_information_log: Option<Nvme>,
    ata_smart_attributes: Option<Ata>,
    endurance_used: Option<Endurance>,
}

#[derive(Debug, Deserialize)]
struct Status {
    passed: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Nvme {
    percentage_used: Option<f64>,
    /// A number of up to 128 bits.
    media_errors: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Ata {
    #[serde(default)]
    table: Vec<Attribute>,
}

#[derive(Debug, Deserialize)]
struct Attribute {
    id: u8,
    #[serde(default)]
    when_failed: String,
    raw: Option<Raw>,
}

#[derive(Debug, Deserialize)]
struct Raw {
    value: u64,
}

#[derive(Debug, Deserialize)]
struct Endurance {
    current_percent: Option<f64>,
}

fn parse(bytes: &[u8]) -> serde_json::Result<Smart> {
    let output: Output = serde_json::from_slice(bytes)?;
    let passed = output.smart_status.and_then(|status| status.passed);
    let table = output.ata_smart_attributes.map(|ata| ata.table).unwrap_or_default();
    let nvme = output.nvme_smart_health_information_log;
    let has_lost_data = nvme.as_ref().and_then(|nvme| nvme.media_errors).is_some_and(|errors| errors > 0.0);
    let failing = passed == Some(false) || has_lost_data || table.iter().any(Attribute::is_failing);
    let wear_percent = nvme.and_then(|nvme| nvme.percentage_used);
    let wear_percent = wear_percent.or_else(|| output.endurance_used.and_then(|endurance| endurance.current_percent));
    Ok(Smart {
        // Without the disk's verdict, bad signs count and good ones prove nothing.
        failing: if failing { Some(true) } else { passed.map(|_| false) },
        wear_percent: wear_percent.filter(|percent| (0.0..=255.0).contains(percent)),
    })
}

impl Attribute {
    fn is_failing(&self) -> bool {
        // The upper bytes of the raw value hold other counters with some makers.
        let sectors = self.raw.as_ref().map_or(0, |raw| raw.value & 0xFFFF_FFFF);
        let is_watched = self.id == REPLACED_SECTORS || UNREADABLE_SECTORS.contains(&self.id);
        (is_watched && self.when_failed == "now")
            || (UNREADABLE_SECTORS.contains(&self.id) && sectors > 0)
            || (self.id == REPLACED_SECTORS && sectors >= MANY_REPLACED)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);
    const NOW_S: u64 = 1_800_000_000;

    fn ata(id: u8, raw: u64, when_failed: &str) -> String {
        format!(
            r#"{{"smart_status":{{"passed":true}},"ata_smart_attributes":{{"revision":1,"table":[
                {{"id":9,"name":"Power_On_Hours","when_failed":"","raw":{{"value":41000,"string":"41000"}}}},
                {{"id":{id},"when_failed":"{when_failed}","raw":{{"value":{raw}}}}}]}}}}"#
        )
    }

    #[rstest]
    #[case::healthy(&ata(5, 0, ""), Some(false), None)]
    #[case::a_few_replaced(&ata(5, 8, ""), Some(false), None)]
    #[case::many_replaced(&ata(5, 100, ""), Some(true), None)]
    #[case::below_threshold(&ata(5, 8, "now"), Some(true), None)]
    #[case::once_below_threshold(&ata(5, 8, "past"), Some(false), None)]
    #[case::pending(&ata(197, 1, ""), Some(true), None)]
    #[case::uncorrectable(&ata(198, 2, ""), Some(true), None)]
    #[case::packed_counter(&ata(197, 0x0007_0000_0000, ""), Some(false), None)]
    #[case::old_hours_are_no_fault(&ata(9, 90_000, ""), Some(false), None)]
    #[case::its_own_verdict(r#"{"smart_status":{"passed":false}}"#, Some(true), None)]
    #[case::nvme(
        r#"{"smart_status":{"passed":true},"nvme_smart_health_information_log":{"percentage_used":3,"media_errors":0}}"#,
        Some(false), Some(3.0))]
    #[case::worn_out_nvme(
        r#"{"smart_status":{"passed":true},"nvme_smart_health_information_log":{"percentage_used":112,"media_errors":0}}"#,
        Some(false), Some(112.0))]
    #[case::nvme_that_lost_data(
        r#"{"smart_status":{"passed":true},"nvme_smart_health_information_log":{"media_errors":1e30}}"#,
        Some(true),
        None
    )]
    #[case::ssd(r#"{"smart_status":{"passed":true},"endurance_used":{"current_percent":21}}"#, Some(false), Some(21.0))]
    #[case::silent_bridge(r#"{"smartctl":{"exit_status":2}}"#, None, None)]
    fn a_disk_says(#[case] json: &str, #[case] failing: Option<bool>, #[case] wear_percent: Option<f64>) {
        assert_eq!(parse(json.as_bytes()).unwrap(), Smart { failing, wear_percent });
    }

    fn write(path: &std::path::Path, json: &str, age: Duration) {
        fs::write(path, json).unwrap();
        let written = UNIX_EPOCH + Duration::from_secs(NOW_S) - age;
        File::options().write(true).open(path).unwrap().set_modified(written).unwrap();
    }

    #[test]
    fn a_fresh_file_counts_and_a_stale_missing_or_broken_one_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sda.json");
        let mut file = SmartFile::new(path.clone(), DAY);
        assert_eq!(file.read(NOW_S), None);
        write(&path, r#"{"smart_status":{"passed":true}}"#, DAY);
        assert_eq!(file.read(NOW_S).unwrap().failing, Some(false));
        assert_eq!(file.read(NOW_S + 1), None);
        assert_eq!(file.read(NOW_S - 3 * DAY.as_secs()), None);
        write(&path, "{", Duration::ZERO);
        assert_eq!(file.read(NOW_S), None);
    }

    #[test]
    fn a_file_written_anew_is_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sda.json");
        let mut file = SmartFile::new(path.clone(), DAY);
        for (passed, age) in [(true, 60), (false, 30)] {
            write(&path, &format!(r#"{{"smart_status":{{"passed":{passed}}}}}"#), Duration::from_secs(age));
            for _ in 0..2 {
                assert_eq!(file.read(NOW_S).unwrap().failing, Some(!passed));
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_report_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn wear_is_reported_within_its_bounds(percent: f64, errors: f64) {
            let json = serde_json::json!({ "nvme_smart_health_information_log":
                { "percentage_used": percent, "media_errors": errors } });
            let smart = parse(json.to_string().as_bytes()).unwrap();
            prop_assert!(smart.wear_percent.is_none_or(|percent| (0.0..=255.0).contains(&percent)));
            prop_assert_eq!(smart.failing.is_some(), errors > 0.0 && errors.is_finite());
        }

        #[test]
        fn counted_sectors_decide(id: u8, raw in 0u64..1000) {
            let failing = (id == 5 && raw >= 100) || ((id == 197 || id == 198) && raw > 0);
            prop_assert_eq!(parse(ata(id, raw, "").as_bytes()).unwrap().failing, Some(failing));
        }
    }
}

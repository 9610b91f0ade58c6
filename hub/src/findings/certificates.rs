//! Certificates of our own listeners: one that ends unnoticed shuts every agent or every browser out at once.

use std::path::{Path, PathBuf};

use lobby_dashboards::FindingKey;
use lobby_domain::time::Timestamp;
use x509_parser::{parse_x509_certificate, pem::Pem};

use super::{Found, Severity};

/// Days before its end at which a certificate is told, and at which it becomes grave.
const SOON: (i64, i64) = (30, 7);
const DAY: i64 = 86_400;

/// What is to be said about the certificates in `files` (PEM).
pub(super) fn probe(files: &[PathBuf], now: Timestamp) -> Vec<Found> {
    files.iter().filter_map(|file| judge(file, now)).collect()
}

fn judge(file: &Path, now: Timestamp) -> Option<Found> {
    let name = file.display().to_string();
    let (from, until) = match validity(file) {
        Ok(validity) => validity,
        Err(why) => {
            let bad = Found::new(FindingKey::CertificateBad, Severity::Error).about(&name);
            return Some(bad.with(&name).with(why));
        }
    };
    let now = now.millis() / 1000;
    let left = until - now;
    if left <= 0 {
        return Some(Found::new(FindingKey::CertificateEnded, Severity::Error).about(&name).with(&name));
    }
    if now < from {
        let bad = Found::new(FindingKey::CertificateBad, Severity::Error).about(&name);
        return Some(bad.with(&name).with("not yet valid"));
    }
    let days = left / DAY;
    let severity = if days < SOON.1 { Severity::Error } else { Severity::Warning };
    let ending = || Found::new(FindingKey::CertificateEnding, severity).about(&name).with(&name);
    (days < SOON.0).then(|| ending().with(format!("{days} d")))
}

/// From when and until when every certificate of a file is valid, in seconds since 1970 UTC.
fn validity(file: &Path) -> Result<(i64, i64), String> {
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let mut all: Option<(i64, i64)> = None;
    for pem in Pem::iter_from_buffer(&bytes) {
        let pem = pem.map_err(|error| error.to_string())?;
        if pem.label != "CERTIFICATE" {
            continue;
        }
        let (_, certificate) = parse_x509_certificate(&pem.contents).map_err(|error| error.to_string())?;
        let (from, until) =
            (certificate.validity().not_before.timestamp(), certificate.validity().not_after.timestamp());
        all = Some(all.map_or((from, until), |(first, last)| (first.max(from), last.min(until))));
    }
    all.ok_or_else(|| "no certificate in it".to_owned())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use rstest::rstest;

    use super::*;

    fn certificate(folder: &Path) -> PathBuf {
        let mut params = CertificateParams::new(vec!["hub.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 12, 31);
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let file = folder.join("hub.pem");
        std::fs::write(&file, made.pem()).unwrap();
        file
    }

    #[rstest]
    #[case::long_before("2026-06-01", None)]
    #[case::a_month_before("2026-12-05", Some((FindingKey::CertificateEnding, Severity::Warning)))]
    #[case::a_week_before("2026-12-27", Some((FindingKey::CertificateEnding, Severity::Error)))]
    #[case::afterwards("2027-01-01", Some((FindingKey::CertificateEnded, Severity::Error)))]
    #[case::not_yet("2025-12-01", Some((FindingKey::CertificateBad, Severity::Error)))]
    fn a_certificate_is_told_before_it_ends(#[case] day: &str, #[case] expected: Option<(FindingKey, Severity)>) {
        let folder = tempfile::tempdir().unwrap();
        let date: jiff::civil::Date = day.parse().unwrap();
        let now = date.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_millisecond();
        let found = probe(&[certificate(folder.path())], Timestamp::from_millis(now));
        assert_eq!(found.first().map(|found| (found.key, found.severity)), expected);
    }

    #[test]
    fn a_file_that_holds_no_certificate_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.pem");
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        let missing = folder.path().join("missing.pem");
        let found = probe(&[file, missing], Timestamp::default());
        assert!(found.iter().all(|found| found.key == FindingKey::CertificateBad) && found.len() == 2, "{found:?}");
    }
}

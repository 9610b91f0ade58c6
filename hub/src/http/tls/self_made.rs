//! A key and a certificate that the hub makes itself. The key is made once and kept; the certificate is made anew when it comes near its end
//! or is not for a name that it should be for.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use lobby_domain::time::Timestamp;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PublicKeyData,
    SerialNumber, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use x509_parser::parse_x509_certificate;

use super::TlsError;
use crate::{installation, pem, storage::private};

/// How long a new certificate is good, in days. Apple's devices refuse one of more than 825.
const GOOD_FOR: i64 = 730;
/// It is made anew at a start when fewer days are left.
const RENEWED_BEFORE: i64 = 60;
/// It begins earlier by so many days, for phones whose clocks are behind.
const BACKDATED: i64 = 1;
const DAY: i64 = 86_400;

/// The file of the certificate (PEM).
pub(super) fn certificate_file(folder: &Path) -> PathBuf {
    folder.join("web-certificate.pem")
}

fn key_file(folder: &Path) -> PathBuf {
    folder.join("web-key.pem")
}

/// The certificate in `folder` and its key; whatever is not there, or is no longer good, is made.
pub(super) fn get(
    folder: &Path,
    names: Vec<String>,
    now: Timestamp,
) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), TlsError> {
    let key = key(folder)?;
    let path = certificate_file(folder);
    let kept = pem::certificates(&path).ok().and_then(|found| found.into_iter().next());
    let kept = kept.filter(|kept| is_good(kept, &key, &names, now));
    let certificate = if let Some(kept) = kept {
        kept
    } else {
        let made = make(&key, names, now).map_err(TlsError::Make)?;
        let written = installation::replace(&path, made.pem().as_bytes());
        written.map_err(|source| TlsError::Disk { path, doing: "written", source })?;
        made.der().clone()
    };
    Ok((certificate, PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
}

fn key(folder: &Path) -> Result<KeyPair, TlsError> {
    let path = key_file(folder);
    match fs::read_to_string(&path) {
        Ok(text) => {
            private::file(&path);
            KeyPair::from_pem(&text).map_err(|_| TlsError::OwnKey(path))
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            let key = KeyPair::generate().map_err(TlsError::Make)?;
            let written = installation::replace(&path, key.serialize_pem().as_bytes());
            written.map_err(|source| TlsError::Disk { path, doing: "written", source })?;
            Ok(key)
        }
        Err(cause) if cause.kind() == io::ErrorKind::InvalidData => Err(TlsError::OwnKey(path)),
        Err(source) => Err(TlsError::Disk { path, doing: "read", source }),
    }
}

/// Whether a certificate is that of the key, is for all `names`, and stays good for a while.
fn is_good(certificate: &CertificateDer<'_>, key: &KeyPair, names: &[String], now: Timestamp) -> bool {
    let Ok((_, certificate)) = parse_x509_certificate(certificate) else { return false };
    let (validity, now) = (certificate.validity(), now.millis() / 1000);
    let known = super::names(&certificate);
    certificate.public_key().raw == key.subject_public_key_info()
        && validity.not_before.timestamp() <= now
        && validity.not_after.timestamp() - now >= RENEWED_BEFORE * DAY
        && names.iter().all(|name| known.contains(name))
}

fn make(key: &KeyPair, names: Vec<String>, now: Timestamp) -> Result<rcgen::Certificate, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, "Lobby hub");
    params.distinguished_name = subject;
    let (year, month, day) = date(now, -BACKDATED);
    params.not_before = date_time_ymd(year, month, day);
    let (year, month, day) = date(now, GOOD_FOR);
    params.not_after = date_time_ymd(year, month, day);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Otherwise it would follow from the key, and Firefox refuses a second certificate of the same number.
    let mut number = [0; 16];
    getrandom::fill(&mut number).expect("the operating system has random numbers");
    params.serial_number = Some(SerialNumber::from(number.to_vec()));
    params.self_signed(key)
}

/// Year, month and day (UTC) so many days after `now`.
fn date(now: Timestamp, days: i64) -> (i32, u8, u8) {
    let at = jiff::Timestamp::from_second(now.millis() / 1000 + days * DAY).unwrap_or_default();
    let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
    (date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn after(days: i64) -> Timestamp {
        Timestamp::from_millis(NOW.millis() + days * DAY * 1000)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn certificate(folder: &Path, of: &[&str], now: Timestamp) -> CertificateDer<'static> {
        get(folder, names(of), now).unwrap().0
    }

    #[test]
    fn a_certificate_is_kept_until_less_than_sixty_days_are_left_and_its_key_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let first = certificate(folder.path(), &["localhost", "192.168.1.2"], NOW);
        assert_eq!(certificate(folder.path(), &["localhost"], after(669)), first);
        let key = fs::read(key_file(folder.path())).unwrap();
        let second = certificate(folder.path(), &["localhost"], after(671));
        assert_ne!(second, first);
        assert_eq!(certificate(folder.path(), &["localhost"], after(700)), second);
        assert_eq!(fs::read(key_file(folder.path())).unwrap(), key);
        let (_, first) = parse_x509_certificate(&first).unwrap();
        let (_, second) = parse_x509_certificate(&second).unwrap();
        assert_ne!(first.raw_serial(), second.raw_serial());
        let days = |validity: &x509_parser::certificate::Validity| {
            (validity.not_after.timestamp() - validity.not_before.timestamp()) / DAY
        };
        assert_eq!(days(first.validity()), 731);
    }

    #[test]
    fn a_certificate_that_lacks_a_name_begins_later_or_is_of_another_key_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let first = certificate(folder.path(), &["localhost"], NOW);
        let named = certificate(folder.path(), &["localhost", "lobby.example", "::1"], NOW);
        assert_ne!(named, first);
        assert_eq!(certificate(folder.path(), &["::1"], NOW), named);
        let earlier = certificate(folder.path(), &["localhost"], after(-30));
        assert_ne!(earlier, named, "the clock was ahead when it was made");
        fs::remove_file(key_file(folder.path())).unwrap();
        assert_ne!(certificate(folder.path(), &["localhost"], after(-30)), earlier);
        fs::write(certificate_file(folder.path()), "nothing").unwrap();
        certificate(folder.path(), &["localhost"], NOW);
    }

    #[test]
    fn nobody_else_may_read_the_key_even_if_somebody_could() {
        let folder = tempfile::tempdir().unwrap();
        let mode = || fs::metadata(key_file(folder.path())).unwrap().permissions().mode() & 0o777;
        certificate(folder.path(), &["localhost"], NOW);
        assert_eq!(mode(), 0o600);
        fs::set_permissions(key_file(folder.path()), fs::Permissions::from_mode(0o644)).unwrap();
        certificate(folder.path(), &["localhost"], NOW);
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn a_key_that_is_none_is_not_replaced_without_a_word() {
        let folder = tempfile::tempdir().unwrap();
        for content in [&b"nothing"[..], b"\xff\xfe"] {
            fs::write(key_file(folder.path()), content).unwrap();
            let refused = get(folder.path(), names(&["localhost"]), NOW).unwrap_err();
            assert!(refused.to_string().contains("web-key.pem: this is no private key"), "{refused}");
        }
    }
}

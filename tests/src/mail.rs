//! A mail server that nobody here wrote.

use std::{ffi::OsStr, path::Path, time::Duration};

use anyhow::Result;
use serde_json::Value;

use crate::{process::Process, program};

const PATIENCE: Duration = Duration::from_secs(30);

/// A running mail server.
pub struct Mailbox {
    process: Process,
    port: u16,
    /// Mails that were looked at.
    seen: usize,
}

impl Mailbox {
    /// Starts one without TLS, if there is a Python for it.
    pub fn start() -> Result<Option<Self>> {
        Self::with(&[])
    }

    /// Starts one with TLS, `starttls` or `implicit`, and a certificate of its own, which is put into `folder` as `mail.pem`. It wants the
    /// password `geheim` of `lobby`.
    pub fn encrypted(how: &str, folder: &Path) -> Result<Option<Self>> {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
        let (certificate, key) = (folder.join("mail.pem"), folder.join("mail.key"));
        std::fs::write(&certificate, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        Self::with(&[how.as_ref(), certificate.as_os_str(), key.as_os_str()])
    }

    fn with(arguments: &[&OsStr]) -> Result<Option<Self>> {
        let Some(python) = program::python()? else { return Ok(None) };
        let mut command = program::script(&python, "peers/mail_server.py");
        let mut process = Process::start("mail server", command.args(arguments))?;
        let port = process.line("ready", PATIENCE, |line| line.strip_prefix("ready ")?.parse().ok())?;
        Ok(Some(Self { process, port, seen: 0 }))
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes it do something, such as `later b@hotel.example`.
    pub fn make(&mut self, what: &str) -> Result<()> {
        self.process.tell(what)
    }

    /// The next mail that it took: `id`, `to`, `subject` and `text`.
    pub fn next_mail(&mut self) -> Result<Value> {
        let mut to_skip = self.seen;
        let mail = self.process.line("a mail", PATIENCE, move |line| {
            let mail = line.strip_prefix("mail ")?;
            if to_skip > 0 {
                to_skip -= 1;
                return None;
            }
            serde_json::from_str(mail).ok()
        })?;
        self.seen += 1;
        Ok(mail)
    }
}

//! A child process: what it says is kept, it can be killed or asked to stop, and it never outlives its test.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::time::Instant;

use crate::wait;

/// Most lines kept of one process; the oldest go first.
const MAX_LINES: usize = 20_000;
/// Most lines told when a process ends.
const TOLD: usize = 150;

#[derive(Default)]
struct Log {
    lines: Mutex<VecDeque<String>>,
    grown: Condvar,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running or ended child process.
pub struct Process {
    name: String,
    child: Child,
    log: Arc<Log>,
    /// What keeps what it says; each ends with its stream.
    keepers: Vec<JoinHandle<()>>,
    /// Answers to what it was told that have been looked at.
    heard: usize,
    quiet: bool,
}

impl Process {
    /// Starts `command`; `name` is what messages call it.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {name}: {command:?}"))?;
        let log = Arc::new(Log::default());
        let mut keepers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            keepers.push(keep(stdout, Arc::clone(&log)));
        }
        if let Some(stderr) = child.stderr.take() {
            keepers.push(keep(stderr, Arc::clone(&log)));
        }
        Ok(Self { name: name.to_owned(), child, log, keepers, heard: 0, quiet: false })
    }

    /// The first line, old or new, in which `find` finds something.
    pub fn line<T>(&mut self, what: &str, within: Duration, mut find: impl FnMut(&str) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + within;
        let mut seen = 0;
        loop {
            let lines = self.log.lock();
            if let Some(found) = lines.iter().skip(seen).find_map(|line| find(line)) {
                return Ok(found);
            }
            seen = lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            let ended = self.child.try_wait()?;
            if left.is_zero() || ended.is_some() {
                drop(lines);
                let state = ended.map_or_else(|| "it runs".to_owned(), |status| format!("it ended: {status}"));
                bail!("{} did not say {what} within {within:?} ({state}); it said:\n{}", self.name, self.said());
            }
            drop(self.log.grown.wait_timeout(lines, left.min(Duration::from_millis(100))));
        }
    }

    /// Everything it has said so far.
    pub fn said(&self) -> String {
        let lines = self.log.lock();
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Everything it has said, once it has ended.
    pub fn said_all(&mut self) -> String {
        for keeper in self.keepers.drain(..) {
            // It ends with the stream, and has nothing to tell.
            let _ = keeper.join();
        }
        self.said()
    }

    /// Writes a line to its stdin and waits until it answers `ok`.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("stdin is piped")?;
        writeln!(stdin, "{line}").with_context(|| format!("tell {} `{line}`", self.name))?;
        stdin.flush()?;
        let heard = self.heard;
        let log = Arc::clone(&self.log);
        let answer = wait::until(&format!("the answer to `{line}`"), Duration::from_secs(10), || {
            let lines = log.lock();
            Ok(lines.iter().filter(|said| said.starts_with("ok") || said.starts_with("error")).nth(heard).cloned())
        })?;
        self.heard += 1;
        if answer.starts_with("error") {
            bail!("{} answers `{line}` with: {answer}", self.name);
        }
        Ok(())
    }

    /// Keeps what it has said to itself when it ends: for measurements, of which nobody wants to read it.
    pub fn hush(&mut self) {
        self.quiet = true;
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it at once, as a power cut does (SIGKILL).
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().with_context(|| format!("kill {}", self.name))?;
        self.child.wait().with_context(|| format!("wait for {}", self.name))?;
        Ok(())
    }

    /// Asks it to stop (SIGTERM) and waits for its exit.
    pub fn terminate(&mut self, within: Duration) -> Result<ExitStatus> {
        self.signal("TERM")?;
        self.exit(within)
    }

    /// Sends it a signal such as `TERM` or `STOP`.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(self.id().to_string()).status()?;
        if !sent.success() {
            bail!("kill -{signal} {} failed", self.name);
        }
        Ok(())
    }

    /// Waits for its exit.
    pub fn exit(&mut self, within: Duration) -> Result<ExitStatus> {
        let what = format!("{} to end", self.name);
        let Self { child, .. } = self;
        wait::until(&what, within, || Ok(child.try_wait()?))
    }

    /// Memory that it alone accounts for (PSS), in KiB.
    pub fn pss_kib(&self) -> Result<u64> {
        let path = format!("/proc/{}/smaps_rollup", self.id());
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        field(&text, "Pss:").with_context(|| format!("no Pss in {path}"))
    }

    /// Resident memory (RSS), in KiB.
    pub fn rss_kib(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.id());
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        field(&text, "VmRSS:").with_context(|| format!("no VmRSS in {path}"))
    }

    /// Bytes that it has had written to disks.
    pub fn written(&self) -> Result<u64> {
        let path = format!("/proc/{}/io", self.id());
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let bytes = text.lines().find_map(|line| line.strip_prefix("write_bytes:")?.trim().parse().ok());
        bytes.with_context(|| format!("no write_bytes in {path}"))
    }

    /// Processor time it has used, user and system.
    pub fn cpu(&self) -> Result<Duration> {
        let path = format!("/proc/{}/stat", self.id());
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        // The name of the program may hold spaces, and ends with the last parenthesis; utime and stime are fields 14 and 15.
        let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let ticks: u64 = rest.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks * 10))
    }
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim().parse().ok())
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "the test runner keeps it, and shows it if the test fails")]
    fn drop(&mut self) {
        // Errors are of no use here: it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if self.quiet {
            return;
        }
        let lines = self.log.lock();
        let silent = lines.len().saturating_sub(TOLD);
        eprintln!(
            "--- {} said{}",
            self.name,
            if silent > 0 { format!(" ({silent} lines before)") } else { String::new() }
        );
        for line in lines.iter().skip(silent) {
            eprintln!("{line}");
        }
    }
}

/// Keeps what comes from one stream, line by line, on a thread that ends with the stream.
fn keep(stream: impl Read + Send + 'static, log: Arc<Log>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            let mut lines = log.lock();
            if lines.len() >= MAX_LINES {
                lines.pop_front();
            }
            lines.push_back(line);
            drop(lines);
            log.grown.notify_all();
        }
    })
}

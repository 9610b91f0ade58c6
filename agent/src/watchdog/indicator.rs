//! The sign on the spot that the hub is silent: a file in the agent's folder, for whoever looks there and for `lobby-agent check`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::outage::{Outage, Told};

/// Where the sign is, while the hub is silent.
pub fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("hub-silent")
}

/// What the sign says, if it is there.
pub fn hub_silent(state_dir: &Path) -> Option<String> {
    fs::read_to_string(path(state_dir)).ok().map(|text| text.trim_end().to_owned())
}

/// Puts the sign up, or takes it down.
pub(super) fn show(state_dir: &Path, outage: Option<&Outage>, queued: u64) -> io::Result<()> {
    let path = path(state_dir);
    let Some(outage) = outage else {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    };
    let since = Timestamp::from_millisecond(outage.since).unwrap_or_default();
    let told = match outage.told {
        Told::No => "nobody has been told yet",
        Told::Maybe => "the fallback webhook is being told",
        Told::Yes => "the fallback webhook has been told",
        Told::Other => "another agent of the site has told its fallback webhook",
    };
    fs::write(path, format!("the hub is silent: noticed {since:.0}, {queued} records waiting then; {told}\n"))
}

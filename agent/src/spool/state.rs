//! The spool's small file: which epoch this is, what the hub has acknowledged, and what was lost.

use std::{collections::BTreeMap, io, path::Path};

use lobby_contract::Lost;
use serde::{Deserialize, Serialize};

use super::files::Files;

/// Most ranges of lost records that are remembered; beyond it the oldest is forgotten.
const MAX_LOST: usize = 256;
/// Longest state file that is read: far above what that many ranges take.
const MAX_FILE: u64 = 1024 * 1024;

/// What must outlive the process beside the records themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The epoch of the run that wrote this.
    pub epoch: u64,
    /// For each epoch, up to which `seq` the hub has everything.
    #[serde(default)]
    pub acked: BTreeMap<u64, u64>,
    /// What the agent no longer has and the hub has not yet acknowledged as such; in order, not overlapping.
    #[serde(default)]
    pub lost: Vec<Lost>,
}

impl State {
    /// Reads `path`; `None` if there is no such file.
    pub(super) fn load(files: &impl Files, path: &Path) -> io::Result<Option<Self>> {
        match files.read(path, 0, MAX_FILE) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces `path` at once and durably: after a crash it holds the old state or the new one.
    pub(super) fn save(&self, files: &impl Files, path: &Path) -> io::Result<()> {
        let new = path.with_extension("new");
        let mut file = files.create(&new)?;
        files.append(&mut file, &serde_json::to_vec(self)?)?;
        files.sync(&file)?;
        files.rename(&new, path)?;
        files.sync_dir(path.parent().unwrap_or(Path::new(".")))
    }

    /// Up to which `seq` of `epoch` the hub has everything.
    pub(super) fn acked(&self, epoch: u64) -> u64 {
        self.acked.get(&epoch).copied().unwrap_or(0)
    }

    /// Remembers that `from..=to` of `epoch` is gone; what the hub has already acknowledged is not lost. Whether that is news.
    pub(super) fn add_lost(&mut self, epoch: u64, from: u64, to: u64) -> bool {
        let from = from.max(self.acked(epoch) + 1);
        let known = |lost: &Lost| lost.epoch == epoch && lost.from <= from && to <= lost.to;
        if from > to || self.lost.iter().any(known) {
            return false;
        }
        self.lost.push(Lost { epoch, from, to });
        self.lost.sort_by_key(|lost| (lost.epoch, lost.from));
        let mut merged: Vec<Lost> = Vec::with_capacity(self.lost.len());
        for lost in self.lost.drain(..) {
            match merged.last_mut() {
                Some(last) if last.epoch == lost.epoch && lost.from <= last.to.saturating_add(1) => {
                    last.to = last.to.max(lost.to);
                }
                _ => merged.push(lost),
            }
        }
        merged.drain(..merged.len().saturating_sub(MAX_LOST));
        self.lost = merged;
        true
    }

    /// Moves the watermark of `epoch` up to `seq`, and forgets the losses it covers.
    pub(super) fn advance(&mut self, epoch: u64, seq: u64) {
        self.acked.insert(epoch, seq);
        self.lost.retain_mut(|lost| {
            if lost.epoch == epoch {
                lost.from = lost.from.max(seq + 1);
            }
            lost.from <= lost.to
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{super::files::SystemFiles, *};

    fn lost(epoch: u64, from: u64, to: u64) -> Lost {
        Lost { epoch, from, to }
    }

    #[test]
    fn neighbouring_losses_become_one_range() {
        let mut state = State::default();
        for (epoch, from, to) in [(1, 5, 6), (1, 1, 2), (2, 3, 3), (1, 3, 4), (1, 5, 9)] {
            state.add_lost(epoch, from, to);
        }
        assert_eq!(state.lost, [lost(1, 1, 9), lost(2, 3, 3)]);
    }

    #[test]
    fn an_acknowledgement_ends_the_losses_below_it() {
        let mut state = State::default();
        state.add_lost(1, 1, 9);
        state.add_lost(2, 1, 1);
        state.advance(1, 4);
        assert_eq!(state.lost, [lost(1, 5, 9), lost(2, 1, 1)]);
        state.advance(1, 9);
        assert_eq!(state.lost, [lost(2, 1, 1)]);
        state.add_lost(1, 3, 9);
        assert_eq!(state.lost, [lost(2, 1, 1)]);
    }

    #[test]
    fn a_state_is_read_back_as_saved() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        assert_eq!(State::load(&SystemFiles, &path).unwrap(), None);
        let mut state = State { epoch: 7, ..State::default() };
        state.advance(7, 42);
        state.add_lost(6, 1, 3);
        state.save(&SystemFiles, &path).unwrap();
        assert_eq!(State::load(&SystemFiles, &path).unwrap(), Some(state));
    }
}

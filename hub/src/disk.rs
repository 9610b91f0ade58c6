//! Room on the disk: how much there is, and a file that keeps some back for an emergency. When the disk is full the file is given up, so
//! that alerts, tickets and the audit can still be stored.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Name of the file.
const NAME: &str = "reserve";
/// Written at once where the file system cannot set room aside without writing.
const BLOCK: usize = 64 * 1024;

/// Room on the file system of a folder, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Free for this process.
    pub available: u64,
    /// In all.
    pub total: u64,
}

impl Space {
    /// Room on the file system that `folder` is on.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let stat = rustix::fs::statvfs(folder)?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Self { available: bytes(stat.f_bavail), total: bytes(stat.f_blocks) })
    }
}

/// The file that keeps room back.
#[derive(Debug, Clone)]
pub struct Reserve {
    folder: PathBuf,
    bytes: u64,
}

impl Reserve {
    /// A reserve of `bytes` in `folder`; 0 is none.
    pub fn new(folder: PathBuf, bytes: u64) -> Self {
        Self { folder, bytes }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How large it is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    /// Whether the room is kept back now.
    pub fn is_kept(&self) -> bool {
        self.bytes == 0 || fs::metadata(self.path()).is_ok_and(|file| file.len() == self.bytes)
    }

    /// Keeps the room back, if after that as much again is free. Returns whether it is kept.
    pub fn keep(&self) -> io::Result<bool> {
        if self.is_kept() {
            return Ok(true);
        }
        // One that was begun and not finished is no use.
        self.release()?;
        if Space::of(&self.folder)?.available < self.bytes.saturating_mul(2) {
            return Ok(false);
        }
        let made = self.make();
        if made.is_err() {
            self.release()?;
        }
        made.map(|()| true)
    }

    fn make(&self) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(self.path())?;
        if rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, self.bytes).is_err() {
            fill(&mut file, self.bytes)?;
        }
        file.sync_all()
    }

    /// Gives the room up.
    pub fn release(&self) -> io::Result<()> {
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

fn fill(file: &mut File, bytes: u64) -> io::Result<()> {
    let block = vec![0; BLOCK];
    let mut left = bytes;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        file.write_all(&block[..part])?;
        left -= part as u64;
    }
    Ok(())
}

/// Bytes as people read them.
pub fn readable(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KB", bytes / 1024),
        1_048_576..10_737_418_240 => format!("{} MB", bytes / 1_048_576),
        _ => format!("{} GB", bytes / 1_073_741_824),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 3 * BLOCK as u64 + 5;

    #[test]
    fn the_reserve_takes_up_room_until_it_is_released_and_can_be_kept_again() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::new(folder.path().to_owned(), SIZE);
        for _ in 0..2 {
            assert!(!reserve.is_kept());
            assert!(reserve.keep().unwrap() && reserve.keep().unwrap() && reserve.is_kept());
            let file = fs::metadata(folder.path().join(NAME)).unwrap();
            assert_eq!(file.len(), SIZE);
            assert!(
                std::os::unix::fs::MetadataExt::blocks(&file) * 512 >= SIZE,
                "a file with holes keeps nothing back"
            );
            reserve.release().unwrap();
            reserve.release().unwrap();
        }
    }

    #[test]
    fn a_reserve_that_would_take_the_last_room_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let space = Space::of(folder.path()).unwrap();
        assert!(space.available > 0 && space.total >= space.available);
        let reserve = Reserve::new(folder.path().to_owned(), space.available);
        assert!(!reserve.keep().unwrap() && !reserve.is_kept());
    }

    #[test]
    fn without_a_reserve_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Reserve::new(folder.path().to_owned(), 0).keep().unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn room_written_out_in_blocks_is_exactly_as_large_as_wanted() {
        let mut file = tempfile::tempfile().unwrap();
        fill(&mut file, SIZE).unwrap();
        assert_eq!(file.metadata().unwrap().len(), SIZE);
    }
}

//! What the spool asks of a disk, as an interface: so that a simulated one can lose, tear and refuse what a real one would.

use std::{
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// The operations on files that the spool is made of. Nothing written is durable before [`Files::sync`], no name before
/// [`Files::sync_dir`].
pub trait Files: fmt::Debug {
    /// A file that is written at its end.
    type File: fmt::Debug;
    /// Keeps others out while it is held.
    type Lock: fmt::Debug;

    /// Creates `dir` and what is missing above it.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Takes the lock file at `path`; `None` if another process has it.
    fn lock(&self, path: &Path) -> io::Result<Option<Self::Lock>>;
    /// Creates an empty file, or empties the one that is there.
    fn create(&self, path: &Path) -> io::Result<Self::File>;
    /// Writes `bytes` at the end. After an error any part of them may stand there.
    fn append(&self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written durable. After an error nothing since the last success is, and a second call that succeeds does not
    /// change that.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Makes the creation, renaming and removal of files in `dir` durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// At most `len` bytes of the file from `offset`.
    fn read(&self, path: &Path, offset: u64, len: u64) -> io::Result<Vec<u8>>;
    /// Length of the file, in bytes.
    fn size(&self, path: &Path) -> io::Result<u64>;
    /// The files in `dir`, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;
    /// Cuts the file off after `len` bytes.
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()>;
    /// Renames a file, replacing what has that name, at once.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The computer's own files.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemFiles;

impl Files for SystemFiles {
    type File = File;
    type Lock = File;

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<File>> {
        let file = File::create(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        File::create(path)
    }

    fn append(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        // Only Unix can open a directory as a file; elsewhere the file system's journal has to do.
        if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
    }

    fn read(&self, path: &Path, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(len).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.set_len(len)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

/// Whether there is no room, so that making some helps.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether the medium itself is damaged, so that trying again is no use.
pub(super) fn is_damage(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    error.raw_os_error() == Some(EIO)
}

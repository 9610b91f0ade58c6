//! What a file looked like when it was closed. Compared at the next start, it finds every change of a byte, which no check of a
//! database's structure can; it cannot say what was changed, nor anything of a file that was not closed.

use std::{
    fs::File,
    io::{self, Read},
    mem::ManuallyDrop,
    path::Path,
};

use xxhash_rust::xxh3::Xxh3Default;

use crate::installation::Seal;

const CHUNK: usize = 1 << 20;

/// Reads a whole file.
pub(crate) fn seal(path: &Path) -> io::Result<Seal> {
    sealed(&mut File::open(path)?)
}

/// Reads a whole file while SQLite has it open too. The file stays open until the process ends: closing any handle of a file gives up
/// all of the process's locks on it, also those that SQLite holds.
pub(crate) fn seal_in_use(path: &Path) -> io::Result<Seal> {
    sealed(&mut ManuallyDrop::new(File::open(path)?))
}

fn sealed(file: &mut File) -> io::Result<Seal> {
    let mut hasher = Xxh3Default::new();
    let mut chunk = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            return Ok(Seal { bytes, digest: format!("{:032x}", hasher.digest128()) });
        }
        hasher.update(&chunk[..read]);
        bytes += read as u64;
    }
}

//! A disk that loses its power: a filesystem in a file. What was synced is in the file, what was not is in memory only, so a copy of
//! the file is the disk as a power cut leaves it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::program;

const MB: u64 = 1 << 20;

/// A mounted filesystem, unmounted with this value.
pub struct Disk {
    image: PathBuf,
    mounted: TempDir,
}

impl Disk {
    /// Makes one of `mb` megabytes in the file `image`, if this user may mount and there are loop devices.
    pub fn make(image: PathBuf, mb: u64) -> Result<Option<Self>> {
        let Some(mkfs) = program::installed("mkfs.ext4")? else { return Ok(None) };
        File::create(&image)?.set_len(mb * MB)?;
        let made = Command::new(mkfs).args(["-q", "-m", "0", "-F"]).arg(&image).output()?;
        ensure!(made.status.success(), "mkfs.ext4: {}", said(&made));
        let mounted = TempDir::new()?;
        let tried = mount(&image, mounted.path())?;
        if !tried.status.success() {
            return program::skipped(&format!("a loop device cannot be mounted: {}", said(&tried).trim()));
        }
        Ok(Some(Self { image, mounted }))
    }

    /// Mounts what a copy of a disk holds, as after the power came back.
    pub fn of(image: PathBuf) -> Result<Self> {
        let mounted = TempDir::new()?;
        let tried = mount(&image, mounted.path())?;
        ensure!(tried.status.success(), "mount {}: {}", image.display(), said(&tried));
        Ok(Self { image, mounted })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.mounted.path()
    }

    /// Copies the disk as it would be without power now. What writes to it must be stopped; the filesystem itself may still be writing,
    /// so it is copied until two copies are the same.
    pub fn cut(&self, to: &Path) -> Result<()> {
        let again = to.with_extension("again");
        copy_holes(&self.image, to)?;
        for _ in 0..50 {
            copy_holes(&self.image, &again)?;
            if same(to, &again)? {
                fs::remove_file(again)?;
                return Ok(());
            }
            fs::rename(&again, to)?;
        }
        anyhow::bail!("the filesystem never rests")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What cannot be unmounted now is left to the end of whoever uses it.
        let _ = Command::new("umount").arg("-l").arg(self.mounted.path()).output();
    }
}

fn mount(image: &Path, on: &Path) -> Result<Output> {
    Command::new("mount").args(["-o", "loop"]).arg(image).arg(on).output().context("run mount")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn copy_holes(from: &Path, to: &Path) -> Result<()> {
    let done = Command::new("cp").arg("--sparse=always").arg(from).arg(to).output()?;
    ensure!(done.status.success(), "cp: {}", said(&done));
    Ok(())
}

fn same(one: &Path, other: &Path) -> Result<bool> {
    Ok(Command::new("cmp").arg("-s").arg(one).arg(other).status()?.success())
}

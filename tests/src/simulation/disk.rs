//! A disk that does what a real one may: it forgets what was not synced when the power goes, tears the last write, has no room, refuses
//! writes, and fails a sync after which the next one lies.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    rc::Rc,
};

use fastrand::Rng;
use lobby_agent::spool::Files;

const EIO: i32 = 5;
const EROFS: i32 = 30;

/// One file: what the system shows of it, and how much of that is on the medium.
#[derive(Debug, Clone, Default)]
struct Inode {
    shown: Vec<u8>,
    durable: Vec<u8>,
    /// A sync failed: what was unsynced then never reaches the medium, whatever later syncs say.
    poisoned: bool,
}

/// A change of the directory that is not durable yet.
#[derive(Debug, Clone)]
enum Entry {
    Link(PathBuf, u64),
    Unlink(PathBuf),
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a trouble of its own, and any may come with any")]
struct Medium {
    inodes: BTreeMap<u64, Inode>,
    shown: BTreeMap<PathBuf, u64>,
    durable: BTreeMap<PathBuf, u64>,
    journal: Vec<Entry>,
    next: u64,
    used: u64,
    room: u64,
    read_only: bool,
    syncs_fail: bool,
    /// Syncs say that all went well and do nothing: a planted bug.
    syncs_lie: bool,
    /// Operations left until the power goes.
    fuse: Option<u32>,
    dead: bool,
    rng: Rng,
}

/// A way to the disk; clones share it.
#[derive(Debug, Clone)]
pub struct Disk(Rc<RefCell<Medium>>);

/// An open file.
#[derive(Debug)]
pub struct Handle(u64);

impl Disk {
    /// An empty disk.
    pub fn new(seed: u64, syncs_lie: bool) -> Self {
        let rng = Rng::with_seed(seed);
        Self(Rc::new(RefCell::new(Medium { room: u64::MAX, rng, syncs_lie, ..Medium::default() })))
    }

    /// From now on the disk holds no more than what is on it and `bytes` more.
    pub fn limit(&self, bytes: u64) {
        let mut medium = self.0.borrow_mut();
        medium.room = medium.used + bytes;
    }

    /// There is room again.
    pub fn free(&self) {
        self.0.borrow_mut().room = u64::MAX;
    }

    /// Whether writing is refused.
    pub fn set_read_only(&self, read_only: bool) {
        self.0.borrow_mut().read_only = read_only;
    }

    /// Whether syncs fail.
    pub fn set_syncs_fail(&self, fail: bool) {
        self.0.borrow_mut().syncs_fail = fail;
    }

    /// Lets the power go in the middle of the `operations`th write from now.
    pub fn light_fuse(&self, operations: u32) {
        self.0.borrow_mut().fuse = Some(operations);
    }

    /// Whether the fuse has burnt down: the process must be taken for dead.
    pub fn is_dead(&self) -> bool {
        self.0.borrow().dead
    }

    /// The process ends, and the system lives: nothing is lost.
    pub fn process_ended(&self) {
        let mut medium = self.0.borrow_mut();
        (medium.fuse, medium.dead) = (None, false);
    }

    /// The power goes: what was not synced is lost, or not, or torn.
    pub fn power_cut(&self) {
        let mut medium = self.0.borrow_mut();
        let medium = &mut *medium;
        (medium.fuse, medium.dead) = (None, false);
        // The file system keeps the order of its own changes.
        let kept = medium.rng.usize(..=medium.journal.len());
        for entry in medium.journal.drain(..).take(kept) {
            match entry {
                Entry::Link(path, inode) => drop(medium.durable.insert(path, inode)),
                Entry::Unlink(path) => drop(medium.durable.remove(&path)),
            }
        }
        medium.shown.clone_from(&medium.durable);
        for inode in medium.inodes.values_mut() {
            inode.shown = torn(inode, &mut medium.rng);
            inode.durable.clone_from(&inode.shown);
            inode.poisoned = false;
        }
        medium.sweep();
    }
}

/// What is found of a file after a power cut.
fn torn(inode: &Inode, rng: &mut Rng) -> Vec<u8> {
    let Inode { shown, durable, poisoned } = inode;
    if *poisoned || !shown.starts_with(durable) {
        // Cut off or rewritten and not synced: the old or the new.
        return if *poisoned || rng.bool() { durable.clone() } else { shown.clone() };
    }
    let unsynced = &shown[durable.len()..];
    let mut found = durable.clone();
    match rng.u8(..4) {
        0 => {}
        1 => found.extend_from_slice(&unsynced[..rng.usize(..=unsynced.len())]),
        2 => found.extend_from_slice(unsynced),
        // The length was written, the content was not.
        _ => {
            let written = rng.usize(..=unsynced.len());
            found.extend_from_slice(&unsynced[..written]);
            found.resize(durable.len() + unsynced.len(), 0);
        }
    }
    found
}

impl Medium {
    /// Removes what no name leads to.
    fn sweep(&mut self) {
        let (shown, durable) = (&self.shown, &self.durable);
        let journal = &self.journal;
        let linked = |id: &u64| {
            journal.iter().any(|entry| matches!(entry, Entry::Link(_, linked) if linked == id))
                || shown.values().any(|known| known == id)
                || durable.values().any(|known| known == id)
        };
        self.inodes.retain(|id, _| linked(id));
        self.used =
            self.shown.values().filter_map(|id| self.inodes.get(id)).map(|inode| inode.shown.len() as u64).sum();
    }

    /// Whether a change may be made; burns the fuse. `Ok(false)`: it happens in part, and it is the last.
    fn may_write(&mut self) -> io::Result<bool> {
        if self.dead {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        if self.read_only {
            return Err(io::Error::from_raw_os_error(EROFS));
        }
        if let Some(left) = &mut self.fuse {
            *left = left.saturating_sub(1);
            self.dead = *left == 0;
        }
        Ok(!self.dead)
    }

    fn may_read(&self) -> io::Result<()> {
        if self.dead { Err(io::Error::from_raw_os_error(EIO)) } else { Ok(()) }
    }

    fn find(&self, path: &Path) -> io::Result<&Inode> {
        self.may_read()?;
        let id = self.shown.get(path).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        self.inodes.get(id).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn link(&mut self, path: &Path, id: u64) {
        self.shown.insert(path.to_owned(), id);
        self.journal.push(Entry::Link(path.to_owned(), id));
    }

    fn unlink(&mut self, path: &Path) -> io::Result<u64> {
        let id = self.shown.remove(path).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        self.journal.push(Entry::Unlink(path.to_owned()));
        Ok(id)
    }
}

fn died() -> io::Error {
    io::Error::from_raw_os_error(EIO)
}

impl Files for Disk {
    type File = Handle;
    type Lock = ();

    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        self.0.borrow().may_read()
    }

    fn lock(&self, _: &Path) -> io::Result<Option<()>> {
        self.0.borrow().may_read().map(Some)
    }

    fn create(&self, path: &Path) -> io::Result<Handle> {
        let mut medium = self.0.borrow_mut();
        if !medium.may_write()? {
            return Err(died());
        }
        if let Some(id) = medium.shown.get(path).copied() {
            let emptied = medium.inodes.get_mut(&id).map_or(0, |inode| std::mem::take(&mut inode.shown).len() as u64);
            medium.used -= emptied;
            return Ok(Handle(id));
        }
        let id = medium.next;
        medium.next += 1;
        medium.inodes.insert(id, Inode::default());
        medium.link(path, id);
        Ok(Handle(id))
    }

    fn append(&self, file: &mut Handle, bytes: &[u8]) -> io::Result<()> {
        let mut medium = self.0.borrow_mut();
        let alive = medium.may_write()?;
        let room = usize::try_from(medium.room.saturating_sub(medium.used)).unwrap_or(usize::MAX);
        let mut fits = bytes.len().min(room);
        if !alive {
            fits = medium.rng.usize(..=fits);
        }
        let inode = medium.inodes.get_mut(&file.0).ok_or_else(died)?;
        inode.shown.extend_from_slice(&bytes[..fits]);
        medium.used += fits as u64;
        match (alive, fits == bytes.len()) {
            (false, _) => Err(died()),
            (true, true) => Ok(()),
            (true, false) => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn sync(&self, file: &Handle) -> io::Result<()> {
        let mut medium = self.0.borrow_mut();
        if !medium.may_write()? {
            return Err(died());
        }
        if medium.syncs_lie {
            return Ok(());
        }
        let fails = medium.syncs_fail;
        let inode = medium.inodes.get_mut(&file.0).ok_or_else(died)?;
        if fails {
            inode.poisoned = true;
            return Err(died());
        }
        if !inode.poisoned {
            inode.durable.clone_from(&inode.shown);
        }
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let mut medium = self.0.borrow_mut();
        if !medium.may_write()? || medium.syncs_fail {
            return Err(died());
        }
        if !medium.syncs_lie {
            medium.journal.clear();
            let shown = medium.shown.clone();
            medium.durable = shown;
            medium.sweep();
        }
        Ok(())
    }

    fn read(&self, path: &Path, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        let medium = self.0.borrow();
        let shown = &medium.find(path)?.shown;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(shown.len());
        let to = from.saturating_add(usize::try_from(len).unwrap_or(usize::MAX)).min(shown.len());
        Ok(shown[from..to].to_vec())
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        Ok(self.0.borrow().find(path)?.shown.len() as u64)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let medium = self.0.borrow();
        medium.may_read()?;
        Ok(medium.shown.keys().filter(|path| path.parent() == Some(dir)).cloned().collect())
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let mut medium = self.0.borrow_mut();
        if !medium.may_write()? {
            return Err(died());
        }
        let id = *medium.shown.get(path).ok_or_else(died)?;
        let inode = medium.inodes.get_mut(&id).ok_or_else(died)?;
        let before = inode.shown.len() as u64;
        inode.shown.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        let cut = before - inode.shown.len() as u64;
        medium.used -= cut;
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut medium = self.0.borrow_mut();
        if !medium.may_write()? {
            return Err(died());
        }
        // One change of the journal, so that a power cut finds the old name or the new one.
        let id = medium.shown.remove(from).ok_or_else(died)?;
        let replaced = medium.shown.get(to).copied();
        let freed = replaced.and_then(|old| medium.inodes.get(&old)).map_or(0, |inode| inode.shown.len() as u64);
        medium.used -= freed;
        medium.link(to, id);
        medium.journal.push(Entry::Unlink(from.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut medium = self.0.borrow_mut();
        if !medium.may_write()? {
            return Err(died());
        }
        let id = medium.unlink(path)?;
        let freed = medium.inodes.get(&id).map_or(0, |inode| inode.shown.len() as u64);
        medium.used -= freed;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(disk: &Disk, path: &str, bytes: &[u8], sync: bool) -> io::Result<()> {
        let mut file = disk.create(Path::new(path))?;
        disk.append(&mut file, bytes)?;
        if sync {
            disk.sync(&file)?;
            disk.sync_dir(Path::new("/d"))?;
        }
        Ok(())
    }

    #[test]
    fn what_was_synced_outlives_a_power_cut_and_the_rest_may_be_lost() {
        let mut lost = 0;
        for seed in 0..100 {
            let disk = Disk::new(seed, false);
            written(&disk, "/d/kept", b"kept", true).unwrap();
            written(&disk, "/d/risked", b"risked", false).unwrap();
            disk.power_cut();
            assert_eq!(disk.read(Path::new("/d/kept"), 0, 99).unwrap(), b"kept");
            lost += u32::from(disk.read(Path::new("/d/risked"), 0, 99).is_ok_and(|bytes| bytes == b"risked"));
        }
        assert!((5..60).contains(&lost), "{lost}");
    }

    #[test]
    fn after_a_failed_sync_a_second_one_lies() {
        let disk = Disk::new(1, false);
        let mut file = disk.create(Path::new("/d/a")).unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        disk.append(&mut file, b"gone").unwrap();
        disk.set_syncs_fail(true);
        assert!(disk.sync(&file).is_err());
        disk.set_syncs_fail(false);
        assert!(disk.sync(&file).is_ok());
        disk.power_cut();
        assert_eq!(disk.read(Path::new("/d/a"), 0, 9).unwrap(), b"");
    }

    #[test]
    fn a_full_disk_takes_part_of_a_write_and_then_none() {
        let disk = Disk::new(1, false);
        disk.limit(3);
        let refused = written(&disk, "/d/a", b"12345", true).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        assert_eq!(disk.size(Path::new("/d/a")).unwrap(), 3);
        disk.remove(Path::new("/d/a")).unwrap();
        assert!(written(&disk, "/d/b", b"123", true).is_ok());
    }
}

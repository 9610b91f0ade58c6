//! The disks: how full the fullest is, and whether the kernel has stopped writing to one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sysinfo::DiskRefreshKind;

/// Smaller ones are boot and recovery partitions: nobody writes to them, and many are full by design.
const SMALLEST: u64 = 2 << 30;

/// File systems that are no local disk, or can only be read: full is their normal state.
const NOT_A_LOCAL_DISK: [&str; 14] = [
    "9p",
    "ceph",
    "cifs",
    "erofs",
    "glusterfs",
    "iso9660",
    "nfs",
    "nfs4",
    "overlay",
    "ramfs",
    "smb3",
    "squashfs",
    "tmpfs",
    "udf",
];

/// A local disk (a file system of it) and its size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) total: u64,
    /// What an ordinary user can still write.
    pub(super) free: u64,
}

/// The disks of this computer.
#[derive(Debug)]
pub(super) struct Disks {
    disks: sysinfo::Disks,
    mounts: PathBuf,
}

impl Disks {
    pub(super) fn at(root: &Path) -> Result<Self, sysinfo::Error> {
        Ok(Self { disks: sysinfo::Disks::new()?, mounts: root.join("proc/self/mountinfo") })
    }

    /// The local disk with the smallest free part.
    pub(super) fn fullest(&mut self) -> Option<Space> {
        self.disks.refresh_specifics(true, DiskRefreshKind::nothing().with_storage());
        let local = self.disks.iter().filter(|disk| !disk.is_removable());
        fullest(local.map(|disk| {
            let space = Space { total: disk.total_space(), free: disk.available_space() };
            (disk.file_system().to_str().unwrap_or_default(), space)
        }))
    }

    /// Whether the kernel has made a local disk read-only because of errors. `None` where the system does not say.
    pub(super) fn forced_read_only(&self) -> Option<bool> {
        forced_read_only(&fs::read_to_string(&self.mounts).ok()?)
    }
}

fn fullest<'a>(disks: impl Iterator<Item = (&'a str, Space)>) -> Option<Space> {
    disks
        .filter(|(file_system, space)| is_local(file_system) && space.total >= SMALLEST)
        .map(|(_, space)| space)
        // free/total compared without division: a.free/a.total < b.free/b.total.
        .min_by(|a, b| (u128::from(a.free) * u128::from(b.total)).cmp(&(u128::from(b.free) * u128::from(a.total))))
}

fn is_local(file_system: &str) -> bool {
    let is_user_space = file_system.starts_with("fuse.") || file_system == "fuse";
    !is_user_space && !NOT_A_LOCAL_DISK.contains(&file_system.to_ascii_lowercase().as_str())
}

/// After an error, the kernel turns the file system itself read-only while its mount keeps the options it was given. So
/// `rw` in the mount's options and `ro` in the file system's is an error, and `ro` in both is somebody's wish.
fn forced_read_only(mountinfo: &str) -> Option<bool> {
    let mut local = mountinfo.lines().filter_map(local_mount).peekable();
    local.peek()?;
    Some(
        local.any(|(mount, file_system)| {
            has(mount, "rw") && (has(file_system, "ro") || has(file_system, "emergency_ro"))
        }),
    )
}

/// The options of the mount and of the file system in a line `id parent dev root point options … - type source
/// options`, if it is a mounted local disk.
fn local_mount(line: &str) -> Option<(&str, &str)> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(4);
    let (point, mount_options) = (mount.next()?, mount.next()?);
    let mut file_system = file_system.split(' ');
    let (kind, source, options) = (file_system.next()?, file_system.next()?, file_system.next()?);
    let is_stick = ["/media/", "/run/media/"].iter().any(|folder| point.starts_with(folder));
    (source.starts_with("/dev/") && is_local(kind) && !is_stick).then_some((mount_options, options))
}

fn has(options: &str, wanted: &str) -> bool {
    options.split(',').any(|option| option == wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const GIB: u64 = 1 << 30;

    fn space(total_gib: u64, free_gib: u64) -> Space {
        Space { total: total_gib * GIB, free: free_gib * GIB }
    }

    #[test]
    fn the_fullest_is_by_share_and_counts_only_disks_that_people_fill() {
        let disks = [
            ("ext4", space(100, 40)),
            ("xfs", space(4000, 800)),
            ("squashfs", space(3, 0)),
            ("vfat", space(1, 0)),
            ("fuse.sshfs", space(50, 0)),
            ("nfs4", space(50, 0)),
        ];
        assert_eq!(fullest(disks.into_iter()), Some(space(4000, 800)));
        assert_eq!(fullest([("overlay", space(10, 0))].into_iter()), None);
    }

    #[rstest]
    #[case::healthy("25 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw,errors=remount-ro", Some(false))]
    #[case::after_an_error("25 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 ro,errors=remount-ro", Some(true))]
    #[case::newer_kernel("25 1 8:2 / / rw,relatime - ext4 /dev/sda2 rw,emergency_ro", Some(true))]
    #[case::wanted("25 1 8:2 / /usr ro,relatime - ext4 /dev/sda2 ro", Some(false))]
    #[case::read_only_view_of_a_part("25 1 8:2 /x /x ro - xfs /dev/sda2 rw,attr2", Some(false))]
    #[case::snap("25 1 7:0 / /snap/x rw,nodev - squashfs /dev/loop0 ro", None)]
    #[case::stick("25 1 8:17 / /media/guest/USB rw - vfat /dev/sdb1 ro,errors=remount-ro", None)]
    #[case::no_disk("25 1 0:5 / /proc rw - proc proc ro", None)]
    #[case::second_disk("1 1 8:2 / / rw - ext4 /dev/sda2 rw\n2 1 8:3 / /data rw - btrfs /dev/sdb ro", Some(true))]
    #[case::cut("25 1 8:2 / / rw,relatime - ext4", None)]
    fn a_mount_table_says_whether_writing_was_stopped(#[case] text: &str, #[case] stopped: Option<bool>) {
        assert_eq!(forced_read_only(text), stopped);
    }

    proptest! {
        #[test]
        fn any_text_is_a_mount_table(text in "(([0-9/ rwo,-]|ext4|/dev/sda1|\\PC){0,60}\n){0,6}") {
            let _ = forced_read_only(&text);
        }
    }
}

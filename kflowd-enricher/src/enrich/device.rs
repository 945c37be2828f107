//! Block devices and other file system numbers as text: `902h:/dev/md2:/:ext4`.
//!
//! The parts are the device number in hex, the node, the mount point and the file system type. The number is
//! what `stat(2)` packs into 32 bits: `major << 8 | minor` for minors below 256 (`902h` is 9:2), else the upper
//! bits of the minor stand above the major: `minor & 0xff | major << 8 | (minor & ~0xff) << 12`.
//! A device that is not in the table (it is mounted in another namespace only) has empty other parts: `2bh:::`.
//!
//! Of several mounts of one device the first that shows its root counts.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::SECOND;
use super::hash::IdMap;

/// Devices that are kept, mounted or not.
const DEVICES_MAX: usize = 1 << 16;

/// Device number (as the kernel keeps it: `major << 20 | minor`) to text.
#[derive(Debug)]
pub struct Devices {
    path: PathBuf,
    /// Becomes ready when a mount comes or goes.
    watch: Option<File>,
    texts: IdMap<u32, Box<str>>,
    /// Of these, not in the table when they were asked for.
    unknown: Vec<u32>,
    next_check: u64,
}

impl Devices {
    /// Reads the mount table at `path`, usually `/proc/self/mountinfo`.
    pub fn open(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let watch = File::open(&path).ok();
        let mut devices = Self { path, watch, texts: IdMap::default(), unknown: Vec::new(), next_check: 0 };
        devices.read();
        devices
    }

    /// To be called once per batch with the time since boot.
    pub fn tick(&mut self, now: u64) {
        if self.changed() {
            self.read();
        }
        if now >= self.next_check {
            self.next_check = now.saturating_add(SECOND);
            for device in self.unknown.drain(..) {
                self.texts.remove(&device);
            }
        }
    }

    /// Makes sure that [`Devices::text`] has an answer.
    pub fn ensure(&mut self, device: u32) {
        if self.texts.contains_key(&device) {
            return;
        }
        if self.changed() {
            self.read();
        }
        if !self.texts.contains_key(&device) && self.texts.len() < DEVICES_MAX {
            self.texts.insert(device, format!("{:x}h:::", packed(device)).into());
            self.unknown.push(device);
        }
    }

    /// The text of `device`.
    pub fn text(&self, device: u32) -> &str {
        self.texts.get(&device).map_or("", |text| text)
    }

    fn changed(&self) -> bool {
        let Some(watch) = &self.watch else { return false };
        let mut fds = [PollFd::new(watch, PollFlags::PRI)];
        let ready = poll(&mut fds, Some(&Timespec::default()));
        ready.is_ok_and(|n| n > 0) && fds[0].revents().contains(PollFlags::PRI)
    }

    fn read(&mut self) {
        if let Ok(text) = fs::read(&self.path) {
            self.texts.clear();
            self.unknown.clear();
            parse(&text, &mut self.texts);
        }
    }
}

/// The number as `stat(2)` packs it.
const fn packed(device: u32) -> u32 {
    let (major, minor) = (device >> 20, device & 0xf_ffff);
    minor & 0xff | major << 8 | (minor & !0xff) << 12
}

fn parse(table: &[u8], texts: &mut IdMap<u32, Box<str>>) {
    let mut whole = super::hash::IdSet::default();
    for line in table.split(|&b| b == b'\n') {
        let Some(mount) = Mount::parse(line) else { continue };
        let root = mount.root == b"/";
        let better = root && !whole.contains(&mount.device);
        if (better || !texts.contains_key(&mount.device)) && texts.len() < DEVICES_MAX {
            texts.insert(mount.device, mount.text().into());
            if root {
                whole.insert(mount.device);
            }
        }
    }
}

/// One line: `36 35 98:0 /root /mount options fields... - type source superoptions`.
struct Mount<'a> {
    device: u32,
    root: &'a [u8],
    point: &'a [u8],
    kind: &'a [u8],
    source: &'a [u8],
}

impl<'a> Mount<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.split(|&b| b == b' ');
        let (major, minor) = std::str::from_utf8(fields.nth(2)?).ok()?.split_once(':')?;
        let (major, minor): (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
        if major >= 1 << 12 || minor >= 1 << 20 {
            return None;
        }
        let (root, point) = (fields.next()?, fields.next()?);
        fields.find(|&field| field == b"-")?;
        Some(Self { device: major << 20 | minor, root, point, kind: fields.next()?, source: fields.next()? })
    }

    fn text(&self) -> String {
        let mut text = format!("{:x}h", packed(self.device));
        for part in [self.source, self.point, self.kind] {
            let _ = write!(text, ":{}", String::from_utf8_lossy(&unescaped(part)));
        }
        text
    }
}

/// The kernel writes blank, tab, newline and backslash as `\ooo`.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        match (byte, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                plain.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = tail;
            }
            _ => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TABLE: &[u8] = b"\
21 1 9:2 /sub /bind rw - ext4 /dev/md2 rw\n\
22 1 9:2 / / rw,noatime shared:1 master:2 - ext4 /dev/md2 rw\n\
23 1 9:2 / /again rw - ext4 /dev/md2 rw\n\
24 1 259:300 / /a\\040b rw - xfs /dev/nvme0n1p5 rw\n\
25 1 bad\n\
26 1 0:43 / /proc rw - proc proc rw\n";

    fn texts(table: &[u8]) -> IdMap<u32, Box<str>> {
        let mut texts = IdMap::default();
        parse(table, &mut texts);
        texts
    }

    #[test]
    fn the_mount_of_the_root_counts() {
        let texts = texts(TABLE);
        assert_eq!(&*texts[&(9 << 20 | 2)], "902h:/dev/md2:/:ext4");
        assert_eq!(&*texts[&(259 << 20 | 300)], "11032ch:/dev/nvme0n1p5:/a b:xfs");
        assert_eq!(&*texts[&43], "2bh:proc:/proc:proc");
        assert_eq!(texts.len(), 3);
    }

    #[test]
    fn this_system_has_a_root_and_a_device_nobody_mounted() {
        let mut devices = Devices::open("/proc/self/mountinfo");
        assert!(devices.texts.values().any(|text| text.contains(":/:")));
        devices.ensure(4000 << 20 | 5);
        assert_eq!(devices.text(4000 << 20 | 5), "fa005h:::");
        devices.tick(u64::MAX);
        assert_eq!(devices.text(4000 << 20 | 5), "");
    }

    proptest! {
        #[test]
        fn random_tables_never_panic(table in proptest::collection::vec(any::<u8>(), 0..200)) {
            texts(&table);
        }
    }
}

//! Names of users and groups, from files of the form of `/etc/passwd` and `/etc/group`.
//!
//! The file is read whole when its identity (device, inode, size, modification time) changes; this sees a
//! replacement by rename too. It is compared at most once a second, and once more before an id that is not
//! there is answered with the empty string: a user made a moment ago has a name.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::SECOND;
use super::hash::{IdMap, IdSet};

/// Bytes of the file that are read: 2^18 names of usual length.
const BYTES_MAX: u64 = 16 << 20;
/// Names that are kept.
const NAMES_MAX: usize = 1 << 18;
/// Ids without a name that are remembered until the next comparison.
const UNKNOWN_MAX: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

/// Id to name.
#[derive(Debug)]
pub struct Names {
    path: PathBuf,
    stamp: Option<Stamp>,
    names: IdMap<u32, Box<str>>,
    unknown: IdSet<u32>,
    next_check: u64,
}

impl Names {
    /// Reads `path`; a file that is not there has no names yet.
    pub fn open(path: impl Into<PathBuf>) -> Self {
        let mut names = Self {
            path: path.into(),
            stamp: None,
            names: IdMap::default(),
            unknown: IdSet::default(),
            next_check: 0,
        };
        names.compare();
        names
    }

    /// To be called once per batch with the time since boot.
    pub fn tick(&mut self, now: u64) {
        if now >= self.next_check {
            self.next_check = now.saturating_add(SECOND);
            self.unknown.clear();
            self.compare();
        }
    }

    /// Makes sure that [`Names::name`] gives what the file says now.
    pub fn ensure(&mut self, id: u32) {
        if !self.names.contains_key(&id) && !self.unknown.contains(&id) {
            self.compare();
            if !self.names.contains_key(&id) && self.unknown.len() < UNKNOWN_MAX {
                self.unknown.insert(id);
            }
        }
    }

    /// The name of `id`, empty when it has none.
    pub fn name(&self, id: u32) -> &str {
        self.names.get(&id).map_or("", |name| name)
    }

    fn compare(&mut self) {
        let stamp = fs::metadata(&self.path).ok().map(|m| Stamp {
            device: m.dev(),
            inode: m.ino(),
            size: m.size(),
            modified: (m.mtime(), m.mtime_nsec()),
        });
        // A file that is being replaced may be gone for a moment: the old names stay.
        if stamp.is_none() || stamp == self.stamp {
            return;
        }
        if let Ok(text) = self.read() {
            self.stamp = stamp;
            self.names.clear();
            self.unknown.clear();
            parse(&text, &mut self.names);
        }
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        File::open(&self.path)?.take(BYTES_MAX).read_to_end(&mut text)?;
        Ok(text)
    }
}

/// Lines of `name:password:id:...`; of two names for one id the first counts, as with getpwuid(3).
fn parse(text: &[u8], names: &mut IdMap<u32, Box<str>>) {
    for line in text.split(|&b| b == b'\n') {
        if names.len() == NAMES_MAX {
            break;
        }
        let mut fields = line.split(|&b| b == b':');
        let (Some(name), Some(id)) = (fields.next(), fields.nth(1)) else { continue };
        let id = std::str::from_utf8(id).ok().and_then(|id| id.parse::<u32>().ok());
        if let (Some(id), false) = (id, name.is_empty()) {
            names.entry(id).or_insert_with(|| String::from_utf8_lossy(name).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_is_a_name() {
        let mut names = IdMap::default();
        parse(
            b"root:x:0:0::/:/bin/sh\n#\n:x:5:\nbad:x:-1:\nbig:x:4294967000:1\ntwin:x:0:0\nhalf:x",
            &mut names,
        );
        assert_eq!(names.len(), 2);
        assert_eq!(&*names[&0], "root");
        assert_eq!(&*names[&4_294_967_000], "big");
    }

    #[test]
    fn sees_a_replaced_file_before_it_answers_for_an_unknown_id() {
        let directory = std::env::temp_dir().join(format!("kflowd-names-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("passwd");
        fs::write(&path, "a:x:1:\n").unwrap();
        let mut names = Names::open(&path);
        names.ensure(1);
        assert_eq!((names.name(1), names.name(2)), ("a", ""));
        fs::write(directory.join("new"), "a:x:1:\nb:x:2:\n").unwrap();
        fs::rename(directory.join("new"), &path).unwrap();
        names.ensure(2);
        assert_eq!(names.name(2), "b");
        fs::remove_dir_all(&directory).unwrap();
        names.tick(u64::MAX);
        assert_eq!(names.name(1), "a");
    }
}

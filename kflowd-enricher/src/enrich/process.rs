//! Names of processes, and what exec, fork and exit records tell about them for `-x`.
//!
//! A record carries its own names; the table only adds executable path and arguments. A process that is not in
//! the table shows neither.

use std::collections::VecDeque;
use std::rc::Rc;

use kflowd_proto::layout::{Head, Kind, Task};

use super::hash::IdMap;
use crate::decode::{ProcessRecord, Strings};
use crate::event::Text;

/// Processes that are kept; a newer one than the last that fits shows no path and no arguments.
const PROCESSES_MAX: usize = 1 << 16;
/// Ended processes that are kept: records of their files may come after their exit.
const ENDED_MAX: usize = 1024;

/// Process id and start: names a process for ever.
type Key = (u32, u64);

/// What an exec record said.
#[derive(Debug, Default)]
pub struct Image {
    exe: Box<[u8]>,
    exe_cut: bool,
    argv: Box<[u8]>,
}

impl Image {
    /// Path of the executable.
    pub fn exe(&self) -> Text<'_> {
        path(&self.exe, self.exe_cut)
    }

    /// Arguments, each ended by NUL.
    pub fn argv(&self) -> &[u8] {
        &self.argv
    }
}

/// The table.
#[derive(Debug, Default)]
pub struct Processes {
    images: IdMap<Key, Rc<Image>>,
    ended: VecDeque<Key>,
}

impl Processes {
    /// Learns from a record.
    pub fn learn(&mut self, record: &ProcessRecord<'_>) {
        let (head, task) = (record.body.head, record.body.task);
        let key = (head.tgid, head.start);
        match record.kind {
            Kind::Exec => self.insert(key, || Rc::new(image(&record.strings))),
            Kind::Fork => {
                if let Some(parent) = self.images.get(&(task.ppid, task.parent_start)).cloned() {
                    self.insert(key, || parent);
                }
            }
            _ => self.end(key),
        }
    }

    /// What is known about the process of `head`.
    pub fn get(&self, head: &Head) -> Option<&Image> {
        self.images.get(&(head.tgid, head.start)).map(|image| &**image)
    }

    fn insert(&mut self, key: Key, image: impl FnOnce() -> Rc<Image>) {
        if self.images.len() < PROCESSES_MAX || self.images.contains_key(&key) {
            self.images.insert(key, image());
        }
    }

    fn end(&mut self, key: Key) {
        if !self.images.contains_key(&key) {
            return;
        }
        self.ended.push_back(key);
        if self.ended.len() > ENDED_MAX
            && let Some(oldest) = self.ended.pop_front()
        {
            self.images.remove(&oldest);
        }
    }
}

fn image(strings: &Strings<'_>) -> Image {
    Image {
        exe: strings.exe_path.bytes.into(),
        exe_cut: strings.exe_path.cut,
        argv: strings.argv.bytes.into(),
    }
}

/// A path from the root, with a mark where its left end is missing.
pub fn path(bytes: &[u8], cut: bool) -> Text<'_> {
    if cut {
        return Text(["…/".as_bytes(), bytes.strip_prefix(b"/").unwrap_or(bytes), b""]);
    }
    Text::one(bytes)
}

/// Executable, and the thread's name behind it where that says something else; `[thread]` for kernel threads.
///
/// The kernel cuts thread names, so that the two count as equal when they agree as far as both go.
pub fn shown_name<'a>(strings: &Strings<'a>, task: &'a Task, kernel_thread: bool) -> Text<'a> {
    let end = task.comm.iter().position(|&b| b == 0).unwrap_or(task.comm.len());
    let (exe, comm) = (strings.exe_name.bytes, &task.comm[..end]);
    if kernel_thread {
        return Text([b"[", comm, b"]"]);
    }
    if exe.is_empty() {
        return Text::one(comm);
    }
    let both = exe.len().min(comm.len());
    if exe[..both] == comm[..both] { Text::one(exe) } else { Text([exe, b"/", comm]) }
}

#[cfg(test)]
mod tests {
    use kflowd_proto::layout::Process;

    use super::*;
    use crate::decode::Tailed;

    fn name(exe: &[u8], comm: &[u8], kernel_thread: bool) -> String {
        let mut task = Task::default();
        task.comm[..comm.len()].copy_from_slice(comm);
        let exe_name = Tailed { bytes: exe, cut: false };
        let text = shown_name(&Strings { exe_name, ..Strings::default() }, &task, kernel_thread);
        String::from_utf8(text.0.concat()).unwrap()
    }

    #[test]
    fn shown_names() {
        assert_eq!(name(b"cat", b"cat", false), "cat");
        assert_eq!(name(b"a-name-longer-than-comm", b"a-name-longer-t", false), "a-name-longer-than-comm");
        assert_eq!(name(b"python3.11", b"job.py", false), "python3.11/job.py");
        assert_eq!(name(b"bash", b"bas", false), "bash");
        assert_eq!(name(b"", b"job", false), "job");
        assert_eq!(name(b"", b"kworker/0:1", true), "[kworker/0:1]");
        assert_eq!(name(b"x", b"0123456789abcdef", false), "x/0123456789abcdef");
    }

    fn record(kind: Kind, tgid: u32, ppid: u32) -> ProcessRecord<'static> {
        let mut body = Process::default();
        (body.head.tgid, body.head.start) = (tgid, u64::from(tgid) * 10);
        (body.task.ppid, body.task.parent_start) = (ppid, u64::from(ppid) * 10);
        let exe_path = Tailed { bytes: b"/bin/x", cut: tgid == 3 };
        let argv = Tailed { bytes: b"x\0-y\0", cut: false };
        ProcessRecord { kind, body, strings: Strings { exe_path, argv, ..Strings::default() } }
    }

    #[test]
    fn a_child_has_its_parents_image_until_it_execs() {
        let mut table = Processes::default();
        table.learn(&record(Kind::Exec, 1, 0));
        table.learn(&record(Kind::Fork, 2, 1));
        table.learn(&record(Kind::Fork, 4, 77));
        let child = record(Kind::Fork, 2, 1).body.head;
        assert_eq!(table.get(&child).unwrap().argv(), b"x\0-y\0");
        assert!(table.get(&record(Kind::Fork, 4, 77).body.head).is_none());
        table.learn(&record(Kind::Exec, 3, 1));
        let cut = table.get(&record(Kind::Exec, 3, 1).body.head).unwrap();
        assert_eq!(cut.exe().0.concat(), "…/bin/x".as_bytes());
    }

    #[test]
    fn ended_processes_leave_after_a_while() {
        let mut table = Processes::default();
        for tgid in 1..=ENDED_MAX as u32 + 1 {
            table.learn(&record(Kind::Exec, tgid, 0));
            table.learn(&record(Kind::Exit, tgid, 0));
        }
        assert_eq!(table.images.len(), ENDED_MAX);
        assert!(table.get(&record(Kind::Exit, 1, 0).body.head).is_none());
    }
}

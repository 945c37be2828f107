//! The numbers that cross the borders. A change here is a change of the format: raise `ABI_VERSION`.

use std::mem::size_of;
use std::os::fd::AsFd;

use kflowd_proto::layout::{
    Cause, Counters, File, FileEvent, Flow, Head, Kind, Ledger, Payload, Process, Tag, TailEntry, Task, Way,
};
use kflowd_proto::queue::{Producer, SIZE_MIN, create};

#[test]
fn records() {
    let sizes = [size_of::<Head>(), size_of::<Task>(), size_of::<Process>(), size_of::<File>()];
    assert_eq!(sizes, [32, 48, 96, 264]);
    assert_eq!([size_of::<Counters>(), size_of::<Ledger>(), size_of::<TailEntry>()], [224, 320, 4]);
    assert_eq!([size_of::<Flow>(), size_of::<Way>(), size_of::<Payload>()], [424, 104, 104]);
    for kind in [Kind::Exec, Kind::Fork, Kind::Exit, Kind::File, Kind::Ledger, Kind::Flow, Kind::Payload] {
        assert_eq!(Kind::from_raw(kind as u16), Some(kind));
    }
    assert_eq!([Kind::from_raw(0), Kind::from_raw(8)], [None; 2]);
    assert_eq!((FileEvent::Delete as usize, Cause::Stop as u32, Tag::Payload as u16), (10, 7, 8));
}

#[cfg(not(loom))]
#[test]
fn queue() {
    let fds = create(SIZE_MIN).unwrap();
    let word = |fd: &std::os::fd::OwnedFd, at: u64| {
        let mut bytes = [0; 8];
        rustix::io::pread(fd, &mut bytes[..], at).unwrap();
        u64::from_ne_bytes(bytes)
    };
    assert_eq!(word(&fds.data, 0), u64::from_be_bytes(*b"kfqueue1"));
    assert_eq!(word(&fds.data, 8), SIZE_MIN as u64);
    assert_eq!([0, 128, 136, 144, 152].map(|at| word(&fds.cursor, at)), [0, 0, 1, 0, 0]);
    let wake = fds.wake.try_clone().unwrap();
    let mut producer = Producer::open(fds.data.as_fd(), fds.cursor.as_fd(), wake).unwrap();
    producer.push(b"12345678").unwrap();
    producer.close();
    assert_eq!(word(&fds.data, 128), 16 | 1, "tail and closed");
    assert_eq!(word(&fds.data, 4096), 0x4b46_5231 << 32 | 8);
    assert_eq!(word(&fds.data, 4104), u64::from_ne_bytes(*b"12345678"));
}

//! The default memory: two sealed memfds, passed to the other process as descriptors.

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};

use super::header::{Backing, ConsumerPage, FIRST_SEQUENCE, FIRST_SEQUENCE_AT, PAGE, Parts, ProducerPage};
use super::{QueueError, SIZE_MAX, SIZE_MIN};

/// The descriptors of a new queue.
#[derive(Debug)]
pub struct QueueFds {
    /// Header and data, for the producer.
    pub data: OwnedFd,
    /// The same file, opened read-only, for the consumer.
    pub data_readonly: OwnedFd,
    /// The cursor page; the consumer writes it.
    pub cursor: OwnedFd,
    /// Non-blocking eventfd.
    pub wake: OwnedFd,
}

fn os(what: &'static str) -> impl Fn(rustix::io::Errno) -> QueueError {
    move |errno| QueueError::Os { what, source: errno.into() }
}

/// Makes the files of a queue of `size` bytes. They are not mapped; [`super::Producer::open`] adds the last seals.
///
/// # Errors
/// When the size is not allowed, or the kernel refuses.
pub fn create(size: usize) -> Result<QueueFds, QueueError> {
    if !size.is_power_of_two() || !(SIZE_MIN..=SIZE_MAX).contains(&size) {
        return Err(QueueError::Size(size));
    }
    let data = memfd("kflowd-data", PAGE + size)?;
    write_at(&data, &ProducerPage::first_bytes(size), 0)?;
    rustix::fs::fcntl_add_seals(&data, SealFlags::SHRINK | SealFlags::GROW).map_err(os("seal data"))?;
    // Only the owner may open the file again, and only to read it.
    rustix::fs::fchmod(&data, Mode::RUSR).map_err(os("set mode of data"))?;
    let data_readonly = reopen_readonly(&data)?;

    let cursor = memfd("kflowd-cursor", PAGE)?;
    write_at(&cursor, &FIRST_SEQUENCE.to_ne_bytes(), FIRST_SEQUENCE_AT)?;
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&cursor, seals).map_err(os("seal cursor"))?;

    let wake = crate::sys::eventfd().map_err(|source| QueueError::Os { what: "eventfd", source })?;
    Ok(QueueFds { data, data_readonly, cursor, wake })
}

fn memfd(name: &str, bytes: usize) -> Result<OwnedFd, QueueError> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = match rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        // Kernels before 6.3 do not know the flag.
        Err(rustix::io::Errno::INVAL) => rustix::fs::memfd_create(name, flags),
        made => made,
    }
    .map_err(os("memfd_create"))?;
    rustix::fs::ftruncate(&fd, bytes as u64).map_err(os("size memfd"))?;
    Ok(fd)
}

fn write_at(fd: &OwnedFd, bytes: &[u8], at: u64) -> Result<(), QueueError> {
    match rustix::io::pwrite(fd, bytes, at).map_err(os("write header"))? {
        written if written == bytes.len() => Ok(()),
        _ => Err(QueueError::Os { what: "write header", source: io::ErrorKind::WriteZero.into() }),
    }
}

fn reopen_readonly(fd: &OwnedFd) -> Result<OwnedFd, QueueError> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(os("reopen data read-only"))
}

/// The mapped files of one half.
pub struct Memfd {
    data: Mapping,
    cursor: Mapping,
}

impl Memfd {
    /// Data writable, cursor read-only; then nobody else can get a writable mapping of the data.
    pub(super) fn producer(data: BorrowedFd<'_>, cursor: BorrowedFd<'_>) -> Result<Self, QueueError> {
        let mapped = Self::map(data, ProtFlags::READ | ProtFlags::WRITE, cursor, ProtFlags::READ)?;
        let seals = SealFlags::FUTURE_WRITE | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(data, seals).map_err(os("seal data against writing"))?;
        Ok(mapped)
    }

    /// Data read-only, cursor writable.
    pub(super) fn consumer(data: BorrowedFd<'_>, cursor: BorrowedFd<'_>) -> Result<Self, QueueError> {
        Self::map(data, ProtFlags::READ, cursor, ProtFlags::READ | ProtFlags::WRITE)
    }

    fn map(
        data: BorrowedFd<'_>,
        data_access: ProtFlags,
        cursor: BorrowedFd<'_>,
        cursor_access: ProtFlags,
    ) -> Result<Self, QueueError> {
        let mapped =
            Self { data: Mapping::new(data, data_access)?, cursor: Mapping::new(cursor, cursor_access)? };
        let size = mapped.data.len.saturating_sub(PAGE);
        if mapped.cursor.len != PAGE || !size.is_power_of_two() || !(SIZE_MIN..=SIZE_MAX).contains(&size) {
            return Err(QueueError::Size(size));
        }
        mapped.parts().producer().check(size)?;
        Ok(mapped)
    }
}

// SAFETY: the mappings last until drop and do not move with the value.
unsafe impl Backing for Memfd {
    fn parts(&self) -> Parts {
        // SAFETY: `map` has checked that the data mapping has a page and at least the smallest data area behind it,
        // and that the cursor mapping has a page. The kernel aligns mappings to pages, which aligns all three. Both
        // files are sealed against shrinking, so the pages stay.
        unsafe {
            Parts::new(
                self.data.start.cast::<ProducerPage>(),
                self.cursor.start.cast::<ConsumerPage>(),
                self.data.start.byte_add(PAGE).cast(),
                self.data.len - PAGE,
            )
        }
    }
}

// SAFETY: a mapping belongs to the process, not to a thread.
unsafe impl Send for Memfd {}

/// One shared mapping of a whole file that cannot shrink.
struct Mapping {
    start: NonNull<c_void>,
    len: usize,
}

impl Mapping {
    fn new(fd: BorrowedFd<'_>, access: ProtFlags) -> Result<Self, QueueError> {
        let seals = rustix::fs::fcntl_get_seals(fd).map_err(os("read seals"))?;
        if !seals.contains(SealFlags::SHRINK) {
            return Err(QueueError::NotSealed);
        }
        let stat = rustix::fs::fstat(fd.as_fd()).map_err(os("read size"))?;
        let len = usize::try_from(stat.st_size).unwrap_or(0);
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours; what others write into
        // it is read through atomics and raw copies only.
        let start = unsafe { rustix::mm::mmap(std::ptr::null_mut(), len, access, MapFlags::SHARED, fd, 0) }
            .map_err(os("map"))?;
        let start = NonNull::new(start)
            .ok_or(QueueError::Os { what: "map", source: io::ErrorKind::InvalidData.into() })?;
        Ok(Self { start, len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, whole, and its only users (the parts of the half that owns it) end with it.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr(), self.len) };
    }
}

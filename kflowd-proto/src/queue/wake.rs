//! Sleep and wake.
//!
//! The consumer may wait only after it announced it; the producer rings only when it sees the announcement:
//!
//! | consumer, `sleep`                 | producer, `publish`               |
//! |-----------------------------------|-----------------------------------|
//! | store the cursor with the flag    | store the tail                    |
//! | full fence                        | full fence                        |
//! | look at the tail: new? stay awake | look at the cursor: flag? ring    |
//!
//! With both fences at least one of the two sees what the other stored, so no wake-up is lost. Without them both
//! could look before either store is visible. The bell stays rung until it is drained, so ringing before the other
//! side waits is as good as ringing afterwards. The flag is taken back only by the consumer: until it has run, every
//! publish rings again, which costs a call per batch and nothing else.

#[cfg(not(loom))]
mod bell {
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    /// The eventfd of a queue; both halves hold it.
    #[derive(Debug)]
    pub struct Bell(OwnedFd);

    impl From<OwnedFd> for Bell {
        /// `fd` is a non-blocking eventfd, as [`crate::sys::eventfd`] makes it.
        fn from(fd: OwnedFd) -> Self {
            Self(fd)
        }
    }

    impl AsFd for Bell {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }

    impl Bell {
        /// Makes the descriptor readable. A full counter (EAGAIN) means that it is readable already; any other error
        /// means that there is no eventfd, and the producer has nobody to tell.
        pub(in super::super) fn ring(&self) {
            let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
        }

        /// Makes it unreadable. EAGAIN: it was.
        pub(in super::super) fn drain(&self) {
            let _ = rustix::io::read(&self.0, &mut [0; 8]);
        }
    }
}

#[cfg(loom)]
mod bell {
    use loom::sync::{Condvar, Mutex};
    use std::sync::Arc;

    /// The model of an eventfd: a flag that stays up until it is drained.
    #[derive(Clone, Debug)]
    pub struct Bell(Arc<(Mutex<bool>, Condvar)>);

    impl Bell {
        /// A silent bell.
        #[allow(clippy::new_without_default, reason = "only for models")]
        pub fn new() -> Self {
            Self(Arc::new((Mutex::new(false), Condvar::new())))
        }

        /// Waits until it has been rung.
        pub fn wait(&self) {
            let mut rung = self.0.0.lock().unwrap();
            while !*rung {
                rung = self.0.1.wait(rung).unwrap();
            }
        }

        pub(in super::super) fn ring(&self) {
            *self.0.0.lock().unwrap() = true;
            self.0.1.notify_one();
        }

        pub(in super::super) fn drain(&self) {
            *self.0.0.lock().unwrap() = false;
        }
    }
}

pub use bell::Bell;

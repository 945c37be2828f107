//! The clock of the kernel side: reading an iterator runs it over every session, every flow and every program.
//!
//! Each turn makes a new iterator, which is a bpf() call; kernels before 5.19 allow that without CAP_BPF only where
//! unprivileged BPF is on.

use std::io::{self, Read};
use std::os::fd::AsFd;

use libbpf_rs::{Iter, IterOpts, Link, MapIterOpts};

use crate::skel::kflowd::KflowdSkel;

/// Links of the three iterators.
pub(crate) struct Sweep {
    sessions: Link,
    flows: Link,
    programs: Link,
}

fn run(link: &Link) -> io::Result<()> {
    let mut iter = Iter::new(link).map_err(io::Error::other)?;
    // The programs write nothing: reading to the end is what runs them.
    while iter.read(&mut [0; 8])? > 0 {}
    Ok(())
}

impl Sweep {
    pub(crate) fn new(skel: &KflowdSkel<'_>) -> libbpf_rs::Result<Self> {
        let over = |fd| IterOpts::Map(MapIterOpts::from_fd(fd));
        Ok(Self {
            sessions: skel.progs.sweep_sessions.attach_iter_with_opts(over(skel.maps.sessions.as_fd()))?,
            flows: skel.progs.sweep_flows.attach_iter_with_opts(over(skel.maps.flows.as_fd()))?,
            programs: skel.progs.sweep_programs.attach_iter_with_opts(over(skel.maps.programs.as_fd()))?,
        })
    }

    /// Sends every session and every flow that is due.
    pub(crate) fn records(&self) -> io::Result<()> {
        run(&self.sessions)?;
        run(&self.flows)
    }

    /// Forgets programs that are over.
    pub(crate) fn programs(&self) -> io::Result<()> {
        run(&self.programs)
    }
}

//! What crosses the two borders of kflowd: kernel to probe, probe to enricher.
//!
//! Rules of the format, in order of importance:
//! 1. Layouts are `repr(C)` mirrors of `bpf/record.h`; fields are appended, never moved.
//! 2. Nothing that the other side wrote is used before it is checked; a bad value is a typed error.
//! 3. Records are copied as bytes and read with zerocopy; only the handshake is encoded with bincode.
//! 4. `unsafe` lives in [`queue`] and [`sys`] only, each with its proof.

pub mod handoff;
pub mod hello;
pub mod layout;
pub mod queue;
pub mod sys;

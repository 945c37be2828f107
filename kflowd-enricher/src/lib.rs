//! The unprivileged half of kflowd: frames of the queue become messages.
//!
//! Data goes down this list, each stage a type in and a type out:
//! 1. [`intake`] takes frames from the queue and commits them when they are written.
//! 2. [`decode`] turns the bytes of a frame into a checked [`decode::Record`].
//! 3. [`enrich`] looks up what the kernel does not know and gives an [`event::Event`].
//! 4. [`render`] writes the event as text into a [`render::Batch`].
//! 5. [`sink`] brings the batch to stdout and to UDP receivers.
//!
//! [`app`] is stages 2 and 4 for the payload of flows: their messages wait as text for the record of the flow.
//!
//! [`pipeline`] is stages 2 to 4 in one piece: no descriptor, no system call per record, so that tests, replay
//! and measurements run the very code that runs in production.
#![forbid(unsafe_code)]

pub mod app;
pub mod cli;
pub mod counters;
pub mod decode;
pub mod enrich;
pub mod error;
pub mod event;
pub mod intake;
pub mod pipeline;
pub mod render;
pub mod sink;
pub mod start;

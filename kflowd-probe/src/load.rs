//! Opens, configures, loads and attaches the kernel side. All of it needs root; nothing of it is used afterwards.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::sync::Mutex;

use kflowd_proto::hello::Ports;
use kflowd_proto::queue::Producer;
use libbpf_rs::btf::Btf;
use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use libbpf_rs::{Iter, IterOpts, Link, MapCore, MapFlags, MapIterOpts, PrintLevel};

use crate::attach::{self, Attachments, Part, Signatures, Way};
use crate::capture::{self, Pages};
use crate::drain::{Drain, DrainError};
use crate::preemption;
use crate::skel::kflowd::{KflowdSkel, KflowdSkelBuilder, OpenKflowdSkel};
use crate::skel::{Variables, preflight};
use crate::sweep::Sweep;

/// Slots of the scratch map (SCRATCH_MAX in bpf/maps.bpf.h).
const SCRATCH_SLOTS: u32 = 64;

/// What the kernel side is told.
#[derive(Clone, Debug)]
pub(crate) struct KernelSettings {
    /// Idle timeout of sessions, nanoseconds.
    pub(crate) idle_ns: u64,
    /// Active timeout of sessions, nanoseconds.
    pub(crate) active_ns: u64,
    /// Events after which a session is sent, 0 = no limit.
    pub(crate) max_events: u32,
    /// Watch files; processes are always watched.
    pub(crate) files: bool,
    /// Watch flows.
    pub(crate) sockets: bool,
    /// Bytes of a call that are copied as payload, 0 = none.
    pub(crate) capture_bytes: u32,
    /// Where payload is copied.
    pub(crate) ports: Ports,
    /// Report reads of kernel file systems too.
    pub(crate) all_files: bool,
    /// Show libbpf's messages.
    pub(crate) verbose: bool,
    /// Send exec, fork and exit records.
    pub(crate) process_records: bool,
    /// Whom not to report.
    pub(crate) own: OwnProcesses,
}

impl KernelSettings {
    fn payload(&self) -> bool {
        self.sockets && self.capture_bytes > 0
    }

    /// What hooks are for that have to be there.
    fn parts(&self) -> Vec<Part> {
        let parts =
            [(self.files, Part::Files), (self.sockets, Part::Sockets), (self.payload(), Part::Payload)];
        parts.into_iter().filter_map(|(wanted, part)| wanted.then_some(part)).collect()
    }
}

/// Processes that are kflowd's own.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnProcesses {
    /// The process that the user started; its children are enrichers.
    pub(crate) front: u32,
    /// The process that drains.
    pub(crate) probe: u32,
    /// Process group that reads our output through a pipe, 0 = none.
    pub(crate) group: u32,
}

/// Why the kernel side is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The kernel's type information cannot be read.
    #[error("cannot read the kernel's types (/sys/kernel/btf/vmlinux): {0}")]
    Btf(String),
    /// The kernel refused the programs.
    #[error("the kernel refuses tracing programs: {0}")]
    Load(String),
    /// A hook that has to be there did not attach.
    #[error("hook {hook} ({way}) does not attach: {error}")]
    Attach {
        /// Kernel function or tracepoint.
        hook: &'static str,
        /// fentry, tp_btf or kprobe.
        way: &'static str,
        /// The kernel's word.
        error: String,
    },
    /// What is needed while draining could not be set up.
    #[error("cannot set up the ring buffer: {0}")]
    Drain(#[from] DrainError),
}

impl LoadError {
    fn load(error: libbpf_rs::Error) -> Self {
        // One line: the chain, without the verifier's log.
        Self::Load(format!("{error:#}").lines().next().unwrap_or_default().to_owned())
    }
}

/// Loaded and attached; records already gather in the ring buffer.
pub(crate) struct Attached {
    skel: &'static KflowdSkel<'static>,
    attachments: Attachments,
    sweep: Sweep,
    variables: Variables,
}

/// The program that the kernel refused last. libbpf tells its name only in a message.
static REFUSED: Mutex<Option<String>> = Mutex::new(None);

fn note_refused(message: &str) {
    let name =
        message.strip_prefix("libbpf: prog '").and_then(|rest| rest.split_once("': BPF program load failed"));
    if let (Some((name, _)), Ok(mut refused)) = (name, REFUSED.lock()) {
        *refused = Some(name.to_owned());
    }
}

fn take_refused() -> Option<String> {
    REFUSED.lock().ok()?.take()
}

fn be_quiet(_: PrintLevel, message: String) {
    note_refused(&message);
}

fn be_loud(_: PrintLevel, message: String) {
    note_refused(&message);
    // A closed stderr is no reason to end.
    let _ = io::Write::write_all(&mut io::stderr(), message.as_bytes());
}

/// Who hears libbpf: stderr when `verbose`, else nobody.
pub(crate) fn set_print(verbose: bool) {
    let print = if verbose { be_loud } else { be_quiet };
    libbpf_rs::set_print(Some((PrintLevel::Debug, print)));
}

fn open(
    settings: &KernelSettings,
    pages: Pages,
    kernel: &Signatures,
    ways: &[Way],
    preempts: bool,
) -> Result<OpenKflowdSkel<'static>, LoadError> {
    // Lives as long as the process: the skeleton borrows it.
    let place = Box::leak(Box::new(MaybeUninit::uninit()));
    let mut skel = KflowdSkelBuilder::default().open(place).map_err(LoadError::load)?;
    let knobs = skel
        .maps
        .rodata_data
        .as_deref_mut()
        .ok_or_else(|| LoadError::Btf("no knobs in the object".into()))?;
    knobs.idle_ns = settings.idle_ns;
    knobs.active_ns = settings.active_ns;
    knobs.max_events = settings.max_events;
    knobs.all_files = settings.all_files.into();
    knobs.process_records = settings.process_records.into();
    knobs.own_front = settings.own.front;
    knobs.own_probe = settings.own.probe;
    knobs.own_group = settings.own.group;
    capture::set_knobs(settings, pages, knobs);
    attach::set_positions(kernel, knobs);
    attach::select(skel.open_object_mut(), ways, preempts);
    Ok(skel)
}

/// Loads and attaches, falling back hook by hook: every turn of the loop gives up one way of one hook.
fn load_and_attach(
    settings: &KernelSettings,
    kernel: &Signatures,
) -> Result<(KflowdSkel<'static>, Attachments), LoadError> {
    let mut ways = attach::first_ways(kernel, &settings.parts());
    let preempts = preemption::happens(kernel.lazy());
    let pages = if settings.payload() { Pages::find() } else { Pages::default() };
    loop {
        let mut skel = match open(settings, pages, kernel, &ways, preempts)?.load() {
            Ok(skel) => skel,
            Err(error) => {
                // A kernel that refuses even empty programs would refuse each hook in turn.
                preflight()?;
                let index = take_refused().as_deref().and_then(attach::hook_of);
                index.and_then(|index| attach::fall_back(&mut ways, index)).ok_or(LoadError::load(error))?;
                continue;
            }
        };
        fill_free(&skel)?;
        match attach::attach(skel.object_mut(), &ways, preempts) {
            Ok(attachments) => return Ok((skel, attachments)),
            Err((index, error)) => attach::fall_back(&mut ways, index).ok_or(error)?,
        }
    }
}

/// All slots of scratch buffers, sessions and flows are free.
fn fill_free(skel: &KflowdSkel<'_>) -> Result<(), LoadError> {
    for slot in 0..SCRATCH_SLOTS {
        skel.maps.scratch_free.update(&[], &slot.to_ne_bytes(), MapFlags::ANY).map_err(LoadError::load)?;
    }
    // A program does it for the many sessions: one call instead of one for each.
    let over = IterOpts::Map(MapIterOpts::from_fd(skel.maps.slots.as_fd()));
    read_once(&skel.progs.fill_slots.attach_iter_with_opts(over).map_err(LoadError::load)?)?;
    let over = IterOpts::Map(MapIterOpts::from_fd(skel.maps.flow_slots.as_fd()));
    read_once(&skel.progs.fill_flow_slots.attach_iter_with_opts(over).map_err(LoadError::load)?)
}

/// Runs an iterator over everything it has.
fn read_once(link: &Link) -> Result<(), LoadError> {
    let mut iter = Iter::new(link).map_err(LoadError::load)?;
    io::copy(&mut iter, &mut io::sink()).map(drop).map_err(|e| LoadError::Load(e.to_string()))
}

/// Opens, loads, attaches. Needs root.
///
/// # Errors
/// When the kernel refuses the programs or a hook without which there is nothing to tell.
pub(crate) fn start(settings: &KernelSettings) -> Result<Attached, LoadError> {
    set_print(settings.verbose);
    let btf = Btf::from_vmlinux().map_err(|e| LoadError::Btf(format!("{e:#}")))?;
    let (mut skel, attachments) = load_and_attach(settings, &Signatures::read(&btf))?;
    let existing = skel.progs.process_existing.attach().map_err(LoadError::load)?;
    let connections = skel.progs.tcp_existing.attach().map_err(LoadError::load)?;
    let sweep = Sweep::new(&skel).map_err(LoadError::load)?;
    let bss = skel.maps.bss_data.take().ok_or_else(|| LoadError::Btf("no variables in the object".into()))?;
    // Maps and their mappings live as long as the process: `bss` is one of them.
    let skel = &*Box::leak(Box::new(skel));
    let mut variables = Variables::new(bss);
    // First who is there and where the host's root is, then what they do.
    read_once(&existing)?;
    variables.set_running(true);
    // Connections that begin now have hooks of their own.
    if settings.sockets {
        read_once(&connections)?;
    }
    Ok(Attached { skel, attachments, sweep, variables })
}

impl Attached {
    /// Hooks as `name:way`, in the order of attachment.
    pub(crate) fn hooks(&self) -> &[String] {
        &self.attachments.names
    }

    /// Maps the ring buffer; what follows needs no privilege.
    ///
    /// # Errors
    /// When the mapping fails.
    pub(crate) fn into_drain(self, producer: Producer) -> Result<Drain, LoadError> {
        let ring = &self.skel.maps.ring;
        let fd = ring.as_fd().try_clone_to_owned().map_err(DrainError::Map)?;
        let size = ring.info().map_err(LoadError::load)?.info.max_entries as usize;
        Ok(Drain::new(fd, size, producer, self.attachments, self.sweep, self.variables)?)
    }
}

/// Whether this kernel takes tracing programs: loads one empty fentry and one empty kprobe program, attaches neither.
///
/// # Errors
/// The kernel's word, on one line.
pub(crate) fn preflight() -> Result<(), LoadError> {
    let mut place = MaybeUninit::uninit();
    let builder = preflight::PreflightSkelBuilder::default();
    builder.open(&mut place).and_then(OpenSkel::load).map(drop).map_err(LoadError::load)
}

//! Which hooks there are, and how each attaches on this kernel: fentry, fexit or a typed tracepoint first, a kprobe
//! where that does not work, one by one.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use libbpf_rs::btf::{Btf, types};
use libbpf_rs::{Link, MapCore, MapFlags, Object, OpenObject, ProgramMut};

use crate::load::LoadError;
use crate::skel::kflowd::types::rodata;

/// How a hook is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// fentry, fexit or tp_btf: typed arguments, the cheapest.
    Trace,
    /// kprobe: sees the call, not its result.
    Kprobe,
    /// This kernel lacks the function.
    Off,
}

/// One event source of the kernel side.
pub(crate) struct Hook {
    /// Kernel function or tracepoint of the typed program.
    pub(crate) target: &'static str,
    /// Typed program.
    trace: &'static str,
    /// Program of the fallback.
    kprobe: Option<&'static str>,
    /// Without this one kflowd has nothing to tell.
    required: bool,
    /// What it is for.
    part: Part,
    /// Interrupts run it too, so that it may stand still inside a program on every kernel.
    interrupts: bool,
}

impl Hook {
    /// Whether the kernel might skip its program, so that it has to have stand-ins; `preempts`: the kernel preempts
    /// itself.
    fn stands_still(&self, preempts: bool) -> bool {
        preempts || self.interrupts
    }
}

/// What a hook is for, which `-m` and `-p` switch on and off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Files, and processes.
    Files,
    /// Flows.
    Sockets,
    /// What flows carry.
    Payload,
}

/// A typed program that has stand-ins (bpf/standin.bpf.h) has entries, whose names are its own and one of these, in the
/// order in which the kernel is to run them, and a map where they find it; not all have those in the middle. Used for hooks
/// that may stand still inside a program.
const ENTRIES: [&str; 4] = ["_first", "_second", "_third", "_last"];
const WORK: &str = "_work";

/// A function that only fexit or fentry can follow.
const fn typed(target: &'static str, trace: &'static str) -> Hook {
    Hook { target, trace, kprobe: None, required: false, part: Part::Files, interrupts: false }
}

/// The same for one that runs when a transfer is complete, which an interrupt may tell.
const fn completion(target: &'static str, trace: &'static str) -> Hook {
    Hook { interrupts: true, ..typed(target, trace) }
}

const fn tracepoint(target: &'static str, trace: &'static str) -> Hook {
    Hook { required: true, ..typed(target, trace) }
}

const fn function(target: &'static str, trace: &'static str, kprobe: &'static str) -> Hook {
    Hook { kprobe: Some(kprobe), ..typed(target, trace) }
}

/// A function of the network that only fentry or fexit can follow.
const fn socket(target: &'static str, trace: &'static str) -> Hook {
    Hook { part: Part::Sockets, ..typed(target, trace) }
}

/// The same, where only payload is of interest.
const fn payload(target: &'static str, trace: &'static str) -> Hook {
    Hook { part: Part::Payload, ..socket(target, trace) }
}

/// All hooks, in the order in which they attach: those that end a session before those that open one.
pub(crate) const HOOKS: &[Hook] = &[
    tracepoint("sched_process_exit", "process_exit"),
    tracepoint("sched_process_exec", "process_exec"),
    tracepoint("sched_process_fork", "process_fork"),
    function("__fput", "fput_entry", "fput_kprobe"),
    function("d_delete", "d_delete", "d_delete_kprobe"),
    function("d_move", "d_move", "d_move_kprobe"),
    function("d_exchange", "d_exchange", "d_exchange_kprobe"),
    function("vfs_read", "vfs_read", "vfs_read_kprobe"),
    function("vfs_write", "vfs_write", "vfs_write_kprobe"),
    typed("vfs_readv", "vfs_readv"),
    typed("vfs_writev", "vfs_writev"),
    typed("do_sendfile", "do_sendfile"),
    typed("do_splice", "do_splice"),
    typed("vfs_copy_file_range", "vfs_copy_file_range"),
    typed("vfs_clone_file_range", "vfs_clone_file_range"),
    typed("vfs_fallocate", "vfs_fallocate"),
    typed("__kernel_read", "kernel_read"),
    typed("__kernel_write", "kernel_write"),
    typed("__kernel_write_iter", "kernel_write_iter"),
    typed("io_read", "io_read"),
    typed("io_write", "io_write"),
    typed("kiocb_done", "kiocb_done"),
    completion("io_complete_rw", "io_complete_rw"),
    typed("io_complete_rw_iopoll", "io_complete_rw_iopoll"),
    completion("aio_complete_rw", "aio_complete_rw"),
    typed("aio_read", "aio_read"),
    typed("aio_write", "aio_write"),
    typed("security_path_unlink", "note_unlink"),
    typed("security_path_rename", "note_rename"),
    typed("security_path_link", "note_link"),
    typed("security_path_symlink", "note_symlink"),
    typed("chmod_common", "note_chmod"),
    typed("chown_common", "note_chown"),
    typed("vfs_truncate", "note_truncate"),
    typed("vfs_utimes", "note_utimes"),
    typed("notify_change", "notify_change_entry"),
    typed("notify_change", "notify_change"),
    typed("vfs_setxattr", "vfs_setxattr"),
    typed("vfs_removexattr", "vfs_removexattr"),
    typed("vfs_set_acl", "vfs_set_acl"),
    typed("vfs_remove_acl", "vfs_remove_acl"),
    typed("vfs_link", "vfs_link"),
    typed("vfs_symlink", "vfs_symlink"),
    typed("vfs_create", "vfs_create"),
    function("do_dentry_open", "do_dentry_open", "security_file_open_kprobe"),
    socket("inet_sock_destruct", "socket_freed"),
    socket("tcp_done", "tcp_over"),
    socket("tcp_disconnect", "tcp_disconnected"),
    socket("inet_csk_accept", "tcp_accept"),
    socket("tcp_rcv_established", "tcp_received_established"),
    socket("tcp_rcv_state_process", "tcp_received_other"),
    socket("__tcp_transmit_skb", "tcp_transmit"),
    socket("skb_consume_udp", "udp_receive"),
    socket("udp_send_skb", "udp_send"),
    socket("udp_v6_send_skb", "udp_send_v6"),
    socket("unix_dgram_sendmsg", "unix_dgram_sent"),
    socket("unix_stream_sendmsg", "unix_stream_sent"),
    payload("tcp_sendmsg_locked", "tcp_sent"),
    payload("do_tcp_sendpages", "tcp_sent_pages"),
    payload("tcp_recvmsg", "tcp_read_by_user"),
    payload("udp_recvmsg", "udp_read_by_user"),
    payload("udpv6_recvmsg", "udp_read_by_user_v6"),
];

/// Asks for the processor of a task that may be preempted lazily; since 6.13.
const LAZY: &str = "resched_curr_lazy";

/// Where this function is there, another hook sees all that the other one's would.
const INSTEAD: &[(&str, &str)] = &[("__kernel_write_iter", "__kernel_write"), ("__io_read", "kiocb_done")];

/// Parameter names of the hooked kernel functions, as the kernel's BTF has them.
pub(crate) struct Signatures(HashMap<String, Vec<String>>);

impl Signatures {
    /// Looks at every function of `btf` once: finding one by name would walk all types each time.
    pub(crate) fn read(btf: &Btf<'_>) -> Self {
        let wanted: HashSet<&str> = HOOKS
            .iter()
            .map(|hook| hook.target)
            .chain(INSTEAD.iter().map(|(by, _)| *by))
            .chain([LAZY])
            .collect();
        let functions = btf.type_by_kind::<types::Func<'_>>().filter_map(|function| {
            let name = function.name()?.to_str()?;
            let proto =
                types::FuncProto::try_from(function.next_type().filter(|_| wanted.contains(name))?).ok()?;
            let parameter = |p: types::FuncProtoParam<'_>| p.name.map(|n| n.to_string_lossy().into_owned());
            Some((name.to_owned(), proto.iter().map(|p| parameter(p).unwrap_or_default()).collect()))
        });
        Self(functions.collect())
    }

    /// Whether the kernel knows lazy preemption.
    pub(crate) fn lazy(&self) -> bool {
        self.known(LAZY)
    }

    fn known(&self, function: &str) -> bool {
        self.0.contains_key(function)
    }

    /// Number of parameters. Without the function its program is not loaded, and the number not used.
    fn count(&self, function: &str) -> u8 {
        self.0.get(function).map_or(0, Vec::len) as u8
    }

    /// Place of the parameter `name`, likewise.
    fn place(&self, function: &str, name: &str) -> u8 {
        self.0.get(function).and_then(|p| p.iter().position(|n| n == name)).unwrap_or(0) as u8
    }
}

/// First choice for every hook; those whose part is not `wanted` stay off.
pub(crate) fn first_ways(kernel: &Signatures, wanted: &[Part]) -> Vec<Way> {
    let known = |name| kernel.known(name);
    let replaced = |name| INSTEAD.iter().any(|(by, other)| *other == name && known(by));
    HOOKS
        .iter()
        .map(|hook| match hook.kprobe {
            _ if hook.required => Way::Trace,
            _ if !wanted.contains(&hook.part) || replaced(hook.target) => Way::Off,
            _ if known(hook.target) => Way::Trace,
            Some(_) => Way::Kprobe,
            None => Way::Off,
        })
        .collect()
}

/// Tells the programs where arguments stand that moved between kernels.
pub(crate) fn set_positions(kernel: &Signatures, knobs: &mut rodata) {
    let (at, count) = (|f, name| kernel.place(f, name), |f| kernel.count(f));
    knobs.arg_open_ret = count("do_dentry_open");
    knobs.arg_notify_dentry = at("notify_change", "dentry");
    knobs.arg_notify_attr = at("notify_change", "attr");
    knobs.arg_notify_ret = count("notify_change");
    knobs.arg_setxattr_dentry = at("vfs_setxattr", "dentry");
    knobs.arg_setxattr_ret = count("vfs_setxattr");
    knobs.arg_removexattr_dentry = at("vfs_removexattr", "dentry");
    knobs.arg_removexattr_ret = count("vfs_removexattr");
    knobs.arg_link_dentry = at("vfs_link", "new_dentry");
    knobs.arg_link_ret = count("vfs_link");
    knobs.arg_symlink_dentry = at("vfs_symlink", "dentry");
    knobs.arg_symlink_ret = count("vfs_symlink");
    knobs.arg_create_dentry = at("vfs_create", "dentry");
    knobs.arg_create_ret = count("vfs_create");
    knobs.arg_accept_ret = count("inet_csk_accept");
    knobs.arg_tcp_recv_flags = at("tcp_recvmsg", "flags");
    knobs.arg_tcp_recv_ret = count("tcp_recvmsg");
    knobs.arg_udp_recv_ret = count("udp_recvmsg");
}

/// The program that `name` is an entry of.
fn stood_in(name: &str) -> Option<&str> {
    ENTRIES.iter().find_map(|entry| name.strip_suffix(entry))
}

/// Chooses the programs to load.
pub(crate) fn select(object: &mut OpenObject, ways: &[Way], preempts: bool) {
    for mut program in object.progs_mut() {
        let own = program.name().to_string_lossy().into_owned();
        let name = stood_in(&own).unwrap_or(&own);
        let unused = HOOKS.iter().zip(ways).any(|(hook, way)| {
            (name == hook.trace && *way != Way::Trace) || (Some(name) == hook.kprobe && *way != Way::Kprobe)
        });
        let entry = name != own;
        let wanted = || HOOKS.iter().any(|hook| hook.trace == name && hook.stands_still(preempts));
        program.set_autoload(!unused && (!entry || wanted()));
    }
}

fn program<'obj>(object: &'obj mut Object, name: &str) -> Option<ProgramMut<'obj>> {
    object.progs_mut().find(|p| p.name() == name)
}

/// What is attached.
#[derive(Default)]
pub(crate) struct Attachments {
    /// A link that goes away detaches its hook.
    pub(crate) links: Vec<Link>,
    /// As `name:way`.
    pub(crate) names: Vec<String>,
    /// The programs, of which the kernel tells how often it skipped them.
    pub(crate) programs: Vec<OwnedFd>,
}

/// Attaches every hook; an error names the hook's index so that the caller can fall back for this one.
pub(crate) fn attach(
    object: &mut Object,
    ways: &[Way],
    preempts: bool,
) -> Result<Attachments, (usize, LoadError)> {
    let mut done = Attachments::default();
    for (i, (hook, way)) in HOOKS.iter().zip(ways).enumerate() {
        let (name, kind) = match way {
            Way::Trace if hook.required => (hook.trace, "tp_btf"),
            Way::Trace => (hook.trace, "fentry"),
            Way::Kprobe => (hook.kprobe.unwrap_or(hook.trace), "kprobe"),
            Way::Off => continue,
        };
        let fail = |error: String| (i, LoadError::Attach { hook: hook.target, way: kind, error });
        if hook.stands_still(preempts) && has_entries(object, name) {
            done.attach_entries(object, name, hook.required).map_err(fail)?;
        } else {
            done.attach_counted(object, name).map_err(fail)?;
        }
        done.names.push(format!("{}:{kind}", hook.target));
    }
    Ok(done)
}

fn has_entries(object: &Object, name: &str) -> bool {
    object.maps().any(|map| map.name().to_str().and_then(|map| map.strip_suffix(WORK)) == Some(name))
}

impl Attachments {
    /// Attaches a program, of which skipped runs are lost.
    fn attach_counted(&mut self, object: &mut Object, name: &str) -> Result<(), String> {
        self.attach(object, name)?;
        let program = program(object, name).ok_or("no such program")?;
        self.programs.push(program.as_fd().try_clone_to_owned().map_err(|e| e.to_string())?);
        Ok(())
    }

    fn attach(&mut self, object: &mut Object, name: &str) -> Result<(), String> {
        let program = program(object, name).ok_or("no such program")?;
        self.links.push(program.attach().map_err(|e| format!("{e:#}"))?);
        Ok(())
    }

    /// Attaches the entries of `name`, and puts it where they find it. Only the first one's skipped runs matter: what
    /// others do in its place they count themselves.
    fn attach_entries(&mut self, object: &mut Object, name: &str, tracepoint: bool) -> Result<(), String> {
        let work = program(object, name).ok_or("no such program")?.as_fd().as_raw_fd();
        let map_name = format!("{name}{WORK}");
        let map =
            object.maps_mut().find(|m| m.name() == map_name.as_str()).ok_or("no map for its entries")?;
        map.update(&0u32.to_ne_bytes(), &work.to_ne_bytes(), MapFlags::ANY).map_err(|e| format!("{e:#}"))?;
        let [first, others @ ..] = ENTRIES.map(|entry| format!("{name}{entry}"));
        let others: Vec<_> =
            others.iter().filter(|entry| object.progs().any(|p| p.name() == entry.as_str())).collect();
        // Of a function the kernel runs last attached first (kernel/bpf/trampoline.c: __bpf_trampoline_link_prog), of a
        // tracepoint first attached first (kernel/tracepoint.c: func_add).
        if tracepoint {
            self.attach_counted(object, &first)?;
            others.iter().try_for_each(|entry| self.attach(object, entry))
        } else {
            others.iter().rev().try_for_each(|entry| self.attach(object, entry))?;
            self.attach_counted(object, &first)
        }
    }
}

/// Index of the hook that program `name` belongs to.
pub(crate) fn hook_of(name: &str) -> Option<usize> {
    let name = stood_in(name).unwrap_or(name);
    HOOKS.iter().position(|hook| hook.trace == name || hook.kprobe == Some(name))
}

/// The next choice after hook `index` did not load or attach; `None` when there is none.
pub(crate) fn fall_back(ways: &mut [Way], index: usize) -> Option<()> {
    ways[index] = match (ways[index], &HOOKS[index]) {
        (_, hook) if hook.required => return None,
        (Way::Trace, hook) if hook.kprobe.is_some() => Way::Kprobe,
        _ => Way::Off,
    };
    Some(())
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Knobs that the probe sets before load (const: the verifier drops dead code) and switches it turns while
 * running. */
#ifndef KFLOWD_CONFIG_H
#define KFLOWD_CONFIG_H

/* Session limits. 0 events = no limit. */
const volatile __u64 idle_ns;
const volatile __u64 active_ns;
const volatile __u32 max_events;

/* Send exec, fork and exit records: somebody shows what only they tell. */
const volatile __u8 process_records;

/* Report reads of kernel file systems too. */
const volatile __u8 all_files;

/* Payload: bytes of a call that are copied, below CAPTURE_MAX, 0 = none; ports of which it is, 0 = no more.
 */
#define CAPTURE_MAX   8192
#define CAPTURE_PORTS 24
const volatile __u32 capture_bytes;
const volatile __u16 capture_tcp[CAPTURE_PORTS];
const volatile __u16 capture_udp[CAPTURE_PORTS];
/* Of the TCP ports those of a protocol of questions and answers: see stream_is_wanted. */
const volatile __u16 capture_turns[CAPTURE_PORTS];

/*
 * Addresses of the kernel's variables that say where memory is mapped and where the array of its pages is; 0
 * when the kernel does not tell, and then what is sent from pages, as by sendfile, is not copied.
 */
const volatile __u64 memory_base;
const volatile __u64 pages_base;

/* Addresses of UNIX sockets that are reported, padded with NUL; an empty first one = none. */
#define UNIX_PATHS 3
#define UNIX_WORDS 5
const volatile __u64 unix_paths[UNIX_PATHS][UNIX_WORDS];

/* Own processes: kflowd's front and probe; children of the front are enrichers; a process group, 0 = none. */
const volatile __u32 own_front;
const volatile __u32 own_probe;
const volatile __u32 own_group;

/* Positions of arguments that moved between kernels; `_ret` is the number of arguments, where fexit has the
 * result. */
const volatile __u8 arg_open_ret;
const volatile __u8 arg_notify_dentry;
const volatile __u8 arg_notify_attr;
const volatile __u8 arg_notify_ret;
const volatile __u8 arg_setxattr_dentry;
const volatile __u8 arg_setxattr_ret;
const volatile __u8 arg_removexattr_dentry;
const volatile __u8 arg_removexattr_ret;
const volatile __u8 arg_link_dentry;
const volatile __u8 arg_link_ret;
const volatile __u8 arg_symlink_dentry;
const volatile __u8 arg_symlink_ret;
const volatile __u8 arg_create_dentry;
const volatile __u8 arg_create_ret;
const volatile __u8 arg_accept_ret;
const volatile __u8 arg_tcp_recv_flags;
const volatile __u8 arg_tcp_recv_ret;
const volatile __u8 arg_udp_recv_ret;

/* Set by the probe once everything is attached, cleared before the last sweep: no session is opened while it
 * is 0. */
volatile __u32 running;

/* Set by the probe for the last sweep: every session is due. */
volatile __u32 stopping;

/* Mount namespace of process 1 and the mount that is its root: what the host's paths are relative to. */
__u64 host_space;
__u64 host_root;
__u64 host_mnt; /* its vfsmount */
__u64 host_top; /* its root dentry */

/* The probe waits without a timeout: the next record must wake it. */
volatile __u32 probe_sleeps;

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Every map, its bound and who cleans it. */
#ifndef KFLOWD_MAPS_H
#define KFLOWD_MAPS_H

#define SESSIONS_MAX   65536
#define PROGRAMS_MAX   65536
#define LONG_PATHS_MAX 4096
#define SCRATCH_MAX    32
/* Bytes of a session's path that live in the session; longer ones go to `long_paths`. */
#define PATH_INLINE 160

/* A process for ever: ids are reused, a start time is not. */
struct process_key {
	__u32 tgid;
	__u32 birth; /* start time in units of 2^20 ns */
};

/* One program that one process ran: every exec makes a new one. */
struct program_key {
	struct process_key process;
	__u32 exec; /* task->self_exec_id */
};

/* What records say of a program; it outlives the process until its last session is sent. */
struct program {
	__u64 start;	    /* CLOCK_BOOTTIME of the process */
	__u64 parent_start; /* CLOCK_BOOTTIME of the parent */
	__u64 over;	    /* CLOCK_BOOTTIME when an exec replaced it or its process exited, 0 before */
	__u32 ppid;
	__s32 sessions; /* open sessions that name this program */
	__u16 flags;	/* PROGRAM_* */
	__u16 exe_len;
	__u16 parent_len;
	__u16 pad;
	char exe[KF_NAME_MAX];	  /* base name of the executable; of a kernel thread its comm */
	char parent[KF_NAME_MAX]; /* the parent's, at the fork */
};
#define PROGRAM_KTHREAD	 1 /* kernel thread */
#define PROGRAM_OWN	 2 /* kflowd's own: not reported */
#define PROGRAM_REPLACED 4 /* over by an exec: the next one has the next exec id */

/* Entries: one per live process, and those over whose sessions are still open. Cleaned by the sweep. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROGRAMS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct program_key);
	__type(value, struct program);
} programs SEC(".maps");

/*
 * What one process does to one inode. The inode's address finds the session without hashing a device and
 * number; as an address may come to hold another file, device, number and generation are compared at each
 * event.
 */
struct session_key {
	__u64 inode;
	struct process_key process;
};

struct session {
	struct kf_file record; /* counted in place; head, tail and attributes are completed when it is sent */
	__u32 exec;	       /* with the key's process: the program */
	__s32 open;	       /* open descriptions of the inode that this process opened and nobody closed */
	__u16 path_len;
	__u16 path_flags; /* KF_TAG_CUT, PATH_LONG */
	__u32 total;	  /* events since the last record */
	char path[PATH_INLINE];
};
#define PATH_LONG 1 /* the path is in long_paths */

/* Entries: one per open session. Cleaned when the session is sent for the last time. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SESSIONS_MAX);
	__type(key, struct session_key);
	__type(value, struct session);
} sessions SEC(".maps");

struct long_path {
	char text[KF_PATH_MAX];
};

/* Paths that do not fit into their session. Cleaned with it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LONG_PATHS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct session_key);
	__type(value, struct long_path);
} long_paths SEC(".maps");

/* Finished records on their way to the probe. The probe sets the size before load. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 * 1024 * 1024);
} ring SEC(".maps");

#endif

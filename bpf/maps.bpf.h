/* SPDX-License-Identifier: GPL-2.0-only */
/* Every map, its bound and who cleans it. */
#ifndef KFLOWD_MAPS_H
#define KFLOWD_MAPS_H

#define SESSIONS_MAX   65536
#define PROGRAMS_MAX   65536
#define LONG_TAILS_MAX 4096
#define SCRATCH_MAX    64
/* Bytes of a session's names and path that live in the session; longer ones go to `long_tails`. */
#define TAIL_SIZE 160
/* A long tail: two names and a path, each behind its entry. */
#define LONG_TAIL_SIZE (3 * sizeof(struct kf_tail) + 2 * KF_NAME_MAX + KF_PATH_MAX)

/* A process for ever: ids are reused, a start time is not. */
struct process_key {
	__u32 tgid;
	__u32 birth; /* start time in units of 2^20 ns */
};

/* What records say of the program that a process runs. */
struct program {
	__u64 start;	    /* CLOCK_BOOTTIME of the process */
	__u64 parent_start; /* CLOCK_BOOTTIME of the parent */
	__u64 over;	    /* CLOCK_BOOTTIME when the process began to exit, 0 before */
	__u64 leader;	    /* address of its first thread, once it exits */
	__u32 ppid;
	__u16 flags; /* PROGRAM_* */
	__u8 exe_len;
	__u8 parent_len;
	char exe[KF_NAME_MAX];	  /* base name of the executable; of a kernel thread its comm */
	char parent[KF_NAME_MAX]; /* the parent's, at the fork */
};
#define PROGRAM_KTHREAD 1 /* kernel thread */
#define PROGRAM_OWN	2 /* kflowd's own: not reported */

/* Entries: one per live process, and those that exited a moment ago. Cleaned by the sweep. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROGRAMS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct process_key);
	__type(value, struct program);
} programs SEC(".maps");

/*
 * What one process does to one inode, counted in place. It stands on its own: the names of the program are
 * copied once, when it opens.
 */
struct session {
	struct kf_file record; /* attributes are completed when it is sent */
	__u64 inode;	       /* address, part of the key; 0 = this slot is free */
	__u64 sb;	       /* address */
	__u32 slot;	       /* where this is in `slots` */
	__s32 open;	       /* open descriptions of the inode that this process opened and nobody closed */
	__s32 holders;	       /* events that are being counted right now */
	__u32 flags;	       /* SESSION_* */
	__u16 names_len;       /* bytes of the tail in front of the path's entry */
	__u16 tail_len;
	char tail[TAIL_SIZE]; /* entries as in the record: names, then the path */
};
#define SESSION_LONG 1 /* the tail is in long_tails */

/* Memory of the sessions. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SESSIONS_MAX);
	__type(key, __u32);
	__type(value, struct session);
} slots SEC(".maps");

/* Not inlined: the kernel unfolds each look into an array, at a cost that is most of the time to start. */
static __noinline struct session *session_at(__u32 number)
{
	return bpf_map_lookup_elem(&slots, &number);
}

/* Numbers of the free slots; the probe fills it before it attaches. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, SESSIONS_MAX);
	__type(value, __u32);
} slots_free SEC(".maps");

/*
 * Finds the session of an inode, in twelve bytes without padding, as the kernel hashes them all. Which inode
 * and which process it really is, is compared at each event. Another file at the same address, and another
 * process of the same id, have another key: who ends a session takes out its own entry and no other.
 */
struct session_key {
	__u32 address;	/* low half */
	__u32 identity; /* number and generation of the inode, its super block, birth of the process */
	__u32 tgid;
};

/* Session to slot. Entries: one per open session. Cleaned when the session is sent for the last time. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SESSIONS_MAX);
	__type(key, struct session_key);
	__type(value, __u32);
} sessions SEC(".maps");

/* Slots of sessions that have ended while somebody held them. Cleaned by the last one to let go. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SESSIONS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u8);
} dying SEC(".maps");

/*
 * Where a session was last found: spares most events the hash lookup. An entry is only a hint, the slot it
 * names is looked at; so entries are written without care for other processors.
 */
#define HINT_BITS 14
__u32 hints[1 << HINT_BITS];

struct long_tail {
	char text[LONG_TAIL_SIZE];
};

/* Tails that do not fit into their session, by slot. Cleaned with it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LONG_TAILS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct long_tail);
} long_tails SEC(".maps");

/* Finished records on their way to the probe. The probe sets the size before load. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 * 1024 * 1024);
} ring SEC(".maps");

#endif

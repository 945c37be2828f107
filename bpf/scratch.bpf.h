/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory to build a long path or a long record in. A per-CPU buffer would be overwritten when the program is
 * preempted or interrupted by another; here each user takes a free slot from a queue and gives it back. The
 * usual file session needs none.
 */
#ifndef KFLOWD_SCRATCH_H
#define KFLOWD_SCRATCH_H

/* Room for a struct datagram. */
#define DATAGRAM_WORDS 16

/* Where an iterator stands, on every kernel, and what of its memory is wanted. */
struct position {
	__u64 piece;  /* address of the iovec, or of the memory itself where there is only one */
	__u64 offset; /* within it */
	__u64 back;   /* bytes that it is still to go back */
	__u32 wanted; /* bytes to copy, below CAPTURE_MAX */
	__u32 done;   /* bytes copied */
	__u8 single;  /* there is only one piece */
	__u8 kernel;  /* the kernel's own memory */
	__u8 pages;   /* pieces are parts of pages */
};

struct scratch {
	__u64 datagram[DATAGRAM_WORDS]; /* udp.bpf.c */
	struct position position;	/* iter.bpf.h */
	/* State of the long path walk (path.bpf.h). */
	__u64 dentry;
	__u64 mount;
	__u64 root; /* of that mount */
	/* State of a search for a mount (mount.bpf.h). */
	__u64 mount_host;
	__u64 mount_other;
	__u64 next_mount; /* the mount, or its entry in the list of its super block */
	__u64 last_mount; /* the head of that list */
	__u32 path_len;
	__u32 cut; /* the root's end of the path is missing */
	char path[KF_PATH_MAX + KF_NAME_MAX];
	/* A record, or a long tail, under construction. */
	char record[KF_RECORD_MAX];
	/* An entry of the program map before it is inserted. */
	struct program program;
};

/* A variable and no map: finding a slot costs no call, which the verifier would have to inline in every hook.
 */
struct scratch scratch_slots[SCRATCH_MAX];

/* Never NULL: the numbers come from scratch_free. */
static __always_inline struct scratch *scratch_at(__u32 slot)
{
	return &scratch_slots[slot & (SCRATCH_MAX - 1)];
}

/* Numbers of the free slots; filled before anything is attached. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, SCRATCH_MAX);
	__type(value, __u32);
} scratch_free SEC(".maps");

/* Takes a slot; NULL when all are in use, which is counted. */
static __always_inline struct scratch *scratch_take(__u32 *slot)
{
	if (bpf_map_pop_elem(&scratch_free, slot)) {
		COUNT(scratch_busy, 1);
		return 0;
	}
	return scratch_at(*slot);
}

static __always_inline void scratch_give(__u32 *slot)
{
	bpf_map_push_elem(&scratch_free, slot, BPF_ANY);
}

#endif

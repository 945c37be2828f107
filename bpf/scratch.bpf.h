/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory to build a record in, too large for the stack. A per-CPU buffer would be overwritten when the
 * program is preempted or interrupted by another; here each user takes a free slot from a queue and gives it
 * back.
 */
#ifndef KFLOWD_SCRATCH_H
#define KFLOWD_SCRATCH_H

/* A path is written from its end towards the front: the slack takes a component that does not fit any more.
 */
#define WALK_END KF_PATH_MAX

/* What a hook knows about the file of its event. */
struct target {
	struct session_key key;
	struct inode *inode;
	struct dentry *dentry;
	struct vfsmount *mnt;	  /* NULL where the hook has no mount: unlink, rename, chmod */
	struct task_struct *task; /* who, where it is not the current task; else NULL */
	__u32 dev;
};

struct scratch {
	struct target target; /* argument of session_make and session_finish */
	/* State of a path walk (path.bpf.h). */
	__u64 dentry;
	__u64 mount;
	__u64 root; /* of that mount */
	/* State of a search for a mount (path.bpf.h). */
	__u64 namespace;
	__u64 next_mount; /* the mount, or its entry in the list of its super block */
	__u64 last_mount; /* the head of that list */
	__u32 start;	  /* path[start .. WALK_END) is written */
	__u32 cut;	  /* the left end is missing */
	char path[KF_PATH_MAX + KF_NAME_MAX];
	/* State of a record under construction (emit.bpf.h). */
	char record[KF_RECORD_MAX];
	/* An entry of another map before it is inserted. */
	union {
		struct program program;
		struct session session;
	};
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCRATCH_MAX);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

/* Numbers of the free slots; the probe fills it before it attaches. */
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
	return bpf_map_lookup_elem(&scratch, slot);
}

static __always_inline void scratch_give(__u32 *slot)
{
	bpf_map_push_elem(&scratch_free, slot, BPF_ANY);
}

#endif

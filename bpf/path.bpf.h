/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Full path of a dentry, from its name up through parents and mounts to the root of the host.
 *
 * Written from the file towards the root, each component ended by a slash, as the walk meets them:
 * `f/t/root/` is /root/t/f. User space turns it round. There are two walks: a short one, straight into the
 * session, for the paths that nearly every file has; and a long one in a scratch slot. The steps of the long
 * one are global functions: the verifier checks each once and not at every turn of the loop, which so may
 * have as many turns as a path of 4,096 bytes has components.
 */
#ifndef KFLOWD_PATH_H
#define KFLOWD_PATH_H

/* Cubed: components and mounts that a path can cross, 4,096 bytes of single letters and some mounts. */
#define PATH_TURNS 13
/* Components and mounts of a short path. */
#define PATH_SHORT 20
/* Longest name that lives in its dentry. */
#define SHORT_NAME 31

/* From d_parent to the name in the dentry: side by side since long before 5.10, so one copy instead of four.
 */
struct dentry_copy {
	__u64 parent;
	__u32 hash;
	__u32 len;
	__u64 name;
	__u64 inode;
	__u64 short_name[4];
};
/* The front of it, for any name. */
struct dentry_link {
	__u64 parent;
	__u32 hash;
	__u32 len;
	__u64 name;
};
/* mnt_parent, mnt_mountpoint and mnt.mnt_root, likewise. */
struct mount_copy {
	__u64 parent;
	__u64 mountpoint;
	__u64 root;
};

static __always_inline bool copy_dentry(struct dentry_copy *copy, __u64 dentry)
{
	return !bpf_probe_read_kernel(copy, sizeof(*copy),
				      (void *)dentry + bpf_core_field_offset(struct dentry, d_parent));
}

static __always_inline bool copy_mount(struct mount_copy *copy, __u64 mount)
{
	return !bpf_probe_read_kernel(copy, sizeof(*copy),
				      (void *)mount + bpf_core_field_offset(struct mount, mnt_parent));
}

static __always_inline __u64 mount_of(__u64 mnt)
{
	return mnt - bpf_core_field_offset(struct mount, mnt);
}

/*
 * Appends a component that lives in its dentry to the session's tail at `len`; gives the new length, or 0
 * when it may not fit. `words` are read whole: what is behind the name is written over by what comes next.
 */
static __always_inline __u32 path_component(struct session *session, __u32 len, __u32 name_len,
					    __u64 words[4])
{
	__u64 *to;

	/* The verifier must see the bounds on these very registers. */
	barrier_var(name_len);
	barrier_var(len);
	if (name_len > SHORT_NAME || len > TAIL_SIZE - SHORT_NAME - 2)
		return 0;
	to = (void *)&session->tail[len];
	to[0] = words[0];
	to[1] = words[1];
	to[2] = words[2];
	to[3] = words[3];
	session->tail[len + name_len] = '/';
	return len + name_len + 1;
}

/*
 * Appends the path to the tail of session `number` from `len` on. Returns the new length; 0 when the long
 * walk has to do it: a long name, many components, no room, or a mount that does not lead to the root of the
 * host.
 */
__noinline int path_short(__u32 number, __u32 len, __u64 dentry, __u64 mount)
{
	struct session *session = session_at(number);
	struct dentry_copy link;
	struct mount_copy at;
	int i;

	if (!session || !copy_mount(&at, mount))
		return 0;
	ROLLED
	for (i = 0; i < PATH_SHORT; i++) {
		if (dentry == at.root) {
			if (mount == host_root)
				return len;
			if (at.parent == mount)
				return 0;
			dentry = at.mountpoint;
			mount = at.parent;
			if (!copy_mount(&at, mount))
				return 0;
			continue;
		}
		if (!copy_dentry(&link, dentry) || link.parent == dentry ||
		    link.name != dentry + short_name_offset())
			return 0;
		len = path_component(session, len, link.len, link.short_name);
		if (!len)
			return 0;
		dentry = link.parent;
	}
	return 0;
}

/*
 * The same through typed pointers, whose every read costs an instruction instead of a call: from the file up
 * to the root of its mount, mostly the host's; from there on the numbers have to do.
 */
static __always_inline __u32 path_typed(struct session *session, __u32 len, struct dentry *dentry, __u64 mnt)
{
	struct mount_copy at = {.root = host_top};
	__u64 words[4];
	int i;

	if (mnt != host_mnt && !copy_mount(&at, mount_of(mnt)))
		return 0;
	ROLLED
	for (i = 0; i < PATH_SHORT; i++) {
		if ((__u64)dentry == at.root) {
			if (mnt == host_mnt)
				return len;
			return path_short(session->slot, len, at.mountpoint, at.parent);
		}
		if ((__u64)dentry->d_name.name != (__u64)dentry + short_name_offset())
			return 0;
		short_name_words(dentry, words);
		len = path_component(session, len, dentry->d_name.len, words);
		if (!len)
			return 0;
		dentry = dentry->d_parent;
	}
	return 0;
}

/* Crosses from the root of the slot's mount to where it is mounted; 1 = it is the topmost one. */
static __always_inline int path_cross(struct scratch *s)
{
	struct mount_copy at;

	if (s->mount == host_root || !copy_mount(&at, s->mount) || at.parent == s->mount)
		return 1;
	s->dentry = at.mountpoint;
	s->mount = at.parent;
	if (!copy_mount(&at, s->mount))
		return 1;
	s->root = at.root;
	return 0;
}

/* One step of the long walk: up to the parent or across a mount; 1 = arrived, or there is no room. */
__noinline int path_step(__u32 slot)
{
	struct scratch *s = scratch_at(slot);
	struct dentry_link link;
	__u32 len, name_len;

	if (s->dentry == s->root)
		return path_cross(s);
	if (bpf_probe_read_kernel(&link, sizeof(link),
				  (void *)s->dentry + bpf_core_field_offset(struct dentry, d_parent)))
		return 1;
	/* The root of a file system that is mounted nowhere has no name, a lone file (memfd) has. */
	name_len = link.len & (KF_NAME_MAX - 1);
	if (!name_len || (link.parent == s->dentry && name_len == 1))
		return 1;
	len = s->path_len;
	if (len + name_len + 1 > KF_PATH_MAX - 1) {
		s->cut = 1;
		return 1;
	}
	len &= KF_PATH_MAX - 1;
	bpf_probe_read_kernel(&s->path[len], name_len, (void *)link.name);
	s->path[(len + name_len) & (KF_PATH_MAX - 1)] = '/';
	s->path_len = len + name_len + 1;
	if (link.parent == s->dentry)
		return 1;
	s->dentry = link.parent;
	return 0;
}

/*
 * PATH_TURNS steps, and PATH_TURNS times those; 1 = arrived. Three short loops instead of a long one: the
 * verifier walks each turn of a loop, and that is most of the time it takes to start.
 */
__noinline int path_steps(__u32 slot)
{
	int i;

	ROLLED
	for (i = 0; i < PATH_TURNS; i++)
		if (path_step(slot))
			return 1;
	return 0;
}

__noinline int path_flight(__u32 slot)
{
	int i;

	ROLLED
	for (i = 0; i < PATH_TURNS; i++)
		if (path_steps(slot))
			return 1;
	return 0;
}

/* Writes the path of `dentry`, as seen from the slot's mount, into the slot. */
static __always_inline void path_walk(__u32 slot, struct scratch *s, __u64 dentry)
{
	struct mount *mount = (void *)s->mount;
	int i;

	s->dentry = dentry;
	s->path_len = 0;
	s->cut = 0;
	s->root = (__u64)BPF_CORE_READ(mount, mnt.mnt_root);
	ROLLED
	for (i = 0; i < PATH_TURNS; i++)
		if (path_flight(slot))
			return;
	s->cut = 1;
}

/*
 * The long walk: fills the slot's path. `mnt` is the mount that was used, 0 where the hook knows none. A
 * mount that does not lead to the root of the host belongs to another namespace: the file's place on the host
 * is shown where there is one, else its place in that namespace.
 */
__noinline int path_long(__u32 slot, __u64 dentry, __u64 mnt)
{
	struct scratch *s = scratch_at(slot);

	s->path_len = s->cut = 0;
	s->mount = mnt ? mount_of(mnt) : 0;
	if (mnt)
		path_walk(slot, s, dentry);
	if (!mnt || s->mount != host_root) {
		mount_find(slot, s, dentry);
		if (s->mount_host || !mnt) {
			s->mount = s->mount_host ? s->mount_host : s->mount_other;
			path_walk(slot, s, dentry);
		}
	}
	if (s->cut)
		COUNT(path_cut, 1);
	return 0;
}

#endif

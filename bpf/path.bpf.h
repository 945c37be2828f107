/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Full path of a dentry, from its name up through parents and mounts to the root of the mount namespace.
 *
 * Written right to left into a scratch slot. The steps are global functions: the verifier checks each once
 * and not at every turn of the loop, which so may have as many turns as a path of 4,096 bytes has components.
 */
#ifndef KFLOWD_PATH_H
#define KFLOWD_PATH_H

/* Cubed: components and mounts that a path can cross, 4,096 bytes of single letters and some mounts. */
#define PATH_TURNS 13
/* Mounts of one super block that are looked at to find one of the process's namespace. */
#define MOUNT_STEPS 64

/* d_parent and d_name stand side by side since long before 5.10: one copy instead of three. */
struct dentry_link {
	struct dentry *parent;
	__u32 hash;
	__u32 len;
	const unsigned char *name;
};

static __always_inline void enter_mount(struct scratch *s, struct mount *mount)
{
	s->mount = (__u64)mount;
	s->root = (__u64)BPF_CORE_READ(mount, mnt.mnt_root);
}

/* Takes one step up; 1 = arrived, or there is no room. */
__noinline int path_step(__u32 slot)
{
	struct scratch *s = bpf_map_lookup_elem(&scratch, &slot);
	struct dentry_link link = {};
	struct dentry *dentry;
	__u32 len, start;

	if (!s)
		return 1;
	dentry = (void *)s->dentry;
	if (s->dentry == s->root) {
		struct mount *mount = (void *)s->mount;
		struct mount *parent = BPF_CORE_READ(mount, mnt_parent);

		if (parent == mount)
			return 1;
		s->dentry = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
		enter_mount(s, parent);
		return 0;
	}
	bpf_probe_read_kernel(&link, sizeof(link),
			      (void *)dentry + bpf_core_field_offset(struct dentry, d_parent));
	if (!link.parent || link.parent == dentry)
		return 1;
	len = link.len & (KF_NAME_MAX - 1);
	start = s->start;
	if (start < len + 1 || !len) {
		s->cut = 1;
		return 1;
	}
	start = (start - len) & (KF_PATH_MAX - 1);
	bpf_probe_read_kernel(&s->path[start], len, link.name);
	start = (start - 1) & (KF_PATH_MAX - 1);
	s->path[start] = '/';
	s->start = start;
	s->dentry = (__u64)link.parent;
	return 0;
}

/*
 * PATH_TURNS steps, and PATH_TURNS times those; 1 = arrived. Three short loops instead of a long one: the
 * verifier walks each turn of a loop, and that is most of the time it takes to start.
 */
__noinline int path_steps(__u32 slot)
{
	int i;

	for (i = 0; i < PATH_TURNS; i++)
		if (path_step(slot))
			return 1;
	return 0;
}

__noinline int path_flight(__u32 slot)
{
	int i;

	for (i = 0; i < PATH_TURNS; i++)
		if (path_steps(slot))
			return 1;
	return 0;
}

/* Writes the path of the slot's dentry, as seen from the slot's mount. */
__noinline int path_walk(__u32 slot)
{
	struct scratch *s;
	int i;

	for (i = 0; i < PATH_TURNS; i++)
		if (path_flight(slot))
			return 0;
	s = bpf_map_lookup_elem(&scratch, &slot);
	if (s)
		s->cut = 1;
	return 0;
}

/*
 * Where only a dentry is known (unlink, rename, chmod): a mount of its super block in the namespace of the
 * process, best one that shows the whole file system; else any mount. Looks at one mount; 1 = there is no
 * better or no other one.
 */
__noinline int mount_step(__u32 slot)
{
	struct scratch *s = bpf_map_lookup_elem(&scratch, &slot);
	struct mount *mount;
	bool ours;

	if (!s || !s->next_mount)
		return 1;
	mount = MOUNTS_CHAINED ? (void *)s->next_mount : mount_listed((void *)s->next_mount);
	ours = (__u64)BPF_CORE_READ(mount, mnt_ns) == s->namespace;
	if (!s->mount || ours)
		s->mount = (__u64)mount;
	if (ours && (__u64)BPF_CORE_READ(mount, mnt.mnt_root) == s->root)
		return 1;
	if (MOUNTS_CHAINED) {
		s->next_mount = (__u64)next_chained(mount);
		return 0;
	}
	s->next_mount = (__u64)next_listed((void *)s->next_mount);
	return s->next_mount == s->last_mount;
}

__noinline int mount_find(__u32 slot)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct scratch *s = bpf_map_lookup_elem(&scratch, &slot);
	struct super_block *sb;
	struct dentry *dentry;
	int i;

	if (!s)
		return 0;
	dentry = (void *)s->dentry;
	sb = BPF_CORE_READ(dentry, d_sb);
	s->namespace = (__u64)BPF_CORE_READ(task, nsproxy, mnt_ns);
	s->root = (__u64)BPF_CORE_READ(sb, s_root);
	s->mount = 0;
	if (MOUNTS_CHAINED) {
		s->next_mount = (__u64)first_chained(sb);
	} else {
		s->next_mount = (__u64)first_listed(sb);
		s->last_mount = (__u64)last_listed(sb);
	}
	for (i = 0; i < MOUNT_STEPS; i++)
		if (mount_step(slot))
			break;
	return 0;
}

/* Fills the slot's path with that of `dentry`; `mnt` may be NULL. */
static __always_inline void path_of(__u32 slot, struct scratch *s, struct dentry *dentry,
				    struct vfsmount *mnt)
{
	s->dentry = (__u64)dentry;
	s->start = WALK_END;
	s->cut = 0;
	if (mnt)
		s->mount = (__u64)mnt - bpf_core_field_offset(struct mount, mnt);
	else
		mount_find(slot);
	enter_mount(s, (struct mount *)s->mount);
	path_walk(slot);
	if (s->cut)
		COUNT(path_cut, 1);
}

/* Appends path and arguments of what `task` runs; reads only the current task's memory. */
static __always_inline __u32 tail_add_program(__u32 slot, struct scratch *s, __u32 len,
					      struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct file *file = BPF_CORE_READ(mm, exe_file);
	__u64 start = BPF_CORE_READ(mm, arg_start);
	__u32 size = BPF_CORE_READ(mm, arg_end) - start;

	if (!file)
		return len;
	path_of(slot, s, BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt));
	len = tail_add_path(s, len, KF_TAG_EXE_PATH, s);
	if (task != (void *)bpf_get_current_task())
		return len;
	if (size > KF_ARGV_MAX - 1)
		size = KF_ARGV_MAX - 1;
	if (bpf_probe_read_user(s->path, size & (KF_ARGV_MAX - 1), (void *)start))
		return len;
	return tail_add(s, len, KF_TAG_ARGV, s->path, size, KF_ARGV_MAX - 1);
}

#endif

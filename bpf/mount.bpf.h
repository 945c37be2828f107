/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which mount shows a file to the host. A super block knows all its mounts, of every namespace; looked at
 * when a file is reached through a mount of another namespace, and where a hook knows a dentry and no mount.
 */
#ifndef KFLOWD_MOUNT_H
#define KFLOWD_MOUNT_H

/* Squared: mounts of one super block that are looked at. */
#define MOUNT_TURNS 12
/* Parents of a dentry that are compared with the root of a mount. */
#define ABOVE_STEPS 64

/* Looks at the slot's dentry; 1 = it is `root`, 2 = there is none above it, 0 = the next one is its parent.
 */
__noinline int above_step(__u32 slot, __u64 root)
{
	struct scratch *s = scratch_at(slot);
	struct dentry *dentry, *parent;

	if (s->dentry == root)
		return 1;
	dentry = (void *)s->dentry;
	parent = BPF_CORE_READ(dentry, d_parent);
	if (!parent || parent == dentry)
		return 2;
	s->dentry = (__u64)parent;
	return 0;
}

/* True when `root` is `dentry` or stands above it. */
static __always_inline bool is_below(__u32 slot, struct scratch *s, __u64 dentry, __u64 root)
{
	int i, found = 0;

	s->dentry = dentry;
	ROLLED
	for (i = 0; i < ABOVE_STEPS && !found; i++)
		found = above_step(slot, root);
	return found == 1;
}

/* Looks at one mount; 1 = there is no better or no other one. */
__noinline int mount_step(__u32 slot, __u64 dentry)
{
	struct scratch *s = scratch_at(slot);
	struct mount *mount;
	__u64 space, root;

	if (!s->next_mount)
		return 1;
	mount = MOUNTS_CHAINED ? (void *)s->next_mount : mount_listed((void *)s->next_mount);
	space = (__u64)BPF_CORE_READ(mount, mnt_ns);
	root = (__u64)BPF_CORE_READ(mount, mnt.mnt_root);
	/* An unmounted one has no namespace; one of another namespace is kept only for the want of a better.
	 */
	if (space && (space == host_space || !s->mount_other) &&
	    (root == s->root || is_below(slot, s, dentry, root))) {
		if (space == host_space) {
			s->mount_host = (__u64)mount;
			return 1;
		}
		s->mount_other = (__u64)mount;
	}
	if (MOUNTS_CHAINED) {
		s->next_mount = (__u64)next_chained(mount);
		return 0;
	}
	s->next_mount = (__u64)next_listed((void *)s->next_mount);
	return s->next_mount == s->last_mount;
}

__noinline int mount_steps(__u32 slot, __u64 dentry)
{
	int i;

	ROLLED
	for (i = 0; i < MOUNT_TURNS; i++)
		if (mount_step(slot, dentry))
			return 1;
	return 0;
}

/* Finds in `mount_host` a mount of the host that shows `dentry`, in `mount_other` one of another namespace.
 */
static __always_inline void mount_find(__u32 slot, struct scratch *s, __u64 dentry)
{
	struct super_block *sb = BPF_CORE_READ((struct dentry *)dentry, d_sb);
	int i;

	s->root = (__u64)BPF_CORE_READ(sb, s_root);
	s->mount_host = s->mount_other = 0;
	if (MOUNTS_CHAINED) {
		s->next_mount = (__u64)first_chained(sb);
	} else {
		s->next_mount = (__u64)first_listed(sb);
		s->last_mount = (__u64)last_listed(sb);
	}
	ROLLED
	for (i = 0; i < MOUNT_TURNS; i++)
		if (mount_steps(slot, dentry))
			break;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which mount shows a file to the host. A super block knows all its mounts, of every namespace; looked at
 * when a file is reached through a mount of another namespace, and where a hook knows a dentry and no mount.
 */
#ifndef KFLOWD_MOUNT_H
#define KFLOWD_MOUNT_H

/* Mounts of one super block that are looked at. */
#define MOUNT_STEPS 128
/* Parents of a dentry that are compared with the root of a mount. */
#define ABOVE_STEPS 64

/* True when `root` is `dentry` or stands above it. */
static __always_inline bool is_below(__u64 dentry, __u64 root)
{
	__u64 parent;
	int i;

	for (i = 0; i < ABOVE_STEPS; i++) {
		if (dentry == root)
			return true;
		parent = (__u64)BPF_CORE_READ((struct dentry *)dentry, d_parent);
		if (!parent || parent == dentry)
			return false;
		dentry = parent;
	}
	return false;
}

/* Looks at one mount; 1 = there is no better or no other one. */
__noinline int mount_step(__u32 slot, __u64 dentry)
{
	struct scratch *s = bpf_map_lookup_elem(&scratch, &slot);
	struct mount *mount;
	__u64 space, root;

	if (!s || !s->next_mount)
		return 1;
	mount = MOUNTS_CHAINED ? (void *)s->next_mount : mount_listed((void *)s->next_mount);
	space = (__u64)BPF_CORE_READ(mount, mnt_ns);
	root = (__u64)BPF_CORE_READ(mount, mnt.mnt_root);
	if (space == host_space && (root == s->root || is_below(dentry, root))) {
		s->mount_host = (__u64)mount;
		return 1;
	}
	/* An unmounted one has no namespace. */
	if (space && !s->mount_other && (root == s->root || is_below(dentry, root)))
		s->mount_other = (__u64)mount;
	if (MOUNTS_CHAINED) {
		s->next_mount = (__u64)next_chained(mount);
		return 0;
	}
	s->next_mount = (__u64)next_listed((void *)s->next_mount);
	return s->next_mount == s->last_mount;
}

/* Finds in `mount_host` a mount of the host that shows `dentry`, in `mount_other` one of another namespace.
 */
__noinline int mount_find(__u32 slot, __u64 dentry)
{
	struct scratch *s = bpf_map_lookup_elem(&scratch, &slot);
	struct super_block *sb = BPF_CORE_READ((struct dentry *)dentry, d_sb);
	int i;

	if (!s)
		return 0;
	s->root = (__u64)BPF_CORE_READ(sb, s_root);
	s->mount_host = s->mount_other = 0;
	if (MOUNTS_CHAINED) {
		s->next_mount = (__u64)first_chained(sb);
	} else {
		s->next_mount = (__u64)first_listed(sb);
		s->last_mount = (__u64)last_listed(sb);
	}
	for (i = 0; i < MOUNT_STEPS; i++)
		if (mount_step(slot, dentry))
			break;
	return 0;
}

#endif

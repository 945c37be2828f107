/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose event on which file a hook sees, and whether the filter shows it. */
#ifndef KFLOWD_TARGET_H
#define KFLOWD_TARGET_H

#define S_IFMT	 0170000
#define S_IFREG	 0100000
#define S_IFLNK	 0120000
#define S_IFSOCK 0140000

#define SB_KERNMOUNT (1 << 22)
#define MINORBITS    20

/* What a hook knows about the file of its event. */
struct target {
	struct inode *inode;
	struct dentry *dentry;
	struct vfsmount *mnt;	  /* NULL where the hook has no mount */
	struct task_struct *task; /* who, where it is not the current task; else NULL */
	__u64 number;		  /* of the inode */
	__u64 start;		  /* of the process */
	__u32 tgid;
};

/* A file system that only shows kernel state, or that nobody mounted (memfd, pipes, sockets). */
static __always_inline bool is_kernel_fs(bool direct, struct super_block *sb)
{
	if (GET(direct, sb, s_dev) >> MINORBITS)
		return false; /* on a block device */
	if (GET(direct, sb, s_flags) & SB_KERNMOUNT)
		return true;
	switch (GET(direct, sb, s_magic)) {
	case 0x9fa0:	 /* proc */
	case 0x62656572: /* sysfs */
	case 0x0027e0eb: /* cgroup */
	case 0x63677270: /* cgroup2 */
	case 0x74726163: /* tracefs */
	case 0x64626720: /* debugfs */
	case 0xcafe4a11: /* bpf */
	case 0x73636673: /* securityfs */
	case 0x50495045: /* pipefs */
	case 0x534f434b: /* sockfs */
	case 0x09041934: /* anonymous inodes */
	case 0x6e736673: /* nsfs */
	case 0x62656570: /* configfs */
	case 0x19800202: /* mqueue */
		return true;
	}
	return false;
}

/* ERR_PTR(-EINVAL), MNT_NS_INTERNAL: a mount that no namespace has. */
#define MNT_NS_INTERNAL ((__u64)-22)

/*
 * True for a mount that overlayfs made for a layer: cloned, in no namespace, of a file system that somebody
 * has mounted. Its files are not reported beside the file that the process named.
 */
static __always_inline bool mount_is_layer(struct vfsmount *mnt)
{
	struct mount *mount = (void *)mnt - bpf_core_field_offset(struct mount, mnt);

	return (__u64)BPF_CORE_READ(mount, mnt_ns) == MNT_NS_INTERNAL &&
	       !(BPF_CORE_READ(mount, mnt.mnt_sb, s_flags) & SB_KERNMOUNT);
}

static __always_inline void target_who(bool direct, struct target *target, struct task_struct *task)
{
	target->tgid = GET(direct, task, tgid);
	target->start = GET2(direct, task, group_leader, start_boottime);
}

static __always_inline bool type_is_ours(umode_t mode)
{
	return (mode & S_IFMT) == S_IFREG || (mode & S_IFMT) == S_IFLNK;
}

/* True when an event on this inode is to be looked at: of regular files and symbolic links. */
static __always_inline bool target_is_ours(bool direct, struct target *target, struct inode *inode)
{
	if (!type_is_ours(GET(direct, inode, i_mode)))
		return false;
	target->inode = inode;
	target->number = GET(direct, inode, i_ino);
	if (HAVE_TASK_BTF && !target->task)
		target_who(true, target, bpf_get_current_task_btf());
	else
		target_who(false, target, target->task ? target->task : (void *)bpf_get_current_task());
	return true;
}

/* Of kernel file systems only what modifies is reported. */
static __always_inline bool target_is_quiet(bool direct, struct target *target)
{
	return !all_files && is_kernel_fs(direct, GET(direct, target->inode, i_sb));
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Every difference between kernels from 5.10 on: one getter per thing that moved. */
#ifndef KFLOWD_COMPAT_H
#define KFLOWD_COMPAT_H

/*
 * Reads a field of a kernel object. `direct` is a constant: pointers that came from a hook's arguments are
 * typed and may be dereferenced (one instruction), all others must be copied by a helper.
 */
#define GET(direct, object, field)                                                                           \
	({                                                                                                   \
		__auto_type _object = (object);                                                              \
		(direct) ? _object->field : BPF_CORE_READ(_object, field);                                   \
	})

/* Typed in tracing programs since 5.11; before, only an address that helpers may read. */
#define HAVE_TASK_BTF bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)

/* The current thread: its group leader's start and id, without a helper call per field where the kernel can.
 */
static __always_inline struct process_key current_process(void)
{
	struct process_key key;

	if (HAVE_TASK_BTF) {
		struct task_struct *task = bpf_get_current_task_btf();

		key.tgid = task->tgid;
		key.birth = task->group_leader->start_boottime >> 20;
	} else {
		struct task_struct *task = (void *)bpf_get_current_task();

		key.tgid = bpf_get_current_pid_tgid() >> 32;
		key.birth = BPF_CORE_READ(task, group_leader, start_boottime) >> 20;
	}
	return key;
}

/* 6.6 renamed i_ctime, 6.7 i_atime and i_mtime; 6.11 split all three into seconds and nanoseconds. */
struct inode___timespec {
	struct timespec64 i_atime;
	struct timespec64 i_mtime;
	struct timespec64 i_ctime;
} __attribute__((preserve_access_index));
struct inode___accessors {
	struct timespec64 __i_atime;
	struct timespec64 __i_mtime;
	struct timespec64 __i_ctime;
} __attribute__((preserve_access_index));
struct inode___split {
	__s64 i_atime_sec;
	__s64 i_mtime_sec;
	__s64 i_ctime_sec;
	__u32 i_atime_nsec;
	__u32 i_mtime_nsec;
	__u32 i_ctime_nsec;
} __attribute__((preserve_access_index));

/* Bit 31 of the nanoseconds marks a timestamp that was asked for (6.13, multigrain). */
#define NSEC_MASK 0x7fffffff

#define INODE_TIME(name)                                                                                     \
	static __always_inline void inode_##name(bool direct, struct inode *inode, struct kf_time *out)      \
	{                                                                                                    \
		struct inode___split *split = (void *)inode;                                                 \
		struct inode___timespec *plain = (void *)inode;                                              \
		struct inode___accessors *accessors = (void *)inode;                                         \
                                                                                                             \
		if (bpf_core_field_exists(split->i_##name##_sec)) {                                          \
			out->sec = GET(direct, split, i_##name##_sec);                                       \
			out->nsec = GET(direct, split, i_##name##_nsec) & NSEC_MASK;                         \
		} else if (bpf_core_field_exists(plain->i_##name)) {                                         \
			out->sec = GET(direct, plain, i_##name.tv_sec);                                      \
			out->nsec = GET(direct, plain, i_##name.tv_nsec);                                    \
		} else {                                                                                     \
			out->sec = GET(direct, accessors, __i_##name.tv_sec);                                \
			out->nsec = GET(direct, accessors, __i_##name.tv_nsec);                              \
		}                                                                                            \
	}
INODE_TIME(atime)
INODE_TIME(mtime)
INODE_TIME(ctime)

/* An overlayfs opens the file of a layer once more: marked FMODE_BACKING since 6.6, FMODE_NONOTIFY before. */
struct backing_file {
	struct file file;
} __attribute__((preserve_access_index));
#define FMODE_BACKING  0x2000000
#define FMODE_NONOTIFY 0x4000000

static __always_inline bool file_is_layer(unsigned int f_mode)
{
	return f_mode & (bpf_core_type_exists(struct backing_file) ? FMODE_BACKING : FMODE_NONOTIFY);
}

/* Mounts of a super block: a list of mount.mnt_instance, since 6.18 chained by mnt_next_for_sb. */
struct super_block___list {
	struct list_head s_mounts;
} __attribute__((preserve_access_index));
struct super_block___chain {
	struct mount *s_mounts;
} __attribute__((preserve_access_index));
struct mount___list {
	struct list_head mnt_instance;
} __attribute__((preserve_access_index));
struct mount___chain {
	struct mount *mnt_next_for_sb;
} __attribute__((preserve_access_index));

#define MOUNTS_CHAINED bpf_core_field_exists(struct mount___chain, mnt_next_for_sb)

static __always_inline struct mount *first_chained(struct super_block *sb)
{
	return BPF_CORE_READ((struct super_block___chain *)sb, s_mounts);
}

static __always_inline struct mount *next_chained(struct mount *mount)
{
	return BPF_CORE_READ((struct mount___chain *)mount, mnt_next_for_sb);
}

static __always_inline struct list_head *first_listed(struct super_block *sb)
{
	return BPF_CORE_READ((struct super_block___list *)sb, s_mounts.next);
}

static __always_inline struct list_head *next_listed(struct list_head *entry)
{
	return BPF_CORE_READ(entry, next);
}

/* What follows the last mount: the head of the list, found without its address, which only its own kind may
 * have. */
static __always_inline struct list_head *last_listed(struct super_block *sb)
{
	struct list_head *first = first_listed(sb);

	return BPF_CORE_READ(first, prev);
}

static __always_inline struct mount *mount_listed(struct list_head *entry)
{
	return (void *)entry - bpf_core_field_offset(struct mount___list, mnt_instance);
}

/* io_uring: a request's task is its own member up to 6.12, later its context's; its result moved in 5.19. */
struct io_uring_task {
	struct task_struct *task;
} __attribute__((preserve_access_index));
struct io_kiocb___task {
	struct task_struct *task;
} __attribute__((preserve_access_index));
struct io_kiocb___tctx {
	struct io_uring_task *tctx;
} __attribute__((preserve_access_index));
struct io_kiocb___cqe {
	struct io_cqe cqe;
} __attribute__((preserve_access_index));
struct io_kiocb___result {
	u32 result;
} __attribute__((preserve_access_index));
struct kiocb___flags {
	int ki_flags;
} __attribute__((preserve_access_index));

static __always_inline struct task_struct *request_task(void *request)
{
	if (bpf_core_field_exists(struct io_kiocb___task, task))
		return BPF_CORE_READ((struct io_kiocb___task *)request, task);
	return BPF_CORE_READ((struct io_kiocb___tctx *)request, tctx, task);
}

static __always_inline long request_result(void *request)
{
	if (bpf_core_field_exists(struct io_kiocb___cqe, cqe))
		return BPF_CORE_READ((struct io_kiocb___cqe *)request, cqe.res);
	return (__s32)BPF_CORE_READ((struct io_kiocb___result *)request, result);
}

#endif

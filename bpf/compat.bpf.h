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
/* The same one pointer further. */
#define GET2(direct, object, pointer, field)                                                                 \
	({                                                                                                   \
		__auto_type _object = (object);                                                              \
		(direct) ? _object->pointer->field : BPF_CORE_READ(_object, pointer, field);                 \
	})

/*
 * A typed pointer as a number, as global functions take it. The verifier follows a pointer through every move
 * but a copy by a helper.
 */
static __always_inline __u64 plain(const void *pointer)
{
	__u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &pointer);
	return number;
}

/* Typed in tracing programs since 5.11; before, only an address that helpers may read. */
#define HAVE_TASK_BTF bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)

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

/*
 * The front of an inode, up to its times: one helper call instead of a dozen. Fields are where the kernel's
 * BTF says; a field beyond the copy would not pass the verifier.
 */
struct inode_copy {
	__u64 words[17];
};
#define COPIED(copy, type, field)                                                                            \
	(*(typeof(((type *)0)->field) *)((void *)(copy) + bpf_core_field_offset(type, field)))

static __always_inline bool copy_inode(struct inode_copy *copy, __u64 inode)
{
	return !bpf_probe_read_kernel(copy, sizeof(*copy), (void *)inode);
}

/* Both ways to read a time: from a copy, and through a typed pointer. */
#define INODE_TIME(name)                                                                                     \
	static __always_inline void copied_##name(struct inode_copy *copy, struct kf_time *out)              \
	{                                                                                                    \
		if (bpf_core_field_exists(struct inode___split, i_##name##_sec)) {                           \
			out->sec = COPIED(copy, struct inode___split, i_##name##_sec);                       \
			out->nsec = COPIED(copy, struct inode___split, i_##name##_nsec) & NSEC_MASK;         \
		} else if (bpf_core_field_exists(struct inode___timespec, i_##name)) {                       \
			out->sec = COPIED(copy, struct inode___timespec, i_##name.tv_sec);                   \
			out->nsec = COPIED(copy, struct inode___timespec, i_##name.tv_nsec);                 \
		} else {                                                                                     \
			out->sec = COPIED(copy, struct inode___accessors, __i_##name.tv_sec);                \
			out->nsec = COPIED(copy, struct inode___accessors, __i_##name.tv_nsec);              \
		}                                                                                            \
	}                                                                                                    \
	static __always_inline void typed_##name(struct inode *inode, struct kf_time *out)                   \
	{                                                                                                    \
		if (bpf_core_field_exists(struct inode___split, i_##name##_sec)) {                           \
			out->sec = ((struct inode___split *)inode)->i_##name##_sec;                          \
			out->nsec = ((struct inode___split *)inode)->i_##name##_nsec & NSEC_MASK;            \
		} else if (bpf_core_field_exists(struct inode___timespec, i_##name)) {                       \
			out->sec = ((struct inode___timespec *)inode)->i_##name.tv_sec;                      \
			out->nsec = ((struct inode___timespec *)inode)->i_##name.tv_nsec;                    \
		} else {                                                                                     \
			out->sec = ((struct inode___accessors *)inode)->__i_##name.tv_sec;                   \
			out->nsec = ((struct inode___accessors *)inode)->__i_##name.tv_nsec;                 \
		}                                                                                            \
	}
INODE_TIME(atime)
INODE_TIME(mtime)
INODE_TIME(ctime)

/* Names up to 31 bytes live in the dentry: d_iname, since 6.14 d_shortname. */
struct dentry___iname {
	unsigned char d_iname[32];
} __attribute__((preserve_access_index));
union shortname_store {
	unsigned char string[32];
};
struct dentry___shortname {
	union shortname_store d_shortname;
} __attribute__((preserve_access_index));

static __always_inline __u32 short_name_offset(void)
{
	if (bpf_core_field_exists(struct dentry___iname, d_iname))
		return bpf_core_field_offset(struct dentry___iname, d_iname);
	return bpf_core_field_offset(struct dentry___shortname, d_shortname);
}

static __always_inline void short_name_words(struct dentry *dentry, __u64 words[4])
{
	const __u64 *from;

	if (bpf_core_field_exists(struct dentry___iname, d_iname))
		from = (void *)((struct dentry___iname *)dentry)->d_iname;
	else
		from = (void *)((struct dentry___shortname *)dentry)->d_shortname.string;
	words[0] = from[0];
	words[1] = from[1];
	words[2] = from[2];
	words[3] = from[3];
}

/* Tracing programs may ask for a socket's cookie, which makes it one, since 5.12, as for this helper's. */
#define HAVE_COOKIES bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_ima_inode_hash)

/* Drops at a socket: sk_drops, since 6.18 of UDP a pair of counters. */
struct numa_drop_counters {
	struct {
		int counter;
	} drops0, drops1;
} __attribute__((preserve_access_index));
struct sock___counters {
	struct numa_drop_counters *sk_drop_counters;
} __attribute__((preserve_access_index));
static __always_inline __u32 socket_drops(struct sock *sk)
{
	__u32 drops = BPF_CORE_READ(sk, sk_drops.counter);
	struct numa_drop_counters *more;

	if (!bpf_core_field_exists(struct sock___counters, sk_drop_counters))
		return drops;
	more = BPF_CORE_READ((struct sock___counters *)sk, sk_drop_counters);
	if (more)
		drops += BPF_CORE_READ(more, drops0.counter) + BPF_CORE_READ(more, drops1.counter);
	return drops;
}

/* Iterators: `type` with a bit for the direction up to 5.13; `iov` up to 6.3; one piece by itself since 6.0.
 */
struct iov_iter___type {
	unsigned int type;
} __attribute__((preserve_access_index));
struct iov_iter___iov {
	void *iov;
} __attribute__((preserve_access_index));
struct iov_iter___later {
	void *__iov;
} __attribute__((preserve_access_index));

enum iter_kind { ITER_IS_IOVEC, ITER_IS_UBUF, ITER_IS_KVEC, ITER_IS_BVEC, ITER_IS_OTHER };

static __always_inline __u32 iter_type(struct iov_iter *iter)
{
	__u32 type;

	if (bpf_core_field_exists(struct iov_iter___type, type))
		type = BPF_CORE_READ((struct iov_iter___type *)iter, type) & ~1;
	else
		type = BPF_CORE_READ(iter, iter_type);
	if (type == bpf_core_enum_value(enum iter_type, ITER_IOVEC))
		return ITER_IS_IOVEC;
	if (type == bpf_core_enum_value(enum iter_type, ITER_KVEC))
		return ITER_IS_KVEC;
	if (type == bpf_core_enum_value(enum iter_type, ITER_BVEC))
		return ITER_IS_BVEC;
	if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	    type == bpf_core_enum_value(enum iter_type, ITER_UBUF))
		return ITER_IS_UBUF;
	return ITER_IS_OTHER;
}

/* Address of the current piece's entry; of the memory itself, which is in the same union, where it is alone.
 */
static __always_inline __u64 iter_memory(struct iov_iter *iter)
{
	if (bpf_core_field_exists(struct iov_iter___iov, iov))
		return (__u64)BPF_CORE_READ((struct iov_iter___iov *)iter, iov);
	return (__u64)BPF_CORE_READ((struct iov_iter___later *)iter, __iov);
}

/* Bytes that the iterator has not passed yet. */
static __always_inline __u64 iter_left(struct iov_iter *iter)
{
	return iter->count;
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

/* io_uring: a request's task is its own member up to 6.12, later its context's. Its result is in `cqe` since
 * 6.0. */
struct io_uring_task {
	struct task_struct *task;
} __attribute__((preserve_access_index));
struct io_kiocb___task {
	struct task_struct *task;
} __attribute__((preserve_access_index));
struct io_kiocb___tctx {
	struct io_uring_task *tctx;
} __attribute__((preserve_access_index));
struct io_cqe {
	__s32 res;
};
struct io_kiocb___cqe {
	struct io_cqe cqe;
} __attribute__((preserve_access_index));
struct io_ring_ctx {
	unsigned int flags;
} __attribute__((preserve_access_index));
struct io_kiocb___result {
	__s32 result;
	struct io_ring_ctx *ctx;
	unsigned int flags;
} __attribute__((preserve_access_index));
/* task_struct.flags */
#define PF_IO_WORKER 0x00000010
#define HAVE_CQE     bpf_core_field_exists(struct io_kiocb___cqe, cqe)
/* Up to 5.19: an argument that workers do not set, io_kiocb.flags, io_ring_ctx.flags, file.f_flags */
#define IO_URING_F_NONBLOCK   1
#define REQ_F_COMPLETE_INLINE (1 << 16)
#define IORING_SETUP_IOPOLL   (1 << 0)
#ifdef __TARGET_ARCH_arm64
#define F_DIRECT 0200000
#else
#define F_DIRECT 040000
#endif

static __always_inline __s32 request_result(void *request)
{
	if (HAVE_CQE)
		return BPF_CORE_READ((struct io_kiocb___cqe *)request, cqe.res);
	return BPF_CORE_READ((struct io_kiocb___result *)request, result);
}

static __always_inline bool request_is_polled(void *request)
{
	return BPF_CORE_READ((struct io_kiocb___result *)request, ctx, flags) & IORING_SETUP_IOPOLL;
}

/*
 * Whether a request whose io_read returned 0 is done. Since 6.0 one that is queued returns something else.
 * Before, the submitter marks one that is done; a worker waits for it, unless it is direct.
 */
static __always_inline bool request_is_done(void *request, unsigned int issue_flags)
{
	if (HAVE_CQE)
		return true;
	if (request_is_polled(request))
		return false;
	if (BPF_CORE_READ((struct io_kiocb___result *)request, flags) & REQ_F_COMPLETE_INLINE)
		return true;
	return !(issue_flags & IO_URING_F_NONBLOCK) &&
	       !(BPF_CORE_READ((struct kiocb *)request, ki_filp, f_flags) & F_DIRECT);
}

static __always_inline struct task_struct *request_task(void *request)
{
	if (bpf_core_field_exists(struct io_kiocb___task, task))
		return BPF_CORE_READ((struct io_kiocb___task *)request, task);
	return BPF_CORE_READ((struct io_kiocb___tctx *)request, tctx, task);
}

#endif

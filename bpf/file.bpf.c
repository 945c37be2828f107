// SPDX-License-Identifier: GPL-2.0-only
/* Open files: open, read, write, close. */

#define FMODE_WRITE   0x2
#define FMODE_PATH    0x4000
#define FMODE_CREATED 0x100000
#define FMODE_OPENED  0x80000
/* What overlayfs reads and writes a layer through; the same bit since 5.10, and nobody else's. */
#define FMODE_NOACCOUNT 0x20000000
/* In file.f_flags: opened by exec. */
#define F_EXEC 0x20
/* In file.f_flags: O_TMPFILE without O_DIRECTORY; the same on x86 and arm64. */
#define F_TMPFILE 020000000
#define F_APPEND  02000

static __always_inline bool file_is_ours(bool direct, struct target *target, struct file *file)
{
	return target_is_ours(direct, target, GET(direct, file, f_inode));
}

/* True for what overlayfs opens on a layer for its own use. `suspect` is cheap and spares the look at the
 * mount. */
static __always_inline bool file_is_layer(bool direct, struct file *file, bool suspect)
{
	return GET(direct, file, f_mode) & FMODE_NOACCOUNT ||
	       (suspect && mount_is_layer(GET(direct, file, f_path.mnt)));
}

/* Whether the filter lets the first event of a process on this file open a session. */
static __always_inline bool file_is_shown(bool direct, struct target *target, struct file *file,
					  bool modifies)
{
	if (!modifies && target_is_quiet(direct, target))
		return false;
	target->dentry = GET(direct, file, f_path.dentry);
	target->mnt = GET(direct, file, f_path.mnt);
	return true;
}

/* Files whose open failed after the kernel had called them open: their close is none. */
#define REFUSED_BITS 6
__u64 refused[1 << REFUSED_BITS];

static __always_inline __u64 *refused_slot(struct file *file)
{
	return &refused[low_half(file) >> 8 & ((1 << REFUSED_BITS) - 1)];
}

static __always_inline void on_open(bool direct, struct file *file)
{
	unsigned int f_mode = GET(direct, file, f_mode), flags;
	struct target target = {.task = 0};
	struct session *session;

	if (f_mode & FMODE_PATH || !file_is_ours(direct, &target, file) ||
	    file_is_layer(direct, file, acts_for_other()))
		return;
	session = session_find(direct, &target);
	if (!session && file_is_shown(direct, &target, file, false))
		session = direct && HAVE_TASK_BTF ? session_open_typed(&target) : session_open(&target);
	if (!session)
		return;
	__sync_fetch_and_add(&session->open, 1);
	flags = GET(direct, file, f_flags);
	/* A file without a name is created when it is linked. */
	if (f_mode & FMODE_CREATED && !(flags & F_TMPFILE)) {
		session_count(session, KF_EVENT_CREATE);
		session_limit(session);
	}
	session_count(session, flags & F_EXEC ? KF_EVENT_OPEN_EXEC : KF_EVENT_OPEN);
	session->record.size = GET2(direct, file, f_inode, i_size);
	session_done(session);
}

/* The size when the parent last opened or changed the file, of which it has a session; else all ones. */
static __always_inline __u64 size_of_parent(struct session *session)
{
	struct kf_file *record = &session->record;
	struct session_key key =
	    session_key_of(session, session->inode, record->task.ppid, record->task.parent_start);
	__u32 *slot = bpf_map_lookup_elem(&sessions, &key);
	struct session *parent = slot ? session_at(*slot) : 0;

	if (!parent || parent->inode != session->inode || parent->record.generation != record->generation ||
	    parent->record.head.start != record->task.parent_start)
		return ~0ULL;
	return parent->record.size;
}

/*
 * A session that opens with a write sees the file after it. Where the write ended before the end of the file,
 * the size was what it is. Where it ended there, it began at the end of the file (always with O_APPEND) or
 * within it, which the parent may know, who opened it.
 */
static __always_inline void size_before_write(struct session *session, bool append, __u64 end, __u64 bytes)
{
	__u64 size = session->record.size, begin = size > bytes ? size - bytes : 0, known;

	if (end < size)
		return;
	known = append ? begin : size_of_parent(session);
	session->record.size_first = known >= begin && known <= size ? known : begin;
}

/* Counts one call that read or changed (`writes`) `bytes` of the file. */
static __always_inline void transfer_count(struct session *session, bool writes, __u64 bytes)
{
	if (writes) {
		session_count(session, KF_EVENT_MODIFY);
		__sync_fetch_and_add(&session->record.bytes_written, bytes);
	} else {
		session_count(session, KF_EVENT_ACCESS);
		__sync_fetch_and_add(&session->record.bytes_read, bytes);
	}
	session_done(session);
}

/* The session of a transfer that the hint did not find; one that opens with a write learns the size before.
 */
static __always_inline struct session *transfer_session(bool direct, struct target *target, struct file *file,
							bool writes, __u64 bytes, __u64 end)
{
	struct session *session;
	bool append;

	if (file_is_layer(direct, file, acts_for_other()))
		return 0;
	session = session_lookup(direct, target);
	if (session || !file_is_shown(direct, target, file, writes))
		return session;
	append = GET(direct, file, f_flags) & F_APPEND;
	session = session_open(target);
	if (session && writes)
		size_before_write(session, append, end, bytes);
	return session;
}

/*
 * vfs_read and vfs_write, the hot ones: what is needed only when the hint is wrong is read only then. Calls
 * that failed or found the end of the file are none.
 */
static __always_inline void on_transfer(unsigned long long *ctx, bool writes)
{
	struct file *file = (struct file *)ctx[0];
	struct inode *inode = file->f_inode;
	long bytes = ctx[4];
	struct session *session = 0;
	struct target target;

	if (bytes <= 0 || !type_is_ours(inode->i_mode))
		return;
	if (HAVE_TASK_BTF) {
		struct task_struct *task = bpf_get_current_task_btf();

		session =
		    session_hinted(true, inode, inode->i_ino, task->tgid, task->group_leader->start_boottime);
	}
	if (!session) {
		target.task = 0;
		if (!target_is_ours(true, &target, inode))
			return;
		session = transfer_session(true, &target, file, writes, bytes,
					   writes ? hook_position(ctx, 3) : END_UNKNOWN);
	}
	if (!session)
		return;
	session->record.size = inode->i_size;
	transfer_count(session, writes, bytes);
}

/*
 * The same for all other kinds of calls: `task` is who, 0 = current, `end` where in the file the call ended.
 * A global function: what many hooks share is verified once.
 */
__noinline int transfer(__u64 address, __u64 task, __u32 writes, __u64 bytes, __u64 end)
{
	struct target target = {.task = (void *)task};
	struct file *file = (void *)address;
	struct session *session;

	if (!file || !file_is_ours(false, &target, file))
		return 0;
	session = transfer_session(false, &target, file, writes, bytes, end);
	if (!session)
		return 0;
	session->record.size = BPF_CORE_READ(file, f_inode, i_size);
	transfer_count(session, writes, bytes);
	return 0;
}

static __always_inline bool close_is_other(bool direct, struct file *file)
{
	struct task_struct *task;

	if (direct && HAVE_TASK_BTF) {
		task = bpf_get_current_task_btf();
		return file->f_cred != task->cred;
	}
	task = (void *)bpf_get_current_task();
	return GET(direct, file, f_cred) != BPF_CORE_READ(task, cred);
}

static __always_inline void on_close(bool direct, struct file *file)
{
	unsigned int f_mode = GET(direct, file, f_mode);
	struct target target = {.task = 0};
	struct session *session;

	if (!(f_mode & FMODE_OPENED) || f_mode & FMODE_PATH || !file_is_ours(direct, &target, file))
		return;
	if (*refused_slot(file) == (__u64)file) {
		*refused_slot(file) = 0;
		return;
	}
	if (file_is_layer(direct, file, close_is_other(direct, file)))
		return;
	session = session_find(direct, &target);
	if (!session && file_is_shown(direct, &target, file, false))
		session = session_open(&target);
	if (!session)
		return;
	session_count(session, f_mode & FMODE_WRITE ? KF_EVENT_CLOSE_WRITE : KF_EVENT_CLOSE_NOWRITE);
	__sync_fetch_and_add(&session->open, -1);
	if (session->open > 0) {
		session_done(session);
		return;
	}
	if (direct)
		typed_attributes(file->f_inode, &session->record);
	session_end(session->slot, !direct, KF_CAUSE_CLOSE);
}

/*
 * open, openat2, creat, io_uring, exec, name handles: all paths -> vfs_open or finish_open -> do_dentry_open,
 * once per open file description; not for dup. Attached to the exit: the file is open when the result is 0.
 * Takes (file, inode, open) up to 6.9, (file, open) since.
 */
STAND_INS("fexit/do_dentry_open", do_dentry_open)
SEC("fexit/do_dentry_open")
int do_dentry_open(unsigned long long *ctx)
{
	struct file *file = (struct file *)ctx[0];

	OWN_STACK(ctx, do_dentry_open);
	if (!(int)hook_ret(ctx, arg_open_ret))
		on_open(true, file);
	else if (file->f_mode & FMODE_OPENED && type_is_ours(file->f_inode->i_mode))
		*refused_slot(file) = (__u64)file;
	return 0;
}

/* The last reference to an open description is gone: task work of the closer, or of its exit. Once per
 * description. */
STAND_INS("fentry/__fput", fput_entry)
SEC("fentry/__fput")
int BPF_PROG(fput_entry, struct file *file)
{
	OWN_STACK(ctx, fput_entry);
	on_close(true, file);
	return 0;
}

/* read, pread64 -> vfs_read(file, buffer, count, position) = bytes, once per call. */
STAND_INS("fexit/vfs_read", vfs_read)
SEC("fexit/vfs_read")
int vfs_read(unsigned long long *ctx)
{
	OWN_STACK(ctx, vfs_read);
	on_transfer(ctx, false);
	return 0;
}

/* write, pwrite64 -> vfs_write(file, buffer, count, position) = bytes, once per call. */
STAND_INS("fexit/vfs_write", vfs_write)
SEC("fexit/vfs_write")
int vfs_write(unsigned long long *ctx)
{
	OWN_STACK(ctx, vfs_write);
	on_transfer(ctx, true);
	return 0;
}

/*
 * Where fentry does not work. These see the call and not its result: an open that the security check passed
 * is counted as one that succeeded, a read or write by what was asked for.
 */
SEC("kprobe/security_file_open")
int BPF_KPROBE(security_file_open_kprobe, struct file *file)
{
	on_open(false, file);
	return 0;
}

SEC("kprobe/__fput")
int BPF_KPROBE(fput_kprobe, struct file *file)
{
	on_close(false, file);
	return 0;
}

SEC("kprobe/vfs_read")
int BPF_KPROBE(vfs_read_kprobe, struct file *file, char *buf, size_t count)
{
	if (count)
		transfer((__u64)file, 0, false, count, 0);
	return 0;
}

SEC("kprobe/vfs_write")
int BPF_KPROBE(vfs_write_kprobe, struct file *file, char *buf, size_t count)
{
	if (count)
		transfer((__u64)file, 0, true, count, END_UNKNOWN);
	return 0;
}

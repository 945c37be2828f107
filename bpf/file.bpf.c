// SPDX-License-Identifier: GPL-2.0-only
/* Open files: open, read, write, close. */

#define FMODE_WRITE   0x2
#define FMODE_PATH    0x4000
#define FMODE_CREATED 0x100000
#define FMODE_OPENED  0x80000
/* In file.f_flags: opened by exec. */
#define F_EXEC 0x20
/* In file.f_flags: O_TMPFILE without O_DIRECTORY; the same on x86 and arm64. */
#define F_TMPFILE 020000000

static __always_inline bool file_is_ours(bool direct, struct target *target, struct file *file, bool modifies)
{
	if (file_is_layer(GET(direct, file, f_mode)) ||
	    !target_is_ours(direct, target, GET(direct, file, f_inode), modifies))
		return false;
	target->dentry = GET(direct, file, f_path.dentry);
	target->mnt = GET(direct, file, f_path.mnt);
	return true;
}

static __always_inline void on_open(bool direct, struct file *file)
{
	unsigned int f_mode = GET(direct, file, f_mode);
	struct target target = {};
	struct session *session;

	if (!running || f_mode & FMODE_PATH || !file_is_ours(direct, &target, file, false))
		return;
	session = session_get(direct, &target);
	if (!session)
		return;
	/* A file without a name is created when it is linked. */
	if (f_mode & FMODE_CREATED && !(GET(direct, file, f_flags) & F_TMPFILE))
		session_count(session, KF_EVENT_CREATE);
	session_count(session, GET(direct, file, f_flags) & F_EXEC ? KF_EVENT_OPEN_EXEC : KF_EVENT_OPEN);
	__sync_fetch_and_add(&session->open, 1);
	session->record.size = GET(direct, target.inode, i_size); /* what an O_TRUNC that follows cuts */
	session_limit(direct, &target, session);
}

/* One call that read (ACCESS) or changed (MODIFY) `bytes` of the file. */
static __always_inline void on_transfer_by(bool direct, struct task_struct *task, struct file *file,
					   __u32 event, __u64 bytes)
{
	struct target target = {.task = task};
	struct session *session;

	if (!running || !file_is_ours(direct, &target, file, event == KF_EVENT_MODIFY))
		return;
	session = session_get(direct, &target);
	if (!session)
		return;
	session_count(session, event);
	/* An addition of a constant zero would become an instruction that 5.10 does not know. */
	if (!bytes)
		;
	else if (event == KF_EVENT_MODIFY)
		__sync_fetch_and_add(&session->record.bytes_written, bytes);
	else
		__sync_fetch_and_add(&session->record.bytes_read, bytes);
	session_limit(direct, &target, session);
}

/* The same by the current task; calls that failed or found the end of the file are none. */
static __always_inline void on_transfer(bool direct, struct file *file, __u32 event, long bytes)
{
	if (bytes > 0)
		on_transfer_by(direct, 0, file, event, bytes);
}

static __always_inline void on_close(bool direct, struct file *file)
{
	unsigned int f_mode = GET(direct, file, f_mode);
	bool writes = f_mode & FMODE_WRITE;
	struct target target = {};
	struct session *session;

	if (!running || !(f_mode & FMODE_OPENED) || f_mode & FMODE_PATH ||
	    !file_is_ours(direct, &target, file, writes))
		return;
	session = session_find(direct, &target);
	if (!session && (all_files || !is_kernel_fs(direct, GET(direct, target.inode, i_sb))))
		session = session_open(&target);
	if (!session)
		return;
	session_count(session, writes ? KF_EVENT_CLOSE_WRITE : KF_EVENT_CLOSE_NOWRITE);
	__sync_fetch_and_add(&session->open, -1);
	read_attributes(direct, target.inode, &session->record);
	if (session->open <= 0)
		session_send(&target.key, NO_ORIGIN, KF_CAUSE_CLOSE, false);
	else
		session_limit(direct, &target, session);
}

/*
 * open, openat2, creat, io_uring, exec, name handles: all paths -> vfs_open or finish_open -> do_dentry_open,
 * once per open file description; not for dup. Attached to the exit: the file is open when the result is 0.
 * Takes (file, inode, open) up to 6.9, (file, open) since.
 */
SEC("fexit/do_dentry_open")
int do_dentry_open(unsigned long long *ctx)
{
	if (!hook_ret(ctx, arg_open_ret))
		on_open(true, (struct file *)ctx[0]);
	return 0;
}

/* The last reference to an open description is gone: task work of the closer, or of its exit. Once per
 * description. */
SEC("fentry/__fput")
int BPF_PROG(fput_entry, struct file *file)
{
	on_close(true, file);
	return 0;
}

/* read, pread64 -> vfs_read, once per call. */
SEC("fexit/vfs_read")
int BPF_PROG(vfs_read, struct file *file, char *buf, size_t count, loff_t *pos, long ret)
{
	on_transfer(true, file, KF_EVENT_ACCESS, ret);
	return 0;
}

/* write, pwrite64 -> vfs_write, once per call. */
SEC("fexit/vfs_write")
int BPF_PROG(vfs_write, struct file *file, char *buf, size_t count, loff_t *pos, long ret)
{
	on_transfer(true, file, KF_EVENT_MODIFY, ret);
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
	on_transfer(false, file, KF_EVENT_ACCESS, count);
	return 0;
}

SEC("kprobe/vfs_write")
int BPF_KPROBE(vfs_write_kprobe, struct file *file, char *buf, size_t count)
{
	on_transfer(false, file, KF_EVENT_MODIFY, count);
	return 0;
}

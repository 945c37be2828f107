// SPDX-License-Identifier: GPL-2.0-only
/*
 * All other ways to read and write: vectors, sendfile, splice, copies, fallocate, inside the kernel,
 * io_uring, aio. Each hook is where one call of its kind ends, whatever it calls in turn, so that no call
 * counts twice.
 */

static __always_inline void on_read(struct file *file, long bytes)
{
	if (bytes > 0)
		transfer(plain(file), 0, false, bytes, 0);
}

static __always_inline void on_write(struct file *file, long bytes, __u64 end)
{
	if (bytes > 0)
		transfer(plain(file), 0, true, bytes, end);
}

/* readv, preadv, preadv2 -> vfs_readv, once per call. */
STAND_INS("fexit/vfs_readv", vfs_readv)
SEC("fexit/vfs_readv")
int BPF_PROG(vfs_readv, struct file *file, void *vec, unsigned long vlen, loff_t *pos, u32 flags, long ret)
{
	OWN_STACK(ctx, vfs_readv);
	on_read(file, ret);
	return 0;
}

/* writev, pwritev, pwritev2 -> vfs_writev, once per call. */
STAND_INS("fexit/vfs_writev", vfs_writev)
SEC("fexit/vfs_writev")
int BPF_PROG(vfs_writev, struct file *file, void *vec, unsigned long vlen, loff_t *pos, u32 flags, long ret)
{
	OWN_STACK(ctx, vfs_writev);
	on_write(file, ret, hook_position(ctx, 3));
	return 0;
}

/* What descriptor `fd` of the current task names now. */
static __always_inline struct file *file_of(int fd)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **slot = BPF_CORE_READ(table, fd), *file = 0;

	if ((unsigned int)fd < BPF_CORE_READ(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), slot + fd);
	return file;
}

/* sendfile, sendfile64 -> do_sendfile, once per call; it knows descriptors only. */
STAND_IN("fexit/do_sendfile", do_sendfile)
SEC("fexit/do_sendfile")
int BPF_PROG(do_sendfile, int out_fd, int in_fd, loff_t *ppos, size_t count, loff_t max, long ret)
{
	struct file *out;

	OWN_STACK(ctx, do_sendfile);
	if (ret <= 0)
		return 0;
	out = file_of(out_fd);
	on_read(file_of(in_fd), ret);
	on_write(out, ret, BPF_CORE_READ(out, f_pos));
	return 0;
}

/* splice and io_uring's splice -> do_splice, once per call; one side is a pipe, which the filter drops. */
STAND_INS("fexit/do_splice", do_splice)
SEC("fexit/do_splice")
int BPF_PROG(do_splice, struct file *in, loff_t *off_in, struct file *out, loff_t *off_out, size_t len,
	     u32 flags, long ret)
{
	OWN_STACK(ctx, do_splice);
	on_read(in, ret);
	on_write(out, ret, hook_position(ctx, 3));
	return 0;
}

/* copy_file_range -> vfs_copy_file_range, once per call, however it copies. */
STAND_IN("fexit/vfs_copy_file_range", vfs_copy_file_range)
SEC("fexit/vfs_copy_file_range")
int BPF_PROG(vfs_copy_file_range, struct file *in, loff_t pos_in, struct file *out, loff_t pos_out,
	     size_t len, u32 flags, long ret)
{
	OWN_STACK(ctx, vfs_copy_file_range);
	on_read(in, ret);
	on_write(out, ret, pos_out + ret);
	return 0;
}

/* ioctl FICLONE and FICLONERANGE -> vfs_clone_file_range; the result is the number of bytes shared. */
STAND_IN("fexit/vfs_clone_file_range", vfs_clone_file_range)
SEC("fexit/vfs_clone_file_range")
int BPF_PROG(vfs_clone_file_range, struct file *in, loff_t pos_in, struct file *out, loff_t pos_out,
	     loff_t len, u32 flags, long ret)
{
	OWN_STACK(ctx, vfs_clone_file_range);
	on_read(in, ret);
	on_write(out, ret, pos_out + ret);
	return 0;
}

/* fallocate and io_uring's fallocate -> vfs_fallocate, once per call; moves no bytes. */
STAND_IN("fexit/vfs_fallocate", vfs_fallocate)
SEC("fexit/vfs_fallocate")
int BPF_PROG(vfs_fallocate, struct file *file, int mode, loff_t offset, loff_t len, int ret)
{
	OWN_STACK(ctx, vfs_fallocate);
	if (!ret)
		transfer(plain(file), 0, true, 0, 0);
	return 0;
}

/* Reads by the kernel for the task: the head of a program, firmware, keys. */
STAND_INS("fexit/__kernel_read", kernel_read)
SEC("fexit/__kernel_read")
int BPF_PROG(kernel_read, struct file *file, void *buf, size_t count, loff_t *pos, long ret)
{
	OWN_STACK(ctx, kernel_read);
	on_read(file, ret);
	return 0;
}

/* Writes by the kernel for the task: core dumps, process accounting. Up to 6.0. */
STAND_IN("fexit/__kernel_write", kernel_write)
SEC("fexit/__kernel_write")
int BPF_PROG(kernel_write, struct file *file, void *buf, size_t count, loff_t *pos, long ret)
{
	OWN_STACK(ctx, kernel_write);
	on_write(file, ret, hook_position(ctx, 3));
	return 0;
}

/* The same since 6.1, where __kernel_write ends here. */
STAND_INS("fexit/__kernel_write_iter", kernel_write_iter)
SEC("fexit/__kernel_write_iter")
int BPF_PROG(kernel_write_iter, struct file *file, void *from, loff_t *pos, long ret)
{
	OWN_STACK(ctx, kernel_write_iter);
	on_write(file, ret, hook_position(ctx, 2));
	return 0;
}

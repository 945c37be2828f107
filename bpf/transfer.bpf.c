// SPDX-License-Identifier: GPL-2.0-only
/*
 * All other ways to read and write: vectors, sendfile, splice, copies, fallocate, inside the kernel,
 * io_uring, aio. Each hook is where one call of its kind ends, whatever it calls in turn, so that no call
 * counts twice.
 */

/* readv, preadv, preadv2 -> vfs_readv, once per call. */
SEC("fexit/vfs_readv")
int BPF_PROG(vfs_readv, struct file *file, void *vec, unsigned long vlen, loff_t *pos, u32 flags, long ret)
{
	on_transfer(true, file, KF_EVENT_ACCESS, ret);
	return 0;
}

/* writev, pwritev, pwritev2 -> vfs_writev, once per call. */
SEC("fexit/vfs_writev")
int BPF_PROG(vfs_writev, struct file *file, void *vec, unsigned long vlen, loff_t *pos, u32 flags, long ret)
{
	on_transfer(true, file, KF_EVENT_MODIFY, ret);
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
SEC("fexit/do_sendfile")
int BPF_PROG(do_sendfile, int out_fd, int in_fd, loff_t *ppos, size_t count, loff_t max, long ret)
{
	struct file *in, *out;

	if (ret <= 0)
		return 0;
	in = file_of(in_fd);
	out = file_of(out_fd);
	if (in)
		on_transfer(false, in, KF_EVENT_ACCESS, ret);
	if (out)
		on_transfer(false, out, KF_EVENT_MODIFY, ret);
	return 0;
}

/* splice and io_uring's splice -> do_splice, once per call; one side is a pipe, which the filter drops. */
SEC("fexit/do_splice")
int BPF_PROG(do_splice, struct file *in, loff_t *off_in, struct file *out, loff_t *off_out, size_t len,
	     u32 flags, long ret)
{
	on_transfer(true, in, KF_EVENT_ACCESS, ret);
	on_transfer(true, out, KF_EVENT_MODIFY, ret);
	return 0;
}

/* copy_file_range -> vfs_copy_file_range, once per call, however it copies. */
SEC("fexit/vfs_copy_file_range")
int BPF_PROG(vfs_copy_file_range, struct file *in, loff_t pos_in, struct file *out, loff_t pos_out,
	     size_t len, u32 flags, long ret)
{
	on_transfer(true, in, KF_EVENT_ACCESS, ret);
	on_transfer(true, out, KF_EVENT_MODIFY, ret);
	return 0;
}

/* ioctl FICLONE and FICLONERANGE -> vfs_clone_file_range; the result is the number of bytes shared. */
SEC("fexit/vfs_clone_file_range")
int BPF_PROG(vfs_clone_file_range, struct file *in, loff_t pos_in, struct file *out, loff_t pos_out,
	     loff_t len, u32 flags, long ret)
{
	on_transfer(true, in, KF_EVENT_ACCESS, ret);
	on_transfer(true, out, KF_EVENT_MODIFY, ret);
	return 0;
}

/* fallocate and io_uring's fallocate -> vfs_fallocate, once per call; moves no bytes. */
SEC("fexit/vfs_fallocate")
int BPF_PROG(vfs_fallocate, struct file *file, int mode, loff_t offset, loff_t len, int ret)
{
	if (!ret)
		on_transfer_by(true, 0, file, KF_EVENT_MODIFY, 0);
	return 0;
}

/* Reads by the kernel for the task: the head of a program, firmware, keys. */
SEC("fexit/__kernel_read")
int BPF_PROG(kernel_read, struct file *file, void *buf, size_t count, loff_t *pos, long ret)
{
	on_transfer(true, file, KF_EVENT_ACCESS, ret);
	return 0;
}

/* Writes by the kernel for the task: core dumps, process accounting. Up to 6.0. */
SEC("fexit/__kernel_write")
int BPF_PROG(kernel_write, struct file *file, void *buf, size_t count, loff_t *pos, long ret)
{
	on_transfer(true, file, KF_EVENT_MODIFY, ret);
	return 0;
}

/* The same since 6.1, where __kernel_write ends here. */
SEC("fexit/__kernel_write_iter")
int BPF_PROG(kernel_write_iter, struct file *file, void *from, loff_t *pos, long ret)
{
	on_transfer(true, file, KF_EVENT_MODIFY, ret);
	return 0;
}

/* A finished request of io_uring: `result` is what its completion says. */
static __always_inline void on_request(void *request, __u32 event, long result)
{
	struct kiocb *kiocb = request; /* the first member of every read and write request */
	struct file *file = BPF_CORE_READ(kiocb, ki_filp);

	if (result > 0 && file)
		on_transfer_by(false, request_task(request), file, event, result);
}

/* io_uring read that finished at once: result 0. Fixed buffers and files come this way too. -EAGAIN comes
 * again. */
SEC("fexit/io_read")
int BPF_PROG(io_read, void *request, unsigned int flags, int ret)
{
	if (!ret)
		on_request(request, KF_EVENT_ACCESS, request_result(request));
	return 0;
}

SEC("fexit/io_write")
int BPF_PROG(io_write, void *request, unsigned int flags, int ret)
{
	if (!ret)
		on_request(request, KF_EVENT_MODIFY, request_result(request));
	return 0;
}

#define IOCB_WRITE 0x40

/* io_uring request that was queued and is finished by the device, perhaps in an interrupt of any task. */
SEC("fentry/io_complete_rw")
int BPF_PROG(io_complete_rw, struct kiocb *kiocb, long res)
{
	bool writes = BPF_CORE_READ((struct kiocb___flags *)kiocb, ki_flags) & IOCB_WRITE;

	on_request(kiocb, writes ? KF_EVENT_MODIFY : KF_EVENT_ACCESS, res);
	return 0;
}

/* io_submit -> aio_read, aio_write: 0 when the request was taken; bytes are those asked for. */
static __always_inline void on_aio(struct kiocb *kiocb, struct iocb *iocb, bool vectored, __u32 event,
				   long ret)
{
	struct file *file = BPF_CORE_READ(kiocb, ki_filp);

	if (!ret && file)
		on_transfer_by(false, 0, file, event, vectored ? 0 : BPF_CORE_READ(iocb, aio_nbytes));
}

SEC("fexit/aio_read")
int BPF_PROG(aio_read, struct kiocb *kiocb, struct iocb *iocb, bool vectored, bool compat, long ret)
{
	on_aio(kiocb, iocb, vectored, KF_EVENT_ACCESS, (int)ret);
	return 0;
}

SEC("fexit/aio_write")
int BPF_PROG(aio_write, struct kiocb *kiocb, struct iocb *iocb, bool vectored, bool compat, long ret)
{
	on_aio(kiocb, iocb, vectored, KF_EVENT_MODIFY, (int)ret);
	return 0;
}

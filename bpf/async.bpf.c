// SPDX-License-Identifier: GPL-2.0-only
/* Reads and writes that are submitted and finish later, perhaps in an interrupt of any task: io_uring and
 * aio. */

/* From the io_uring uapi. READV_FIXED and WRITEV_FIXED exist since 6.15. */
#define IORING_OP_WRITEV       2
#define IORING_OP_WRITE_FIXED  5
#define IORING_OP_WRITE	       23
#define IORING_OP_WRITEV_FIXED 61

static __always_inline bool request_writes(void *request)
{
	__u8 opcode = BPF_CORE_READ((struct io_kiocb *)request, opcode);

	return opcode == IORING_OP_WRITEV || opcode == IORING_OP_WRITE_FIXED || opcode == IORING_OP_WRITE ||
	       opcode == IORING_OP_WRITEV_FIXED;
}

/* A request of io_uring is finished: `result` is what its completion says. Its kiocb is its first member. */
static __always_inline void on_request(struct kiocb *kiocb, long result)
{
	if (result > 0)
		transfer((__u64)BPF_CORE_READ(kiocb, ki_filp), (__u64)request_task(kiocb),
			 request_writes(kiocb), result, BPF_CORE_READ(kiocb, ki_pos));
}

/*
 * IORING_OP_READ and its kin -> io_read, in the submitter, its poller or a worker. A request that finished at
 * once, whatever buffers and files it uses, is told from one that is queued, failed or is tried again.
 */
STAND_INS("fexit/io_read", io_read)
SEC("fexit/io_read")
int BPF_PROG(io_read, void *request, unsigned int flags, int ret)
{
	OWN_STACK(ctx, io_read);
	if (!ret && request_is_done(request, flags))
		on_request(request, request_result(request));
	return 0;
}

/* IORING_OP_WRITE and its kin -> io_write, likewise, since 6.0. */
STAND_INS("fexit/io_write", io_write)
SEC("fexit/io_write")
int BPF_PROG(io_write, void *request, unsigned int flags, int ret)
{
	OWN_STACK(ctx, io_write);
	if (!ret && HAVE_CQE)
		on_request(request, request_result(request));
	return 0;
}

/*
 * Up to 5.19 io_write -> kiocb_done with the result of a request that finished at once; one that is queued
 * comes with an error, and one of a ring that polls by io_complete_rw_iopoll. io_read, and later kernels,
 * have copies of it that cannot be hooked.
 */
STAND_IN("fentry/kiocb_done", kiocb_done)
SEC("fentry/kiocb_done")
int BPF_PROG(kiocb_done, struct kiocb *kiocb, long ret)
{
	OWN_STACK(ctx, kiocb_done);
	if (request_writes(kiocb) && !request_is_polled(kiocb))
		on_request(kiocb, ret);
	return 0;
}

/* A request that was queued and is finished by the device. */
STAND_INS("fentry/io_complete_rw", io_complete_rw)
SEC("fentry/io_complete_rw")
int BPF_PROG(io_complete_rw, struct kiocb *kiocb, long res)
{
	OWN_STACK(ctx, io_complete_rw);
	on_request(kiocb, res);
	return 0;
}

/* The same on a ring that polls its devices. */
STAND_IN("fentry/io_complete_rw_iopoll", io_complete_rw_iopoll)
SEC("fentry/io_complete_rw_iopoll")
int BPF_PROG(io_complete_rw_iopoll, struct kiocb *kiocb, long res)
{
	OWN_STACK(ctx, io_complete_rw_iopoll);
	on_request(kiocb, res);
	return 0;
}

#define AIO_MAX 16384

/* Who submitted an aio request: its completion does not know. */
struct aio {
	__u64 task;
	__u64 writes;
};

/* Entries: one per request that is not finished, by the address of its kiocb. Cleaned by its completion. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, AIO_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct aio);
} aio_pending SEC(".maps");

static __always_inline void on_aio_submit(struct kiocb *kiocb, bool writes)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	/* The thread may be gone by then, its process waits. */
	struct aio aio = {.task = (__u64)BPF_CORE_READ(task, group_leader), .writes = writes};
	__u64 key = (__u64)kiocb;

	if (running && bpf_map_update_elem(&aio_pending, &key, &aio, BPF_ANY)) {
		COUNT(file_events, 1);
		COUNT(file_events_map, 1);
	}
}

/* io_submit -> io_submit_one -> aio_read, aio_write: once per request. */
STAND_IN("fentry/aio_read", aio_read)
SEC("fentry/aio_read")
int BPF_PROG(aio_read, struct kiocb *kiocb)
{
	OWN_STACK(ctx, aio_read);
	on_aio_submit(kiocb, false);
	return 0;
}

STAND_IN("fentry/aio_write", aio_write)
SEC("fentry/aio_write")
int BPF_PROG(aio_write, struct kiocb *kiocb)
{
	OWN_STACK(ctx, aio_write);
	on_aio_submit(kiocb, true);
	return 0;
}

/*
 * ki_complete of every aio request, called once with its result: by the submitter when it finished at once,
 * else from where the device's driver is done. The process waits in exit_aio for its requests.
 */
STAND_INS("fentry/aio_complete_rw", aio_complete_rw)
SEC("fentry/aio_complete_rw")
int BPF_PROG(aio_complete_rw, struct kiocb *kiocb, long res)
{
	__u64 key = (__u64)kiocb;
	struct aio *aio = bpf_map_lookup_elem(&aio_pending, &key), done;

	OWN_STACK(ctx, aio_complete_rw);
	if (!aio)
		return 0;
	done = *aio;
	bpf_map_delete_elem(&aio_pending, &key);
	if (res > 0)
		transfer((__u64)BPF_CORE_READ(kiocb, ki_filp), done.task, done.writes, res,
			 BPF_CORE_READ(kiocb, ki_pos));
	return 0;
}

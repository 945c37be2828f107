// SPDX-License-Identifier: GPL-2.0-only
/*
 * The clock of sessions: the probe reads these iterators once a second and at stop. No timer is needed, a
 * quiet host is swept like a busy one. Map iterators exist since 5.9.
 */

/* How long the program of a process that is over stays, for what is still sent of it. */
#define OVER_KEPT_NS 2000000000ULL

/* Sessions that were due and did not fit into the ring buffer: the probe drains and sweeps again. */
__u32 sweep_left;

/* True when there may be no room for what is due: it is left for another sweep. */
static __always_inline bool sweep_leaves(void)
{
	if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) <= bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE) / 4 * 3)
		return false;
	__sync_fetch_and_add(&sweep_left, 1);
	return true;
}

/*
 * True while a thread of the exiting process may still close files: it does so between the exit hook and the
 * exit state, however long it waits for a processor. A leader that was freed meanwhile does not look like it.
 */
static __always_inline bool process_is_exiting(struct process_key *key, struct program *program)
{
	struct task_struct *leader = (void *)program->leader;

	return BPF_CORE_READ(leader, tgid) == key->tgid &&
	       BPF_CORE_READ(leader, start_boottime) == program->start &&
	       (!BPF_CORE_READ(leader, exit_state) || BPF_CORE_READ(leader, signal, nr_threads) > 1);
}

/* True when the process of the session has exited for good. */
static __always_inline bool process_is_over(struct session *session)
{
	struct process_key key = {
	    .tgid = session->record.head.tgid,
	    .birth = session->record.head.start >> 20,
	};
	struct program *program = bpf_map_lookup_elem(&programs, &key);

	return !program || (program->over && !process_is_exiting(&key, program));
}

/* Why the session is due, 0 when it is not. */
static __always_inline __u32 session_due(struct session *session, __u64 now)
{
	if (stopping)
		return KF_CAUSE_STOP;
	if (process_is_over(session))
		return KF_CAUSE_EXIT;
	/* Signed: another processor may have counted an event since `now`. */
	if ((__s64)(now - session->record.head.time) > (__s64)idle_ns)
		return KF_CAUSE_IDLE;
	if (session->record.first_time && (__s64)(now - session->record.first_time) > (__s64)active_ns)
		return KF_CAUSE_ACTIVE;
	return 0;
}

/* The inode of a session without an open description may be gone, its memory free or another inode's: then
 * the values of the last event stay. */
static __always_inline bool inode_is_there(struct session *session, struct inode *inode)
{
	struct kf_file *record = &session->record;

	return BPF_CORE_READ(inode, i_count.counter) > 0 && BPF_CORE_READ(inode, i_ino) == record->inode &&
	       BPF_CORE_READ(inode, i_generation) == record->generation &&
	       (__u64)BPF_CORE_READ(inode, i_sb) == session->sb;
}

/* All but the size: that is the one of the process's last event, whatever others wrote since. */
static __always_inline void refresh(struct session *session, struct inode *inode)
{
	__u64 size = session->record.size;

	if (!inode)
		return;
	read_attributes((__u64)inode, &session->record);
	session->record.size = size;
}

/*
 * True when the session is to go on after it was sent. Its count of open descriptions cannot tell when one
 * was closed last by a child; an idle one goes on only as long as somebody has the file open for writing, so
 * that the next write knows the size before it. All else begins anew with its next event.
 */
static __always_inline bool session_goes_on(struct session *session, struct inode *inode, __u32 cause)
{
	if (session->open <= 0 || !inode)
		return false;
	if (cause == KF_CAUSE_ACTIVE)
		return true;
	return cause == KF_CAUSE_IDLE && BPF_CORE_READ(inode, i_writecount.counter) > 0;
}

SEC("iter/bpf_map_elem")
int sweep_sessions(struct bpf_iter__bpf_map_elem *ctx)
{
	__u64 now = bpf_ktime_get_boot_ns();
	__u32 *slot = ctx->value, number, cause;
	struct session *session;
	struct inode *inode;

	if (!slot)
		return 0;
	number = *slot;
	session = session_at(number);
	if (!session || !session->inode)
		return 0;
	cause = session_due(session, now);
	if (!cause)
		return 0;
	if (sweep_leaves())
		return 0;
	inode = (void *)session->inode;
	if (!inode_is_there(session, inode))
		inode = 0;
	session_hold(session);
	refresh(session, inode);
	if (!session_goes_on(session, inode, cause)) {
		session_end(number, false, cause);
		return 0;
	}
	session_send(number, false, cause, NO_ORIGIN);
	session_put(session);
	return 0;
}

/* Removes programs that are over and whose sessions are sent. */
SEC("iter/bpf_map_elem")
int sweep_programs(struct bpf_iter__bpf_map_elem *ctx)
{
	struct program *program = ctx->value;
	struct process_key *of = ctx->key, key;

	if (!of || !program)
		return 0;
	key = *of;
	if (!program->over || bpf_ktime_get_boot_ns() - program->over < OVER_KEPT_NS ||
	    process_is_exiting(&key, program))
		return 0;
	bpf_map_delete_elem(&programs, &key);
	return 0;
}

static __always_inline int fill_slot(void *free, __u32 *slot)
{
	__u32 number;

	if (!slot)
		return 0;
	number = *slot;
	bpf_map_push_elem(free, &number, BPF_ANY);
	return 0;
}

/* Read once before anything is attached: all slots are free. */
SEC("iter/bpf_map_elem")
int fill_slots(struct bpf_iter__bpf_map_elem *ctx)
{
	return fill_slot(&slots_free, ctx->key);
}

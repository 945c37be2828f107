// SPDX-License-Identifier: GPL-2.0-only
/*
 * The clock of sessions: the probe reads these iterators once a second and at stop. No timer is needed, a
 * quiet host is swept like a busy one. Map iterators exist since 5.9.
 */

/* A process that is over gets its last closes done in this time. */
#define OVER_GRACE_NS 200000000ULL
/* Programs of one process that are followed from a session to the present one. */
#define EXEC_STEPS 8

/* Sessions that were due and did not fit into the ring buffer: the probe drains and sweeps again. */
__u32 sweep_left;
/* Sessions in the map at the last sweep. */
__u32 sweep_seen;

/* True when the process of the session has exited for good. */
static __always_inline bool process_is_over(struct session_key *key, struct session *session, __u64 now)
{
	struct program_key program_key = {.process = key->process, .exec = session->exec};
	struct program *program;
	int i;

	for (i = 0; i < EXEC_STEPS; i++) {
		program = bpf_map_lookup_elem(&programs, &program_key);
		if (!program)
			return true;
		if (!(program->flags & PROGRAM_REPLACED))
			return program->over && now - program->over > OVER_GRACE_NS;
		program_key.exec++;
	}
	return false;
}

/* Why the session is due, 0 when it is not. */
static __always_inline __u32 session_due(struct session_key *key, struct session *session, __u64 now)
{
	if (stopping)
		return KF_CAUSE_STOP;
	if (process_is_over(key, session, now))
		return KF_CAUSE_EXIT;
	if (session->total && now - session->record.head.time > idle_ns)
		return KF_CAUSE_IDLE;
	if (session->total && now - session->record.first_time > active_ns)
		return KF_CAUSE_ACTIVE;
	return 0;
}

/* The inode of a session without an open description may be gone: then the values of the last event stay. */
static __always_inline void refresh(struct session *session, struct inode *inode)
{
	struct kf_file *record = &session->record;

	if (BPF_CORE_READ(inode, i_ino) == record->inode &&
	    BPF_CORE_READ(inode, i_generation) == record->generation &&
	    BPF_CORE_READ(inode, i_sb, s_dev) == record->dev)
		read_attributes(false, inode, record);
}

SEC("iter/bpf_map_elem")
int sweep_sessions(struct bpf_iter__bpf_map_elem *ctx)
{
	struct session *session = ctx->value;
	struct session_key *key = ctx->key, copy;
	__u64 now = bpf_ktime_get_boot_ns();
	__u32 cause;

	if (!key || !session)
		return 0;
	__sync_fetch_and_add(&sweep_seen, 1);
	copy = *key;
	session = bpf_map_lookup_elem(&sessions, &copy);
	if (!session)
		return 0;
	cause = session_due(&copy, session, now);
	if (!cause)
		return 0;
	if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >
	    bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE) / 4 * 3) {
		__sync_fetch_and_add(&sweep_left, 1);
		return 0;
	}
	refresh(session, (struct inode *)copy.inode);
	session_send(&copy, NO_ORIGIN, cause,
		     session->open > 0 && cause != KF_CAUSE_STOP && cause != KF_CAUSE_EXIT);
	return 0;
}

/* Removes programs that are over and named by no session. */
SEC("iter/bpf_map_elem")
int sweep_programs(struct bpf_iter__bpf_map_elem *ctx)
{
	struct program *program = ctx->value;
	struct program_key *key = ctx->key, copy;

	if (!key || !program)
		return 0;
	if (!program->over || program->sessions > 0 ||
	    bpf_ktime_get_boot_ns() - program->over < OVER_GRACE_NS * 5)
		return 0;
	copy = *key;
	bpf_map_delete_elem(&programs, &copy);
	return 0;
}

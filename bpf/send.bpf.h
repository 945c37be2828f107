/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A session becomes a record: while it goes on, or at its end.
 *
 * Several processors may work on one session. Whoever does holds it (session_hold); who ends it takes it out
 * of the map, which only one can, and from then on nobody finds it. It is sent, and its slot given back, when
 * the last one lets go: at once when nobody else holds it, else by the one who finds its number in `dying`.
 */
#ifndef KFLOWD_SEND_H
#define KFLOWD_SEND_H

/* What may change: from the copy of the inode. */
static __always_inline void copied_attributes(struct inode_copy *copy, struct kf_file *out)
{
	out->mode = COPIED(copy, struct inode, i_mode);
	out->uid = COPIED(copy, struct inode, i_uid.val);
	out->gid = COPIED(copy, struct inode, i_gid.val);
	out->nlink = COPIED(copy, struct inode, i_nlink);
	out->size = COPIED(copy, struct inode, i_size);
	copied_atime(copy, &out->atime);
	copied_mtime(copy, &out->mtime);
	copied_ctime(copy, &out->ctime);
}

static __always_inline void typed_attributes(struct inode *inode, struct kf_file *out)
{
	out->mode = inode->i_mode;
	out->uid = inode->i_uid.val;
	out->gid = inode->i_gid.val;
	out->nlink = inode->i_nlink;
	out->size = inode->i_size;
	typed_atime(inode, &out->atime);
	typed_mtime(inode, &out->mtime);
	typed_ctime(inode, &out->ctime);
}

/* Not inlined: its copy of the inode would stand on the stack beneath the long path walk. */
static __noinline void read_attributes(__u64 inode, struct kf_file *out)
{
	struct inode_copy copy;

	if (copy_inode(&copy, inode))
		copied_attributes(&copy, out);
}

/*
 * The low half of a pointer as a number. By hand: the verifier takes only a move of the half register, and
 * clang would shift.
 */
static __always_inline __u32 low_half(const void *pointer)
{
	__u64 half;

	asm volatile("r1 = %[pointer]\n"
		     "w0 = w1\n"
		     "%[half] = r0\n"
		     : [half] "=r"(half)
		     : [pointer] "r"(pointer)
		     : "r0", "r1");
	return half;
}

/* `sb` is the low half of the super block's address. */
static __always_inline struct session_key session_key(const void *inode, __u32 sb, __u32 number,
						      __u32 generation, __u32 tgid, __u64 start)
{
	struct session_key key = {
	    .address = low_half(inode),
	    .identity = sb ^ number ^ generation ^ (__u32)(start >> 20) << 8,
	    .tgid = tgid,
	};

	return key;
}

/* The key of the same inode's session of another process, or of this one. */
static __always_inline struct session_key session_key_of(struct session *session, __u64 inode, __u32 tgid,
							 __u64 start)
{
	struct kf_file *record = &session->record;

	return session_key((void *)inode, session->sb, record->inode, record->generation, tgid, start);
}

/* Inodes are numbered in turn: the low bits of their numbers differ. */
static __always_inline __u32 *session_hint(__u32 number, __u32 tgid)
{
	return &hints[(number ^ tgid << 5) & ((1 << HINT_BITS) - 1)];
}

/* Bytes of a record that the fixed reservation of the ring buffer holds: body and a short tail. */
#define RECORD_SHORT (sizeof(struct kf_file) + TAIL_SIZE)

static __always_inline void record_count(bool sent, __u32 events)
{
	if (sent) {
		COUNT(file_records, 1);
		COUNT(file_events_sent, events);
	} else {
		COUNT(file_records_ring, 1);
		COUNT(file_events_ring, events);
	}
}

static __always_inline __u32 events_of(struct kf_file *record)
{
	__u32 i, sum = 0;

	for (i = 0; i < KF_EVENTS; i++)
		sum += record->events[i];
	return sum;
}

/* Takes what was sent, or is lost, out of the session, which goes on. Returns how many events. */
static __always_inline __u32 session_restart(struct session *session, struct kf_file *sent)
{
	__u32 i, count, sum = 0;

	for (i = 0; i < KF_EVENTS; i++) {
		count = sent->events[i];
		__sync_fetch_and_add(&session->record.events[i], -count);
		sum += count;
	}
	__sync_fetch_and_add(&session->record.bytes_read, -sent->bytes_read);
	__sync_fetch_and_add(&session->record.bytes_written, -sent->bytes_written);
	session->record.size_first = sent->size;
	session->record.mtime_first = sent->mtime;
	session->record.first_time = 0;
	return sum;
}

/* The session's record could not be sent. */
static __always_inline void session_lose(struct session *session, __u32 keep)
{
	record_count(false, keep ? session_restart(session, &session->record) : events_of(&session->record));
}

/* Completes the copy of the session's record. */
static __noinline void record_finish(struct kf_file *record, __u32 cause)
{
	record->cause = cause;
	record->head.cpu = bpf_get_smp_processor_id();
	if (record->events[KF_EVENT_DELETE])
		record->nlink++; /* as it was before */
	if (!record->events[KF_EVENT_MODIFY] && !record->events[KF_EVENT_CREATE] &&
	    !record->events[KF_EVENT_ATTRIB] && !record->events[KF_EVENT_MOVED_TO] &&
	    !record->events[KF_EVENT_DELETE] && !record->events[KF_EVENT_CLOSE_WRITE])
		record->head.flags |= KF_FLAG_BULK;
}

/*
 * Sends a session whose tail is long, or which was moved: `origin` is the scratch slot with the old path, or
 * NO_ORIGIN. Built in a scratch slot. With `keep` the counts are taken out of the session.
 */
#define NO_ORIGIN 0xffffffff
__noinline int session_send_long(__u32 number, __u32 cause, __u32 keep, __u32 origin)
{
	struct session *session = session_at(number);
	struct scratch *s, *from = origin == NO_ORIGIN ? 0 : scratch_at(origin);
	struct long_tail *tail;
	struct kf_file *record;
	__u32 slot, tail_len, len = sizeof(*record);

	if (!session)
		return 0;
	s = scratch_take(&slot);
	if (!s) {
		/* Without a buffer the record is lost like one for which the ring has no room. */
		session_lose(session, keep);
		return 0;
	}
	record = (void *)s->record;
	__builtin_memcpy(record, &session->record, sizeof(*record));
	record_finish(record, cause);
	tail = session->flags & SESSION_LONG ? bpf_map_lookup_elem(&long_tails, &number) : 0;
	tail_len = session->tail_len;
	if (tail && tail_len <= LONG_TAIL_SIZE)
		bpf_probe_read_kernel(&s->record[sizeof(*record)], tail_len, tail->text);
	else if (!tail && tail_len <= TAIL_SIZE)
		bpf_probe_read_kernel(&s->record[sizeof(*record)], tail_len, session->tail);
	else
		tail_len = 0;
	len += tail_len;
	if (from)
		len = tail_add_path(s, len, KF_TAG_ORIGIN, from);
	if (keep)
		session_restart(session, record);
	record_count(!emit(s, len), events_of(record));
	scratch_give(&slot);
	return 0;
}

/* The usual case: straight from the session into the ring buffer. */
static __noinline void session_send_short(struct session *session, __u32 cause, __u32 keep)
{
	struct kf_file *record = bpf_ringbuf_reserve(&ring, RECORD_SHORT, 0);
	__u64 *to = (void *)(record + 1), *from = (void *)session->tail;
	__u32 tail_len = session->tail_len, i;

	if (!record) {
		session_lose(session, keep);
		return;
	}
	__builtin_memcpy(record, &session->record, sizeof(*record));
	record_count(true, events_of(record));
	record_finish(record, cause);
	record->head.len = sizeof(*record) + tail_len;
	ROLLED
	for (i = 0; i < TAIL_SIZE / 8 && i * 8 < tail_len; i++)
		to[i] = from[i];
	if (keep)
		session_restart(session, record);
	bpf_ringbuf_submit(record, wake_flags());
}

/* Sends what the session has counted; it goes on with zero counts. `origin` as in session_send_long. */
__noinline int session_send(__u32 number, __u32 alive, __u32 cause, __u32 origin)
{
	struct session *session = session_at(number);

	if (!session)
		return 0;
	if (alive)
		read_attributes(session->inode, &session->record);
	if (!events_of(&session->record))
		return 0;
	if (session->flags & SESSION_LONG || origin != NO_ORIGIN)
		session_send_long(number, cause, true, origin);
	else
		session_send_short(session, cause, true);
	return 0;
}

/* Sends what the ended session has and gives its slot back, after those of the caller's `holds` on it:
 * whoever gets the slot next must not find them. */
__noinline int session_bury(__u32 number, __u32 holds)
{
	struct session *session = session_at(number);

	if (!session)
		return 0;
	if (!events_of(&session->record))
		; /* all of it was sent */
	else if (session->flags & SESSION_LONG)
		session_send_long(number, session->record.cause, false, NO_ORIGIN);
	else
		session_send_short(session, session->record.cause, false);
	if (session->flags & SESSION_LONG)
		bpf_map_delete_elem(&long_tails, &number);
	__sync_fetch_and_add(&session->holders, -holds);
	bpf_map_push_elem(&slots_free, &number, BPF_ANY);
	return 0;
}

/* Lets go of a session that has ended: the last one buries it. */
__noinline int session_leave_dying(__u32 number)
{
	struct session *session = session_at(number);

	if (session && session->holders <= 0 && !bpf_map_delete_elem(&dying, &number))
		session_bury(number, 0);
	return 0;
}

/* An addition that all processors see before any later look at the session. */
static __always_inline void session_hold(struct session *session)
{
	__sync_fetch_and_add(&session->holders, 1);
}

static __always_inline void session_put(struct session *session)
{
	__sync_fetch_and_add(&session->holders, -1);
	if (!session->inode)
		session_leave_dying(session->slot);
}

/*
 * Ends the session, which the caller holds and may not touch afterwards. `alive` says that its inode is still
 * there; else the values of the last event have to do.
 */
__noinline int session_end(__u32 number, __u32 alive, __u32 cause)
{
	struct session *session = session_at(number);
	struct session_key key;
	__u32 holds = 1;
	__u64 inode;
	__u8 one = 1;

	if (!session)
		return 0;
	inode = session->inode;
	key = session_key_of(session, inode, session->record.head.tgid, session->record.head.start);
	session->inode = 0; /* no hint leads here any more */
	if (!bpf_map_delete_elem(&sessions, &key)) {
		COUNT(sessions_closed, 1);
		session->record.cause = cause;
		if (alive)
			read_attributes(inode, &session->record);
		if (session->holders <= 1 || bpf_map_update_elem(&dying, &number, &one, BPF_ANY))
			goto bury;
	}
	holds = 0;
	__sync_fetch_and_add(&session->holders, -1);
	if (session->holders > 0 || bpf_map_delete_elem(&dying, &number))
		return 0;
bury:
	return session_bury(number, holds);
}

#endif

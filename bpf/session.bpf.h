/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file session: what one process does to one inode, counted in place from its first event until it is sent.
 *
 * An event finds its session by a hint, or else by one hash lookup; names, path and identity are taken once,
 * when it opens. What the filter drops costs no lookup at all. What opens and what sends a session are global
 * functions, so that the verifier checks them once and not at every call. A session that is found is held:
 * each way out of a hook is session_done, session_put or session_end.
 */
#ifndef KFLOWD_SESSION_H
#define KFLOWD_SESSION_H

/*
 * Whether it is the session of this very inode and process. While the process has the inode open, another
 * super block cannot have another one of this number and generation in its place.
 */
static __always_inline bool session_is(bool direct, struct session *session, struct inode *inode,
				       __u64 number, __u32 tgid, __u64 start)
{
	return session->inode == (__u64)inode && session->record.head.start == start &&
	       session->record.head.tgid == tgid && session->record.inode == number &&
	       session->record.generation == GET(direct, inode, i_generation) &&
	       (session->open > 0 || session->sb == (__u64)GET(direct, inode, i_sb));
}

/* The open session where the hint says, held, or NULL. */
static __always_inline struct session *session_hinted(bool direct, struct inode *inode, __u64 number,
						      __u32 tgid, __u64 start)
{
	__u32 slot = *session_hint(number, tgid);
	struct session *session = bpf_map_lookup_elem(&slots, &slot);

	if (!session || session->inode != (__u64)inode)
		return 0;
	session_hold(session);
	if (session_is(direct, session, inode, number, tgid, start))
		return session;
	session_put(session);
	return 0;
}

/* The open session of the target, held, or NULL, after the hint was wrong. */
static __always_inline struct session *session_lookup(bool direct, struct target *target)
{
	struct session_key key =
	    session_key(target->inode, low_half(GET(direct, target->inode, i_sb)), target->number,
			GET(direct, target->inode, i_generation), target->tgid, target->start);
	__u32 *slot = bpf_map_lookup_elem(&sessions, &key), number;
	struct session *session;

	if (!slot)
		return 0;
	number = *slot;
	session = session_at(number);
	if (!session)
		return 0;
	session_hold(session);
	if (session_is(direct, session, target->inode, target->number, target->tgid, target->start)) {
		*session_hint(target->number, key.tgid) = number;
		return session;
	}
	session_put(session);
	return 0;
}

static __always_inline struct session *session_find(bool direct, struct target *target)
{
	struct session *session =
	    session_hinted(direct, target->inode, target->number, target->tgid, target->start);

	return session ? session : session_lookup(direct, target);
}

/*
 * The session that was made, or the one of the thread that was faster. That one may be over again by then:
 * one more try; to lose that too is a lost event.
 */
static __always_inline struct session *session_made(bool direct, struct target *target, __u32 made)
{
	struct session *session;

	if (made == RACED) {
		session = session_lookup(direct, target);
		if (session)
			return session;
		made = session_make(plain(target->inode), plain(target->dentry), plain(target->mnt),
				    plain(target->task));
	}
	if (made == RACED) {
		COUNT(file_events, 1);
		COUNT(file_events_map, 1);
		return 0;
	}
	return made ? session_at(made - 1) : 0;
}

/* Opens the session of the target, whose pointers are numbers from here on: a copy onto itself makes them
 * what a global function takes. */
static __always_inline struct session *session_open(struct target *target)
{
	if (!running)
		return 0;
	bpf_probe_read_kernel(target, sizeof(*target), target);
	return session_made(false, target,
			    session_make((__u64)target->inode, (__u64)target->dentry, (__u64)target->mnt,
					 (__u64)target->task));
}

static __always_inline struct session *session_open_typed(struct target *target)
{
	if (!running)
		return 0;
	return session_made(true, target,
			    session_make_typed(target->inode, target->dentry, (__u64)target->mnt,
					       target->tgid, target->start));
}

static __always_inline void session_count(struct session *session, __u32 event)
{
	__u64 now = bpf_ktime_get_boot_ns();

	__sync_fetch_and_add(&session->record.events[event], 1);
	COUNT_FOR(session->record.head.tgid, file_events, 1);
	if (!session->record.first_time)
		session->record.first_time = now;
	session->record.head.time = now;
}

/* Sends the session when `-e` says so; it goes on. */
static __always_inline void session_limit(struct session *session)
{
	if (max_events && events_of(&session->record) >= max_events)
		session_send(session->slot, true, KF_CAUSE_COUNT, NO_ORIGIN);
}

/* The event is counted: sends the session when `-e` says so, which ends it when nothing is open. */
static __always_inline void session_done(struct session *session)
{
	if (max_events && session->open <= 0 && events_of(&session->record) >= max_events) {
		session_end(session->slot, true, KF_CAUSE_COUNT);
		return;
	}
	session_limit(session);
	session_put(session);
}

#endif

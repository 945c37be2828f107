/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A session opens: a free slot gets everything that is taken once, process, file, names and path, and becomes
 * known.
 */
#ifndef KFLOWD_OPEN_H
#define KFLOWD_OPEN_H

#define NAMES_SHORT 128 /* more than two short names with their entries; a power of two */

/* Completes the path's entry, whose text ends at `len`. */
static __always_inline void tail_end_path(struct session *session, __u32 len)
{
	__u32 at = session->names_len & (NAMES_SHORT - 1);
	struct kf_tail *entry = (void *)&session->tail[at];

	entry->tag = KF_TAG_PATH;
	entry->len = len - at - sizeof(*entry);
	session->tail_len = len;
}

/* Names and path by the long way: they come into the session when they fit, else into long_tails. */
__noinline int session_describe_long(__u32 number, __u64 dentry, __u64 mnt)
{
	struct session *session = session_at(number);
	struct process_key process = {};
	struct program *program;
	struct kf_tail *entry;
	struct scratch *s;
	__u32 slot, names, len = 0;

	if (!session)
		return 0;
	s = scratch_take(&slot);
	if (!s) {
		/* Counted there: the record will lack names and path. */
		session->names_len = session->tail_len = 0;
		return 0;
	}
	process.tgid = session->record.head.tgid;
	process.birth = session->record.head.start >> 20;
	program = bpf_map_lookup_elem(&programs, &process);
	path_long(slot, dentry, mnt);
	if (program)
		len = tail_add_names(s, len, program);
	names = len;
	len = tail_add_path(s, len, KF_TAG_PATH, s);
	if (len > TAIL_SIZE && !bpf_map_update_elem(&long_tails, &number, s->record, BPF_ANY)) {
		session->flags |= SESSION_LONG;
		session->tail_len = len;
		goto out;
	}
	if (session->flags & SESSION_LONG)
		bpf_map_delete_elem(&long_tails, &number);
	session->flags &= ~SESSION_LONG;
	session->names_len = names < NAMES_SHORT ? names : 0;
	if (len > TAIL_SIZE) {
		/* No room for it: as much as fits here. */
		COUNT(path_cut, 1);
		entry = (void *)&s->record[names & (NAMES_SHORT - 1)];
		entry->tag = KF_TAG_PATH | KF_TAG_CUT;
		entry->len = TAIL_SIZE - sizeof(*entry) - (names & (NAMES_SHORT - 1));
		len = names < NAMES_SHORT ? TAIL_SIZE : 0;
	}
	session->tail_len = len;
	bpf_probe_read_kernel(session->tail, TAIL_SIZE, s->record);
out:
	scratch_give(&slot);
	return 0;
}

/* Short names of a new session; gives where its path begins, 0 when a name is long. */
static __always_inline __u32 session_names(struct session *session, struct program *program)
{
	__u32 len;

	if (program->exe_len > NAME_SHORT || program->parent_len > NAME_SHORT)
		return 0;
	len = tail_name(session->tail, 0, KF_TAG_EXE_NAME, program->exe, program->exe_len);
	len = tail_name(session->tail, len, KF_TAG_PARENT_NAME, program->parent, program->parent_len);
	session->names_len = len;
	return len + sizeof(struct kf_tail);
}

/* Identity and attributes of a new session's file, from a typed pointer, or from a copy of the inode. */
static __always_inline void session_file(bool direct, struct session *session, struct inode *inode)
{
	struct kf_file *record = &session->record;

	record->inode = GET(direct, inode, i_ino);
	record->generation = GET(direct, inode, i_generation);
	record->dev = GET2(direct, inode, i_sb, s_dev);
	session->sb = (__u64)GET(direct, inode, i_sb);
	if (direct)
		typed_attributes(inode, record);
	else
		read_attributes((__u64)inode, record);
	record->size_first = record->size;
	record->mtime_first = record->mtime;
}

/* Later than any sweep: a session whose first event is not counted yet is not idle. */
#define NEVER_IDLE (~0ULL >> 1)

/* All of a new session but its file, names and path. */
static __always_inline void session_fill(bool direct, struct session *session, struct task_struct *task,
					 struct program *program)
{
	struct kf_file *record = &session->record;
	int i;

	record->head.kind = KF_KIND_FILE;
	record->head.flags = program->flags & PROGRAM_KTHREAD ? KF_FLAG_KTHREAD : 0;
	record->head.start = program->start;
	record->head.time = NEVER_IDLE;
	task_facts(direct, &record->task, task, program);
	record->first_time = record->bytes_read = record->bytes_written = 0;
	for (i = 0; i < KF_EVENTS; i++)
		record->events[i] = 0;
	session->open = session->flags = 0;
}

/* Takes a free slot for a session of `task`; NULL when there is none, which is counted, or it is not ours. */
static __always_inline struct session *session_begin(bool direct, struct task_struct *task, __u32 tgid,
						     __u64 start, struct program **of)
{
	struct process_key key = {.tgid = tgid, .birth = start >> 20};
	struct program *program;
	struct session *session;
	__u32 number;

	program = program_get(&key, start, task);
	if (!program || program->flags & PROGRAM_OWN)
		return 0;
	if (bpf_map_pop_elem(&slots_free, &number)) {
		COUNT(file_events, 1);
		COUNT(file_events_map, 1);
		return 0;
	}
	session = session_at(number);
	if (!session)
		return 0;
	session->slot = number;
	session->record.head.tgid = tgid;
	session_fill(direct, session, task, program);
	*of = program;
	return session;
}

/* Another thread made the session at the same time. */
#define RACED 0xffffffff

/* Makes the session known, held. Returns the number of its slot + 1, or RACED. */
static __always_inline __u32 session_enter(struct session *session, struct inode *inode)
{
	struct session_key key =
	    session_key_of(session, (__u64)inode, session->record.head.tgid, session->record.head.start);
	__u32 number = session->slot;

	session_hold(session);
	session->inode = (__u64)inode; /* whoever finds it in the map takes it for what it is */
	if (!bpf_map_update_elem(&sessions, &key, &number, BPF_NOEXIST)) {
		COUNT(sessions_open, 1);
		*session_hint(session->record.inode, key.tgid) = number;
		return number + 1;
	}
	session->inode = 0;
	__sync_fetch_and_add(&session->holders, -1);
	if (session->flags & SESSION_LONG)
		bpf_map_delete_elem(&long_tails, &number);
	bpf_map_push_elem(&slots_free, &number, BPF_ANY);
	return RACED;
}

/*
 * Opens a session on `inode`, named by `dentry` and, where the hook knows it, `mnt`, for `thread`, 0 =
 * current. Returns the number of its slot + 1; 0 when it is not ours to report, or there is no room, which is
 * counted. The plain way, for whatever is not an open: small, as many hooks have a copy of it.
 */
__noinline int session_make(__u64 inode, __u64 dentry, __u64 mnt, __u64 thread)
{
	struct task_struct *task = (void *)(thread ? thread : bpf_get_current_task());
	__u64 start = BPF_CORE_READ(task, group_leader, start_boottime);
	struct program *program = 0;
	struct session *session = session_begin(false, task, BPF_CORE_READ(task, tgid), start, &program);

	if (!session)
		return 0;
	session_file(false, session, (void *)inode);
	session_describe_long(session->slot, dentry, mnt);
	return session_enter(session, (void *)inode);
}

/*
 * The same for an open or unlink by the current task, which is how nearly every session begins: through typed
 * pointers. Not inlined, so that the verifier looks at it once.
 */
static __noinline __u32 session_make_typed(struct inode *inode, struct dentry *dentry, __u64 mnt, __u32 tgid,
					   __u64 start)
{
	struct program *program = 0;
	struct session *session = session_begin(true, bpf_get_current_task_btf(), tgid, start, &program);
	__u32 len;

	if (!session || !program)
		return 0;
	session_file(true, session, inode);
	len = mnt ? session_names(session, program) : 0;
	if (len)
		len = path_typed(session, len, dentry, mnt);
	if (len)
		tail_end_path(session, len);
	else
		session_describe_long(session->slot, plain(dentry), plain((void *)mnt));
	return session_enter(session, inode);
}

#endif

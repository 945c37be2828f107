/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file session: what one process does to one inode, counted in place from its first event until it is sent.
 *
 * One map lookup per event; names, path and identity are taken once, when it opens. What the filter drops
 * costs no lookup at all.
 */
#ifndef KFLOWD_SESSION_H
#define KFLOWD_SESSION_H

#define S_IFMT	0170000
#define S_IFREG 0100000
#define S_IFLNK 0120000

#define SB_KERNMOUNT (1 << 22)
#define MINORBITS    20

/* A file system that only shows kernel state, or that nobody mounted (memfd, pipes, sockets). */
static __always_inline bool is_kernel_fs(bool direct, struct super_block *sb)
{
	if (GET(direct, sb, s_dev) >> MINORBITS)
		return false; /* on a block device */
	if (GET(direct, sb, s_flags) & SB_KERNMOUNT)
		return true;
	switch (GET(direct, sb, s_magic)) {
	case 0x9fa0:	 /* proc */
	case 0x62656572: /* sysfs */
	case 0x0027e0eb: /* cgroup */
	case 0x63677270: /* cgroup2 */
	case 0x74726163: /* tracefs */
	case 0x64626720: /* debugfs */
	case 0xcafe4a11: /* bpf */
	case 0x73636673: /* securityfs */
	case 0x50495045: /* pipefs */
	case 0x534f434b: /* sockfs */
	case 0x09041934: /* anonymous inodes */
	case 0x6e736673: /* nsfs */
	case 0x62656570: /* configfs */
	case 0x19800202: /* mqueue */
		return true;
	}
	return false;
}

/* Reads what may change from the inode. */
static __always_inline void read_attributes(bool direct, struct inode *inode, struct kf_file *out)
{
	out->mode = GET(direct, inode, i_mode);
	out->uid = GET(direct, inode, i_uid.val);
	out->gid = GET(direct, inode, i_gid.val);
	out->nlink = GET(direct, inode, i_nlink);
	out->size = GET(direct, inode, i_size);
	inode_atime(direct, inode, &out->atime);
	inode_mtime(direct, inode, &out->mtime);
	inode_ctime(direct, inode, &out->ctime);
}

/* Keeps the path of the slot's walk in the session, or beside it when it is long. */
static __always_inline void path_store(struct session_key *key, struct session *session, struct scratch *s)
{
	__u32 start = s->start, len;

	if (session->path_flags & PATH_LONG)
		bpf_map_delete_elem(&long_paths, key);
	session->path_flags = s->cut ? KF_TAG_CUT : 0;
	if (start > WALK_END)
		return;
	len = WALK_END - start;
	session->path_len = len;
	if (len > PATH_INLINE) {
		if (!bpf_map_update_elem(&long_paths, key, s->path, BPF_ANY)) {
			session->path_flags |= PATH_LONG;
			return;
		}
		COUNT(path_cut, 1);
		session->path_flags = KF_TAG_CUT;
		session->path_len = len = PATH_INLINE;
		start = WALK_END - PATH_INLINE;
	}
	barrier_var(len); /* the verifier must see the bound on this very register */
	if (len <= PATH_INLINE)
		bpf_probe_read_kernel(session->path, len, &s->path[start & (KF_PATH_MAX - 1)]);
}

static __always_inline __u32 tail_add_session_path(struct scratch *s, __u32 len, struct session_key *key,
						   struct session *session)
{
	__u16 tag = KF_TAG_PATH | (session->path_flags & KF_TAG_CUT);
	struct long_path *long_path;
	__u32 start;

	if (!(session->path_flags & PATH_LONG))
		return tail_add(s, len, tag, session->path, session->path_len, 255);
	long_path = bpf_map_lookup_elem(&long_paths, key);
	if (!long_path)
		return len;
	start = (WALK_END - session->path_len) & (KF_PATH_MAX - 1);
	return tail_add(s, len, tag, &long_path->text[start], session->path_len, KF_PATH_MAX - 1);
}

/* A copy of the session becomes a record in the slot; `origin` is the slot with the old path after a move. */
static __always_inline __u32 session_record(struct scratch *s, struct session_key *key,
					    struct session *session, struct scratch *origin)
{
	struct kf_file *record = (void *)s->record;
	struct program_key program_key = {.process = key->process, .exec = session->exec};
	struct program *program = bpf_map_lookup_elem(&programs, &program_key);
	__u32 len = sizeof(*record);

	if (!record->events[KF_EVENT_MODIFY] && !record->events[KF_EVENT_CREATE] &&
	    !record->events[KF_EVENT_ATTRIB] && !record->events[KF_EVENT_MOVED_TO] &&
	    !record->events[KF_EVENT_DELETE] && !record->events[KF_EVENT_CLOSE_WRITE])
		record->head.flags |= KF_FLAG_BULK;
	if (program)
		len = tail_add_names(s, len, program);
	len = tail_add_session_path(s, len, key, session);
	if (origin)
		len = tail_add_path(s, len, KF_TAG_ORIGIN, origin);
	return len;
}

/* Takes what was counted and is now in the copy out of the session, which goes on. */
static __always_inline void session_restart(struct session *session, struct session *copy)
{
	int i;

	for (i = 0; i < KF_EVENTS; i++)
		__sync_fetch_and_add(&session->record.events[i], -copy->record.events[i]);
	__sync_fetch_and_add(&session->total, -copy->total);
	__sync_fetch_and_add(&session->record.bytes_read, -copy->record.bytes_read);
	__sync_fetch_and_add(&session->record.bytes_written, -copy->record.bytes_written);
	session->record.size_first = copy->record.size;
	session->record.mtime_first = copy->record.mtime;
	session->record.first_time = 0;
}

/* Ends the session of the copy; false when another processor did so first. */
static __always_inline bool session_end(struct session_key *key, struct session *copy)
{
	struct program_key program_key = {.process = key->process, .exec = copy->exec};
	struct program *program;

	if (bpf_map_delete_elem(&sessions, key))
		return false;
	COUNT(sessions_closed, 1);
	program = bpf_map_lookup_elem(&programs, &program_key);
	if (program)
		__sync_fetch_and_add(&program->sessions, -1);
	return true;
}

/* Arguments of session_finish. */
#define NO_ORIGIN 0xffffffff

/*
 * Sends the record of the session that the slot's target names. With `keep` the session goes on with zero
 * counts, else it ends. Works on a copy: the memory of a deleted map entry is used again at once. A global
 * function, so that the verifier checks it once and not in every hook.
 */
__noinline int session_finish(__u32 slot, __u32 origin_slot, __u32 cause, __u32 keep)
{
	struct scratch *s = bpf_map_lookup_elem(&scratch, &slot);
	struct scratch *origin = bpf_map_lookup_elem(&scratch, &origin_slot);
	struct session *session;
	struct session_key key;
	__u32 len;

	if (!s)
		return 0;
	key = s->target.key;
	session = bpf_map_lookup_elem(&sessions, &key);
	if (!session)
		return 0;
	__builtin_memcpy(&s->session, session, sizeof(*session));
	s->session.record.cause = cause;
	__builtin_memcpy(s->record, &s->session.record, sizeof(struct kf_file));
	len = session_record(s, &key, &s->session, origin);
	if (keep)
		session_restart(session, &s->session);
	else if (!session_end(&key, &s->session))
		return 0;
	if (s->session.total) {
		if (emit(s, len)) {
			COUNT(file_records_ring, 1);
			COUNT(file_events_ring, s->session.total);
		} else {
			COUNT(file_records, 1);
			COUNT(file_events_sent, s->session.total);
		}
	}
	if (!keep && s->session.path_flags & PATH_LONG)
		bpf_map_delete_elem(&long_paths, &key);
	return 0;
}

/* Sends the session of `key`; `origin` is the slot with the old path after a move. */
static __always_inline void session_send(struct session_key *key, __u32 origin, __u32 cause, bool keep)
{
	struct scratch *s;
	__u32 slot;

	s = scratch_take(&slot);
	if (!s)
		return;
	s->target.key = *key;
	session_finish(slot, origin, cause, keep);
	scratch_give(&slot);
}

/* Fills the session (in the slot) with all that is taken once. */
static __always_inline void session_fill(struct target *target, struct session *session,
					 struct task_struct *task, struct program *program, __u32 exec)
{
	struct kf_file *record = &session->record;
	struct inode *inode = target->inode;

	__builtin_memset(session, 0, sizeof(*session) - PATH_INLINE);
	session->exec = exec;
	record->head.kind = KF_KIND_FILE;
	record->head.flags = program->flags & PROGRAM_KTHREAD ? KF_FLAG_KTHREAD : 0;
	record->head.tgid = target->key.process.tgid;
	record->head.start = program->start;
	task_facts(&record->task, task, program);
	record->inode = BPF_CORE_READ(inode, i_ino);
	record->generation = BPF_CORE_READ(inode, i_generation);
	record->dev = target->dev;
	read_attributes(false, inode, record);
	record->size_first = record->size;
	record->mtime_first = record->mtime;
}

/* Opens the session of the slot's target. A global function, see session_finish: it copies what it reads. */
__noinline int session_make(__u32 slot)
{
	struct scratch *s = bpf_map_lookup_elem(&scratch, &slot);
	struct program_key program_key = {};
	struct task_struct *task;
	struct session_key key;
	struct session *session;
	struct program *program;

	if (!s)
		return 0;
	key = s->target.key;
	task = s->target.task;
	if (!task)
		task = (void *)bpf_get_current_task();
	if (in_overlay(task))
		return 0;
	program_key.process = key.process;
	program_key.exec = BPF_CORE_READ(task, self_exec_id);
	program = program_get(&program_key, task);
	if (program && program->flags & PROGRAM_OWN)
		return 0;
	if (program) {
		session_fill(&s->target, &s->session, task, program, program_key.exec);
		if (!bpf_map_update_elem(&sessions, &key, &s->session, BPF_NOEXIST)) {
			__sync_fetch_and_add(&program->sessions, 1);
			COUNT(sessions_open, 1);
		}
	}
	session = bpf_map_lookup_elem(&sessions, &key);
	if (!session) {
		COUNT(file_events, 1);
		COUNT(file_events_map, 1);
		return 0;
	}
	if (!session->path_len) {
		path_of(slot, s, s->target.dentry, s->target.mnt);
		path_store(&key, session, s);
	}
	return 0;
}

/* Opens the session of `target`; NULL when it is not ours to report, or the map is full. */
static __always_inline struct session *session_open(struct target *target)
{
	struct scratch *s;
	__u32 slot;

	s = scratch_take(&slot);
	if (!s)
		return 0;
	s->target = *target;
	session_make(slot);
	scratch_give(&slot);
	return bpf_map_lookup_elem(&sessions, &target->key);
}

/*
 * True when an event on this inode is to be looked at: regular files and symbolic links; of kernel file
 * systems only what modifies.
 */
static __always_inline bool target_is_ours(bool direct, struct target *target, struct inode *inode,
					   bool modifies)
{
	umode_t type = GET(direct, inode, i_mode) & S_IFMT;
	struct super_block *sb;

	if (type != S_IFREG && type != S_IFLNK)
		return false;
	sb = GET(direct, inode, i_sb);
	if (!modifies && !all_files && is_kernel_fs(direct, sb))
		return false;
	target->inode = inode;
	target->dev = GET(direct, sb, s_dev);
	target->key.inode = (__u64)inode;
	target->key.process = target->task ? process_of(target->task) : current_process();
	return true;
}

/* The open session of the target, or NULL. */
static __always_inline struct session *session_find(bool direct, struct target *target)
{
	struct session *session = bpf_map_lookup_elem(&sessions, &target->key);

	if (!session)
		return 0;
	if (session->record.inode == GET(direct, target->inode, i_ino) &&
	    session->record.dev == target->dev &&
	    session->record.generation == GET(direct, target->inode, i_generation))
		return session;
	session_send(&target->key, NO_ORIGIN, KF_CAUSE_REUSE, false);
	return 0;
}

static __always_inline struct session *session_get(bool direct, struct target *target)
{
	struct session *session = session_find(direct, target);

	return session ? session : session_open(target);
}

static __always_inline void session_count(struct session *session, __u32 event)
{
	__u64 now = bpf_ktime_get_boot_ns();

	__sync_fetch_and_add(&session->record.events[event], 1);
	__sync_fetch_and_add(&session->total, 1);
	if (!session->record.first_time)
		session->record.first_time = now;
	session->record.head.time = now;
	COUNT(file_events, 1);
}

/* Sends the session when `-e` says so. */
static __always_inline void session_limit(bool direct, struct target *target, struct session *session)
{
	if (!max_events || session->total < max_events)
		return;
	read_attributes(direct, target->inode, &session->record);
	session_send(&target->key, NO_ORIGIN, KF_CAUSE_COUNT, session->open > 0);
}

#endif

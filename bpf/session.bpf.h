/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file session: what one process does to one inode, counted in place from its first event until it is sent.
 *
 * An event finds its session by a hint, or else by one hash lookup; names, path and identity are taken once,
 * when it opens. What the filter drops costs no lookup at all. What opens and what sends a session are global
 * functions, so that the verifier checks them once and not in every hook.
 */
#ifndef KFLOWD_SESSION_H
#define KFLOWD_SESSION_H

#define S_IFMT	0170000
#define S_IFREG 0100000
#define S_IFLNK 0120000

#define SB_KERNMOUNT (1 << 22)
#define MINORBITS    20

/* What a hook knows about the file of its event. */
struct target {
	struct inode *inode;
	struct dentry *dentry;
	struct vfsmount *mnt;	  /* NULL where the hook has no mount */
	struct task_struct *task; /* who, where it is not the current task; else NULL */
	__u64 number;		  /* of the inode */
	__u64 start;		  /* of the process */
	__u32 tgid;
};

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

static __always_inline struct session_key session_key(const void *inode, __u64 number, __u32 tgid)
{
	struct session_key key = {.address = low_half(inode), .number = number, .tgid = tgid};

	return key;
}

/* Inodes lie in slabs and are numbered in turn: their low bits differ. */
static __always_inline __u32 *session_hint(__u32 address, __u32 number, __u32 tgid)
{
	return &hints[(address >> 6 ^ number ^ tgid << 5) & ((1 << HINT_BITS) - 1)];
}

/* Bytes of a record that the fixed reservation of the ring buffer holds: body and a short tail. */
#define RECORD_SHORT (sizeof(struct kf_file) + TAIL_SIZE)

/* Takes what was sent out of the session, which goes on. */
static __always_inline void session_restart(struct session *session, struct kf_file *sent, __u32 total)
{
	int i;

	for (i = 0; i < KF_EVENTS; i++)
		__sync_fetch_and_add(&session->record.events[i], -sent->events[i]);
	__sync_fetch_and_add(&session->total, -total);
	__sync_fetch_and_add(&session->record.bytes_read, -sent->bytes_read);
	__sync_fetch_and_add(&session->record.bytes_written, -sent->bytes_written);
	session->record.size_first = sent->size;
	session->record.mtime_first = sent->mtime;
	session->record.first_time = 0;
}

/* Completes the copy of the session's record. */
static __always_inline void record_finish(struct kf_file *record, __u32 cause)
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

/*
 * Sends a session whose tail is long, or which was moved: `origin` is the scratch slot with the old path, or
 * NO_ORIGIN. Built in a scratch slot. With `keep` the counts are taken out of the session.
 */
#define NO_ORIGIN 0xffffffff
__noinline int session_send_long(__u32 number, __u32 cause, __u32 keep, __u32 origin)
{
	struct session *session = bpf_map_lookup_elem(&slots, &number);
	struct scratch *s, *from = bpf_map_lookup_elem(&scratch, &origin);
	struct long_tail *tail;
	struct kf_file *record;
	__u32 slot, total, tail_len, len = sizeof(*record);

	if (!session)
		return 0;
	s = scratch_take(&slot);
	if (!s) {
		/* Without a buffer the record is lost like one for which the ring has no room. */
		record_count(false, session->total);
		return 0;
	}
	record = (void *)s->record;
	total = session->total;
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
		session_restart(session, record, total);
	record_count(!emit(s, len), total);
	scratch_give(&slot);
	return 0;
}

/* The usual case: straight from the session into the ring buffer. */
static __always_inline void session_send_short(struct session *session, __u32 cause, __u32 keep)
{
	struct kf_file *record = bpf_ringbuf_reserve(&ring, RECORD_SHORT, 0);
	__u64 *to = (void *)(record + 1), *from = (void *)session->tail;
	__u32 total = session->total, tail_len = session->tail_len, i;

	record_count(record, total);
	if (!record) {
		if (keep)
			session_restart(session, &session->record, total);
		return;
	}
	__builtin_memcpy(record, &session->record, sizeof(*record));
	record_finish(record, cause);
	record->head.len = sizeof(*record) + tail_len;
	ROLLED
	for (i = 0; i < TAIL_SIZE / 8 && i * 8 < tail_len; i++)
		to[i] = from[i];
	if (keep)
		session_restart(session, record, total);
	bpf_ringbuf_submit(record, wake_flags());
}

/*
 * Sends the record of session `number`. With `keep` the session goes on with zero counts, else it ends: the
 * one who takes it out of the map sends it and gives its slot back. `alive` says that the inode is the
 * session's; else the values of the last event have to do.
 */
__noinline int session_finish(__u32 number, __u32 alive, __u32 cause, __u32 keep, __u32 origin)
{
	struct session *session = bpf_map_lookup_elem(&slots, &number);
	struct session_key key;
	__u64 inode;

	if (!session)
		return 0;
	inode = session->inode;
	if (!keep) {
		key = session_key((void *)inode, session->record.inode, session->record.head.tgid);
		session->inode = 0; /* no hint leads here any more */
		if (bpf_map_delete_elem(&sessions, &key))
			return 0;
		COUNT(sessions_closed, 1);
	}
	if (alive)
		read_attributes(inode, &session->record);
	if (session->total) {
		if (session->flags & SESSION_LONG || origin != NO_ORIGIN)
			session_send_long(number, cause, keep, origin);
		else
			session_send_short(session, cause, keep);
	}
	if (!keep) {
		if (session->flags & SESSION_LONG)
			bpf_map_delete_elem(&long_tails, &number);
		bpf_map_push_elem(&slots_free, &number, BPF_ANY);
	}
	return 0;
}

/* Appends a name to the session's tail at `len`; one that is longer than NAME_SHORT does not come here. */
#define NAME_SHORT  40
#define NAMES_SHORT 128 /* more than two of them with their entries; a power of two */
static __always_inline __u32 tail_name(struct session *session, __u32 len, __u16 tag, char *name,
				       __u32 name_len)
{
	__u64 *from = (void *)name, *to = (void *)&session->tail[len + sizeof(struct kf_tail)];
	struct kf_tail *entry = (void *)&session->tail[len];
	__u32 i;

	if (!name_len)
		return len;
	entry->tag = tag;
	entry->len = name_len;
	ROLLED
	for (i = 0; i < NAME_SHORT / 8 && i * 8 < name_len; i++)
		to[i] = from[i];
	return len + sizeof(*entry) + name_len;
}

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
	struct session *session = bpf_map_lookup_elem(&slots, &number);
	struct process_key process = {};
	struct program *program;
	struct kf_tail *entry;
	struct scratch *s;
	__u32 slot, names, len = 0;

	s = session ? scratch_take(&slot) : 0;
	if (!s)
		return 0;
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
	len = tail_name(session, 0, KF_TAG_EXE_NAME, program->exe, program->exe_len);
	len = tail_name(session, len, KF_TAG_PARENT_NAME, program->parent, program->parent_len);
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

/* All of a new session but its file, names and path. */
static __always_inline void session_fill(bool direct, struct session *session, struct task_struct *task,
					 struct program *program)
{
	struct kf_file *record = &session->record;
	int i;

	record->head.kind = KF_KIND_FILE;
	record->head.flags = program->flags & PROGRAM_KTHREAD ? KF_FLAG_KTHREAD : 0;
	record->head.start = program->start;
	task_facts(direct, &record->task, task, program);
	record->first_time = record->bytes_read = record->bytes_written = 0;
	for (i = 0; i < KF_EVENTS; i++)
		record->events[i] = 0;
	session->total = session->open = session->flags = 0;
}

/* Takes a free slot for a session of `task`; NULL when there is none, which is counted, or it is not ours. */
static __always_inline struct session *session_begin(bool direct, struct task_struct *task, __u32 tgid,
						     __u64 start, struct program **of)
{
	struct process_key key = {.tgid = tgid, .birth = start >> 20};
	struct program *program;
	struct session *session;
	__u32 number;

	if (in_overlay(direct, task))
		return 0;
	program = program_get(&key, start, task);
	if (!program || program->flags & PROGRAM_OWN)
		return 0;
	if (bpf_map_pop_elem(&slots_free, &number)) {
		COUNT(file_events, 1);
		COUNT(file_events_map, 1);
		return 0;
	}
	session = bpf_map_lookup_elem(&slots, &number);
	if (!session)
		return 0;
	session->slot = number;
	session->record.head.tgid = tgid;
	session_fill(direct, session, task, program);
	*of = program;
	return session;
}

/* Makes the session known. Returns the number of its slot + 1, or that of another thread that was faster. */
static __always_inline __u32 session_enter(struct session *session, struct inode *inode)
{
	struct session_key key = session_key(inode, session->record.inode, session->record.head.tgid);
	__u32 number = session->slot, *other;

	if (!bpf_map_update_elem(&sessions, &key, &number, BPF_NOEXIST)) {
		COUNT(sessions_open, 1);
		session->inode = (__u64)inode; /* from here on a hint finds it */
		*session_hint(key.address, key.number, key.tgid) = number;
		return number + 1;
	}
	if (session->flags & SESSION_LONG)
		bpf_map_delete_elem(&long_tails, &number);
	bpf_map_push_elem(&slots_free, &number, BPF_ANY);
	other = bpf_map_lookup_elem(&sessions, &key);
	return other ? *other + 1 : 0;
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

/* Opens the session of the target, whose pointers are numbers from here on: a copy onto itself makes them
 * what a global function takes. */
static __always_inline struct session *session_open(struct target *target)
{
	__u32 made, number;

	if (!running)
		return 0;
	bpf_probe_read_kernel(target, sizeof(*target), target);
	made = session_make((__u64)target->inode, (__u64)target->dentry, (__u64)target->mnt,
			    (__u64)target->task);
	number = made - 1;
	return made ? bpf_map_lookup_elem(&slots, &number) : 0;
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

static __always_inline struct session *session_open_typed(struct target *target)
{
	__u32 made, number;

	if (!running)
		return 0;
	made = session_make_typed(target->inode, target->dentry, (__u64)target->mnt, target->tgid,
				  target->start);
	number = made - 1;
	return made ? bpf_map_lookup_elem(&slots, &number) : 0;
}

static __always_inline void target_who(bool direct, struct target *target, struct task_struct *task)
{
	target->tgid = GET(direct, task, tgid);
	target->start = GET2(direct, task, group_leader, start_boottime);
}

static __always_inline bool type_is_ours(umode_t mode)
{
	return (mode & S_IFMT) == S_IFREG || (mode & S_IFMT) == S_IFLNK;
}

/* True when an event on this inode is to be looked at: of regular files and symbolic links. */
static __always_inline bool target_is_ours(bool direct, struct target *target, struct inode *inode)
{
	if (!type_is_ours(GET(direct, inode, i_mode)))
		return false;
	target->inode = inode;
	target->number = GET(direct, inode, i_ino);
	if (HAVE_TASK_BTF && !target->task)
		target_who(true, target, bpf_get_current_task_btf());
	else
		target_who(false, target, target->task ? target->task : (void *)bpf_get_current_task());
	return true;
}

/* Of kernel file systems only what modifies is reported. */
static __always_inline bool target_is_quiet(bool direct, struct target *target)
{
	return !all_files && is_kernel_fs(direct, GET(direct, target->inode, i_sb));
}

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

/* The open session where the hint says, or NULL. */
static __always_inline struct session *session_hinted(bool direct, struct inode *inode, __u64 number,
						      __u32 tgid, __u64 start)
{
	__u32 slot = *session_hint(low_half(inode), number, tgid);
	struct session *session = bpf_map_lookup_elem(&slots, &slot);

	return session && session_is(direct, session, inode, number, tgid, start) ? session : 0;
}

/* The open session of the target, or NULL, after the hint was wrong. */
static __always_inline struct session *session_lookup(bool direct, struct target *target)
{
	struct session_key key = session_key(target->inode, target->number, target->tgid);
	__u32 *slot = bpf_map_lookup_elem(&sessions, &key), number;
	struct session *session;

	if (!slot)
		return 0;
	number = *slot;
	session = bpf_map_lookup_elem(&slots, &number);
	if (session &&
	    session_is(direct, session, target->inode, target->number, target->tgid, target->start)) {
		*session_hint(key.address, key.number, key.tgid) = number;
		return session;
	}
	session_finish(number, false, KF_CAUSE_REUSE, false, NO_ORIGIN);
	return 0;
}

static __always_inline struct session *session_find(bool direct, struct target *target)
{
	struct session *session =
	    session_hinted(direct, target->inode, target->number, target->tgid, target->start);

	return session ? session : session_lookup(direct, target);
}

static __always_inline void session_time(struct session *session)
{
	__u64 now = bpf_ktime_get_boot_ns();

	if (!session->record.first_time)
		session->record.first_time = now;
	session->record.head.time = now;
}

/* Counts `n` events of which this is one kind. */
static __always_inline void session_add(struct session *session, __u32 event)
{
	__sync_fetch_and_add(&session->record.events[event], 1);
	__sync_fetch_and_add(&session->total, 1);
	COUNT(file_events, 1);
}

static __always_inline void session_count(struct session *session, __u32 event)
{
	session_add(session, event);
	session_time(session);
}

/* Sends the session when `-e` says so. */
static __always_inline void session_limit(struct session *session)
{
	if (max_events && session->total >= max_events)
		session_finish(session->slot, true, KF_CAUSE_COUNT, session->open > 0, NO_ORIGIN);
}

#endif

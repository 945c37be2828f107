// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names: rename, unlink, link. The hooks where the file system has done it know dentries and no mount; the
 * security hooks before it know the mount and not whether it will succeed. So the latter leave a note for the
 * former.
 */

#define NOTE_BITS 10

/* Through which mount a thread is about to change a name or an attribute. */
struct note {
	__u64 thread; /* bpf_get_current_pid_tgid() */
	__u64 dentry;
	__u64 mnt;
	__u64 cred; /* address */
};

/*
 * By thread. Only a hint: who does not find its note searches a mount that shows the file. What overlayfs
 * does to a layer it does with other credentials: it does not take an old note for its own.
 */
struct note notes[1 << NOTE_BITS];

static __always_inline struct note *note_of(__u64 thread)
{
	return &notes[thread & ((1 << NOTE_BITS) - 1)];
}

static __always_inline __u64 current_cred(void)
{
	struct task_struct *task;

	if (HAVE_TASK_BTF)
		return (__u64)bpf_get_current_task_btf()->cred;
	task = (void *)bpf_get_current_task();
	return (__u64)BPF_CORE_READ(task, cred);
}

static __always_inline void note_mount(struct dentry *dentry, struct vfsmount *mnt)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct note *note = note_of(thread);

	note->thread = thread;
	note->dentry = (__u64)dentry;
	note->mnt = (__u64)mnt;
	note->cred = current_cred();
}

static __always_inline struct vfsmount *noted_mount(struct dentry *dentry)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct note *note = note_of(thread);

	if (note->thread != thread || note->dentry != (__u64)dentry || note->cred != current_cred())
		return 0;
	return (void *)note->mnt;
}

/* unlink -> do_unlinkat. */
STAND_IN("fentry/security_path_unlink", note_unlink)
SEC("fentry/security_path_unlink")
int BPF_PROG(note_unlink, struct path *directory, struct dentry *dentry)
{
	OWN_STACK(ctx, note_unlink);
	note_mount(dentry, directory->mnt);
	return 0;
}

/* rename -> do_renameat2; both names are on one mount. */
STAND_IN("fentry/security_path_rename", note_rename)
SEC("fentry/security_path_rename")
int BPF_PROG(note_rename, struct path *old_directory, struct dentry *old, struct path *new_directory)
{
	OWN_STACK(ctx, note_rename);
	note_mount(old, new_directory->mnt);
	return 0;
}

/* link -> do_linkat. */
STAND_IN("fentry/security_path_link", note_link)
SEC("fentry/security_path_link")
int BPF_PROG(note_link, struct dentry *old, struct path *directory, struct dentry *dentry)
{
	OWN_STACK(ctx, note_link);
	note_mount(dentry, directory->mnt);
	return 0;
}

/* symlink -> do_symlinkat. */
STAND_IN("fentry/security_path_symlink", note_symlink)
SEC("fentry/security_path_symlink")
int BPF_PROG(note_symlink, struct path *directory, struct dentry *dentry)
{
	OWN_STACK(ctx, note_symlink);
	note_mount(dentry, directory->mnt);
	return 0;
}

/*
 * The session of the dentry's file, opened if need be, for typed pointers; `quick` where many files come this
 * way that nobody has open. What overlayfs does to a layer leaves no note, and is not reported.
 */
static __always_inline struct session *dentry_session(struct target *target, struct dentry *dentry,
						      bool quick)
{
	struct inode *inode = dentry->d_inode;
	struct session *session;

	target->task = 0;
	target->dentry = dentry;
	target->mnt = noted_mount(dentry);
	if (!inode || !target_is_ours(true, target, inode) || (!target->mnt && acts_for_other()))
		return 0;
	session = session_find(true, target);
	if (session)
		return session;
	return quick && HAVE_TASK_BTF ? session_open_typed(target) : session_open(target);
}

/* The same for plain pointers. */
static __always_inline struct session *plain_session(struct dentry *dentry, __u64 mnt)
{
	struct target target = {.dentry = dentry, .mnt = (void *)mnt};
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);
	struct session *session;

	if (!inode || !target_is_ours(false, &target, inode) || (!mnt && acts_for_other()))
		return 0;
	session = session_find(false, &target);
	return session ? session : session_open(&target);
}

/* The record of a change of name; only an open file's session goes on. */
static __always_inline void session_named(struct session *session, __u32 origin)
{
	if (session->open <= 0 && origin == NO_ORIGIN) {
		session_end(session->slot, true, KF_CAUSE_NAME);
		return;
	}
	session_send(session->slot, true, KF_CAUSE_NAME, origin);
	if (session->open <= 0)
		session_end(session->slot, false, KF_CAUSE_NAME);
	else
		session_put(session);
}

/* A name of the inode is gone: by unlink, or because a rename put another file in its place. */
static __always_inline void on_delete(struct session *session)
{
	if (!session)
		return;
	session_count(session, KF_EVENT_DELETE);
	session_named(session, NO_ORIGIN);
}

/* The file that `dentry` names has lost that name to another. */
__noinline int on_replace(__u64 dentry, __u64 mnt)
{
	on_delete(plain_session((void *)dentry, mnt));
	return 0;
}

/* The inode of `from` gets the name of `to`. Called before the names change hands. */
__noinline int on_move(__u64 from, __u64 to, __u64 mnt)
{
	struct session *session = plain_session((void *)from, mnt);
	struct scratch *origin;
	__u32 slot;

	if (!session)
		return 0;
	session_count(session, KF_EVENT_MOVED_FROM);
	session_count(session, KF_EVENT_MOVED_TO);
	session_describe_long(session->slot, to, mnt);
	origin = scratch_take(&slot);
	if (origin)
		path_long(slot, from, mnt);
	session_named(session, origin ? slot : NO_ORIGIN);
	if (origin)
		scratch_give(&slot);
	return 0;
}

/*
 * unlink, and rename onto a file system's own way of it: vfs_unlink -> d_delete after the file system did it,
 * with the inode still there. Directories pass too and are left out by type.
 */
STAND_INS("fentry/d_delete", d_delete)
SEC("fentry/d_delete")
int BPF_PROG(d_delete, struct dentry *dentry)
{
	struct target target;

	OWN_STACK(ctx, d_delete);
	on_delete(dentry_session(&target, dentry, true));
	return 0;
}

/*
 * vfs_rename -> d_move after the file system did it, while both dentries still have their old names. A file
 * that `target` named is replaced: its name is deleted.
 */
STAND_INS("fentry/d_move", d_move)
SEC("fentry/d_move")
int BPF_PROG(d_move, struct dentry *dentry, struct dentry *target)
{
	__u64 mnt = (__u64)noted_mount(dentry);

	OWN_STACK(ctx, d_move);
	on_replace(plain(target), mnt);
	on_move(plain(dentry), plain(target), mnt);
	return 0;
}

/* vfs_rename with RENAME_EXCHANGE -> d_exchange, likewise: two moves. */
STAND_IN("fentry/d_exchange", d_exchange)
SEC("fentry/d_exchange")
int BPF_PROG(d_exchange, struct dentry *first, struct dentry *second)
{
	__u64 mnt = (__u64)noted_mount(first);

	OWN_STACK(ctx, d_exchange);
	on_move(plain(first), plain(second), mnt);
	on_move(plain(second), plain(first), mnt);
	return 0;
}

/* A new name for an inode: by link, symlink or mknod. No close will end such a session. */
static __always_inline void on_name(struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;
	struct session *session;
	struct target target;

	session = dentry_session(&target, dentry, false);
	if (!session)
		return;
	/* One that was open already has another name, or none. */
	if (session->open || events_of(&session->record))
		session_describe_long(session->slot, plain(dentry), (__u64)noted_mount(dentry));
	session_count(session, KF_EVENT_CREATE);
	/* A file opened without a name, which got its first one: its close will come. */
	if (session->open > 0 && inode->i_nlink == 1)
		session_done(session);
	else
		session_named(session, NO_ORIGIN);
}

/* link, linkat -> vfs_link; 0 = done. Its new dentry moved when the id map came in the middle (5.12). */
STAND_IN("fexit/vfs_link", vfs_link)
SEC("fexit/vfs_link")
int vfs_link(unsigned long long *ctx)
{
	OWN_STACK(ctx, vfs_link);
	if (!(int)hook_ret(ctx, arg_link_ret))
		on_name(hook_arg(ctx, arg_link_dentry));
	return 0;
}

/* symlink, symlinkat -> vfs_symlink; 0 = done. */
STAND_IN("fexit/vfs_symlink", vfs_symlink)
SEC("fexit/vfs_symlink")
int vfs_symlink(unsigned long long *ctx)
{
	OWN_STACK(ctx, vfs_symlink);
	if (!(int)hook_ret(ctx, arg_symlink_ret))
		on_name(hook_arg(ctx, arg_symlink_dentry));
	return 0;
}

/* mknod of a regular file -> vfs_create; open creates by another way. 0 = done. */
STAND_IN("fexit/vfs_create", vfs_create)
SEC("fexit/vfs_create")
int vfs_create(unsigned long long *ctx)
{
	OWN_STACK(ctx, vfs_create);
	if (!(int)hook_ret(ctx, arg_create_ret))
		on_name(hook_arg(ctx, arg_create_dentry));
	return 0;
}

/* Where fentry does not work: the same places, the same meaning. */
SEC("kprobe/d_delete")
int BPF_KPROBE(d_delete_kprobe, struct dentry *dentry)
{
	on_replace((__u64)dentry, 0);
	return 0;
}

SEC("kprobe/d_move")
int BPF_KPROBE(d_move_kprobe, struct dentry *dentry, struct dentry *target)
{
	on_replace((__u64)target, 0);
	on_move((__u64)dentry, (__u64)target, 0);
	return 0;
}

SEC("kprobe/d_exchange")
int BPF_KPROBE(d_exchange_kprobe, struct dentry *first, struct dentry *second)
{
	on_move((__u64)first, (__u64)second, 0);
	on_move((__u64)second, (__u64)first, 0);
	return 0;
}

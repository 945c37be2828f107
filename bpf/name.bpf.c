// SPDX-License-Identifier: GPL-2.0-only
/* Names and attributes: rename, unlink, link, chmod. These hooks know a dentry and no mount. */

/* A name of the inode is gone: by unlink, or because a rename put another file in its place. */
static __always_inline void on_delete(bool direct, struct dentry *dentry, struct inode *inode)
{
	struct target target = {.dentry = dentry};
	struct session *session;

	if (!running || !inode || !target_is_ours(direct, &target, inode, true))
		return;
	session = session_get(direct, &target);
	if (!session)
		return;
	session_count(session, KF_EVENT_DELETE);
	read_attributes(direct, inode, &session->record);
	session->record.nlink++; /* as it was before */
	session_send(&target.key, NO_ORIGIN, KF_CAUSE_NAME, session->open > 0);
}

/* The inode of `from` gets the name of `to`. Called before the names change hands. */
static __always_inline void on_move(bool direct, struct dentry *from, struct dentry *to)
{
	struct target target = {.dentry = to};
	struct scratch *s, *origin;
	struct inode *inode = GET(direct, from, d_inode);
	struct session *session;
	__u32 slot, origin_slot;

	if (!running || !inode || !target_is_ours(direct, &target, inode, true))
		return;
	session = session_get(direct, &target);
	if (!session)
		return;
	session_count(session, KF_EVENT_MOVED_FROM);
	session_count(session, KF_EVENT_MOVED_TO);
	read_attributes(direct, inode, &session->record);
	s = scratch_take(&slot);
	if (!s)
		return;
	path_of(slot, s, to, 0);
	path_store(&target.key, session, s);
	scratch_give(&slot);
	origin = scratch_take(&origin_slot);
	if (!origin)
		return;
	path_of(origin_slot, origin, from, 0);
	session_send(&target.key, origin_slot, KF_CAUSE_NAME, session->open > 0);
	scratch_give(&origin_slot);
}

/*
 * unlink, and rename onto a file system's own way of it: vfs_unlink -> d_delete after the file system did it,
 * with the inode still there. Directories pass too and are left out by type.
 */
SEC("fentry/d_delete")
int BPF_PROG(d_delete, struct dentry *dentry)
{
	on_delete(true, dentry, dentry->d_inode);
	return 0;
}

/*
 * vfs_rename -> d_move after the file system did it, while both dentries still have their old names. A file
 * that `target` named is replaced: its name is deleted.
 */
SEC("fentry/d_move")
int BPF_PROG(d_move, struct dentry *dentry, struct dentry *target)
{
	on_delete(true, target, target->d_inode);
	on_move(true, dentry, target);
	return 0;
}

/* vfs_rename with RENAME_EXCHANGE -> d_exchange, likewise: two moves. */
SEC("fentry/d_exchange")
int BPF_PROG(d_exchange, struct dentry *first, struct dentry *second)
{
	on_move(true, first, second);
	on_move(true, second, first);
	return 0;
}

/* A new name for an inode: by link, symlink or mknod. No close will end such a session. */
static __always_inline void on_name(struct dentry *dentry)
{
	struct target target = {.dentry = dentry};
	struct inode *inode = dentry->d_inode;
	struct session *session;
	struct scratch *s;
	__u32 slot;

	if (!running || !inode || !target_is_ours(true, &target, inode, true))
		return;
	session = session_get(true, &target);
	s = session ? scratch_take(&slot) : 0;
	if (!s)
		return;
	path_of(slot, s, dentry, 0);
	path_store(&target.key, session, s);
	scratch_give(&slot);
	session_count(session, KF_EVENT_CREATE);
	read_attributes(true, inode, &session->record);
	/* A file opened without a name, which got its first one: its close will come. */
	if (session->record.nlink == 1 && session->open > 0)
		return;
	session_send(&target.key, NO_ORIGIN, KF_CAUSE_NAME, session->open > 0);
}

/* link, linkat -> vfs_link; 0 = done. Its new dentry moved when the id map came in the middle (5.12). */
SEC("fexit/vfs_link")
int vfs_link(unsigned long long *ctx)
{
	if (!(int)hook_ret(ctx, arg_link_ret))
		on_name(hook_arg(ctx, arg_link_dentry));
	return 0;
}

/* symlink, symlinkat -> vfs_symlink; 0 = done. */
SEC("fexit/vfs_symlink")
int vfs_symlink(unsigned long long *ctx)
{
	if (!(int)hook_ret(ctx, arg_symlink_ret))
		on_name(hook_arg(ctx, arg_symlink_dentry));
	return 0;
}

/* mknod of a regular file -> vfs_create; open creates by another way. 0 = done. */
SEC("fexit/vfs_create")
int vfs_create(unsigned long long *ctx)
{
	if (!(int)hook_ret(ctx, arg_create_ret))
		on_name(hook_arg(ctx, arg_create_dentry));
	return 0;
}

/* Where fentry does not work: the same places, the same meaning. */
SEC("kprobe/d_delete")
int BPF_KPROBE(d_delete_kprobe, struct dentry *dentry)
{
	on_delete(false, dentry, BPF_CORE_READ(dentry, d_inode));
	return 0;
}

SEC("kprobe/d_move")
int BPF_KPROBE(d_move_kprobe, struct dentry *dentry, struct dentry *target)
{
	on_delete(false, target, BPF_CORE_READ(target, d_inode));
	on_move(false, dentry, target);
	return 0;
}

SEC("kprobe/d_exchange")
int BPF_KPROBE(d_exchange_kprobe, struct dentry *first, struct dentry *second)
{
	on_move(false, first, second);
	on_move(false, second, first);
	return 0;
}

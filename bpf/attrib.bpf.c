// SPDX-License-Identifier: GPL-2.0-only
/* Attributes: size, mode, owner, times, extended attributes. As with names, notes tell the mount. */

/* struct iattr.ia_valid */
#define ATTR_MODE  0x1
#define ATTR_UID   0x2
#define ATTR_GID   0x4
#define ATTR_SIZE  0x8
#define ATTR_ATIME 0x10
#define ATTR_MTIME 0x20
#define ATTR_OPEN  0x8000

/* chmod, fchmod -> here. */
STAND_IN("fentry/chmod_common", note_chmod)
SEC("fentry/chmod_common")
int BPF_PROG(note_chmod, struct path *path)
{
	OWN_STACK(ctx, note_chmod);
	note_mount(path->dentry, path->mnt);
	return 0;
}

/* chown, fchown -> here. */
STAND_IN("fentry/chown_common", note_chown)
SEC("fentry/chown_common")
int BPF_PROG(note_chown, struct path *path)
{
	OWN_STACK(ctx, note_chown);
	note_mount(path->dentry, path->mnt);
	return 0;
}

/* truncate -> here. */
STAND_IN("fentry/vfs_truncate", note_truncate)
SEC("fentry/vfs_truncate")
int BPF_PROG(note_truncate, struct path *path)
{
	OWN_STACK(ctx, note_truncate);
	note_mount(path->dentry, path->mnt);
	return 0;
}

/* utimes and its kin -> here. */
STAND_IN("fentry/vfs_utimes", note_utimes)
SEC("fentry/vfs_utimes")
int BPF_PROG(note_utimes, struct path *path)
{
	OWN_STACK(ctx, note_utimes);
	note_mount(path->dentry, path->mnt);
	return 0;
}

static __always_inline void attribute_count(struct session *session, __u32 event)
{
	session_count(session, event);
	/* No close may come that would read them. */
	read_attributes(session->inode, &session->record);
	session_done(session);
}

static __always_inline void on_attribute(struct dentry *dentry)
{
	struct target target;
	struct session *session = dentry_session(&target, dentry, false);

	if (session)
		attribute_count(session, KF_EVENT_ATTRIB);
}

#define CHANGE_BITS 12

/* A change of attributes that is under way: what was asked for, and how the file was. */
struct change {
	__u64 thread; /* bpf_get_current_pid_tgid() */
	__u64 dentry;
	__u64 size;
	struct kf_time mtime;
	__u32 valid; /* iattr.ia_valid, which a file system may change */
};

/* By thread and dentry: overlayfs changes the file of a layer within the change of its own. */
struct change changes[1 << CHANGE_BITS];

static __always_inline struct change *change_of(__u64 thread, struct dentry *dentry)
{
	return &changes[((__u32)thread ^ low_half(dentry) >> 6) & ((1 << CHANGE_BITS) - 1)];
}

/*
 * chmod, chown, utimes, truncate, open with O_TRUNC: all -> notify_change, under the inode's lock. At its
 * entry, for how the file was before. It took (dentry, attr, ...) up to 5.11, a namespace or id map first
 * since.
 */
STAND_IN("fentry/notify_change", notify_change_entry)
SEC("fentry/notify_change")
int notify_change_entry(unsigned long long *ctx)
{
	struct dentry *dentry = hook_arg(ctx, arg_notify_dentry);
	struct iattr *attr = hook_arg(ctx, arg_notify_attr);
	__u64 thread = bpf_get_current_pid_tgid();
	struct change *change = change_of(thread, dentry);

	OWN_STACK(ctx, notify_change_entry);
	change->thread = thread;
	change->dentry = (__u64)dentry;
	change->size = dentry->d_inode->i_size;
	typed_mtime(dentry->d_inode, &change->mtime);
	change->valid = attr->ia_valid;
	return 0;
}

/* The event that a change is, KF_EVENTS when it is none. */
static __always_inline __u32 change_event(__u32 valid, __u64 size_before)
{
	/* An O_TRUNC that found nothing to cut is no change. */
	if (valid & ATTR_SIZE)
		return valid & ATTR_OPEN && !size_before ? KF_EVENTS : KF_EVENT_MODIFY;
	if (valid & (ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_ATIME | ATTR_MTIME))
		return KF_EVENT_ATTRIB;
	return KF_EVENTS;
}

/* The same at its exit: 0 = changed. Two threads that use one place at once cost the exact values from
 * before. */
STAND_INS("fexit/notify_change", notify_change)
SEC("fexit/notify_change")
int notify_change(unsigned long long *ctx)
{
	struct dentry *dentry = hook_arg(ctx, arg_notify_dentry);
	struct iattr *attr = hook_arg(ctx, arg_notify_attr);
	__u64 thread = bpf_get_current_pid_tgid();
	struct change change = *change_of(thread, dentry);
	struct session *session;
	struct target target;
	bool known;
	__u32 event;

	OWN_STACK(ctx, notify_change);
	if ((int)hook_ret(ctx, arg_notify_ret))
		return 0;
	known = change.thread == thread && change.dentry == (__u64)dentry;
	event = known ? change_event(change.valid, change.size) : change_event(attr->ia_valid, 1);
	if (event >= KF_EVENTS)
		return 0;
	session = dentry_session(&target, dentry, false);
	if (!session)
		return 0;
	if (known && !events_of(&session->record)) {
		session->record.size_first = change.size;
		session->record.mtime_first = change.mtime;
	}
	attribute_count(session, event);
	return 0;
}

/* setxattr, lsetxattr, fsetxattr -> vfs_setxattr. */
STAND_IN("fexit/vfs_setxattr", vfs_setxattr)
SEC("fexit/vfs_setxattr")
int vfs_setxattr(unsigned long long *ctx)
{
	OWN_STACK(ctx, vfs_setxattr);
	if (!(int)hook_ret(ctx, arg_setxattr_ret))
		on_attribute(hook_arg(ctx, arg_setxattr_dentry));
	return 0;
}

/* removexattr, lremovexattr, fremovexattr -> vfs_removexattr. */
STAND_IN("fexit/vfs_removexattr", vfs_removexattr)
SEC("fexit/vfs_removexattr")
int vfs_removexattr(unsigned long long *ctx)
{
	OWN_STACK(ctx, vfs_removexattr);
	if (!(int)hook_ret(ctx, arg_removexattr_ret))
		on_attribute(hook_arg(ctx, arg_removexattr_dentry));
	return 0;
}

/* setxattr of a POSIX ACL -> vfs_set_acl since 6.2; before it was an extended attribute like others. */
STAND_IN("fexit/vfs_set_acl", vfs_set_acl)
SEC("fexit/vfs_set_acl")
int BPF_PROG(vfs_set_acl, void *idmap, struct dentry *dentry, const char *name, void *acl, int ret)
{
	OWN_STACK(ctx, vfs_set_acl);
	if (!ret)
		on_attribute(dentry);
	return 0;
}

/* removexattr of a POSIX ACL -> vfs_remove_acl, likewise. */
STAND_IN("fexit/vfs_remove_acl", vfs_remove_acl)
SEC("fexit/vfs_remove_acl")
int BPF_PROG(vfs_remove_acl, void *idmap, struct dentry *dentry, const char *name, int ret)
{
	OWN_STACK(ctx, vfs_remove_acl);
	if (!ret)
		on_attribute(dentry);
	return 0;
}

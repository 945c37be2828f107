/* SPDX-License-Identifier: GPL-2.0-only */
/* Who: the program that a process runs, from the map or, when it is older than us, from the task. */
#ifndef KFLOWD_TASK_H
#define KFLOWD_TASK_H

#define PF_EXITING   0x00000004
#define PF_DUMPCORE  0x00000200
#define PF_KTHREAD   0x00200000
#define PIDTYPE_PGID 2

/* Base name of what `task` runs: of a kernel thread its comm. Returns the length without NUL. */
static __always_inline __u8 exe_name(struct task_struct *task, char *out)
{
	const unsigned char *name = BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name);
	long len = name ? bpf_probe_read_kernel_str(out, KF_NAME_MAX, name) : 0;

	if (!name && BPF_CORE_READ(task, flags) & PF_KTHREAD)
		len = bpf_probe_read_kernel_str(out, KF_COMM_LEN, task->comm);
	return len > 0 ? len - 1 : 0;
}

/* kflowd's own: front, probe, children of the front (enrichers), and the group that reads our pipe. */
static __always_inline bool is_own(struct task_struct *task, __u32 tgid, __u32 ppid)
{
	struct pid *group;

	if (tgid == own_front || tgid == own_probe || ppid == own_front)
		return true;
	if (!own_group)
		return false;
	group = BPF_CORE_READ(task, signal, pids[PIDTYPE_PGID]);
	return BPF_CORE_READ(group, numbers[0].nr) == own_group;
}

/* Fills all but the names of `out`; `parent` is who started it. */
static __always_inline void program_facts(struct program *out, struct task_struct *task,
					  struct task_struct *parent)
{
	out->start = BPF_CORE_READ(task, group_leader, start_boottime);
	out->parent_start = BPF_CORE_READ(parent, group_leader, start_boottime);
	out->ppid = BPF_CORE_READ(parent, tgid);
	out->over = out->leader = 0;
	out->flags = BPF_CORE_READ(task, flags) & PF_KTHREAD ? PROGRAM_KTHREAD : 0;
	if (is_own(task, BPF_CORE_READ(task, tgid), out->ppid))
		out->flags |= PROGRAM_OWN;
}

/* Enters `program` (in a scratch slot) and returns the entry; NULL and counted when the map is full. */
static __always_inline struct program *program_enter(struct process_key *key, struct program *program)
{
	if (bpf_map_update_elem(&programs, key, program, BPF_ANY)) {
		COUNT(process_map, 1);
		return 0;
	}
	return bpf_map_lookup_elem(&programs, key);
}

/* Makes the entry of a process that no fork hook has seen. */
static __noinline struct program *program_make(struct process_key *key, struct task_struct *task)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);
	struct program *program = 0;
	struct scratch *scratch;
	__u32 slot;

	scratch = scratch_take(&slot);
	if (!scratch)
		return 0;
	program_facts(&scratch->program, task, parent);
	scratch->program.exe_len = exe_name(task, scratch->program.exe);
	scratch->program.parent_len = exe_name(parent, scratch->program.parent);
	program = program_enter(key, &scratch->program);
	scratch_give(&slot);
	return program;
}

/* The entry of `task`, which started at `start`. One of an earlier process that had the same id in the same
 * millisecond is replaced. */
static __always_inline struct program *program_get(struct process_key *key, __u64 start,
						   struct task_struct *task)
{
	struct program *program = bpf_map_lookup_elem(&programs, key);

	return program && program->start == start ? program : program_make(key, task);
}

/* The entry of a task by a typed pointer. */
static __always_inline struct program *program_of(struct task_struct *task, struct process_key *key)
{
	__u64 start = task->group_leader->start_boottime;

	key->tgid = task->tgid;
	key->birth = start >> 20;
	return program_get(key, start, task);
}

/* The thread's part of a record; `program` has the process's part. A worker of io_uring acts for its process.
 */
static __always_inline void task_facts(bool direct, struct kf_task *out, struct task_struct *task,
				       struct program *program)
{
	struct task_struct *thread = task;

	if (GET(direct, task, flags) & PF_IO_WORKER)
		thread = GET(direct, task, group_leader);
	out->parent_start = program->parent_start;
	out->ppid = program->ppid;
	out->thread_start = GET(direct, thread, start_boottime);
	out->tid = GET(direct, thread, pid);
	out->uid = GET2(direct, task, cred, uid.val);
	out->gid = GET2(direct, task, cred, gid.val);
	if (direct) {
		((__u64 *)out->comm)[0] = ((__u64 *)thread->comm)[0];
		((__u64 *)out->comm)[1] = ((__u64 *)thread->comm)[1];
	} else {
		bpf_probe_read_kernel(out->comm, sizeof(out->comm), thread->comm);
	}
}

/*
 * True while the current task acts with credentials that are not its own: as overlayfs does on its layers,
 * with those of the one who mounted it. A core dump, the accounting of an exit and io_uring do so too.
 */
static __always_inline bool acts_for_other(void)
{
	struct task_struct *task;

	if (HAVE_TASK_BTF) {
		task = bpf_get_current_task_btf();
		return task->cred != task->real_cred &&
		       !(task->flags & (PF_KTHREAD | PF_DUMPCORE | PF_EXITING));
	}
	task = (void *)bpf_get_current_task();
	return BPF_CORE_READ(task, cred) != BPF_CORE_READ(task, real_cred) &&
	       !(BPF_CORE_READ(task, flags) & (PF_KTHREAD | PF_DUMPCORE | PF_EXITING));
}

#endif

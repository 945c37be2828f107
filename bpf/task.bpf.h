/* SPDX-License-Identifier: GPL-2.0-only */
/* Who: the program that the current process runs, from the map or, when it is older than us, from the task.
 */
#ifndef KFLOWD_TASK_H
#define KFLOWD_TASK_H

#define PF_DUMPCORE  0x00000200
#define PF_KTHREAD   0x00200000
#define PIDTYPE_PGID 2

static __always_inline struct process_key process_of(struct task_struct *task)
{
	struct process_key key = {
	    .tgid = BPF_CORE_READ(task, tgid),
	    .birth = BPF_CORE_READ(task, group_leader, start_boottime) >> 20,
	};

	return key;
}

static __always_inline struct program_key program_of(struct task_struct *task)
{
	struct program_key key = {
	    .process = process_of(task),
	    .exec = BPF_CORE_READ(task, self_exec_id),
	};

	return key;
}

/* Base name of what `task` runs: of a kernel thread its comm. Returns the length without NUL. */
static __always_inline __u16 exe_name(struct task_struct *task, char *out)
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

/* Fills all but the names of `out`. */
static __always_inline void program_facts(struct program *out, struct task_struct *task)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);

	out->start = BPF_CORE_READ(task, group_leader, start_boottime);
	out->parent_start = BPF_CORE_READ(parent, group_leader, start_boottime);
	out->ppid = BPF_CORE_READ(parent, tgid);
	out->sessions = 0;
	out->over = 0;
	out->flags = BPF_CORE_READ(task, flags) & PF_KTHREAD ? PROGRAM_KTHREAD : 0;
	if (is_own(task, BPF_CORE_READ(task, tgid), out->ppid))
		out->flags |= PROGRAM_OWN;
}

/* Enters `program` (in a scratch slot) and returns the entry; NULL and counted when the map is full. */
static __always_inline struct program *program_enter(struct program_key *key, struct program *program)
{
	if (bpf_map_update_elem(&programs, key, program, BPF_ANY)) {
		COUNT(process_map, 1);
		return 0;
	}
	return bpf_map_lookup_elem(&programs, key);
}

/* Makes the entry of a process that no fork or exec hook has seen. */
static __noinline struct program *program_make(struct program_key *key, struct task_struct *task)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);
	struct program *program = 0;
	struct scratch *scratch;
	__u32 slot;

	scratch = scratch_take(&slot);
	if (!scratch)
		return 0;
	program_facts(&scratch->program, task);
	scratch->program.exe_len = exe_name(task, scratch->program.exe);
	scratch->program.parent_len = exe_name(parent, scratch->program.parent);
	program = program_enter(key, &scratch->program);
	scratch_give(&slot);
	return program;
}

static __always_inline struct program *program_get(struct program_key *key, struct task_struct *task)
{
	struct program *program = bpf_map_lookup_elem(&programs, key);

	return program ? program : program_make(key, task);
}

/* The thread's part of a record; `program` has the process's part. */
static __always_inline void task_facts(struct kf_task *out, struct task_struct *task, struct program *program)
{
	out->parent_start = program->parent_start;
	out->ppid = program->ppid;
	out->thread_start = BPF_CORE_READ(task, start_boottime);
	out->tid = BPF_CORE_READ(task, pid);
	out->uid = BPF_CORE_READ(task, cred, uid.val);
	out->gid = BPF_CORE_READ(task, cred, gid.val);
	bpf_probe_read_kernel_str(out->comm, sizeof(out->comm), task->comm);
}

/*
 * Work that overlayfs does on its layers runs with the credentials of the one who mounted it: the layer's
 * file is not reported beside the file that the process named. A core dump overrides credentials too, and is
 * reported.
 */
static __always_inline bool in_overlay(struct task_struct *task)
{
	if (BPF_CORE_READ(task, cred) == BPF_CORE_READ(task, real_cred))
		return false;
	return !(BPF_CORE_READ(task, flags) & (PF_KTHREAD | PF_DUMPCORE));
}

#endif

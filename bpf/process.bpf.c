// SPDX-License-Identifier: GPL-2.0-only
/* Processes: what runs, under which name, started by whom. */

/* Appends path and arguments of what `task` runs; reads only the current task's memory. */
static __always_inline __u32 tail_add_program(__u32 slot, struct scratch *s, __u32 len,
					      struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct file *file = BPF_CORE_READ(mm, exe_file);
	__u64 start = BPF_CORE_READ(mm, arg_start);
	__u32 size = BPF_CORE_READ(mm, arg_end) - start;

	if (!file)
		return len;
	path_long(slot, (__u64)BPF_CORE_READ(file, f_path.dentry), (__u64)BPF_CORE_READ(file, f_path.mnt));
	len = tail_add_path(s, len, KF_TAG_EXE_PATH, s);
	if (task != (void *)bpf_get_current_task())
		return len;
	if (size > KF_ARGV_MAX - 1)
		size = KF_ARGV_MAX - 1;
	if (bpf_probe_read_user(s->path, size & (KF_ARGV_MAX - 1), (void *)start))
		return len;
	return tail_add(s, len, KF_TAG_ARGV, s->path, size, KF_ARGV_MAX - 1);
}

/* Sends an exec, fork or exit record of `task`, when somebody wants them. */
static __noinline int process_send(struct task_struct *task, struct program *program, __u16 kind, __u16 flags)
{
	struct kf_process *record;
	struct scratch *s;
	__u32 slot, len;

	if (!process_records)
		return 0;
	if (program->flags & PROGRAM_OWN) {
		COUNT(process_own, 1);
		return 0;
	}
	COUNT(process_events, 1);
	s = scratch_take(&slot);
	if (!s) {
		COUNT(process_ring, 1);
		return 0;
	}
	record = (void *)s->record;
	__builtin_memset(record, 0, sizeof(*record));
	record->head.kind = kind;
	record->head.flags = flags | (program->flags & PROGRAM_KTHREAD ? KF_FLAG_KTHREAD : 0);
	record->head.time = bpf_ktime_get_boot_ns();
	record->head.tgid = BPF_CORE_READ(task, tgid);
	record->head.start = program->start;
	task_facts(false, &record->task, task, program);
	record->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	record->exit_code = kind == KF_KIND_EXIT ? BPF_CORE_READ(task, exit_code) : 0;
	len = tail_add_names(s, sizeof(*record), program);
	if (kind == KF_KIND_EXEC)
		len = tail_add_program(slot, s, len, task);
	if (emit(s, len))
		COUNT(process_ring, 1);
	else
		COUNT(process_records, 1);
	scratch_give(&slot);
	return 0;
}

/*
 * kernel_clone -> copy_process -> here: once per new task, after it cannot fail any more and before it runs.
 * Threads come this way too and are left out. The child runs the program of the one who forks; its parent is
 * another one with CLONE_PARENT. Stable tracepoint, BTF-typed since 5.5.
 */
STAND_INS("tp_btf/sched_process_fork", process_fork)
SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *forker, struct task_struct *child)
{
	struct process_key key;
	struct task_struct *parent = child->real_parent;
	struct program *program, *entry;
	struct scratch *s;
	__u32 slot;

	OWN_STACK(ctx, process_fork);
	if (child->pid != child->tgid)
		return 0;
	program = program_of(forker, &key);
	s = program ? scratch_take(&slot) : 0;
	if (!s)
		return 0;
	key.tgid = child->tgid;
	key.birth = child->start_boottime >> 20;
	program_facts(&s->program, child, parent);
	__builtin_memcpy(&s->program.exe, program->exe, KF_NAME_MAX);
	s->program.exe_len = program->exe_len;
	if (parent->tgid != forker->tgid || forker->flags & PF_KTHREAD) {
		s->program.parent_len = exe_name(parent, s->program.parent);
	} else {
		__builtin_memcpy(&s->program.parent, program->exe, KF_NAME_MAX);
		s->program.parent_len = program->exe_len;
	}
	entry = program_enter(&key, &s->program);
	scratch_give(&slot);
	if (entry)
		process_send(child, entry, KF_KIND_FORK, 0);
	return 0;
}

/*
 * bprm_execve -> exec_binprm -> here: once per successful exec, after the new image and name are in place; of
 * a script the image is the interpreter's. Only one thread is left, so the entry changes in place. The parent
 * of the fork stays: who started it does not change when that one exits. Stable tracepoint.
 */
STAND_INS("tp_btf/sched_process_exec", process_exec)
SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task)
{
	struct process_key key;
	struct program *program = program_of(task, &key);

	OWN_STACK(ctx, process_exec);
	if (!program)
		return 0;
	program->exe_len = exe_name(task, program->exe);
	/* A process started by the kernel is a thread of it until here; a shell's job has its group by now.
	 */
	program->flags = is_own(task, task->tgid, program->ppid) ? PROGRAM_OWN : 0;
	process_send(task, program, KF_KIND_EXEC, 0);
	return 0;
}

/*
 * do_exit -> here: once per thread, before its files are closed; the last thread of the process sends the
 * record. The entry stays: closing the files comes after this and needs the name. Stable tracepoint.
 */
STAND_INS("tp_btf/sched_process_exit", process_exit)
SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	struct process_key key;
	struct program *program;

	OWN_STACK(ctx, process_exit);
	if (task->signal->live.counter > 0)
		return 0;
	program = program_of(task, &key);
	if (!program)
		return 0;
	process_send(task, program, KF_KIND_EXIT, 0);
	program->leader = (__u64)task->group_leader;
	program->over = bpf_ktime_get_boot_ns();
	return 0;
}

/* Read once at start: an entry for each process that is older than kflowd, and where the root of the host is.
 * Task iterators exist since 5.8. */
SEC("iter/task")
int process_existing(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct process_key key;
	struct program *program;

	if (!task || task->pid != task->tgid)
		return 0;
	if (task->pid == 1) {
		host_space = (__u64)task->nsproxy->mnt_ns;
		host_mnt = (__u64)BPF_CORE_READ(task, fs, root.mnt);
		host_top = (__u64)BPF_CORE_READ(task, fs, root.mnt, mnt_root);
		host_root = mount_of(host_mnt);
	}
	program = program_of(task, &key);
	if (program)
		process_send(task, program, KF_KIND_EXEC, KF_FLAG_EXISTING);
	return 0;
}

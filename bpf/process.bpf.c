// SPDX-License-Identifier: GPL-2.0-only
/* Processes: what runs, under which name, started by whom. */

/* Sends an exec, fork or exit record of `task`. */
static __noinline int process_send(struct task_struct *task, struct program *program, __u16 kind, __u16 flags)
{
	struct kf_process *record;
	struct scratch *s;
	__u32 slot, len;

	COUNT(process_events, 1);
	if (program->flags & PROGRAM_OWN) {
		COUNT(process_own, 1);
		return 0;
	}
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
	task_facts(&record->task, task, program);
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
 * Threads come this way too and are left out. The child has the parent's program, and the parent's name is
 * that of now. Stable tracepoint, BTF-typed since 5.5.
 */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	struct program_key parent_key, key;
	struct program *program, *entry;
	struct scratch *s;
	__u32 slot;

	if (child->pid != child->tgid)
		return 0;
	parent_key = program_of(child->real_parent);
	program = program_get(&parent_key, child->real_parent);
	s = program ? scratch_take(&slot) : 0;
	if (!s)
		return 0;
	key = program_of(child);
	__builtin_memcpy(&s->program.exe, program->exe, KF_NAME_MAX);
	__builtin_memcpy(&s->program.parent, program->exe, KF_NAME_MAX);
	s->program.exe_len = s->program.parent_len = program->exe_len;
	program_facts(&s->program, child);
	entry = program_enter(&key, &s->program);
	scratch_give(&slot);
	if (entry)
		process_send(child, entry, KF_KIND_FORK, 0);
	return 0;
}

/*
 * bprm_execve -> exec_binprm -> here: once per successful exec, after the new image and name are in place; of
 * a script the image is the interpreter's. Stable tracepoint.
 */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task)
{
	struct program_key key = program_of(task), old_key = key;
	struct program *old, *entry;
	struct scratch *s;
	__u32 slot;

	old_key.exec--;
	old = program_get(&old_key, task);
	s = old ? scratch_take(&slot) : 0;
	if (!s)
		return 0;
	__builtin_memcpy(&s->program.parent, old->parent, KF_NAME_MAX);
	s->program.parent_len = old->parent_len;
	s->program.exe_len = exe_name(task, s->program.exe);
	program_facts(&s->program, task);
	/* The parent of the fork stays: who started it does not change when that one exits. */
	s->program.ppid = old->ppid;
	s->program.parent_start = old->parent_start;
	entry = program_enter(&key, &s->program);
	scratch_give(&slot);
	old->flags |= PROGRAM_REPLACED;
	old->over = bpf_ktime_get_boot_ns();
	if (entry)
		process_send(task, entry, KF_KIND_EXEC, 0);
	return 0;
}

/*
 * do_exit -> here: once per thread, before its files are closed; the last thread of the process sends the
 * record. The entry stays: closing the files comes after this and needs the name. Stable tracepoint.
 */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	struct program_key key;
	struct program *program;

	if (task->signal->live.counter > 0)
		return 0;
	key = program_of(task);
	program = program_get(&key, task);
	if (!program)
		return 0;
	process_send(task, program, KF_KIND_EXIT, 0);
	program->over = bpf_ktime_get_boot_ns();
	return 0;
}

/* Read once at start: an exec record for each process that is older than kflowd. Task iterators exist
 * since 5.8. */
SEC("iter/task")
int process_existing(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct program_key key;
	struct program *program;

	if (!task || task->pid != task->tgid)
		return 0;
	key = program_of(task);
	program = program_get(&key, task);
	if (program)
		process_send(task, program, KF_KIND_EXEC, KF_FLAG_EXISTING);
	return 0;
}

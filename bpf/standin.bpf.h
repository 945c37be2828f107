/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stand-ins: where the kernel preempts itself, a task may lose its processor inside a program, and until it
 * gets it back the kernel skips that program for every other task there. So the hooks that run most often
 * have several entries on such a kernel, all attached to the same function. The first one that runs does the
 * work, by a tail call, which leaves the kernel's guard behind; the others see its mark and do nothing.
 */
#ifndef KFLOWD_STANDIN_H
#define KFLOWD_STANDIN_H

/* By thread and hook: which call of the function is taken care of. Ids of threads that meet here are 65,536
 * apart. */
#define MARKS_BITS 16
__u64 marks[1 << MARKS_BITS];

enum entry {
	ENTRY_FIRST, /* the kernel runs it first: no mark can be there yet, but an old one that was left */
	ENTRY_MIDDLE,
	ENTRY_LAST, /* takes the mark away */
};

/*
 * Whether this entry has to do the work. A call is told from others of its thread by where its arguments are
 * on the stack.
 */
static __always_inline bool entry_works(void *ctx, __u32 hook, enum entry entry)
{
	__u32 tid = bpf_get_current_pid_tgid();
	__u64 call = (__u64)tid << 32 | low_half(ctx);
	__u64 *mark = &marks[(tid ^ hook << 10) & ((1 << MARKS_BITS) - 1)];

	if (entry != ENTRY_FIRST && *mark == call) {
		if (entry == ENTRY_LAST)
			*mark = 0;
		return false;
	}
	if (entry != ENTRY_FIRST)
		COUNT(rescued, 1);
	*mark = entry == ENTRY_LAST ? 0 : call;
	return true;
}

/* Hooks that have stand-ins. */
enum {
	HOOK_do_dentry_open,
	HOOK_fput_entry,
	HOOK_vfs_read,
	HOOK_vfs_write,
	HOOK_d_delete,
	HOOK_d_move,
	HOOK_notify_change,
	HOOK_kernel_read,
	HOOK_io_read,
	HOOK_process_fork,
	HOOK_process_exec,
	HOOK_process_exit,
};

#define ENTRY(section, hook, suffix, entry)                                                                  \
	SEC(section) int hook##suffix(unsigned long long *ctx)                                               \
	{                                                                                                    \
		if (entry_works(ctx, HOOK_##hook, entry))                                                    \
			bpf_tail_call(ctx, &hook##_work, 0);                                                 \
		return 0;                                                                                    \
	}

/* Four entries for the program `hook`, which the probe puts into the map. */
#define STAND_INS(section, hook)                                                                             \
	struct {                                                                                             \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                                       \
		__uint(max_entries, 1);                                                                      \
		__uint(key_size, sizeof(__u32));                                                             \
		__uint(value_size, sizeof(__u32));                                                           \
	} hook##_work SEC(".maps");                                                                          \
	ENTRY(section, hook, _first, ENTRY_FIRST)                                                            \
	ENTRY(section, hook, _second, ENTRY_MIDDLE)                                                          \
	ENTRY(section, hook, _third, ENTRY_MIDDLE)                                                           \
	ENTRY(section, hook, _last, ENTRY_LAST)

const volatile __u8 never;

/*
 * In a program that has stand-ins. Since 6.13 the kernel gives a program that its guard runs once per
 * processor one stack per processor, but not to one that has a tail call (kernel/bpf/verifier.c:
 * check_max_stack_depth). Without the guard each run needs its own.
 */
#define OWN_STACK(ctx, hook)                                                                                 \
	do {                                                                                                 \
		if (never)                                                                                   \
			bpf_tail_call(ctx, &hook##_work, 0);                                                 \
	} while (0)

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stand-ins: where the kernel preempts itself, a task may lose its processor inside a program, and until it
 * gets it back the kernel skips that program for every other task there. So the hooks that run most often
 * have several entries on such a kernel, and on every kernel those that an interrupt may run on top of
 * themselves, all attached to the same function. The first one that runs does the
 * work, by a tail call, which leaves the kernel's guard behind; the others see its mark and do nothing.
 */
#ifndef KFLOWD_STANDIN_H
#define KFLOWD_STANDIN_H

/*
 * Which calls are taken care of. A mark tells a call by thread, hook and where its arguments are on the
 * stack: a thread that an interrupt stops is in two calls at once. It has one of the places of its group; one
 * that its last entry could not take away is too old after a while.
 */
#define MARK_GROUPS_BITS 13
#define MARK_PLACES	 8 /* one cache line */
__u64 marks[1 << MARK_GROUPS_BITS][MARK_PLACES];

/* In a mark: thread (of at most 4,194,304), place on the stack, time in units of 2^8 ticks. */
#define MARK_AGE_BITS 26
#define MARK_AGE_MAX  256 /* a minute or more */
#define MARK_CALL     (~0ULL << MARK_AGE_BITS)

enum entry {
	ENTRY_FIRST, /* the kernel runs it first: no mark can be there yet, but an old one that was left */
	ENTRY_MIDDLE,
	ENTRY_LAST, /* takes the mark away */
};

/* Whether the place is free for a mark that is made now. */
static __always_inline bool mark_is_over(__u64 mark, __u64 now)
{
	return !mark || ((now - mark) & ~MARK_CALL) > MARK_AGE_MAX;
}

/* Where the mark of `call` is, else where it may be put. */
static __always_inline __u64 *mark_of(__u64 *group, __u64 call, bool *found)
{
	__u64 *free = group;
	int i;

	*found = false;
	ROLLED
	for (i = 0; i < MARK_PLACES; i++) {
		if (!((group[i] ^ call) & MARK_CALL)) {
			*found = true;
			return &group[i];
		}
		if (mark_is_over(group[i], call))
			free = &group[i];
	}
	return free;
}

/* Whether this entry has to do the work. */
static __always_inline bool entry_works(void *ctx, __u32 hook, enum entry entry)
{
	__u64 tid = (__u32)bpf_get_current_pid_tgid(), at = low_half(ctx) >> 3 & 0xffff;
	__u64 call = tid << 42 | at << MARK_AGE_BITS | (bpf_jiffies64() >> 8 & ~MARK_CALL);
	__u32 group = (tid ^ at << 4 ^ hook << 7) & ((1 << MARK_GROUPS_BITS) - 1);
	bool found;
	__u64 *mark = mark_of(marks[group], call, &found);

	if (entry != ENTRY_FIRST && found) {
		if (entry == ENTRY_LAST)
			*mark = 0;
		return false;
	}
	if (entry != ENTRY_FIRST)
		COUNT(rescued, 1);
	if (entry != ENTRY_LAST)
		*mark = call;
	return true;
}

#define ENTRY(section, hook, number, suffix, entry)                                                          \
	SEC(section) int hook##suffix(unsigned long long *ctx)                                               \
	{                                                                                                    \
		if (entry_works(ctx, number, entry))                                                         \
			bpf_tail_call(ctx, &hook##_work, 0);                                                 \
		return 0;                                                                                    \
	}

/* Where the entries of `hook` find its program, which the probe puts there. */
#define WORK(hook)                                                                                           \
	struct {                                                                                             \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                                       \
		__uint(max_entries, 1);                                                                      \
		__uint(key_size, sizeof(__u32));                                                             \
		__uint(value_size, sizeof(__u32));                                                           \
	} hook##_work SEC(".maps");

/* Two entries for a program that many threads at once do not run. */
#define STAND_IN(section, hook) STAND_IN_NUMBERED(section, hook, __COUNTER__)
#define STAND_IN_NUMBERED(section, hook, number)                                                             \
	WORK(hook)                                                                                           \
	ENTRY(section, hook, number, _first, ENTRY_FIRST)                                                    \
	ENTRY(section, hook, number, _last, ENTRY_LAST)

/* Four for one that they do. */
#define STAND_INS(section, hook) STAND_INS_NUMBERED(section, hook, __COUNTER__)
#define STAND_INS_NUMBERED(section, hook, number)                                                            \
	WORK(hook)                                                                                           \
	ENTRY(section, hook, number, _first, ENTRY_FIRST)                                                    \
	ENTRY(section, hook, number, _second, ENTRY_MIDDLE)                                                  \
	ENTRY(section, hook, number, _third, ENTRY_MIDDLE)                                                   \
	ENTRY(section, hook, number, _last, ENTRY_LAST)

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

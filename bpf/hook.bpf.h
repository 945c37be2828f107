/* SPDX-License-Identifier: GPL-2.0-only */
/* How a hook reads its arguments, whatever way it is attached. */
#ifndef KFLOWD_HOOK_H
#define KFLOWD_HOOK_H

/*
 * Argument `n` of an fentry or fexit hook, `n` a knob. The barriers keep clang from adding `n` to the context
 * pointer, which the verifier refuses; it follows one branch only, as the knob is constant.
 */
static __always_inline void *hook_arg(unsigned long long *ctx, __u8 n)
{
	unsigned long long value;

#define HOOK_ARG(i)                                                                                          \
	case i:                                                                                              \
		value = ctx[i];                                                                              \
		barrier_var(value);                                                                          \
		break
	switch (n) {
		HOOK_ARG(0);
		HOOK_ARG(1);
		HOOK_ARG(2);
		HOOK_ARG(3);
		HOOK_ARG(4);
		HOOK_ARG(5);
		HOOK_ARG(6);
	default:
		return 0;
	}
#undef HOOK_ARG
	return (void *)value;
}

/*
 * Before a loop whose body calls: unrolled, each turn would be a call of its own, and where such loops call
 * each other the verifier, which follows every chain of calls, would have as many as their product.
 */
#define ROLLED _Pragma("clang loop unroll(disable)")

#define hook_ret(ctx, n) ((long)hook_arg((ctx), (n)))

/* Hooks may look at arguments that point to numbers since 5.17, the version that brought this helper. */
#define HAVE_POSITIONS bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_func_arg)

/* Nobody knows where in its file a call ended: it is taken to be the end of the file. */
#define END_UNKNOWN (~0ULL)

/* Where a call has left the position that argument `n` points to. */
static __always_inline __u64 hook_position(unsigned long long *ctx, __u8 n)
{
	__u64 end = END_UNKNOWN;
	void *position;

	if (!HAVE_POSITIONS)
		return end;
	position = hook_arg(ctx, n);
	if (position)
		bpf_probe_read_kernel(&end, sizeof(end), position);
	return end;
}

#endif

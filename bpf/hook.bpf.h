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

#define hook_ret(ctx, n) ((long)hook_arg((ctx), (n)))

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Counts, mostly by processor. They live in .bss, which the probe maps, so that reading them needs no system
 * call. */
#ifndef KFLOWD_COUNTERS_H
#define KFLOWD_COUNTERS_H

#define COUNTER_CPUS 256 /* a power of two; processors beyond share */

struct kf_counters counters[COUNTER_CPUS];

/* Atomic: a program may be preempted by another on its processor between load and store. */
#define COUNT(field, n)                                                                                      \
	__sync_fetch_and_add(&counters[bpf_get_smp_processor_id() & (COUNTER_CPUS - 1)].field, (n))

/* The same for one event of a process, whose id spreads the counts as well and costs no call. */
#define COUNT_FOR(tgid, field, n) __sync_fetch_and_add(&counters[(tgid) & (COUNTER_CPUS - 1)].field, (n))

#endif

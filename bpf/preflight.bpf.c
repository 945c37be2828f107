// SPDX-License-Identifier: GPL-2.0-only
/* Two empty programs: whether the kernel loads them tells more than its lockdown file. Never attached. */
#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("fentry/d_move")
int preflight_fentry(void *ctx)
{
	return 0;
}

SEC("kprobe/d_move")
int preflight_kprobe(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

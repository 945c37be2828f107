/* SPDX-License-Identifier: GPL-2.0-only */
/* A flow begins: a free slot gets what is taken once, and its owner as soon as there is one. */
#ifndef KFLOWD_FLOW_OPEN_H
#define KFLOWD_FLOW_OPEN_H

/* Appends the address with this number among unix_paths. */
static __always_inline __u32 flow_add_address(struct scratch *s, __u32 len, __u32 number)
{
	__u64 text[UNIX_WORDS + 1] = {};
	__u32 i;
	long size;

	for (i = 0; i < UNIX_WORDS; i++)
		text[i] = number - 1 < UNIX_PATHS ? unix_paths[number - 1][i] : 0;
	size = bpf_probe_read_kernel_str(s->path, sizeof(text), text);
	return tail_add(s, len, KF_TAG_ADDRESS, s->path, size > 0 ? size - 1 : 0, 63);
}

/* Names and address by the long way: they come into the flow when they fit, else into long_tails. */
__noinline int flow_describe_long(__u32 number)
{
	struct flow *flow = flow_at(number);
	__u32 slot, len = 0, key = number | FLOW_TAILS;
	struct process_key process = {};
	struct program *program;
	struct scratch *s;

	if (!flow)
		return 0;
	s = scratch_take(&slot);
	if (!s)
		return 0; /* counted there: the record will lack its names */
	process.tgid = flow->record.head.tgid;
	process.birth = flow->record.head.start >> 20;
	program = bpf_map_lookup_elem(&programs, &process);
	if (program)
		len = tail_add_names(s, len, program);
	if (flow->record.family == AF_UNIX)
		len = flow_add_address(s, len, flow->record.remote_port);
	if (len <= FLOW_TAIL)
		bpf_probe_read_kernel(flow->tail, FLOW_TAIL, s->record);
	else if (!bpf_map_update_elem(&long_tails, &key, s->record, BPF_ANY))
		flow->is_long = 1;
	else
		len = 0;
	flow->tail_len = len;
	scratch_give(&slot);
	return 0;
}

/* It is kflowd's own after all: what was counted before somebody accepted it was not to be counted. */
static __always_inline void flow_disown(struct flow *flow)
{
	COUNT(flow_events, -(flow->events - flow->told.events));
	if (flow->sk)
		COUNT(flows_open, -1);
	flow->own = 1;
}

/* `task` is whose flow it is, from here on. */
static __noinline void flow_own(struct flow *flow, struct task_struct *task)
{
	__u64 start = BPF_CORE_READ(task, group_leader, start_boottime);
	struct process_key key = {.tgid = BPF_CORE_READ(task, tgid), .birth = start >> 20};
	struct program *program = program_get(&key, start, task);
	struct kf_flow *record = &flow->record;
	__u32 len;

	if (!program)
		return;
	if (program->flags & PROGRAM_OWN)
		flow_disown(flow);
	record->head.flags = program->flags & PROGRAM_KTHREAD ? KF_FLAG_KTHREAD : 0;
	record->head.tgid = key.tgid;
	record->head.start = start;
	task_facts(false, &record->task, task, program);
	if (program->exe_len > NAME_SHORT || program->parent_len > NAME_SHORT || record->family == AF_UNIX) {
		flow_describe_long(flow->slot);
		return;
	}
	len = tail_name(flow->tail, 0, KF_TAG_EXE_NAME, program->exe, program->exe_len);
	flow->tail_len = tail_name(flow->tail, len, KF_TAG_PARENT_NAME, program->parent, program->parent_len);
}

/* Takes a free slot and empties it; NULL when there is none, which is counted as the event's loss. */
static __noinline struct flow *flow_begin(void)
{
	struct flow *flow;
	__u32 number;

	if (bpf_map_pop_elem(&flow_slots_free, &number)) {
		COUNT(flow_events, 1);
		COUNT(flow_events_map, 1);
		return 0;
	}
	flow = flow_at(number);
	if (!flow)
		return 0;
	__builtin_memset(&flow->record, 0, sizeof(flow->record));
	__builtin_memset(&flow->told, 0, sizeof(flow->told));
	flow->slot = number;
	flow->events = flow->tail_len = 0;
	flow->segs_noted[KF_TX] = flow->segs_noted[KF_RX] = 0;
	flow->data_noted[KF_TX] = flow->data_noted[KF_RX] = 0;
	flow->capture = flow->streaming[KF_TX] = flow->streaming[KF_RX] = 0;
	flow->spoken[KF_TX] = flow->spoken[KF_RX] = 0;
	flow->own = flow->orphan = flow->over = flow->is_long = flow->joined = 0;
	flow->record.head.kind = KF_KIND_FLOW;
	flow->record.open_time = bpf_ktime_get_boot_ns();
	return flow;
}

/* Makes the flow of socket `sk` known. Returns the number of its slot + 1; 0 when another one was faster. */
static __always_inline __u32 flow_enter(struct flow *flow, struct flow_key *key, __u64 sk)
{
	__u32 number = flow->slot;

	flow->sk = sk; /* whoever finds it in the map takes it for what it is */
	if (bpf_map_update_elem(&flows, key, &number, BPF_NOEXIST)) {
		flow->sk = 0;
		bpf_map_push_elem(&flow_slots_free, &number, BPF_ANY);
		return 0;
	}
	if (!flow->own)
		COUNT(flows_open, 1);
	*flow_hint(sk) = number;
	return number + 1;
}

#endif

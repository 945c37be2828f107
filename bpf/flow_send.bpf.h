/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A flow becomes a record: while it goes on, which only the sweep does, or at its end, which the hook does
 * that sees it. When both meet, the one that comes later sends the end: see session_end, whose way this is.
 */
#ifndef KFLOWD_FLOW_SEND_H
#define KFLOWD_FLOW_SEND_H

#define RECORD_FLOW (sizeof(struct kf_flow) + FLOW_TAIL)

/* Leaves in a copy of a count what came since the last record. */
#define TELL(now, told)                                                                                      \
	({                                                                                                   \
		__auto_type _all = (now);                                                                    \
		(now) = _all - (told);                                                                       \
		(told) = _all;                                                                               \
	})

/*
 * The kernel's count of TCP packets may be ahead of ours: it skips a program that one of its own interrupts
 * calls again, and there are more combinations of flags than places. Such packets are counted without their
 * flags.
 */
static __noinline void way_tell(struct kf_way *way, struct way_told *told)
{
	__u64 known = 0;
	__u32 other;
	int i;

	for (i = 0; i < KF_TCP_FLAGS; i++) {
		known += way->flags_count[i];
		TELL(way->flags_count[i], told->flags_count[i]);
	}
	if (known > way->packets)
		way->packets = known;
	other = known ? way->packets - known : 0;
	if ((__s32)(other - told->flags_other) > 0) {
		way->flags_other = other - told->flags_other;
		told->flags_other = other;
	}
	TELL(way->packets, told->packets);
	TELL(way->data_packets, told->data_packets);
	TELL(way->bytes, told->bytes);
	/* The sweep may have taken the first time away from under a packet. */
	if (way->packets && !way->first_time)
		way->first_time = way->last_time;
	if (!way->packets)
		way->first_time = way->last_time = 0;
}

/* Makes of a copy of the flow's record the next record, and notes that its counts are told. */
static __noinline void flow_tell(struct kf_flow *record, struct flow_told *told)
{
	way_tell(&record->ways[KF_TX], &told->ways[KF_TX]);
	way_tell(&record->ways[KF_RX], &told->ways[KF_RX]);
	TELL(record->bytes_acked, told->bytes_acked);
	TELL(record->bytes_retrans, told->bytes_retrans);
	TELL(record->ttl_sum, told->ttl_sum);
	TELL(record->ttl_packets, told->ttl_packets);
	TELL(record->packets_retrans, told->packets_retrans);
	TELL(record->packets_dups, told->packets_dups);
	TELL(record->packets_reorder, told->packets_reorder);
	TELL(record->packets_drop, told->packets_drop);
	TELL(record->packets_frag, told->packets_frag);
}

/* Completes a copy of the flow's record. */
static __always_inline void flow_finish(struct flow *flow, struct kf_flow *record, __u32 cause)
{
	__u64 tx = flow->record.ways[KF_TX].last_time, rx = flow->record.ways[KF_RX].last_time;

	record->sent_time = bpf_ktime_get_boot_ns();
	record->head.time = tx > rx ? tx : rx;
	record->head.cpu = bpf_get_smp_processor_id();
	record->cause = cause;
	flow_tell(record, &flow->told);
	flow->record.ways[KF_TX].first_time = 0;
	flow->record.ways[KF_RX].first_time = 0;
}

static __always_inline void flow_counted(bool sent, __u64 events)
{
	if (sent) {
		COUNT(flow_records, 1);
		COUNT(flow_events_sent, events);
	} else {
		COUNT(flow_records_ring, 1);
		COUNT(flow_events_ring, events);
	}
}

/* Above what a long tail has, for the verifier. */
#define LONG_TAIL_BOUND 8192

/* A flow with long names or a long address: built in a scratch slot. */
static __noinline long flow_send_long(struct flow *flow, __u32 cause)
{
	__u32 slot, key = flow->slot | FLOW_TAILS, len = flow->tail_len;
	struct long_tail *tail = bpf_map_lookup_elem(&long_tails, &key);
	struct scratch *s = scratch_take(&slot);
	struct kf_flow *record;
	long failed;

	if (!s)
		return -1;
	record = (void *)s->record;
	__builtin_memcpy(record, &flow->record, sizeof(*record));
	flow_finish(flow, record, cause);
	len = tail ? len & (LONG_TAIL_BOUND - 1) : 0;
	barrier_var(len);
	bpf_probe_read_kernel(&s->record[sizeof(*record)], len, tail ? tail->text : flow->tail);
	failed = emit(s, sizeof(*record) + len);
	scratch_give(&slot);
	return failed;
}

/* The usual case: straight from the flow into the ring buffer. */
static __noinline long flow_send_short(struct flow *flow, __u32 cause)
{
	struct kf_flow *record = bpf_ringbuf_reserve(&ring, RECORD_FLOW, 0);
	__u64 *to = (void *)(record + 1), *from = (void *)flow->tail;
	__u32 len = flow->tail_len, i;

	if (!record)
		return -1;
	__builtin_memcpy(record, &flow->record, sizeof(*record));
	flow_finish(flow, record, cause);
	record->head.len = sizeof(*record) + len;
	ROLLED
	for (i = 0; i < FLOW_TAIL / 8 && i * 8 < len; i++)
		to[i] = from[i];
	bpf_ringbuf_submit(record, wake_flags());
	return 0;
}

/* Sends what the flow has counted since its last record; nothing when there is nothing. */
__noinline int flow_send(__u32 number, __u32 cause)
{
	struct flow *flow = flow_at(number);
	__u64 events;
	long failed;

	if (!flow)
		return 0;
	events = flow->events - flow->told.events;
	if (!events || flow->own)
		return 0;
	flow->told.events += events;
	failed = flow->is_long ? flow_send_long(flow, cause) : flow_send_short(flow, cause);
	flow_counted(!failed, events);
	return 0;
}

/* Nobody works on the ended flow any more: sends what it has and gives its slot back, after those of the
 * caller's `holds` on it: whoever gets the slot next must not find them. */
__noinline int flow_bury(__u32 number, __u32 holds)
{
	struct flow *flow = flow_at(number);
	__u32 key = number | FLOW_TAILS;

	if (!flow)
		return 0;
	flow_send(number, flow->record.cause);
	if (flow->is_long)
		bpf_map_delete_elem(&long_tails, &key);
	__sync_fetch_and_add(&flow->holders, -holds);
	bpf_map_push_elem(&flow_slots_free, &number, BPF_ANY);
	return 0;
}

static __always_inline void flow_hold(struct flow *flow)
{
	__sync_fetch_and_add(&flow->holders, 1);
}

/* Lets go; the last one to let go of a flow that has ended buries it. */
static __always_inline void flow_put(struct flow *flow)
{
	__u32 number = flow->slot;

	__sync_fetch_and_add(&flow->holders, -1);
	if (!flow->sk && flow->holders <= 0 && !bpf_map_delete_elem(&flows_dying, &number))
		flow_bury(number, 0);
}

/* A connection that is over may have payload that is wanted and that its process has still to read. */
static __always_inline bool flow_is_unread(struct flow *flow, struct sock *sk)
{
	struct tcp_sock *tp = (void *)sk;
	__u32 fin = BPF_CORE_READ_BITFIELD_PROBED(sk, sk_shutdown) & RCV_SHUTDOWN;

	return flow->capture && flow->record.protocol == IPPROTO_TCP &&
	       BPF_CORE_READ(tp, rcv_nxt) - BPF_CORE_READ(tp, copied_seq) > fin;
}

/* Ends the flow, which nobody finds afterwards. */
__noinline int flow_end(__u32 number, __u32 cause)
{
	struct flow *flow = flow_at(number);
	struct flow_key key;
	__u8 one = 1;

	if (!flow)
		return 0;
	flow_key_set(&key, flow->sk);
	if (flow->record.protocol != IPPROTO_TCP) {
		key.sk = flow->record.cookie;
		__builtin_memcpy(key.remote, flow->record.remote, sizeof(key.remote));
		key.port = flow->record.remote_port;
		key.family = flow->record.family;
	}
	flow_hold(flow);
	flow->sk = 0; /* no hint leads here any more */
	if (bpf_map_delete_elem(&flows, &key)) {
		flow_put(flow);
		return 0;
	}
	if (!flow->own)
		COUNT(flows_closed, 1);
	flow->record.cause = cause;
	if (flow->holders <= 1 || bpf_map_update_elem(&flows_dying, &number, &one, BPF_ANY))
		flow_bury(number, 1);
	else
		flow_put(flow);
	return 0;
}

#endif

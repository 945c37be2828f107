// SPDX-License-Identifier: GPL-2.0-only
/* The clock of flows: like that of sessions, which runs at the same time. */

/* A connection that is over and whose socket lives on has sent its last packet in this time. */
#define RESET_GRACE_NS 200000000ULL

/* When the flow has last seen a packet. */
static __always_inline __u64 flow_last(struct flow *flow)
{
	__u64 tx = flow->record.ways[KF_TX].last_time, rx = flow->record.ways[KF_RX].last_time;

	return tx > rx ? tx : rx;
}

/* When the flow has seen the first packet that is in no record. */
static __always_inline __u64 flow_first(struct flow *flow)
{
	__u64 tx = flow->record.ways[KF_TX].first_time, rx = flow->record.ways[KF_RX].first_time;

	return !rx || (tx && tx < rx) ? tx : rx;
}

/* The socket is freed, and perhaps another one by now. */
static __always_inline bool socket_is_gone(struct flow *flow)
{
	struct sock *sk = (void *)flow->sk;

	return BPF_CORE_READ(sk, __sk_common.skc_refcnt.refs.counter) <= 0 ||
	       (HAVE_COOKIES && flow->record.cookie &&
		BPF_CORE_READ(sk, __sk_common.skc_cookie.counter) != flow->record.cookie);
}

/* Why the flow is due, 0 when it is not. */
static __always_inline __u32 flow_due(struct flow *flow, __u64 now)
{
	bool udp = flow->record.protocol != IPPROTO_TCP;
	__s64 quiet = now - flow_last(flow);
	__u64 first;

	if (stopping)
		return KF_CAUSE_STOP;
	if (socket_is_gone(flow))
		return KF_CAUSE_CLOSE;
	if (flow->over && !flow->orphan && quiet > (__s64)RESET_GRACE_NS &&
	    !flow_is_unread(flow, (void *)flow->sk))
		return KF_CAUSE_CLOSE;
	if (flow->events == flow->told.events && !udp)
		return 0;
	if (quiet > (__s64)idle_ns)
		return KF_CAUSE_IDLE;
	first = flow_first(flow);
	if (first && (__s64)(now - first) > (__s64)active_ns)
		return KF_CAUSE_ACTIVE;
	return 0;
}

/* Takes over what the kernel counted; the socket may be freed, and another one, before all of it is read. */
static __noinline void tcp_catch_up(struct flow *flow)
{
	struct tcp_sock *tp = (void *)flow->sk;
	struct tcp_facts facts;

	tcp_read(false, tp, &facts);
	if (flow->sk == (__u64)tp && !flow->over)
		tcp_note(flow, &facts);
}

static __noinline void udp_catch_up(struct flow *flow)
{
	struct sock *sk = (void *)flow->sk;
	__u32 drops = socket_drops(sk), queued = BPF_CORE_READ(sk, sk_receive_queue.qlen) +
						 BPF_CORE_READ((struct udp_sock *)sk, reader_queue.qlen);

	if (socket_is_gone(flow))
		return;
	flow->record.packets_drop = drops;
	flow->record.packets_queued = queued;
}

/* A TCP connection goes on after its record; a UDP flow begins anew with its next datagram. */
static __always_inline bool flow_goes_on(struct flow *flow, __u32 cause)
{
	return cause == KF_CAUSE_ACTIVE || (cause == KF_CAUSE_IDLE && flow->record.protocol == IPPROTO_TCP);
}

/* Sends a flow that is due, which the sweep holds. */
static __always_inline void flow_expire(struct flow *flow, __u32 cause)
{
	if (!flow->over && flow->record.protocol == IPPROTO_TCP && cause != KF_CAUSE_CLOSE)
		tcp_catch_up(flow);
	else if (flow->record.protocol == IPPROTO_UDP)
		udp_catch_up(flow);
	if (flow_goes_on(flow, cause)) {
		flow_send(flow->slot, cause);
		return;
	}
	if (cause != KF_CAUSE_STOP)
		flow->record.state = TCP_CLOSE;
	flow_end(flow->slot, cause);
}

SEC("iter/bpf_map_elem")
int sweep_flows(struct bpf_iter__bpf_map_elem *ctx)
{
	__u64 now = bpf_ktime_get_boot_ns();
	__u32 *slot = ctx->value, number, cause;
	struct flow *flow;

	if (!slot)
		return 0;
	number = *slot;
	flow = flow_at(number);
	if (!flow || !flow->sk)
		return 0;
	cause = flow_due(flow, now);
	if (!cause)
		return 0;
	if (sweep_leaves())
		return 0;
	flow_hold(flow);
	if (flow->sk)
		flow_expire(flow, cause);
	flow_put(flow);
	return 0;
}

/* Read once before anything is attached: all slots are free. */
SEC("iter/bpf_map_elem")
int fill_flow_slots(struct bpf_iter__bpf_map_elem *ctx)
{
	return fill_slot(&flow_slots_free, ctx->key);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP: packets in either direction, until the connection is over. The hooks on packets run under the socket's
 * lock; they count what the kernel does not: flags, TTL, times, received bytes.
 */

/* Flags as they will be in the header: three are decided on the way. */
static __always_inline __u8 tcp_flags_sent(struct sock *sk, struct sk_buff *skb)
{
	__u8 flags = TCP_CB(skb, tcp_flags);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u8 ecn;

	if (!tp || flags & TCP_SYN)
		return flags;
	if (TCP_CB(skb, tcp_gso_segs) > 1)
		flags |= TCP_PSH;
	ecn = tp->ecn_flags;
	if (!(ecn & ECN_OK))
		return flags;
	if (ecn & ECN_DEMAND)
		flags |= TCP_ECE;
	if (ecn & ECN_CWR && skb->len && (__s32)(TCP_CB(skb, seq) - tp->snd_nxt) >= 0)
		flags |= TCP_CWR;
	return flags;
}

/* Another socket is where that of the flow was, whose end no hook has seen: the kernel skips a program that
 * one of its own interrupts calls again. */
static __always_inline bool tcp_is_other(struct flow *flow, struct sock *sk)
{
	return HAVE_COOKIES && flow->record.cookie &&
	       flow->record.cookie != (__u64)sk->__sk_common.skc_cookie.counter;
}

/*
 * All that a connection sends, retransmissions included -> here, before the header is made; what is sent
 * without a socket, for one that is connecting or gone, is not of a flow.
 */
STAND_INS("fentry/__tcp_transmit_skb", tcp_transmit)
SEC("fentry/__tcp_transmit_skb")
int BPF_PROG(tcp_transmit, struct sock *sk, struct sk_buff *skb)
{
	struct flow *flow = flow_find(sk);
	struct kf_way *way;
	__u8 flags;

	OWN_STACK(ctx, tcp_transmit);
	if (!running)
		return 0;
	if (flow && ((flow->over && sk->__sk_common.skc_state == TCP_SYN_SENT) || tcp_is_other(flow, sk))) {
		flow_end(flow->slot, KF_CAUSE_CLOSE); /* the socket connects anew */
		flow = 0;
	}
	if (!flow)
		flow = tcp_begin(sk);
	if (!flow || flow->own)
		return 0;
	way = &flow->record.ways[KF_TX];
	flags = tcp_flags_sent(sk, skb);
	way_flags_joined(way, flags, TCP_CB(skb, tcp_gso_segs));
	way->ifindex = sk->sk_dst_cache->dev->ifindex;
	way_times(way, bpf_ktime_get_boot_ns());
	flow_event(flow);
	return 0;
}

/* TTL or hop limit of a received packet. */
static __always_inline void count_ttl(struct kf_flow *record, struct sk_buff *skb, bool v4)
{
	__u8 ttl = 0;

	bpf_probe_read_kernel(&ttl, 1, skb->head + skb->network_header + (v4 ? 8 : 7));
	record->ttl_sum += ttl;
	record->ttl_packets++;
}

/* Packets on the wire that the kernel has put into this one. */
static __always_inline __u32 skb_segments(struct sk_buff *skb)
{
	struct skb_shared_info *info = (void *)(skb->head + skb->end);
	__u16 segments = BPF_CORE_READ(info, gso_segs);

	return segments ? segments : 1;
}

static __always_inline void tcp_received(struct sock *sk, struct sk_buff *skb)
{
	struct flow *flow = flow_find(sk);
	__u8 flags = TCP_CB(skb, tcp_flags);
	__u32 bytes = TCP_CB(skb, end_seq) - TCP_CB(skb, seq) - (flags & TCP_FIN) - !!(flags & TCP_SYN);
	__u32 segments = skb_segments(skb);
	struct kf_way *way;
	bool v4;

	if (!running)
		return;
	if (!flow)
		flow = flow_numbered(tcp_make_orphan(plain(sk), socket_cookie(sk), segments, bytes));
	if (!flow || flow->own)
		return;
	if (!flow->record.cookie)
		flow->record.cookie = socket_cookie(sk); /* older than kflowd */
	way = &flow->record.ways[KF_RX];
	v4 = skb->protocol == bpf_htons(ETH_P_IP);
	way->bytes += bytes;
	way_flags_joined(way, flags, segments);
	if (v4 ? TCP_CB(skb, header.h4.frag_max_size) : TCP_CB(skb, header.h6.frag_max_size))
		flow->record.packets_frag++;
	count_ttl(&flow->record, skb, v4);
	way->ifindex = skb->skb_iif;
	way_times(way, bpf_ktime_get_boot_ns());
	flow_event(flow);
}

/* All packets of an established connection, from the network or the backlog -> tcp_v4_do_rcv or tcp_v6_do_rcv
 * -> here. */
STAND_INS("fentry/tcp_rcv_established", tcp_received_established)
SEC("fentry/tcp_rcv_established")
int BPF_PROG(tcp_received_established, struct sock *sk, struct sk_buff *skb)
{
	OWN_STACK(ctx, tcp_received_established);
	tcp_received(sk, skb);
	return 0;
}

/* The same in all other states; the first one of a server's connection comes through tcp_child_process. */
STAND_IN("fentry/tcp_rcv_state_process", tcp_received_other)
SEC("fentry/tcp_rcv_state_process")
int BPF_PROG(tcp_received_other, struct sock *sk, struct sk_buff *skb)
{
	struct flow *flow;

	OWN_STACK(ctx, tcp_received_other);
	if (sk->__sk_common.skc_state == TCP_LISTEN)
		return 0;
	flow = flow_find(sk);
	if (running && flow && tcp_is_other(flow, sk))
		flow_end(flow->slot, KF_CAUSE_CLOSE);
	tcp_received(sk, skb);
	return 0;
}

/* accept, accept4, io_uring -> inet_accept -> here: the result is the connection's socket. The owner of the
 * flow is who accepts. Takes (sk, flags, err, kern) up to 6.9, (sk, arg) since. */
STAND_IN("fexit/inet_csk_accept", tcp_accept)
SEC("fexit/inet_csk_accept")
int tcp_accept(unsigned long long *ctx)
{
	struct sock *sk = (void *)hook_ret(ctx, arg_accept_ret);
	struct flow *flow;

	OWN_STACK(ctx, tcp_accept);
	if (!running || !sk)
		return 0;
	flow = flow_find(sk);
	if (!flow)
		flow = tcp_begin(sk);
	if (!flow)
		return 0;
	flow_hold(flow);
	if (flow->sk == (__u64)sk && flow->orphan) {
		flow_own(flow, (void *)bpf_get_current_task());
		flow->orphan = 0;
		FLOW_FENCE(flow); /* who ends a flow sets `over` and then looks for orphans */
		if (flow->over && !flow_is_unread(flow, sk))
			flow_end(flow->slot, KF_CAUSE_CLOSE);
	}
	flow_put(flow);
	return 0;
}

/* The end of the connection, whoever brings it about -> here. What no process has any more may still answer
 * with a reset, and ends when the socket is freed; what nobody has accepted waits for its owner, and payload
 * that nobody has read for its reader. */
STAND_IN("fentry/tcp_done", tcp_over)
SEC("fentry/tcp_done")
int BPF_PROG(tcp_over, struct sock *sk)
{
	struct flow *flow = flow_find(sk);

	OWN_STACK(ctx, tcp_over);
	if (!running || !flow || flow->over)
		return 0;
	tcp_refresh(flow, sk);
	flow->record.state = TCP_CLOSE;
	flow->over = 1;
	FLOW_FENCE(flow);
	if (!flow->orphan && !(sk->__sk_common.skc_flags & 1 << SOCK_DEAD) && !flow_is_unread(flow, sk))
		flow_end(flow->slot, KF_CAUSE_CLOSE);
	return 0;
}

/* connect to no address, close with unread data or without linger -> here, which clears the kernel's counters
 * and may send a reset after this. The flow ends with the socket, or when it connects anew. */
STAND_IN("fentry/tcp_disconnect", tcp_disconnected)
SEC("fentry/tcp_disconnect")
int BPF_PROG(tcp_disconnected, struct sock *sk)
{
	struct flow *flow = flow_find(sk);

	OWN_STACK(ctx, tcp_disconnected);
	if (!running || !flow || flow->over)
		return 0;
	tcp_refresh(flow, sk);
	flow->record.state = TCP_CLOSE;
	flow->over = 1;
	return 0;
}

/* Read once at start: the connections that processes have. The owner is the first process found to have one.
 */
SEC("iter/task_file")
int tcp_existing(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct flow *flow;
	struct sock *sk;

	if (!task || !file || (file->f_inode->i_mode & S_IFMT) != S_IFSOCK)
		return 0;
	socket = file->private_data;
	sk = BPF_CORE_READ(socket, sk);
	if (!sk || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	flow = flow_numbered(flow_lookup((__u64)sk));
	if (!flow)
		tcp_make((__u64)sk, 0, plain(task));
	else if (flow->orphan)
		flow_own(flow, task);
	return 0;
}

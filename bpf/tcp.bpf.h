/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP: what the kernel counts for a connection, and how the flow of one begins, from the first packet of its
 * socket in either direction.
 */
#ifndef KFLOWD_TCP_H
#define KFLOWD_TCP_H

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_ECE 0x40
#define TCP_CWR 0x80
/* In tcp_sock.ecn_flags. */
#define ECN_OK	   1
#define ECN_CWR	   2
#define ECN_DEMAND 4

#define ETH_P_IP	   0x0800
#define SOCK_BINDPORT_LOCK 8
#define SOCK_DEAD	   0 /* a bit of skc_flags */

/* A field of the TCP control block that an skb has in its cb. */
#define TCP_CB(skb, field)                                                                                   \
	(*(typeof(((struct tcp_skb_cb *)0)->field) *)((skb)->cb +                                            \
						      bpf_core_field_offset(struct tcp_skb_cb, field)))

/* What the kernel counts for a connection. */
struct tcp_facts {
	__u64 bytes_sent;
	__u64 bytes_acked;
	__u64 bytes_retrans;
	__u32 segs[2];
	__u32 data_segs[2];
	__u32 total_retrans;
	__u32 dsack_dups;
	__u32 reord_seen;
	__u32 srtt_us;
	__u32 rto;
	__u32 rto_min;
	__u32 queued;
	__u32 drops;
	__u32 state;
};

static __always_inline void tcp_read(bool direct, struct tcp_sock *tp, struct tcp_facts *out)
{
	out->bytes_sent = GET(direct, tp, bytes_sent);
	out->bytes_acked = GET(direct, tp, bytes_acked);
	out->bytes_retrans = GET(direct, tp, bytes_retrans);
	out->segs[KF_TX] = GET(direct, tp, segs_out);
	out->segs[KF_RX] = GET(direct, tp, segs_in);
	out->data_segs[KF_TX] = GET(direct, tp, data_segs_out);
	out->data_segs[KF_RX] = GET(direct, tp, data_segs_in);
	out->total_retrans = GET(direct, tp, total_retrans);
	out->dsack_dups = GET(direct, tp, dsack_dups);
	out->reord_seen = GET(direct, tp, reord_seen);
	out->srtt_us = GET(direct, tp, srtt_us);
	out->rto = GET(direct, tp, inet_conn.icsk_rto);
	out->rto_min = GET(direct, tp, inet_conn.icsk_rto_min);
	out->queued = GET(direct, tp, inet_conn.icsk_inet.sk.sk_receive_queue.qlen);
	out->drops = GET(direct, tp, inet_conn.icsk_inet.sk.sk_drops.counter);
	out->state = GET(direct, tp, inet_conn.icsk_inet.sk.__sk_common.skc_state);
}

static __always_inline void tcp_note(struct flow *flow, struct tcp_facts *facts)
{
	struct kf_flow *record = &flow->record;

	/* The kernel's counts have 32 bits. */
	record->ways[KF_TX].packets += facts->segs[KF_TX] - flow->segs_noted[KF_TX];
	record->ways[KF_RX].packets += facts->segs[KF_RX] - flow->segs_noted[KF_RX];
	record->ways[KF_TX].data_packets += facts->data_segs[KF_TX] - flow->data_noted[KF_TX];
	record->ways[KF_RX].data_packets += facts->data_segs[KF_RX] - flow->data_noted[KF_RX];
	flow->segs_noted[KF_TX] = facts->segs[KF_TX];
	flow->segs_noted[KF_RX] = facts->segs[KF_RX];
	flow->data_noted[KF_TX] = facts->data_segs[KF_TX];
	flow->data_noted[KF_RX] = facts->data_segs[KF_RX];
	record->ways[KF_TX].bytes = facts->bytes_sent;
	record->bytes_acked = facts->bytes_acked;
	record->bytes_retrans = facts->bytes_retrans;
	record->packets_retrans = facts->total_retrans;
	record->packets_dups = facts->dsack_dups;
	record->packets_reorder = facts->reord_seen;
	record->packets_queued = facts->queued;
	record->packets_drop = facts->drops;
	record->rtt = (__u64)(facts->srtt_us >> 3) * 1000;
	/* In jiffies; the smallest one is 200 ms, which tells how long a jiffy is. */
	record->rto = facts->rto_min ? facts->rto * 200 / facts->rto_min : 0;
	record->state = facts->state;
}

/* Takes over what the kernel counted up to here; not inlined, so that it is looked at once per program. */
static __noinline void tcp_refresh(struct flow *flow, struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct tcp_facts facts;

	if (!tp)
		return;
	tcp_read(true, tp, &facts);
	tcp_note(flow, &facts);
}

/* Of an IPv6 socket too, an IPv4 connection is one of IPv4. */
static __always_inline void tcp_addresses(struct kf_flow *record, struct sock *sk)
{
	struct in6_addr local, remote;

	record->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	record->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	record->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (record->family == AF_INET6) {
		BPF_CORE_READ_INTO(&local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&remote, sk, __sk_common.skc_v6_daddr);
		if (remote.in6_u.u6_addr32[0] || remote.in6_u.u6_addr32[1] ||
		    remote.in6_u.u6_addr32[2] != bpf_htonl(0xffff)) {
			__builtin_memcpy(record->local, &local, sizeof(local));
			__builtin_memcpy(record->remote, &remote, sizeof(remote));
			return;
		}
		record->family = AF_INET;
	}
	*(__u32 *)record->local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
	*(__u32 *)record->remote = BPF_CORE_READ(sk, __sk_common.skc_daddr);
}

/* Of a connection older than kflowd: accepted sockets share the port that somebody bound, and did not bind
 * it. */
static __always_inline bool tcp_was_accepted(struct sock *sk)
{
	struct inet_bind_bucket *bucket = BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_bind_hash);

	return bucket && BPF_CORE_READ(bucket, fastreuse) >= 0 &&
	       !(BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks) & SOCK_BINDPORT_LOCK);
}

static __noinline void way_flags(struct kf_way *way, __u8 flags, __u32 packets)
{
	int i;

	for (i = 0; flags && i < KF_TCP_FLAGS; i++) {
		if (!way->flags[i])
			way->flags[i] = flags;
		if (way->flags[i] != flags)
			continue;
		way->flags_count[i] += packets;
		return;
	}
}

/* The same of packets that the kernel handles as one: only the first has CWR, only the last has FIN and PSH
 * (net/ipv4/tcp_offload.c). */
static __noinline void way_flags_joined(struct kf_way *way, __u8 flags, __u32 packets)
{
	__u8 middle = flags & ~(TCP_FIN | TCP_PSH);

	if (packets > 1 && flags & TCP_CWR) {
		way_flags(way, middle, 1);
		flags &= ~TCP_CWR;
		middle &= ~TCP_CWR;
		packets--;
	}
	if (packets > 1 && flags != middle) {
		way_flags(way, middle, packets - 1);
		packets = 1;
	}
	way_flags(way, flags, packets);
}

/* The packets that a server's kernel exchanged before there was a socket; `seen` others came since. */
static __always_inline void tcp_count_handshake(struct flow *flow, struct tcp_sock *tp, __u32 seen)
{
	__u32 retrans = BPF_CORE_READ(tp, total_retrans);
	bool ecn = BPF_CORE_READ(tp, ecn_flags) & ECN_OK;
	struct kf_way *rx = &flow->record.ways[KF_RX], *tx = &flow->record.ways[KF_TX];

	way_flags(rx, ecn ? TCP_SYN | TCP_ECE | TCP_CWR : TCP_SYN, 1);
	way_flags(tx, ecn ? TCP_SYN | TCP_ACK | TCP_ECE : TCP_SYN | TCP_ACK, 1 + retrans);
	flow->segs_noted[KF_RX] = BPF_CORE_READ(tp, segs_in) - 1 - seen;
	flow->segs_noted[KF_TX] = BPF_CORE_READ(tp, segs_out) - 1 - retrans;
	way_times(rx, flow->record.open_time);
	way_times(tx, flow->record.open_time);
}

static __always_inline void tcp_identity(struct kf_flow *record, struct sock *sk, __u64 cookie)
{
	record->protocol = IPPROTO_TCP;
	record->cookie = cookie;
	record->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	tcp_addresses(record, sk);
}

/* What the kernel has counted before is not of this flow, but the `seen` packets that are about to be
 * counted. */
static __always_inline void tcp_begin_told(struct flow *flow, struct sock *sk, __u32 seen, bool data)
{
	struct kf_flow *record = &flow->record;
	struct tcp_facts facts;

	tcp_read(false, (struct tcp_sock *)sk, &facts);
	flow->segs_noted[KF_TX] = facts.segs[KF_TX];
	flow->segs_noted[KF_RX] = facts.segs[KF_RX] - seen;
	flow->data_noted[KF_TX] = facts.data_segs[KF_TX];
	flow->data_noted[KF_RX] = facts.data_segs[KF_RX] - (data ? seen : 0);
	tcp_note(flow, &facts);
	flow->told.ways[KF_TX].bytes = record->ways[KF_TX].bytes;
	flow->told.bytes_acked = record->bytes_acked;
	flow->told.bytes_retrans = record->bytes_retrans;
	flow->told.packets_retrans = record->packets_retrans;
	flow->told.packets_dups = record->packets_dups;
	flow->told.packets_reorder = record->packets_reorder;
	flow->told.packets_drop = record->packets_drop;
}

/* A flow of the socket that nobody knows yet and nobody owns; `seen` packets, with data or not, are about to
 * be counted. */
static __always_inline struct flow *tcp_prepare(struct sock *sk, __u32 state, __u64 cookie, __u32 seen,
						bool data)
{
	struct flow *flow;

	if (state == TCP_LISTEN || state == TCP_CLOSE)
		return 0;
	flow = flow_begin();
	if (!flow)
		return 0;
	tcp_identity(&flow->record, sk, cookie);
	flow->record.role = KF_ROLE_CLIENT;
	if (state == TCP_SYN_RECV || (state != TCP_SYN_SENT && tcp_was_accepted(sk)))
		flow->record.role = KF_ROLE_SERVER;
	if (state == TCP_SYN_RECV)
		tcp_count_handshake(flow, (struct tcp_sock *)sk, seen);
	else
		tcp_begin_told(flow, sk, seen, data);
	flow->joined = state != TCP_SYN_RECV && state != TCP_SYN_SENT;
	flow->orphan = 1;
	flow_choose(flow);
	return flow;
}

/* Makes the flow known. Returns the number of its slot + 1. */
static __always_inline __u32 tcp_enter(struct flow *flow, __u64 sk)
{
	struct flow_key key;
	__u32 number;

	flow_key_set(&key, sk);
	number = flow_enter(flow, &key, sk);
	return number ? number : flow_lookup(sk);
}

/*
 * Begins the flow of a socket: of one that connects, that is the current task's; of any other, that of
 * `task`, 0 = nobody's yet. Returns the number of its slot + 1, or 0.
 */
__noinline int tcp_make(__u64 address, __u64 cookie, __u64 task)
{
	struct sock *sk = (void *)address;
	__u32 state = BPF_CORE_READ(sk, __sk_common.skc_state);
	struct flow *flow = tcp_prepare(sk, state, cookie, 0, false);

	if (!flow)
		return 0;
	if (state == TCP_SYN_SENT)
		task = bpf_get_current_task();
	if (task) {
		flow_own(flow, (void *)task);
		flow->orphan = 0;
	}
	return tcp_enter(flow, address);
}

/* The same for the hooks of received packets, which run for nobody: small, as each has a copy. */
__noinline int tcp_make_orphan(__u64 address, __u64 cookie, __u32 seen, __u32 bytes)
{
	struct sock *sk = (void *)address;
	struct flow *flow = tcp_prepare(sk, BPF_CORE_READ(sk, __sk_common.skc_state), cookie, seen, bytes);

	return flow ? tcp_enter(flow, address) : 0;
}

/* The cookie of a socket; before 5.12 a number that none other is likely to have. */
static __always_inline __u64 socket_cookie(struct sock *sk)
{
	__u64 cookie;

	if (HAVE_COOKIES)
		return bpf_get_socket_cookie(sk);
	cookie = sk->__sk_common.skc_cookie.counter;
	return cookie ? cookie : (plain(sk) * 0x9e3779b97f4a7c15ULL ^ bpf_ktime_get_boot_ns()) >> 1;
}

static __noinline struct flow *tcp_begin(struct sock *sk)
{
	return flow_numbered(tcp_make(plain(sk), socket_cookie(sk), 0));
}

#endif

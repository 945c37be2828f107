// SPDX-License-Identifier: GPL-2.0-only
/*
 * UDP: a flow for each peer of a socket, from the first datagram until it falls silent or the socket is
 * closed. The hooks run for the process that sends or reads, several at a time for one socket: a flow is held
 * while it is counted, and counted with atomic additions.
 */

/* In inet_skb_parm and inet6_skb_parm: what a packet that came in fragments has. */
#define CB_FIELD(skb, type, field)                                                                           \
	(*(typeof(((type *)0)->field) *)((skb)->cb + bpf_core_field_offset(type, field)))

/* One datagram, as its hook sees it. */
struct datagram {
	struct flow_key key;
	__u8 local[16];
	__u16 local_port;
	__u8 way; /* enum kf_direction */
	__u8 ttl;
	__u32 ifindex;
	__u32 packets;
	__u32 bytes;
	bool fragmented;
	__u64 message; /* UNIX: the msghdr, whose iterator has passed it */
	__u64 data;    /* sent: address of the payload, and bytes that are there */
	__u32 there;
	__u64 route; /* sent: where it leaves, when the socket does not say */
};
_Static_assert(sizeof(struct datagram) <= DATAGRAM_WORDS * 8, "DATAGRAM_WORDS");

/* The head of an IP packet: the fields in use are at the same places in all of them. */
struct ip_head {
	__u8 first[8]; /* [7]: IPv6 hop limit */
	union {
		struct {
			__u8 ttl, protocol;
			__u16 check;
			__u32 saddr, daddr;
		} v4;
		struct {
			__u8 saddr[16], daddr[16];
		} v6;
	};
};

/* What a socket is for ever: its cookie, or, where hooks cannot ask for one, its inode number. */
static __always_inline __u64 udp_socket(struct sock *sk)
{
	__u64 cookie = sk->__sk_common.skc_cookie.counter;

	if (cookie)
		return cookie;
	if (HAVE_COOKIES)
		return bpf_get_socket_cookie(sk);
	return sk->sk_socket->file->f_inode->i_ino;
}

static __always_inline __u32 *udp_hint(const struct sock *sk, __u16 port)
{
	return flow_hint(low_half(sk) ^ (__u32)port << 6);
}

static __always_inline bool udp_is(struct flow *flow, const struct sock *sk, struct datagram *d)
{
	__u64 *here = (void *)flow->record.remote, *there = (void *)d->key.remote;

	return flow->sk == (__u64)sk && flow->record.cookie == d->key.sk && here[0] == there[0] &&
	       here[1] == there[1] && flow->record.remote_port == d->key.port &&
	       flow->record.family == d->key.family;
}

/* The flow in this slot, held, if it is the datagram's. */
static __always_inline struct flow *udp_held(__u32 number, const struct sock *sk, struct datagram *d)
{
	struct flow *flow = flow_at(number);

	if (!flow || !udp_is(flow, sk, d))
		return 0;
	flow_hold(flow);
	if (udp_is(flow, sk, d))
		return flow;
	flow_put(flow);
	return 0;
}

/* First datagram between these two: what is taken once. A server is who hears first, unless it has connected
 * without asking for a port: then its question is older than kflowd. */
__noinline int udp_make(__u64 address, __u32 slot)
{
	struct datagram *d = (void *)scratch_at(slot)->datagram;
	struct sock *sk = (void *)address;
	bool bound = BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks) & SOCK_BINDPORT_LOCK;
	struct flow *flow = flow_begin();
	struct kf_flow *record;
	struct flow_key key;
	bool connected;

	if (!flow)
		return 0;
	record = &flow->record;
	record->protocol = d->key.family == AF_UNIX ? 0 : IPPROTO_UDP;
	record->cookie = d->key.sk;
	record->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	connected = BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_ESTABLISHED;
	record->role = d->way == KF_RX && (bound || !connected) ? KF_ROLE_SERVER : KF_ROLE_CLIENT;
	record->family = d->key.family;
	record->local_port = d->local_port;
	record->remote_port = d->key.port;
	__builtin_memcpy(record->local, d->local, sizeof(d->local));
	__builtin_memcpy(record->remote, d->key.remote, sizeof(d->key.remote));
	record->packets_drop = flow->told.packets_drop = socket_drops(sk);
	flow_own(flow, (void *)bpf_get_current_task());
	flow_choose(flow);
	key = d->key;
	return flow_enter(flow, &key, address);
}

static __noinline __u32 udp_begin(struct sock *sk, struct datagram *d)
{
	struct scratch *s;
	__u32 slot, made;

	s = scratch_take(&slot);
	if (!s) {
		COUNT(flow_events, 1);
		COUNT(flow_events_map, 1);
		return 0;
	}
	__builtin_memcpy(s->datagram, d, sizeof(*d));
	made = udp_make(plain(sk), slot);
	scratch_give(&slot);
	return made;
}

/* The datagram's flow, held, found or made; NULL when there is no room, which is counted. */
static __noinline struct flow *udp_flow(struct sock *sk, struct datagram *d)
{
	struct flow *flow;
	__u32 *slot, i;

	/* Another thread may make it, or the sweep end it, at the same time. */
	ROLLED
	for (i = 0; i < 4; i++) {
		slot = bpf_map_lookup_elem(&flows, &d->key);
		flow = slot ? udp_held(*slot, sk, d) : 0;
		if (flow) {
			*udp_hint(sk, d->key.port) = flow->slot;
			return flow;
		}
		if (!slot && !udp_begin(sk, d) && !bpf_map_lookup_elem(&flows, &d->key))
			return 0;
	}
	COUNT(flow_events, 1);
	COUNT(flow_events_map, 1);
	return 0;
}

/* Copies the datagram's payload; one that is read is not in its reader's memory yet. */
static __always_inline void udp_capture(struct flow *flow, struct datagram *d, __u64 offset)
{
	if (d->message)
		payload_message(flow->slot, d->message, d->bytes, KF_TX, offset);
	else if (d->way == KF_TX)
		payload_memory(flow->slot, d->data, d->bytes, d->there, offset);
	else
		reading_note(flow, offset);
}

/* Interface of the route that a packet has; the lowest bit of its address is a flag. */
static __always_inline __u32 route_ifindex(__u64 route)
{
	struct dst_entry *dst = (void *)(route & ~1ULL);

	return dst ? BPF_CORE_READ(dst, dev, ifindex) : 0;
}

/* Counts one datagram. */
static __noinline void udp_count(struct sock *sk, struct datagram *d)
{
	struct flow *flow = udp_held(*udp_hint(sk, d->key.port), sk, d);
	struct kf_way *way;

	if (!flow)
		flow = udp_flow(sk, d);
	if (!flow)
		return;
	if (!flow->own) {
		way = &flow->record.ways[d->way & 1];
		if (flow->capture)
			udp_capture(flow, d, way->bytes);
		__sync_fetch_and_add(&way->packets, d->packets);
		__sync_fetch_and_add(&way->bytes, d->bytes);
		if (d->ifindex)
			way->ifindex = d->ifindex;
		else if (!way->ifindex && d->way == KF_TX)
			way->ifindex = route_ifindex(d->route);
		way_times(way, bpf_ktime_get_boot_ns());
		if (d->way == KF_RX) {
			__sync_fetch_and_add(&flow->record.ttl_sum, d->ttl);
			__sync_fetch_and_add(&flow->record.ttl_packets, 1);
			__sync_fetch_and_add(&flow->record.packets_frag, d->fragmented);
		}
		flow->record.state = sk->__sk_common.skc_state;
		__sync_fetch_and_add(&flow->events, 1);
		COUNT_FOR(flow->slot, flow_events, 1);
	}
	flow_put(flow);
}

/* Payload of a datagram on its way out; the headers have their room in front of it. */
static __always_inline void udp_sent(struct sk_buff *skb, struct inet_cork *cork, struct datagram *d)
{
	struct sock *sk = skb->sk;
	__u32 gso = cork->gso_size, offset = skb->transport_header - (__u32)(skb->data - skb->head);

	d->way = KF_TX;
	d->bytes = skb->len - offset - 8;
	d->packets = gso && d->bytes > gso ? (d->bytes + gso - 1) / gso : 1;
	d->key.sk = udp_socket(sk);
	d->ifindex = sk->sk_dst_cache->dev->ifindex;
	d->route = skb->_skb_refdst;
	d->data = plain(skb->data) + offset + 8;
	d->there = d->bytes > skb->data_len ? d->bytes - skb->data_len : 0;
	udp_count(sk, d);
}

/* sendmsg and its like, IPv6 sockets that send to IPv4 included, corked or not -> here, once per datagram;
 * the addresses are chosen, the headers not yet written. */
STAND_INS("fentry/udp_send_skb", udp_send)
SEC("fentry/udp_send_skb")
int BPF_PROG(udp_send, struct sk_buff *skb, struct flowi4 *fl4, struct inet_cork *cork)
{
	struct datagram d = {};

	OWN_STACK(ctx, udp_send);
	if (!running || skb->sk->sk_protocol != IPPROTO_UDP)
		return 0;
	d.key.family = AF_INET;
	*(__u32 *)d.local = fl4->saddr;
	*(__u32 *)d.key.remote = fl4->daddr;
	d.local_port = bpf_ntohs(fl4->uli.ports.sport);
	d.key.port = bpf_ntohs(fl4->uli.ports.dport);
	udp_sent(skb, cork, &d);
	return 0;
}

/* The same of IPv6. */
STAND_IN("fentry/udp_v6_send_skb", udp_send_v6)
SEC("fentry/udp_v6_send_skb")
int BPF_PROG(udp_send_v6, struct sk_buff *skb, struct flowi6 *fl6, struct inet_cork *cork)
{
	struct datagram d = {};

	OWN_STACK(ctx, udp_send_v6);
	if (!running || skb->sk->sk_protocol != IPPROTO_UDP)
		return 0;
	d.key.family = AF_INET6;
	__builtin_memcpy(d.local, &fl6->saddr, sizeof(d.local));
	__builtin_memcpy(d.key.remote, &fl6->daddr, sizeof(d.key.remote));
	d.local_port = bpf_ntohs(fl6->uli.ports.sport);
	d.key.port = bpf_ntohs(fl6->uli.ports.dport);
	udp_sent(skb, cork, &d);
	return 0;
}

/* Addresses, ports and TTL of a received datagram; its headers are still in front of it. */
static __noinline void udp_heads(__u64 head, __u16 network, __u16 transport, bool v4, struct datagram *d)
{
	__u16 ports[2] = {};
	struct ip_head ip = {};

	bpf_probe_read_kernel(&ip, sizeof(ip), (void *)head + network);
	bpf_probe_read_kernel(ports, sizeof(ports), (void *)head + transport);
	d->key.port = bpf_ntohs(ports[0]);
	d->local_port = bpf_ntohs(ports[1]);
	if (v4) {
		d->key.family = AF_INET;
		d->ttl = ip.v4.ttl;
		*(__u32 *)d->key.remote = ip.v4.saddr;
		*(__u32 *)d->local = ip.v4.daddr;
		return;
	}
	d->key.family = AF_INET6;
	d->ttl = ip.first[7];
	__builtin_memcpy(d->key.remote, ip.v6.saddr, sizeof(d->key.remote));
	__builtin_memcpy(d->local, ip.v6.daddr, sizeof(d->local));
}

/* recvmsg and its like -> here, when the reader takes a datagram out of the queue; a negative length is a
 * look (MSG_PEEK) or an error. */
STAND_INS("fentry/skb_consume_udp", udp_receive)
SEC("fentry/skb_consume_udp")
int BPF_PROG(udp_receive, struct sock *sk, struct sk_buff *skb, int len)
{
	bool v4 = skb->protocol == bpf_htons(ETH_P_IP);
	struct datagram d = {};

	OWN_STACK(ctx, udp_receive);
	if (!running || len < 0 || sk->sk_protocol != IPPROTO_UDP)
		return 0;
	udp_heads((__u64)skb->head, skb->network_header, skb->transport_header, v4, &d);
	d.way = KF_RX;
	d.bytes = skb->len;
	d.packets = skb_segments(skb);
	d.ifindex = skb->skb_iif;
	d.fragmented = v4 ? CB_FIELD(skb, struct inet_skb_parm, frag_max_size)
			  : CB_FIELD(skb, struct inet6_skb_parm, frag_max_size);
	d.key.sk = udp_socket(sk);
	udp_count(sk, &d);
	return 0;
}

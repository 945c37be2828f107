/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A flow: one TCP connection, or one socket and peer, counted in place from its first packet until it ends.
 *
 * A packet finds its flow by a hint from the socket's address, or else by one hash lookup. Counts only grow;
 * a record has what they grew by since the one before. So whoever writes a record never stores into what
 * packets count, and TCP, which holds the socket's lock, counts with plain additions.
 */
#ifndef KFLOWD_FLOW_H
#define KFLOWD_FLOW_H

#define FLOWS_MAX 24576
/* Bytes of a flow's names and address that live in the flow; with them the record has 512 bytes. */
#define FLOW_TAIL 88

#define AF_UNIX	    1
#define AF_INET	    2
#define AF_INET6    10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

#define RCV_SHUTDOWN 1

#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT	2
#define TCP_SYN_RECV	3
#define TCP_CLOSE	7
#define TCP_LISTEN	10

/* Counts of one direction that records have been told of. */
struct way_told {
	__u64 packets;
	__u64 data_packets;
	__u64 bytes;
	__u32 flags_other;
	__u32 flags_count[KF_TCP_FLAGS];
};

/* All counts that records have been told of. */
struct flow_told {
	struct way_told ways[2];
	__u64 events;
	__u64 bytes_acked;
	__u64 bytes_retrans;
	__u64 ttl_sum;
	__u32 ttl_packets;
	__u32 packets_retrans;
	__u32 packets_dups;
	__u32 packets_reorder;
	__u32 packets_drop;
	__u32 packets_frag;
};

struct flow {
	struct kf_flow record; /* its counts are those since the flow began */
	struct flow_told told;
	__u64 sk;      /* address; 0 = this slot is free, or the flow has ended */
	__u64 events;  /* packets and messages counted */
	__u32 slot;    /* where this is in `flow_slots` */
	__s32 holders; /* who works on it besides the holder of the socket's lock */
	__u32 fence;   /* see FLOW_FENCE */
	/* TCP: counts of the tcp_sock that are in the record. */
	__u32 segs_noted[2];
	__u32 data_noted[2];
	__u32 tail_len;
	/* Not bits of one word: each has a writer of its own. */
	__u8 own;     /* kflowd's own: counted by nobody, never sent */
	__u8 orphan;  /* nobody has accepted it yet */
	__u8 over;    /* the connection is over, its counters are final */
	__u8 is_long; /* the tail is in long_tails */
	__u8 capture; /* its payload is wanted */
	__u8 joined;  /* TCP: older than kflowd */
	__u8 turns;   /* its ends take turns to speak */
	/* Streams: bytes that the application moved, and sequence number behind them. */
	__u8 streaming[2];
	__u32 seq[2];
	__u64 stream[2];
	__u64 spoken[2]; /* bytes since the other end spoke */
	char tail[FLOW_TAIL];
};

/* Tails of flows in long_tails, beside those of sessions. */
#define FLOW_TAILS 0x80000000

/* Memory of the flows. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FLOWS_MAX);
	__type(key, __u32);
	__type(value, struct flow);
} flow_slots SEC(".maps");

/* Not inlined: see session_at. */
static __noinline struct flow *flow_at(__u32 number)
{
	return bpf_map_lookup_elem(&flow_slots, &number);
}

/* Numbers of the free slots; the probe fills it before it attaches. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, FLOWS_MAX);
	__type(value, __u32);
} flow_slots_free SEC(".maps");

/* What tells flows apart while they live. A TCP socket has one flow: its peer is zero. */
struct flow_key {
	__u64 sk;	 /* TCP: address; else cookie, which no other socket will ever have */
	__u8 remote[16]; /* of the peer */
	__u16 port;	 /* of the peer */
	__u16 family;
	__u32 pad;
};

/* Flow to slot. Entries: one per live flow. Cleaned when the flow ends. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FLOWS_MAX);
	__type(key, struct flow_key);
	__type(value, __u32);
} flows SEC(".maps");

/* Slots of flows that ended while the sweep held them, which buries them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FLOWS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u8);
} flows_dying SEC(".maps");

/* Where a socket's flow was last found; only a hint, like those of sessions. */
#define FLOW_HINT_BITS 13
__u32 flow_hints[1 << FLOW_HINT_BITS];

/* Sockets lie in slabs of pages, a few in each. */
static __always_inline __u32 *flow_hint(__u32 address)
{
	return &flow_hints[(address >> 6 ^ address >> 17) & ((1 << FLOW_HINT_BITS) - 1)];
}

static __always_inline void flow_key_set(struct flow_key *key, __u64 sk)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->sk = sk;
}

/* The flow of a socket that has only one, where the hint says, or NULL. */
static __always_inline struct flow *flow_hinted(const struct sock *sk)
{
	__u32 slot = *flow_hint(low_half(sk));
	struct flow *flow = bpf_map_lookup_elem(&flow_slots, &slot);

	return flow && flow->sk == (__u64)sk ? flow : 0;
}

/* The same by the hash table, after the hint was wrong. Returns the number of its slot + 1. */
__noinline int flow_lookup(__u64 sk)
{
	struct flow_key key;
	struct flow *flow;
	__u32 *slot, number;

	flow_key_set(&key, sk);
	slot = bpf_map_lookup_elem(&flows, &key);
	if (!slot)
		return 0;
	number = *slot;
	flow = flow_at(number);
	if (!flow || flow->sk != sk)
		return 0;
	*flow_hint(sk) = number;
	return number + 1;
}

/* The flow that flow_lookup or flow_make found or made. */
static __always_inline struct flow *flow_numbered(__u32 made)
{
	return made ? flow_at(made - 1) : 0;
}

static __always_inline struct flow *flow_find(const struct sock *sk)
{
	struct flow *flow = flow_hinted(sk);

	return flow ? flow : flow_numbered(flow_lookup(plain(sk)));
}

/* What was stored before is seen by all processors before anything that is read after. */
#define FLOW_FENCE(flow) __sync_fetch_and_add(&(flow)->fence, 1)

/* Counts one packet of a flow that is reported. */
static __always_inline void flow_event(struct flow *flow)
{
	flow->events++;
	COUNT_FOR(flow->slot, flow_events, 1);
}

/* When the first and the last packet of a direction went by. */
static __always_inline void way_times(struct kf_way *way, __u64 now)
{
	if (!way->first_time)
		way->first_time = now;
	way->last_time = now;
}

#endif

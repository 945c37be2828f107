// SPDX-License-Identifier: GPL-2.0-only
/* Payload of TCP streams and of datagrams that are read. */

/*
 * Offset of what a call moved, whose last byte has the sequence number before `end`. What went by unseen, as
 * of a reader that splices, is a gap.
 */
static __always_inline __u64 stream_offset(struct flow *flow, __u32 way, __u32 end, __u32 len)
{
	__u64 offset = 0;

	if (flow->streaming[way])
		offset = flow->stream[way] + (__u32)(end - len - flow->seq[way]);
	flow->streaming[way] = 1;
	flow->stream[way] = offset + len;
	flow->seq[way] = end;
	return offset;
}

/* No head of a message is longer. */
#define TURN_BYTES 65536

/*
 * A long body is not wanted to its end. Where the ends take turns, what one of them says without an answer
 * begins with the heads; the decoder knows how long the body is, or waits for the next turn.
 */
static __always_inline bool stream_is_wanted(struct flow *flow, __u32 way, __u32 len)
{
	__u64 before = flow->spoken[way];

	flow->spoken[way] = before + len;
	flow->spoken[way ^ 1] = 0;
	return !flow->turns || before < TURN_BYTES;
}

/*
 * The flow of a socket, held, of whose bytes those that moved last are wanted; else NULL. `offset`: of the
 * first of them in the stream.
 */
static __always_inline struct flow *stream_moved(struct sock *sk, long len, __u32 way, __u64 *offset)
{
	struct flow *flow = flow_find(sk);
	struct tcp_sock *tp;

	if (!running || len <= 0 || !flow || !flow->capture)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	flow_hold(flow);
	if (flow->sk == (__u64)sk) {
		*offset = stream_offset(flow, way, way == KF_TX ? tp->write_seq : tp->copied_seq, len);
		if (stream_is_wanted(flow, way, len))
			return flow;
	}
	flow_put(flow);
	return 0;
}

static __always_inline void stream_message(struct sock *sk, struct msghdr *message, long len, __u32 way)
{
	__u64 offset = 0;
	struct flow *flow = stream_moved(sk, len, way, &offset);

	if (!flow)
		return;
	payload_message(flow->slot, plain(message), len, way, offset);
	flow_put(flow);
}

/* sendmsg and its like, sendfile since 6.5, io_uring -> here, under the socket's lock; the result is the
 * bytes taken. */
STAND_INS("fexit/tcp_sendmsg_locked", tcp_sent)
SEC("fexit/tcp_sendmsg_locked")
int BPF_PROG(tcp_sent, struct sock *sk, struct msghdr *message, size_t size, int ret)
{
	OWN_STACK(ctx, tcp_sent);
	stream_message(sk, message, ret, KF_TX);
	return 0;
}

/*
 * sendfile and splice to a socket -> here, page by page under the socket's lock. Up to 6.4; since then the
 * pages come in the message of tcp_sendmsg_locked.
 */
STAND_INS("fexit/do_tcp_sendpages", tcp_sent_pages)
SEC("fexit/do_tcp_sendpages")
int BPF_PROG(tcp_sent_pages, struct sock *sk, struct page *page, int start, size_t size, int flags, long ret)
{
	__u64 offset = 0;
	struct flow *flow;

	OWN_STACK(ctx, tcp_sent_pages);
	flow = memory_base && pages_base ? stream_moved(sk, ret, KF_TX, &offset) : 0;
	if (!flow)
		return 0;
	payload_memory(flow->slot, page_memory(plain(page)) + start, ret, ret, offset);
	flow_put(flow);
	return 0;
}

/* recvmsg flags of a look, of bytes thrown away, and of errors. */
#define MSG_PEEK     0x2
#define MSG_TRUNC    0x20
#define MSG_ERRQUEUE 0x2000

/* recvmsg and its like, io_uring -> here. Takes nonblock before the flags up to 5.18, and addr_len after them
 * up to some 7.x. */
STAND_INS("fexit/tcp_recvmsg", tcp_read_by_user)
SEC("fexit/tcp_recvmsg")
int tcp_read_by_user(unsigned long long *ctx)
{
	__u64 flags = (__u64)hook_arg(ctx, arg_tcp_recv_flags);

	OWN_STACK(ctx, tcp_read_by_user);
	if (!(flags & (MSG_PEEK | MSG_TRUNC | MSG_ERRQUEUE)))
		stream_message((struct sock *)ctx[0], (struct msghdr *)ctx[1],
			       (int)hook_ret(ctx, arg_tcp_recv_ret), KF_RX);
	return 0;
}

/* A datagram on its way from its queue into the memory of a reader, by thread. */
struct reading {
	__u64 offset;
	__u64 cookie;
	__u32 tid;
	__u32 slot;
};
#define READING_BITS 10
struct reading readings[1 << READING_BITS];

static __always_inline struct reading *reading_of(__u32 tid)
{
	return &readings[tid & ((1 << READING_BITS) - 1)];
}

/* Notes for the end of the call which flow's datagram it reads. */
static __always_inline void reading_note(struct flow *flow, __u64 offset)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct reading *reading = reading_of(tid);

	reading->offset = offset;
	reading->cookie = flow->record.cookie;
	reading->slot = flow->slot;
	reading->tid = tid;
}

static __always_inline void datagram_read(struct msghdr *message, __u64 size, long ret)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct reading *reading = reading_of(tid);
	struct flow *flow;
	__u32 left;

	if (!running || reading->tid != tid)
		return;
	reading->tid = 0;
	flow = flow_at(reading->slot);
	if (ret < 0 || !flow)
		return;
	left = iter_left(&message->msg_iter);
	flow_hold(flow);
	if (flow->sk && flow->record.cookie == reading->cookie && size > left)
		payload_message(flow->slot, plain(message), size - left, KF_RX, reading->offset);
	flow_put(flow);
}

/* recvmsg and its like on a UDP socket -> here; see tcp_recvmsg. */
STAND_IN("fexit/udp_recvmsg", udp_read_by_user)
SEC("fexit/udp_recvmsg")
int udp_read_by_user(unsigned long long *ctx)
{
	OWN_STACK(ctx, udp_read_by_user);
	datagram_read((struct msghdr *)ctx[1], ctx[2], (int)hook_ret(ctx, arg_udp_recv_ret));
	return 0;
}

STAND_IN("fexit/udpv6_recvmsg", udp_read_by_user_v6)
SEC("fexit/udpv6_recvmsg")
int udp_read_by_user_v6(unsigned long long *ctx)
{
	OWN_STACK(ctx, udp_read_by_user_v6);
	datagram_read((struct msghdr *)ctx[1], ctx[2], (int)hook_ret(ctx, arg_udp_recv_ret));
	return 0;
}

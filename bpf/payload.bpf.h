/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Payload of the configured ports: what one call sent or received, or its beginning, becomes a record of its
 * own, which stands before the record of the flow. Taken where the bytes are in order and belong to one
 * socket.
 */
#ifndef KFLOWD_PAYLOAD_H
#define KFLOWD_PAYLOAD_H

static __always_inline bool port_is_captured(const volatile __u16 ports[CAPTURE_PORTS], __u16 a, __u16 b)
{
	int i;

	for (i = 0; i < CAPTURE_PORTS && ports[i]; i++) {
		if (ports[i] == a || ports[i] == b)
			return true;
	}
	return false;
}

/* Decides, when a flow begins, whether its payload is wanted. */
static __noinline void flow_choose(struct flow *flow)
{
	struct kf_flow *record = &flow->record;

	flow->capture = flow->turns = 0;
	if (!capture_bytes || flow->own)
		return;
	if (record->protocol == IPPROTO_TCP) {
		flow->capture = port_is_captured(capture_tcp, record->local_port, record->remote_port);
		flow->turns =
		    flow->capture && port_is_captured(capture_turns, record->local_port, record->remote_port);
	} else if (record->protocol == IPPROTO_UDP)
		flow->capture = port_is_captured(capture_udp, record->local_port, record->remote_port);
	else
		flow->capture = 1;
}

/* A record of `len` bytes that the flow moved, in a scratch slot; NULL when there is none, which is a loss.
 */
static __always_inline struct scratch *payload_begin(struct flow *flow, __u32 way, __u64 offset, __u32 len,
						     __u32 *slot)
{
	struct scratch *s = scratch_take(slot);
	struct kf_flow *of = &flow->record;
	struct kf_payload *record;

	COUNT(payload_events, 1);
	if (!s) {
		COUNT(payload_ring, 1);
		return 0;
	}
	record = (void *)s->record;
	record->head = of->head;
	record->head.kind = KF_KIND_PAYLOAD;
	record->head.time = bpf_ktime_get_boot_ns();
	record->cookie = of->cookie;
	record->open_time = of->open_time;
	record->offset = offset;
	record->len = len;
	record->flags = of->protocol != IPPROTO_TCP ? KF_PAYLOAD_DATAGRAM
			: flow->joined		    ? KF_PAYLOAD_JOINED
						    : 0;
	__builtin_memcpy(record->local, of->local, sizeof(record->local));
	__builtin_memcpy(record->remote, of->remote, sizeof(record->remote));
	record->local_port = of->local_port;
	record->remote_port = of->remote_port;
	record->family = of->family;
	record->protocol = of->protocol;
	record->role = of->role;
	record->way = way;
	return s;
}

/* Sends the record with the `got` bytes that are in it. */
static __always_inline void payload_end(struct scratch *s, __u32 slot, __u32 got)
{
	struct kf_tail *entry = (void *)&s->record[sizeof(struct kf_payload)];

	entry->tag = KF_TAG_PAYLOAD;
	entry->len = got;
	if (!got)
		COUNT(payload_fault, 1);
	else if (emit(s, PAYLOAD_TEXT + (got & (CAPTURE_MAX * 2 - 1))))
		COUNT(payload_ring, 1);
	else
		COUNT(payload_records, 1);
	scratch_give(&slot);
}

static __always_inline __u32 payload_limit(__u32 len)
{
	return len < capture_bytes ? len : capture_bytes;
}

/* Whether the memory behind an iterator can be found; where not, the next record shows a gap. */
static __always_inline bool iter_is_readable(struct iov_iter *iter)
{
	__u32 type = iter_type(iter);

	return type == ITER_IS_BVEC ? memory_base && pages_base : type != ITER_IS_OTHER;
}

/* The last `len` bytes that a call moved through the iterator of its message. */
__noinline int payload_message(__u32 number, __u64 message, __u32 len, __u32 way, __u64 offset)
{
	struct flow *flow = flow_at(number);
	struct iov_iter *iter = &((struct msghdr *)message)->msg_iter;
	struct scratch *s;
	__u32 slot;

	if (!flow || !iter_is_readable(iter))
		return 0;
	s = payload_begin(flow, way, offset, len, &slot);
	if (!s)
		return 0;
	iter_begin(&s->position, iter, len, payload_limit(len));
	payload_end(s, slot, iter_copy(slot));
	return 0;
}

/* `len` bytes at an address of the kernel, of which `there` are. */
__noinline int payload_memory(__u32 number, __u64 address, __u32 len, __u32 there, __u64 offset)
{
	struct flow *flow = flow_at(number);
	struct scratch *s;
	__u32 slot, got;

	if (!flow)
		return 0;
	s = payload_begin(flow, KF_TX, offset, len, &slot);
	if (!s)
		return 0;
	got = payload_limit(there) & (CAPTURE_MAX * 2 - 1);
	barrier_var(got);
	if (bpf_probe_read_kernel(&s->record[PAYLOAD_TEXT], got, (void *)address))
		got = 0;
	payload_end(s, slot, got);
	return 0;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory that a call has sent from or received into. When a call ends, its iterator stands behind the
 * bytes that moved; they are found by going back. Each step is a global function whose state is in the
 * scratch slot: the verifier looks at it once, and not once for each turn of the loop in each hook.
 */
#ifndef KFLOWD_ITER_H
#define KFLOWD_ITER_H

/* Pieces of memory looked at in one call. */
#define PIECES_MAX 32

/* Where the bytes of a payload record are. */
#define PAYLOAD_TEXT (sizeof(struct kf_payload) + sizeof(struct kf_tail))

struct kf_iovec {
	__u64 base;
	__u64 len;
};

/* A piece in pages, as long as the other: struct bio_vec. */
struct kf_bvec {
	__u64 page;
	__u32 len;
	__u32 offset;
};

/* Of x86-64, the one machine whose kernel has these variables. */
#define PAGE_BYTES 4096

/* Where a page is in the kernel's memory. */
static __always_inline __u64 page_memory(__u64 page)
{
	__u64 memory = 0, pages = 0;

	bpf_probe_read_kernel(&memory, sizeof(memory), (void *)memory_base);
	bpf_probe_read_kernel(&pages, sizeof(pages), (void *)pages_base);
	return memory + (page - pages) / bpf_core_type_size(struct page) * PAGE_BYTES;
}

/* Notes in `at` where the iterator stands. */
static __always_inline void iter_begin(struct position *at, struct iov_iter *iter, __u64 back, __u32 wanted)
{
	__u32 type = iter_type(iter);

	at->piece = iter_memory(iter);
	at->offset = BPF_CORE_READ(iter, iov_offset);
	at->single = type == ITER_IS_UBUF;
	at->kernel = type == ITER_IS_KVEC || type == ITER_IS_BVEC;
	at->pages = type == ITER_IS_BVEC;
	at->back = back;
	at->wanted = wanted;
	at->done = 0;
}

static __always_inline void iter_read(struct position *at, struct kf_iovec *piece)
{
	struct kf_bvec part = {};

	if (!at->pages) {
		bpf_probe_read_kernel(piece, sizeof(*piece), (void *)at->piece);
		return;
	}
	bpf_probe_read_kernel(&part, sizeof(part), (void *)at->piece);
	piece->base = page_memory(part.page) + part.offset;
	piece->len = part.len;
}

/* Goes back to the piece before; 0 when this one has the first byte. */
__noinline int iter_back_step(__u32 slot)
{
	struct position *at = &scratch_at(slot)->position;
	struct kf_iovec piece = {};

	if (at->single || at->back <= at->offset) {
		at->offset -= at->back;
		at->back = 0;
		return 0;
	}
	at->back -= at->offset;
	at->piece -= sizeof(piece);
	iter_read(at, &piece);
	at->offset = piece.len;
	return 1;
}

/* Copies what is wanted of one piece behind PAYLOAD_TEXT; 0 when there is no more to copy. */
__noinline int iter_copy_step(__u32 slot)
{
	struct scratch *s = scratch_at(slot);
	struct position *at = &s->position;
	struct kf_iovec piece = {.base = at->piece, .len = at->offset + at->wanted};
	__u32 part = at->wanted - at->done, done = at->done & (CAPTURE_MAX - 1);
	void *from;

	if (!at->single)
		iter_read(at, &piece);
	if (part > piece.len - at->offset)
		part = piece.len - at->offset;
	part &= CAPTURE_MAX - 1;
	barrier_var(part);
	from = (void *)piece.base + at->offset;
	if (at->kernel ? bpf_probe_read_kernel(&s->record[PAYLOAD_TEXT] + done, part, from)
		       : bpf_probe_read_user(&s->record[PAYLOAD_TEXT] + done, part, from))
		return 0;
	at->done += part;
	at->piece += sizeof(piece);
	at->offset = 0;
	return at->done < at->wanted;
}

/* Copies the wanted bytes from the first one that moved; gives how many, fewer when memory cannot be read,
 * and none when they lie in more pieces than are looked at. */
static __always_inline __u32 iter_copy(__u32 slot)
{
	struct position *at = &scratch_at(slot)->position;
	__u32 i;

	ROLLED
	for (i = 0; i < PIECES_MAX; i++) {
		if (!iter_back_step(slot))
			break;
	}
	if (at->back)
		return 0;
	ROLLED
	for (i = 0; i < PIECES_MAX; i++) {
		if (!iter_copy_step(slot))
			break;
	}
	return at->done;
}

#endif

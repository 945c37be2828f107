/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory that a call has sent from or received into. When a call ends, its iterator stands behind the
 * bytes that moved; they are found by going back.
 */
#ifndef KFLOWD_ITER_H
#define KFLOWD_ITER_H

/* Pieces of memory looked at in one call. */
#define PIECES_MAX 32

struct kf_iovec {
	__u64 base;
	__u64 len;
};

/* Where the iterator stands, on every kernel. */
struct position {
	__u64 piece;  /* address of the iovec, or of the memory itself where there is only one */
	__u64 offset; /* within it */
	bool single;
	bool kernel; /* the kernel's own memory */
	bool known;  /* memory that can be read: not pages, not pipes */
};

static __always_inline struct position iter_position(struct iov_iter *iter)
{
	struct position at = {.offset = BPF_CORE_READ(iter, iov_offset)};
	__u32 type = iter_type(iter);

	at.piece = iter_memory(iter);
	at.single = type == ITER_IS_UBUF;
	at.kernel = type == ITER_IS_KVEC;
	at.known = type != ITER_IS_OTHER;
	return at;
}

static __always_inline struct kf_iovec iter_piece(struct position *at)
{
	struct kf_iovec piece = {};

	bpf_probe_read_kernel(&piece, sizeof(piece), (void *)at->piece);
	return piece;
}

/* Goes back by `bytes`; false when they lie in more pieces than are looked at. */
static __always_inline bool iter_back(struct position *at, __u64 bytes)
{
	__u32 i;

	if (at->single) {
		at->offset -= bytes;
		return true;
	}
	ROLLED
	for (i = 0; i < PIECES_MAX && bytes > at->offset; i++) {
		bytes -= at->offset;
		at->piece -= sizeof(struct kf_iovec);
		at->offset = iter_piece(at).len;
	}
	if (bytes > at->offset)
		return false;
	at->offset -= bytes;
	return true;
}

/* Copies up to `bytes`, below CAPTURE_MAX, from there; gives how many, fewer when memory cannot be read. */
static __noinline __u32 iter_copy(struct position *at, char *to, __u32 bytes)
{
	__u32 done = 0, i, part;
	struct kf_iovec piece;
	long failed;

	ROLLED
	for (i = 0; i < PIECES_MAX && done < bytes; i++) {
		if (at->single) {
			piece.base = at->piece;
			piece.len = at->offset + bytes;
		} else {
			piece = iter_piece(at);
		}
		part = piece.len - at->offset < bytes - done ? piece.len - at->offset : bytes - done;
		part &= CAPTURE_MAX * 2 - 1;
		barrier_var(part);
		if (at->kernel)
			failed = bpf_probe_read_kernel(to + (done & (CAPTURE_MAX - 1)), part,
						       (void *)piece.base + at->offset);
		else
			failed = bpf_probe_read_user(to + (done & (CAPTURE_MAX - 1)), part,
						     (void *)piece.base + at->offset);
		if (failed)
			break;
		done += part;
		at->piece += sizeof(piece);
		at->offset = 0;
	}
	return done;
}

#endif

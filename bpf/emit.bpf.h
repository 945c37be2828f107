/* SPDX-License-Identifier: GPL-2.0-only */
/* Complete a record and hand it to the ring buffer, or count the loss. */
#ifndef KFLOWD_EMIT_H
#define KFLOWD_EMIT_H

/* Above this many bytes waiting the probe is woken even from its short naps. */
#define WAKE_BYTES (1024 * 1024)

/*
 * Appends a string to the record in the slot; `mask` is one less than a power of two and bounds its length,
 * which is how the verifier sees that it fits. Returns the new length of the record.
 */
static __always_inline __u32 tail_add(struct scratch *s, __u32 len, __u16 tag, const void *text,
				      __u32 text_len, __u32 mask)
{
	struct kf_tail entry = {.tag = tag};

	text_len &= mask;
	if (!text_len || len > KF_RECORD_MAX - sizeof(entry) - mask)
		return len;
	entry.len = text_len;
	__builtin_memcpy(&s->record[len], &entry, sizeof(entry));
	bpf_probe_read_kernel(&s->record[len + sizeof(entry)], text_len, text);
	return len + sizeof(entry) + text_len;
}

/* Appends a name of at most NAME_SHORT bytes to the tail that a session or flow has in itself. */
#define NAME_SHORT 40
static __always_inline __u32 tail_name(char *tail, __u32 len, __u16 tag, char *name, __u32 name_len)
{
	__u64 *from = (void *)name, *to = (void *)&tail[len + sizeof(struct kf_tail)];
	struct kf_tail *entry = (void *)&tail[len];
	__u32 i;

	if (!name_len)
		return len;
	entry->tag = tag;
	entry->len = name_len;
	ROLLED
	for (i = 0; i < NAME_SHORT / 8 && i * 8 < name_len; i++)
		to[i] = from[i];
	return len + sizeof(*entry) + name_len;
}

static __always_inline __u32 tail_add_names(struct scratch *s, __u32 len, struct program *program)
{
	len = tail_add(s, len, KF_TAG_EXE_NAME, program->exe, program->exe_len, KF_NAME_MAX - 1);
	return tail_add(s, len, KF_TAG_PARENT_NAME, program->parent, program->parent_len, KF_NAME_MAX - 1);
}

/* Appends the path that a walk left in `from`. */
static __always_inline __u32 tail_add_path(struct scratch *s, __u32 len, __u16 tag, struct scratch *from)
{
	return tail_add(s, len, from->cut ? tag | KF_TAG_CUT : tag, from->path, from->path_len,
			KF_PATH_MAX - 1);
}

/* How the ring buffer is to tell the probe of the next record. */
static __always_inline __u64 wake_flags(void)
{
	if (probe_sleeps) {
		probe_sleeps = 0;
		return BPF_RB_FORCE_WAKEUP;
	}
	if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > WAKE_BYTES)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

/* 0 when the ring buffer took the record of `len` bytes that is in the slot. */
static __always_inline long emit(struct scratch *s, __u32 len)
{
	struct kf_head *head = (void *)s->record;

	if (len > KF_RECORD_MAX)
		return -1;
	head->len = len;
	head->cpu = bpf_get_smp_processor_id();
	return bpf_ringbuf_output(&ring, s->record, len, wake_flags());
}

#endif

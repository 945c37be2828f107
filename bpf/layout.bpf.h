/* SPDX-License-Identifier: GPL-2.0-only */
/* Names every shared type that no program uses, so that the object's BTF has it for
 * kflowd-probe/tests/layout.rs. */
#ifndef KFLOWD_LAYOUT_H
#define KFLOWD_LAYOUT_H

struct layout {
	struct kf_process process;
	struct kf_flow flow;
	struct kf_payload payload;
	struct kf_ledger ledger;
	struct kf_tail tail;
	enum kf_kind kind;
	enum kf_tag tag;
	enum kf_cause cause;
	enum kf_file_event event;
	enum kf_role role;
	enum kf_direction direction;
};
const struct layout *layout_unused __attribute__((unused));

#endif

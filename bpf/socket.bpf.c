// SPDX-License-Identifier: GPL-2.0-only
/* The end of a socket: of its TCP flow, or of the last UDP flow that it began; the sweep finds the others. */

/* Every socket of the internet protocols, when its last reference is gone -> here. */
STAND_IN("fentry/inet_sock_destruct", socket_freed)
SEC("fentry/inet_sock_destruct")
int BPF_PROG(socket_freed, struct sock *sk)
{
	struct flow *flow = flow_find(sk);

	OWN_STACK(ctx, socket_freed);
	if (!running || !flow)
		return 0;
	if (!flow->over && flow->record.protocol == IPPROTO_TCP)
		tcp_refresh(flow, sk);
	flow->record.state = TCP_CLOSE;
	flow->over = 1;
	flow_end(flow->slot, KF_CAUSE_CLOSE);
	return 0;
}

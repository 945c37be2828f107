// SPDX-License-Identifier: GPL-2.0-only
/* UNIX sockets that carry log messages: a flow for each sending socket and address. */

/* Number of the address among those that are reported, from 1; 0 = none of them. */
static __noinline __u32 unix_number(__u64 address)
{
	__u64 words[UNIX_WORDS] = {};
	__u32 i;

	bpf_probe_read_kernel_str(words, sizeof(words),
				  (void *)address + bpf_core_field_offset(struct sockaddr_un, sun_path));
	for (i = 0; i < UNIX_PATHS; i++) {
		if (unix_paths[i][0] == words[0] && unix_paths[i][1] == words[1] &&
		    unix_paths[i][2] == words[2] && unix_paths[i][3] == words[3] &&
		    unix_paths[i][4] == words[4] && words[0])
			return i + 1;
	}
	return 0;
}

/* Whom the message goes to: who is named in it, or the peer. */
static __always_inline __u32 unix_receiver(struct sock *sk, struct msghdr *message)
{
	struct unix_address *address;
	struct sock *peer;

	if (message->msg_name && message->msg_namelen > 0)
		return unix_number((__u64)message->msg_name);
	peer = BPF_CORE_READ((struct unix_sock *)sk, peer);
	address = peer ? BPF_CORE_READ((struct unix_sock *)peer, addr) : 0;
	if (!address)
		return 0;
	return unix_number((__u64)address + bpf_core_field_offset(struct unix_address, name));
}

static __always_inline void unix_sent(struct socket *socket, struct msghdr *message, long len)
{
	struct datagram d = {};
	struct sock *sk;

	if (!running || len < 0 || !unix_paths[0][0])
		return;
	sk = socket->sk;
	d.key.port = unix_receiver(sk, message);
	if (!d.key.port)
		return;
	d.key.family = AF_UNIX;
	d.key.sk = udp_socket(sk);
	d.way = KF_TX;
	d.packets = 1;
	d.bytes = len;
	d.message = plain(message);
	udp_count(sk, &d);
}

/* sendmsg and its like on a datagram socket -> here; the result is the bytes sent. */
STAND_IN("fexit/unix_dgram_sendmsg", unix_dgram_sent)
SEC("fexit/unix_dgram_sendmsg")
int BPF_PROG(unix_dgram_sent, struct socket *socket, struct msghdr *message, size_t len, int ret)
{
	OWN_STACK(ctx, unix_dgram_sent);
	unix_sent(socket, message, ret);
	return 0;
}

/* The same on a stream. */
STAND_IN("fexit/unix_stream_sendmsg", unix_stream_sent)
SEC("fexit/unix_stream_sendmsg")
int BPF_PROG(unix_stream_sent, struct socket *socket, struct msghdr *message, size_t len, int ret)
{
	OWN_STACK(ctx, unix_stream_sent);
	unix_sent(socket, message, ret);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel types that kflowd reads, and of these only the fields it reads. CO-RE moves every access to
 * where the running kernel keeps the field, so order and size here mean nothing. A field that only some
 * kernels have is named in a flavour (struct name___what) and read through compat.bpf.h alone.
 */
/* This very name makes bpf_tracing.h use the kernel's register names instead of those of the uapi headers. */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
typedef __u16 __sum16;
typedef _Bool bool;
enum { false = 0, true = 1 };
typedef unsigned long __kernel_size_t;
typedef __kernel_size_t size_t;
typedef long long loff_t;
typedef int pid_t;
typedef unsigned short umode_t;

/* From the bpf uapi: map types, flags and helper numbers in use. */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_QUEUE = 22,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
};
enum {
	BPF_F_NO_PREALLOC = 1,
	BPF_F_MMAPABLE = 1024,
};
enum {
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};
enum {
	BPF_RB_AVAIL_DATA = 0,
	BPF_RB_RING_SIZE = 1,
};
enum bpf_func_id {
	BPF_FUNC_get_current_task_btf = 158,
	BPF_FUNC_ima_inode_hash = 161,
	BPF_FUNC_get_func_arg = 183,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs,
	    flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
	__u64 pstate;
};
struct pt_regs {
	union {
		struct user_pt_regs user_regs;
		struct {
			u64 regs[31];
			u64 sp;
			u64 pc;
			u64 pstate;
		};
	};
};
#endif

typedef struct {
	__u32 val;
} kuid_t;
typedef struct {
	__u32 val;
} kgid_t;

struct timespec64 {
	__s64 tv_sec;
	long tv_nsec;
};

struct qstr {
	union {
		struct {
			u32 hash;
			u32 len;
		};
		u64 hash_len;
	};
	const unsigned char *name;
};

struct list_head {
	struct list_head *next, *prev;
};

struct inode;
struct super_block;
struct mount;

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
};

struct mnt_namespace;

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct super_block {
	u32 s_dev;
	unsigned long s_flags;
	unsigned long s_magic;
	struct dentry *s_root;
};

struct inode {
	umode_t i_mode;
	kuid_t i_uid;
	kgid_t i_gid;
	struct super_block *i_sb;
	unsigned long i_ino;
	union {
		const unsigned int i_nlink;
		unsigned int __i_nlink;
	};
	loff_t i_size;
	struct {
		int counter;
	} i_count;
	struct {
		int counter;
	} i_writecount;
	__u32 i_generation;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	const struct cred *f_cred;
	unsigned int f_flags;
	unsigned int f_mode;
	loff_t f_pos;
	void *private_data;
};

struct iattr {
	unsigned int ia_valid;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct kiocb {
	struct file *ki_filp;
	loff_t ki_pos;
	int ki_flags;
};

struct io_kiocb {
	u8 opcode;
};

struct upid {
	int nr;
};
struct pid {
	struct upid numbers[1];
};

struct signal_struct {
	struct pid *pids[4];
	struct {
		int counter;
	} live;
	int nr_threads;
};

struct cred {
	kuid_t uid;
	kgid_t gid;
};

struct task_struct;

struct mm_struct {
	struct file *exe_file;
	unsigned long arg_start;
	unsigned long arg_end;
	struct task_struct *owner;
};

struct fs_struct {
	struct path root;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct kernfs_node {
	u64 id;
};
struct cgroup {
	struct kernfs_node *kn;
};
struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	unsigned int flags;
	struct mm_struct *mm;
	int exit_code;
	pid_t pid;
	pid_t tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	u64 start_boottime;
	const struct cred *real_cred;
	const struct cred *cred;
	char comm[16];
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct css_set *cgroups;
	u32 self_exec_id;
	int exit_state;
};

struct linux_binprm {
	struct file *file;
};

struct ns_common {
	unsigned int inum;
};
struct net {
	struct ns_common ns;
};
typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	struct {
		__s64 counter;
	} skc_cookie;
	unsigned long skc_flags;
	struct {
		struct {
			int counter;
		} refs;
	} skc_refcnt;
};

struct net_device {
	int ifindex;
};
struct dst_entry {
	struct net_device *dev;
};
struct sk_buff_head {
	__u32 qlen;
};

struct socket;

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_receive_queue;
	struct {
		int counter;
	} sk_drops;
	struct dst_entry *sk_dst_cache;
	struct socket *sk_socket;
	u8 sk_userlocks : 4;
	u8 sk_shutdown;
	u16 sk_protocol;
	u16 sk_type;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};

struct udp_sock {
	struct inet_sock inet;
	struct sk_buff_head reader_queue;
};

struct inet_cork {
	__u16 gso_size;
};
union flowi_uli {
	struct {
		__be16 dport;
		__be16 sport;
	} ports;
};
struct flowi4 {
	__be32 saddr;
	__be32 daddr;
	union flowi_uli uli;
};
struct flowi6 {
	struct in6_addr daddr;
	struct in6_addr saddr;
	union flowi_uli uli;
};

struct inet_bind_bucket {
	signed char fastreuse;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	struct inet_bind_bucket *icsk_bind_hash;
	__u32 icsk_rto;
	__u32 icsk_rto_min;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	u8 ecn_flags;
	u32 segs_in;
	u32 segs_out;
	u32 rcv_nxt;
	u32 snd_nxt;
	u32 write_seq;
	u32 copied_seq;
	u32 data_segs_in;
	u32 data_segs_out;
	u64 bytes_sent;
	u64 bytes_acked;
	u64 bytes_retrans;
	u32 total_retrans;
	u32 dsack_dups;
	u32 reord_seen;
	u32 srtt_us;
};

struct inet_skb_parm {
	u16 frag_max_size;
};
struct inet6_skb_parm {
	__u16 frag_max_size;
};
struct tcp_skb_cb {
	__u32 seq;
	__u32 end_seq;
	u16 tcp_gso_segs;
	__u8 tcp_flags;
	union {
		struct inet_skb_parm h4;
		struct inet6_skb_parm h6;
	} header;
};

struct skb_shared_info {
	unsigned short gso_segs;
};

enum iter_type {
	ITER_IOVEC = 0,
	ITER_KVEC = 1,
	ITER_BVEC = 2,
	ITER_UBUF = 6,
};
/* Only its size is asked for. */
struct page {
	unsigned long flags;
};
struct iov_iter {
	u8 iter_type;
	size_t iov_offset;
	size_t count;
};
struct msghdr {
	void *msg_name;
	int msg_namelen;
	struct iov_iter msg_iter;
};

struct sockaddr_un {
	char sun_path[108];
};
struct unix_address {
	struct sockaddr_un name[0];
};
struct unix_sock {
	struct sock sk;
	struct unix_address *addr;
	struct sock *peer;
};

struct sk_buff {
	struct sock *sk;
	unsigned long _skb_refdst;
	unsigned int len;
	unsigned int data_len;
	char cb[48];
	__be16 protocol;
	__u16 network_header;
	__u16 transport_header;
	int skb_iif;
	unsigned int end;
	unsigned char *head;
	unsigned char *data;
};

struct seq_file;
struct bpf_map;
struct bpf_iter_meta {
	struct seq_file *seq;
	u64 session_id;
	u64 seq_num;
};
struct bpf_iter__task {
	union {
		struct bpf_iter_meta *meta;
	};
	union {
		struct task_struct *task;
	};
};
struct bpf_iter__task_file {
	union {
		struct bpf_iter_meta *meta;
	};
	union {
		struct task_struct *task;
	};
	u32 fd;
	union {
		struct file *file;
	};
};
struct bpf_iter__bpf_map_elem {
	union {
		struct bpf_iter_meta *meta;
	};
	union {
		struct bpf_map *map;
	};
	union {
		void *key;
	};
	union {
		void *value;
	};
};

#pragma clang attribute pop
#endif

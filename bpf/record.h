/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What crosses from the kernel to user space: the one header that both sides share.
 *
 * A record is a fixed head, a body that its kind names, and a tail of strings. Every struct here has a mirror
 * in kflowd-proto/src/layout; a test compares the two through the BTF of the object. Field order is a format:
 * append, never move. All numbers are in the byte order of the host, all times in nanoseconds.
 *
 * No kernel type is used here; the includer provides __u8 ... __u64 and __s64.
 */
#ifndef KFLOWD_RECORD_H
#define KFLOWD_RECORD_H

/* Longest path, with its terminating NUL, that a record carries whole; longer ones are cut at the left. */
#define KF_PATH_MAX 4096
/* Longest file name (one component) of every Linux file system, with its NUL. */
#define KF_NAME_MAX 256
/* Length of task->comm, with its NUL. */
#define KF_COMM_LEN 16
/* Bytes of a command line that an exec record carries. */
#define KF_ARGV_MAX 1024
/* No record is longer: head, body and a tail of two paths, two names and a command line. */
#define KF_RECORD_MAX 12288

enum kf_kind {
	KF_KIND_EXEC = 1,   /* struct kf_process: a process has a new program */
	KF_KIND_FORK = 2,   /* struct kf_process: a new process */
	KF_KIND_EXIT = 3,   /* struct kf_process: the last thread of a process has ended */
	KF_KIND_FILE = 4,   /* struct kf_file: what one process did to one file since the last such record */
	KF_KIND_LEDGER = 5, /* struct kf_ledger: written by the probe, not by the kernel */
	KF_KIND_FLOW =
	    6, /* struct kf_flow: one connection, or one socket and peer, since the last such record */
	KF_KIND_PAYLOAD =
	    7, /* struct kf_payload: bytes of a flow, before the record of the flow that had them */
};

/* kf_head.flags */
#define KF_FLAG_BULK	 0x1 /* may be refused first when the queue runs full: a file that was only read */
#define KF_FLAG_KTHREAD	 0x2 /* the process is a kernel thread: shown as [comm] */
#define KF_FLAG_EXISTING 0x4 /* exec record of a process that is older than kflowd */

/* First bytes of every record. */
struct kf_head {
	__u32 len;   /* bytes of the whole record: head, body, tail; the ring buffer may hold more */
	__u16 kind;  /* enum kf_kind */
	__u16 flags; /* KF_FLAG_* */
	__u64 time;  /* last event, CLOCK_BOOTTIME */
	__u32 cpu;   /* processor that wrote the record */
	__u32 tgid;  /* process, in the root pid namespace */
	__u64 start; /* when that process started, CLOCK_BOOTTIME: (tgid, start) names a process for ever */
};

/* Who did it: taken when the session opened. Names are in the tail. */
struct kf_task {
	__u64 parent_start; /* CLOCK_BOOTTIME, 0 = unknown */
	__u64 thread_start; /* CLOCK_BOOTTIME of the thread `tid` */
	__u32 ppid;	    /* tgid of the parent */
	__u32 tid;	    /* thread of the first event */
	__u32 uid;	    /* real ids in the root user namespace */
	__u32 gid;
	char comm[KF_COMM_LEN]; /* of the thread, NUL padded */
};

/* Body of EXEC, FORK and EXIT. Tail: EXE_NAME, PARENT_NAME, on EXEC also EXE_PATH and ARGV. */
struct kf_process {
	struct kf_head head;
	struct kf_task task;
	__u64 cgroup;	 /* id of the cgroup (its inode number in cgroup2) */
	__u32 exit_code; /* EXIT: as wait(2) reports it */
	__u32 pad;
};

/* Index of kf_file.events, in the order in which they are printed. */
enum kf_file_event {
	KF_EVENT_CREATE = 0,
	KF_EVENT_OPEN = 1,
	KF_EVENT_OPEN_EXEC = 2,
	KF_EVENT_ACCESS = 3,
	KF_EVENT_ATTRIB = 4,
	KF_EVENT_MODIFY = 5,
	KF_EVENT_CLOSE_WRITE = 6,
	KF_EVENT_CLOSE_NOWRITE = 7,
	KF_EVENT_MOVED_FROM = 8,
	KF_EVENT_MOVED_TO = 9,
	KF_EVENT_DELETE = 10,
	KF_EVENTS = 11,
};

/* Why a file or flow record was written. */
enum kf_cause {
	KF_CAUSE_CLOSE = 1, /* last open description of the process closed; end of the connection or socket */
	KF_CAUSE_NAME = 2,  /* deleted, moved, linked */
	KF_CAUSE_COUNT = 3, /* the event limit was reached */
	KF_CAUSE_IDLE = 4,  /* no event for the idle timeout */
	KF_CAUSE_ACTIVE = 5, /* open for longer than the active timeout */
	KF_CAUSE_EXIT = 6,   /* the process ended */
	KF_CAUSE_STOP = 7,   /* kflowd stops */
};

/* A point of CLOCK_REALTIME as inodes keep it. */
struct kf_time {
	__s64 sec;
	__u32 nsec;
	__u32 pad;
};

/* Body of FILE. Tail: EXE_NAME, PARENT_NAME, PATH, after a move also ORIGIN. */
struct kf_file {
	struct kf_head head;
	struct kf_task task;
	__u64 first_time; /* first event of this record, CLOCK_BOOTTIME */
	__u64 inode;
	__u64 size;	  /* bytes, at the last event */
	__u64 size_first; /* bytes, before the first event */
	__u64 bytes_read;
	__u64 bytes_written;
	struct kf_time atime;
	struct kf_time mtime;
	struct kf_time ctime;
	struct kf_time mtime_first; /* before the first event */
	__u32 dev;		    /* as the kernel keeps it: major << 20 | minor */
	__u32 generation;	    /* of the inode */
	__u32 mode;		    /* type and permissions */
	__u32 nlink;		    /* before an unlink, after a link */
	__u32 uid;		    /* owner */
	__u32 gid;
	__u32 cause; /* enum kf_cause */
	__u32 events[KF_EVENTS];
};

/* kf_flow.role */
enum kf_role {
	KF_ROLE_CLIENT = 1, /* connected, or sent first */
	KF_ROLE_SERVER = 2, /* accepted, or received first */
};

/* Index of kf_flow.ways; kf_payload.way. */
enum kf_direction {
	KF_TX = 0,
	KF_RX = 1,
};

/* Combinations of TCP flags that one direction of a record tells apart; as they appear. */
#define KF_TCP_FLAGS 10

/* One direction of a flow. What counts, counts since the last record of the flow. */
struct kf_way {
	__u64 packets;	    /* segments of TCP, datagrams, messages; large ones by what is on the wire */
	__u64 data_packets; /* TCP: of these with payload */
	__u64 bytes;	    /* payload; sent again, counted again */
	__u64 first_time;   /* first and last packet of this record, CLOCK_BOOTTIME; 0 = none */
	__u64 last_time;
	__u32 ifindex;			 /* interface of the last packet, 0 = unknown */
	__u32 flags_other;		 /* packets with a combination that found no place below */
	__u32 flags_count[KF_TCP_FLAGS]; /* packets with each combination */
	__u8 flags[KF_TCP_FLAGS]; /* combinations, FIN 1 ... CWR 0x80, as the connection had them; 0 = no more
				   */
	__u8 pad[6];
};

/*
 * Body of FLOW. Tail: EXE_NAME, PARENT_NAME, of a UNIX flow also ADDRESS. An IPv4 address is in the first
 * four of its bytes, and so is one that an IPv6 socket mapped: `family` is that of the packets.
 */
struct kf_flow {
	struct kf_head head;
	struct kf_task task;
	__u64 cookie;	       /* of the socket, unique since boot */
	__u64 open_time;       /* when the flow was first seen, CLOCK_BOOTTIME */
	__u64 sent_time;       /* when this record was written, CLOCK_BOOTTIME */
	__u64 rtt;	       /* TCP: smoothed round-trip time */
	__u64 bytes_acked;     /* TCP: acknowledged by the peer, since the last record */
	__u64 bytes_retrans;   /* TCP: sent again, since the last record */
	__u64 ttl_sum;	       /* of the packets that ttl_packets counts: their TTL or hop limit */
	__u32 ttl_packets;     /* received packets, large ones once, since the last record */
	__u32 packets_retrans; /* TCP: sent again, since the last record */
	__u32 packets_dups;    /* TCP: sent, and reported twice by the peer, since the last record */
	__u32 packets_reorder; /* TCP: reordering seen by the sender, since the last record */
	__u32 packets_drop;    /* received and dropped at the socket, since the last record */
	__u32 packets_frag;    /* received in IP fragments, since the last record */
	__u32 packets_queued;  /* in the receive queue now */
	__u32 rto;	       /* TCP: retransmission timeout, milliseconds */
	__u32 netns;	       /* inode number of the network namespace */
	__u32 cause;	       /* enum kf_cause */
	__u8 local[16];	       /* addresses, network byte order */
	__u8 remote[16];
	__u16 local_port;
	__u16 remote_port;
	__u8 family;	       /* AF_UNIX 1, AF_INET 2, AF_INET6 10 */
	__u8 protocol;	       /* IPPROTO_TCP 6, IPPROTO_UDP 17; 0 = UNIX */
	__u8 role;	       /* enum kf_role */
	__u8 state;	       /* as the kernel numbers it: 1 established ... 7 closed */
	struct kf_way ways[2]; /* KF_TX, KF_RX */
};

/* kf_payload.flags */
#define KF_PAYLOAD_DATAGRAM 0x1 /* a message of its own, not a piece of a stream */
#define KF_PAYLOAD_JOINED   0x2 /* the connection is older than kflowd: its first bytes were not seen */

/*
 * Body of PAYLOAD: what one call sent or received, or the beginning of it. Tail: PAYLOAD. Records of one
 * direction come in the order of the stream; what is missing is a gap of the offsets.
 */
struct kf_payload {
	struct kf_head head;
	__u64 cookie;	 /* kf_flow.cookie */
	__u64 open_time; /* kf_flow.open_time */
	__u64 offset;	 /* bytes of this direction before these, since the flow was first seen */
	__u32 len;	 /* bytes that the call moved; the tail may have fewer */
	__u32 flags;	 /* KF_PAYLOAD_* */
	__u8 local[16];	 /* addresses and ports as in kf_flow: UDP flows of one socket share the cookie */
	__u8 remote[16];
	__u16 local_port;
	__u16 remote_port;
	__u8 family;
	__u8 protocol;
	__u8 role;
	__u8 way; /* enum kf_direction */
};

/*
 * One string of the tail: this entry, then `len` bytes without NUL; entries follow each other unpadded. A
 * path is written from the file towards the root, each component ended by a slash: "f/t/root/" is /root/t/f.
 */
struct kf_tail {
	__u16 tag; /* enum kf_tag, with KF_TAG_CUT when the root's end of a path is missing */
	__u16 len;
};

enum kf_tag {
	KF_TAG_EXE_NAME = 1,	/* base name of the executable */
	KF_TAG_PARENT_NAME = 2, /* base name of the parent's executable */
	KF_TAG_EXE_PATH = 3,	/* full path of the executable */
	KF_TAG_ARGV = 4,	/* arguments, each ended by NUL */
	KF_TAG_PATH = 5,	/* full path of the file; after a move the new one */
	KF_TAG_ORIGIN = 6,	/* full path before a move */
	KF_TAG_ADDRESS = 7,	/* of a UNIX socket: a path, or a name behind a NUL */
	KF_TAG_PAYLOAD = 8,	/* bytes that were sent or received */
};
#define KF_TAG_CUT 0x8000

/*
 * Counts of one processor, only ever growing. For each kind: seen = in records + lost by reason.
 */
struct kf_counters {
	__u64 file_events;	 /* file events that a hook saw and the filter kept */
	__u64 file_events_sent;	 /* of these: in records that the ring buffer took */
	__u64 file_events_map;	 /* of these: lost, the session map was full */
	__u64 file_events_ring;	 /* of these: lost, the ring buffer was full */
	__u64 file_records;	 /* file records that the ring buffer took */
	__u64 file_records_ring; /* file records lost, the ring buffer was full */
	__u64 process_events;	 /* forks, execs and exits seen, but kflowd's own */
	__u64 process_records;	 /* of these: taken by the ring buffer */
	__u64 process_ring;	 /* of these: lost, the ring buffer was full */
	__u64 process_own;	 /* kflowd's own: not counted with them */
	__u64 process_map;     /* processes whose entry did not fit into the process map: names by fallback */
	__u64 scratch_busy;    /* records lost because no scratch buffer was free */
	__u64 path_cut;	       /* paths that were cut at the left */
	__u64 sessions_open;   /* sessions opened */
	__u64 sessions_closed; /* sessions ended */
	__u64 rescued;	       /* hook runs that the kernel skipped and a stand-in did */
	__u64 flow_events;     /* packets, datagrams and messages of flows that a hook saw */
	__u64 flow_events_sent;	 /* of these: in records that the ring buffer took */
	__u64 flow_events_map;	 /* of these: lost, the flow map was full */
	__u64 flow_events_ring;	 /* of these: lost, the ring buffer was full */
	__u64 flow_records;	 /* flow records that the ring buffer took */
	__u64 flow_records_ring; /* flow records lost, the ring buffer was full */
	__u64 flows_open;	 /* flows begun */
	__u64 flows_closed;	 /* flows ended */
	__u64 payload_events;	 /* pieces of payload to copy */
	__u64 payload_records;	 /* of these: taken by the ring buffer */
	__u64 payload_ring;	 /* of these: lost, the ring buffer was full */
	__u64 payload_fault;	 /* of these: lost, the memory could not be read */
};

/* Body of LEDGER: the probe's view of the stream so far. */
struct kf_ledger {
	struct kf_head head;
	struct kf_counters kernel; /* sum over all processors */
	__u64 missed;		   /* hook runs that the kernel skipped, where it tells */
	__u64 ring_read;	   /* records taken from the ring buffer */
	__u64 ring_malformed;	   /* records of the ring buffer with an impossible length */
	__u64 queue_pushed;	   /* frames put into the queue, this one included */
	__u64 queue_refused;	   /* bulk records refused because the queue was above three quarters */
	__u64 queue_full;	   /* records dropped because the queue was full at stop */
	__u64 cursor_bad;	   /* impossible read cursors seen */
	__u64 pad;
};

#endif

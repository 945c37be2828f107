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

/* Why a file record was written. */
enum kf_cause {
	KF_CAUSE_CLOSE = 1,  /* last open description of the process closed */
	KF_CAUSE_NAME = 2,   /* deleted, moved, linked */
	KF_CAUSE_COUNT = 3,  /* the event limit was reached */
	KF_CAUSE_IDLE = 4,   /* no event for the idle timeout */
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

// SPDX-License-Identifier: GPL-2.0-only
/* One object, one skeleton: every hook shares the maps. The order of the includes is the way data goes. */
#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>
#include "record.h"
#include "config.bpf.h"
#include "maps.bpf.h"
#include "counters.bpf.h"
#include "compat.bpf.h"
#include "hook.bpf.h"
#include "scratch.bpf.h"
#include "task.bpf.h"
#include "emit.bpf.h"
#include "mount.bpf.h"
#include "path.bpf.h"
#include "target.bpf.h"
#include "send.bpf.h"
#include "open.bpf.h"
#include "session.bpf.h"
#include "standin.bpf.h"
#include "flow.bpf.h"
#include "flow_send.bpf.h"
#include "flow_open.bpf.h"
#include "iter.bpf.h"
#include "payload.bpf.h"
#include "layout.bpf.h"
#include "process.bpf.c"
#include "file.bpf.c"
#include "transfer.bpf.c"
#include "async.bpf.c"
#include "name.bpf.c"
#include "attrib.bpf.c"
#include "sweep.bpf.c"
#include "tcp.bpf.c"
#include "payload.bpf.c"
#include "udp.bpf.c"
#include "unix.bpf.c"
#include "socket.bpf.c"
#include "flow_sweep.bpf.c"

char LICENSE[] SEC("license") = "GPL";

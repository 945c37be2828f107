//! bpf/record.h and its mirrors in kflowd-proto are the same: sizes and offsets of every shared struct, compared
//! through the BTF of the object that ships. Also the numbers of kinds, events, tags and causes.

use std::mem::{offset_of, size_of};

use kflowd_proto::layout::{
    COMM_LEN, Cause, Counters, Direction, FILE_EVENTS, File, FileEvent, Flags, Flow, Head, InodeTime, Kind,
    Ledger, NAME_MAX, PATH_MAX, Payload, Process, RECORD_MAX, Role, TAG_CUT, TCP_FLAGS, Tag, TailEntry, Task,
    Way,
};
use libbpf_rs::btf::{Btf, HasSize, types};

/// The object, as the build left it.
const OBJECT: &str = env!("KFLOWD_OBJECT");

macro_rules! compare {
    ($btf:expr, $c:literal, $mirror:ident { $($field:ident),* $(,)? }) => {{
        let layout: types::Struct<'_> = $btf.type_by_name($c).expect(concat!("no struct ", $c));
        assert_eq!(layout.size(), size_of::<$mirror>(), "size of {}", $c);
        let mirror = [$((stringify!($field), offset_of!($mirror, $field))),*];
        let names: Vec<_> = layout.iter().map(|m| m.name.unwrap().to_str().unwrap().to_owned()).collect();
        assert_eq!(names, mirror.map(|(name, _)| name), "fields of {}", $c);
        for (member, (name, offset)) in layout.iter().zip(mirror) {
            let types::MemberAttr::Normal { offset: bits } = member.attr else { panic!("{name} is a bit field") };
            assert_eq!(bits as usize, offset * 8, "offset of {}.{name}", $c);
        }
    }};
}

#[test]
fn structs_are_the_same_on_both_sides() {
    let btf = Btf::from_path(OBJECT).expect("BTF of the object");
    compare!(btf, "kf_head", Head { len, kind, flags, time, cpu, tgid, start });
    compare!(btf, "kf_task", Task { parent_start, thread_start, ppid, tid, uid, gid, comm });
    compare!(btf, "kf_process", Process { head, task, cgroup, exit_code, pad });
    compare!(btf, "kf_time", InodeTime { sec, nsec, pad });
    compare!(btf, "kf_tail", TailEntry { tag, len });
    compare!(
        btf,
        "kf_file",
        File {
            head,
            task,
            first_time,
            inode,
            size,
            size_first,
            bytes_read,
            bytes_written,
            atime,
            mtime,
            ctime,
            mtime_first,
            dev,
            generation,
            mode,
            nlink,
            uid,
            gid,
            cause,
            events,
        }
    );
    compare!(
        btf,
        "kf_way",
        Way {
            packets,
            data_packets,
            bytes,
            first_time,
            last_time,
            ifindex,
            flags_other,
            flags_count,
            flags,
            pad,
        }
    );
    compare!(
        btf,
        "kf_flow",
        Flow {
            head,
            task,
            cookie,
            open_time,
            sent_time,
            rtt,
            bytes_acked,
            bytes_retrans,
            ttl_sum,
            ttl_packets,
            packets_retrans,
            packets_dups,
            packets_reorder,
            packets_drop,
            packets_frag,
            packets_queued,
            rto,
            netns,
            cause,
            local,
            remote,
            local_port,
            remote_port,
            family,
            protocol,
            role,
            state,
            ways,
        }
    );
    compare!(
        btf,
        "kf_payload",
        Payload {
            head,
            cookie,
            open_time,
            offset,
            len,
            flags,
            local,
            remote,
            local_port,
            remote_port,
            family,
            protocol,
            role,
            way,
        }
    );
    compare!(
        btf,
        "kf_counters",
        Counters {
            file_events,
            file_events_sent,
            file_events_map,
            file_events_ring,
            file_records,
            file_records_ring,
            process_events,
            process_records,
            process_ring,
            process_own,
            process_map,
            scratch_busy,
            path_cut,
            sessions_open,
            sessions_closed,
            rescued,
            flow_events,
            flow_events_sent,
            flow_events_map,
            flow_events_ring,
            flow_records,
            flow_records_ring,
            flows_open,
            flows_closed,
            payload_events,
            payload_records,
            payload_ring,
            payload_fault,
        }
    );
    compare!(
        btf,
        "kf_ledger",
        Ledger {
            head,
            kernel,
            missed,
            ring_read,
            ring_malformed,
            queue_pushed,
            queue_refused,
            queue_full,
            cursor_bad,
            pad
        }
    );
}

/// Values of enum `name`, in order.
fn values(btf: &Btf<'_>, name: &str) -> Vec<i64> {
    let numbers: types::Enum<'_> = btf.type_by_name(name).expect(name);
    numbers.iter().map(|value| value.value).collect()
}

#[test]
fn numbers_are_the_same_on_both_sides() {
    let btf = Btf::from_path(OBJECT).expect("BTF of the object");
    let kinds = [Kind::Exec, Kind::Fork, Kind::Exit, Kind::File, Kind::Ledger, Kind::Flow, Kind::Payload];
    assert_eq!(values(&btf, "kf_kind"), kinds.map(|k| k as i64));
    let tags = [
        Tag::ExeName,
        Tag::ParentName,
        Tag::ExePath,
        Tag::Argv,
        Tag::Path,
        Tag::Origin,
        Tag::Address,
        Tag::Payload,
    ];
    assert_eq!(values(&btf, "kf_tag"), tags.map(|t| t as i64));
    let causes =
        [Cause::Close, Cause::Name, Cause::Count, Cause::Idle, Cause::Active, Cause::Exit, Cause::Stop];
    assert_eq!(values(&btf, "kf_cause"), causes.map(|c| c as i64));
    let events = values(&btf, "kf_file_event");
    assert_eq!(events, (0..=FILE_EVENTS as i64).collect::<Vec<_>>());
    assert_eq!(FileEvent::Delete as usize + 1, FILE_EVENTS);
    assert_eq!(values(&btf, "kf_role"), [Role::Client, Role::Server].map(|r| r as i64));
    assert_eq!(values(&btf, "kf_direction"), [Direction::Tx, Direction::Rx].map(|d| d as i64));
}

/// The value of `#define name` in bpf/record.h.
fn define(name: &str) -> u64 {
    let header = include_str!("../../bpf/record.h");
    let words = |line: &'static str| line.strip_prefix("#define ").map(str::split_whitespace);
    let mut rest =
        header.lines().filter_map(words).find(|words| words.clone().next() == Some(name)).expect(name);
    let word = rest.nth(1).expect("a value");
    word.strip_prefix("0x").map_or_else(|| word.parse(), |hex| u64::from_str_radix(hex, 16)).expect(name)
}

#[test]
fn limits_are_the_same_on_both_sides() {
    assert_eq!(define("KF_PATH_MAX"), PATH_MAX as u64);
    assert_eq!(define("KF_NAME_MAX"), NAME_MAX as u64);
    assert_eq!(define("KF_COMM_LEN"), COMM_LEN as u64);
    assert_eq!(define("KF_RECORD_MAX"), RECORD_MAX as u64);
    assert_eq!(define("KF_TCP_FLAGS"), TCP_FLAGS as u64);
    assert_eq!(define("KF_PAYLOAD_DATAGRAM"), u64::from(Payload::DATAGRAM));
    assert!(size_of::<Flow>() + 2 * size_of::<TailEntry>() + 2 * 32 <= 512, "a flow record with its names");
    assert_eq!(define("KF_TAG_CUT"), u64::from(TAG_CUT));
    assert_eq!(define("KF_FLAG_BULK"), u64::from(Flags::BULK));
    assert_eq!(define("KF_FLAG_KTHREAD"), u64::from(Flags::KTHREAD));
    assert_eq!(define("KF_FLAG_EXISTING"), u64::from(Flags::EXISTING));
}

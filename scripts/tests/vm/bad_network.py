#!/usr/bin/env python3
"""TCP between two hosts whose router delays, loses, repeats and swaps packets: records against tcpdump and ss."""

import collections
import re
import socket
import threading
import time

import ledger
from capture import capture, packets
from kflowd import Kflowd, find
from loopback import receive, total
from networks import ADDRESSES, LEFT, LINKS, RIGHT, ROUTER, harm, inside, network, two_hosts
from tests import main, test

HARM = {
    "none": (),
    "delay": ("delay", "30ms"),
    "loss": ("loss", "5%"),
    "repeats": ("duplicate", "5%"),
    "disorder": ("delay", "20ms", "reorder", "25%", "50%"),
    "all of it": ("delay", "10ms", "5ms", "loss", "2%", "duplicate", "2%", "reorder", "20%"),
}
ASKED, ANSWERED = 150_000, 60_000
PORT = 7100
# From Linux's headers; Python's socket module lacks them.
IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0


def send(connection, left):
    """In pieces of many sizes."""
    while left:
        piece = min(left, 1 + left * 7919 % 20_000)
        connection.sendall(b"x" * piece)
        left -= piece


def exchange(client, server):
    for sender, receiver, size in ((client, server, ASKED), (server, client, ANSWERED)):
        thread = threading.Thread(target=send, args=(sender, size))
        thread.start()
        receive(receiver, size)
        thread.join()


def told_by_ss(host, local):
    """What the kernel counts for the connection whose own port is `local`."""
    line = inside(host, "ss", "-tinHO", "state", "established", f"sport = :{local}")
    assert line.strip(), f"no connection with port {local} in {host}"
    facts = dict(re.findall(r"\b([a-z_]+):([0-9./]+)", line))
    facts["retrans"] = facts.get("retrans", "0/0").partition("/")[2]
    facts["rtt"] = facts["rtt"].partition("/")[0]
    return collections.defaultdict(float, {name: float(value) for name, value in facts.items() if "/" not in value})


def quiet(ends):
    """Waits until nothing has moved for a second, so that the last acknowledgement should be there."""
    before = None
    for _ in range(60):
        facts = [told_by_ss(*end) for end in ends]
        if before and all(a[key] == b[key] for a, b in zip(facts, before) for key in ("segs_in", "segs_out")):
            return
        before = facts
        time.sleep(1)
    raise AssertionError("the connection does not get quiet")


def wait_for_packet(path, port):
    """Until the capture, which is written as it comes, has a packet to this port."""
    for _ in range(600):
        if path.exists() and any(packet.destination[1] == port for packet in packets(path)):
            return
        time.sleep(0.1)
    raise AssertionError(f"no packet to port {port}")


# The key of a record -> what ss calls it.
BY_SS = {
    "SockTxPackets": "segs_out",
    "SockRxPackets": "segs_in",
    "SockTxDataPackets": "data_segs_out",
    "SockRxDataPackets": "data_segs_in",
    "SockTxBytes": "bytes_sent",
    "SockTxBytesRetrans": "bytes_retrans",
    "SockTxBytesAcked": "bytes_acked",
    "SockTxPacketsRetrans": "retrans",
    "SockTxPacketsDups": "dsack_dups",
    "SockRxPacketsReorder": "reord_seen",
}


def check_ss(name, records, facts):
    """`facts`: what ss told before and after the last record was made, which is nearly always the same."""
    # The kernel sends it before there is a socket that could count it.
    before_socket = records[0]["SockTxFlags"].get("SYN-ACK", 0)
    for key, fact in BY_SS.items():
        value = total(records, key) - (before_socket if fact == "segs_out" else 0)
        first, last = (one[fact] for one in facts)
        assert first <= value <= last, f"{name}: {key} {value}, ss {fact} {first} to {last}"
    last = records[-1]
    rtt, rto = last["SockRTT"] * 1000, last["SockTxRTO"]
    assert any(abs(rtt - one["rtt"]) <= 0.002 for one in facts), f"{name}: RTT {rtt} ms, ss {facts}"
    assert any(abs(rto - one["rto"]) <= 1 for one in facts), f"{name}: RTO {rto}, ss {facts}"


def joined(flags):
    """What the kernel received while somebody was reading it joins, and one PSH is for all of it."""
    flags = collections.Counter(flags)
    flags["ACK"] += flags.pop("PSH-ACK", 0)
    return flags


def check_capture(name, records, sent, received):
    """Returns the number of packets whose flags no hook has seen."""
    # Of SYNs that come again, those are not told that come before there is a socket.
    told = total(records, "SockRxFlags").get("SYN", 0)
    again = [packet for packet in received if packet.flags == "SYN"][max(told, 1) :]
    received = [packet for packet in received if not any(packet is one for one in again)]
    skipped = 0
    for way, seen in (("Tx", sent), ("Rx", received)):
        flags, told = collections.Counter(packet.flags for packet in seen), total(records, f"Sock{way}Flags")
        if way == "Rx":
            flags, told = joined(flags), joined(told)
        # What a hook did not see, since it was interrupted by the next packet, has no flags.
        unknown = told.pop("OTHER", 0)
        missing = flags - collections.Counter(told)
        assert sum(missing.values()) == unknown and not collections.Counter(told) - flags, f"{name}: {told}, {flags}"
        skipped += unknown
        assert total(records, f"Sock{way}Packets") == len(seen), name
        assert total(records, f"Sock{way}DataPackets") == sum(packet.size > 0 for packet in seen), name
        assert total(records, f"Sock{way}Bytes") == sum(packet.size for packet in seen), name
    assert {record["SockRxTTL"] for record in records} == {received[0].ttl}, name
    return skipped


def connections(stack_index):
    """One connection under each harm: both ends and the listener."""
    found = {}
    for number, (name, netem) in enumerate(HARM.items()):
        with network(RIGHT):
            family = socket.AF_INET6 if stack_index else socket.AF_INET
            listener = socket.create_server((ADDRESSES[RIGHT][stack_index], PORT + number), family=family)
        harm(*netem)
        with network(LEFT):
            client = socket.create_connection((ADDRESSES[RIGHT][stack_index], PORT + number))
        server = listener.accept()[0]
        exchange(client, server)
        quiet(((LEFT, client.getsockname()[1]), (RIGHT, PORT + number)))
        harm()
        found[name] = client, server, listener
    return found


def all_told_by_ss(found):
    facts = {}
    for name, (client, server, _listener) in found.items():
        facts[name, "CLIENT"] = told_by_ss(LEFT, client.getsockname()[1])
        facts[name, "SERVER"] = told_by_ss(RIGHT, server.getsockname()[1])
    return facts


def both_ends(result, client, server, here, there):
    """For both ends: role, records, and the packets that it sent and received in these captures."""
    ports = client.getsockname()[1], server.getsockname()[1]
    for role, local, remote, seen in (("CLIENT", *ports, here), ("SERVER", *reversed(ports), there)):
        records = find(result.records, SockRole=role, SockLocalPort=local, SockRemotePort=remote)
        assert records and records[-1]["SockState"] == "TCP_ESTABLISHED", f"{role} {ports}: {records}"
        sent = [p for p in seen if (p.source[1], p.destination[1]) == (local, remote)]
        received = [p for p in seen if (p.source[1], p.destination[1]) == (remote, local)]
        yield role, records, sent, received


def under_harm(directory, stack_index):
    with two_hosts(), Kflowd() as k:
        left, right = directory / "left", directory / "right"
        with capture(LEFT, "eth0", left), capture(RIGHT, "eth0", right):
            found = connections(stack_index)
            before = all_told_by_ss(found)
            result = k.stop(losses=ledger.COUNTED)
            after = all_told_by_ss(found)
    skipped = 0
    # What the router did is what this is about.
    assert any(facts["retrans"] for facts in before.values()), "the router lost nothing"
    for name, (client, server, _listener) in found.items():
        for role, records, sent, received in both_ends(result, client, server, packets(left), packets(right)):
            check_ss(f"{role} under {name}", records, (before[name, role], after[name, role]))
            skipped += check_capture(f"{role} under {name}", records, sent, received)
    ledger.flows_close(result, skipped)


@test
def handshakes_that_get_lost(directory):
    """A SYN, a SYN-ACK and the ACK after it that do not arrive, and are sent again."""
    found = {}
    with two_hosts(), Kflowd() as k:
        left, right = directory / "left", directory / "right"
        with capture(LEFT, "eth0", left), capture(RIGHT, "eth0", right):
            for port, towards in ((7200, RIGHT), (7201, LEFT)):
                with network(RIGHT):
                    listener = socket.create_server((ADDRESSES[RIGHT][0], port))
                with network(LEFT):
                    client = socket.socket()
                client.setblocking(False)
                harm("loss", "100%", towards=(towards,))
                client.connect_ex((ADDRESSES[RIGHT][0], port))
                wait_for_packet(right if towards == LEFT else left, port)
                harm()
                server = listener.accept()[0]
                client.setblocking(True)
                client.sendall(b"x" * 100)
                receive(server, 100)
                found[port] = client, server, listener
                quiet(((LEFT, client.getsockname()[1]), (RIGHT, port)))
            result = k.stop(losses=ledger.COUNTED)
    skipped = 0
    for port, (client, server, _listener) in found.items():
        for role, records, sent, received in both_ends(result, client, server, packets(left), packets(right)):
            skipped += check_capture(f"{role} of {port}", records, sent, received)
    ledger.flows_close(result, skipped)


@test
def fragments_and_unread_data(directory):
    """A link with a smaller MTU behind the router, which may cut; and data that nobody reads."""
    size = 20_000
    with two_hosts(), Kflowd() as k, capture(RIGHT, "eth0", directory / "right"):
        inside(ROUTER, "ip", "link", "set", LINKS[RIGHT], "mtu", "600")
        with network(RIGHT):
            listener = socket.create_server((ADDRESSES[RIGHT][0], 7250))
        with network(LEFT):
            client = socket.socket()
        client.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
        client.connect((ADDRESSES[RIGHT][0], 7250))
        server = listener.accept()[0]
        client.sendall(b"x" * size)
        receive(server, size)
        client.sendall(b"unread")
        local = client.getsockname()[1]
        quiet(((LEFT, local), (RIGHT, 7250)))
        result = k.stop(losses=ledger.COUNTED)
    # Of what was cut only the first part has ports.
    cut = [p for p in packets(directory / "right") if p.fragment and p.source[1] == local]
    (record,) = find(result.records, SockRole="SERVER", SockLocalPort=7250)
    assert len(cut) >= size // 1460 and record["SockRxPacketsFrag"] == len(cut), (record, len(cut))
    assert record["SockRxPacketsQueued"] == 1 and record["SockRxBytes"] == size + 6, record
    ledger.flows_close(result)


@test
def ipv4_under_harm(directory):
    under_harm(directory, 0)


@test
def ipv6_under_harm(directory):
    under_harm(directory, 1)


main()

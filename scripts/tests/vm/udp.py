#!/usr/bin/env python3
"""UDP flows, UNIX sockets that carry log messages, and payload of the configured ports."""

import os
import pathlib
import socket

import ledger
from kflowd import Kflowd, find
from loopback import LOOPBACK, datagram
from tests import main, test

ME = os.getpid()


def counts(record):
    """Sent and received: packets and bytes; a direction without packets has no keys."""
    keys = "SockTxPackets", "SockTxBytes", "SockRxPackets", "SockRxBytes"
    return tuple(record.get(key, 0) for key in keys)


@test
def each_peer_of_a_socket_is_a_flow(_):
    with Kflowd() as k:
        server = datagram(address=(LOOPBACK, 0))
        port = server.getsockname()[1]
        sizes = {}
        for turn in range(3):
            # A port that the kernel chooses may come twice.
            client = datagram(address=(LOOPBACK, 20_000 + turn))
            if turn:
                client.connect((LOOPBACK, port))
            for size in range(1, 2 + turn):
                client.sendto(b"q" * size, (LOOPBACK, port)) if not turn else client.send(b"q" * size)
                # A look is no receive.
                server.recvfrom(100, socket.MSG_PEEK)
                _data, peer = server.recvfrom(100)
                server.sendto(b"a" * 1000, peer)
                client.recv(2000)
            local = client.getsockname()[1]
            sizes[local] = turn + 1, sum(range(1, 2 + turn))
            client.close()
            # The end of the socket sends it.
            k.wait_for(SockProtocol="UDP", SockLocalPort=local)
        result = k.stop(losses=ledger.COUNTED)
    udp = find(result.records, SockProtocol="UDP", ProcPID=ME)
    assert len(udp) == 6, f"{len(udp)} records"
    for local, (packets, size) in sizes.items():
        (client,) = find(udp, SockLocalPort=local, SockRemotePort=port)
        (server,) = find(udp, SockLocalPort=port, SockRemotePort=local)
        assert (client["SockRole"], server["SockRole"]) == ("CLIENT", "SERVER")
        assert counts(client) == (packets, size, packets, 1000 * packets), counts(client)
        assert counts(server) == (packets, 1000 * packets, packets, size), counts(server)
        assert client["SockRxTTL"] == server["SockRxTTL"] == 64
        assert client["SockTxInterface"].startswith("1:lo:") and server["SockRxInterface"].startswith("1:lo:")
        assert {client["SockLocalIP"], client["SockRemoteIP"], server["SockLocalIP"]} == {LOOPBACK}
    ledger.flows_close(result)


@test
def ipv6_and_ipv4_of_one_socket(_):
    with Kflowd() as k:
        server = datagram(socket.AF_INET6, ("::", 0))
        port = server.getsockname()[1]
        client = datagram(socket.AF_INET6)
        for address in ("::1", "::ffff:127.0.0.1"):
            client.sendto(b"hello", (address, port))
            _data, peer = server.recvfrom(100)
            server.sendto(b"you", peer)
            client.recv(100)
        result = k.stop(losses=ledger.COUNTED)
    udp = find(result.records, SockProtocol="UDP", ProcPID=ME)
    for family, address in (("AF_INET6", "::1"), ("AF_INET", LOOPBACK)):
        for role, expected in (("CLIENT", (1, 5, 1, 3)), ("SERVER", (1, 3, 1, 5))):
            (record,) = find(udp, SockFamily=family, SockRole=role)
            assert (record["SockLocalIP"], record["SockRemoteIP"]) == (address, address), record
            assert counts(record) == expected, (family, role, counts(record))
    ledger.flows_close(result)


@test
def silence_ends_a_flow_and_own_datagrams_are_none(_):
    with Kflowd(("-o", "json-min", "-t", "1,5"), udp=1) as k:
        server, client = datagram(address=(LOOPBACK, 0)), datagram()
        port, last = server.getsockname()[1], 0
        for _turn in range(2):
            client.sendto(b"x" * 10, (LOOPBACK, port))
            server.recv(100)
            # By the clock: nothing else is sent.
            later = {"InfoSequenceNumber": lambda number: number > last}
            last = k.wait_for(SockRemotePort=port, SockTxBytes=10, **later)["InfoSequenceNumber"]
        result = k.stop(losses=ledger.COUNTED)
        collector = int(k.receivers[0].target.rpartition(":")[2])
    assert not find(result.records, SockRemotePort=collector), "kflowd reports its own datagrams"
    ledger.flows_close(result)


@test
def a_large_datagram_and_one_that_nobody_reads(_):
    with Kflowd() as k:
        server, client = datagram(address=(LOOPBACK, 0)), datagram()
        port, local = server.getsockname()[1], None
        client.connect((LOOPBACK, port))
        local = client.getsockname()[1]
        client.send(b"x" * 60000)
        assert len(server.recv(65000)) == 60000
        client.send(b"waits")
        result = k.stop(losses=ledger.COUNTED)
    (sender,) = find(result.records, SockLocalPort=local, SockRemotePort=port)
    (reader,) = find(result.records, SockLocalPort=port, SockRemotePort=local)
    assert counts(sender) == (2, 60005, 0, 0), counts(sender)
    assert counts(reader) == (0, 0, 1, 60000), counts(reader)
    assert reader["SockRxPacketsQueued"] == 1, reader
    assert sender["SockState"] == "UDP_ESTABLISHED"
    ledger.flows_close(result)


def question(number):
    return number.to_bytes(2, "big") + b"\1\0\0\1\0\0\0\0\0\0\5kflow\2co\0\0\1\0\1"


@test
def dns_over_udp_and_nothing_outside_the_ports(_):
    with Kflowd() as k:
        for port in (53, 5300):
            server, client = datagram(address=(LOOPBACK, port)), datagram()
            client.sendto(question(port), (LOOPBACK, port))
            # Into two pieces of memory.
            first, second = bytearray(5), bytearray(100)
            size, _anc, _flags, peer = server.recvmsg_into([first, second])
            assert bytes(first + second)[:size] == question(port)
            server.close()
            client.close()
        result = k.stop(losses=ledger.COUNTED)
    for role, key in (("CLIENT", "AppTxDns"), ("SERVER", "AppRxDns")):
        port = "SockRemotePort" if role == "CLIENT" else "SockLocalPort"
        (record,) = find(result.records, SockRole=role, **{port: 53})
        assert record["App"] == "DNS"
        assert record[key][0]["TransactionId"] == 53
        assert record[key][0]["ResourceRecords"] == [["A", "kflow.co"]], record[key]
        (record,) = find(result.records, SockRole=role, **{port: 5300})
        assert "App" not in record, record
    ledger.flows_close(result)


REQUEST = [b"GET /a HTTP/1.1\r\n", b"Host: kflow.co\r\nX-Th", b"ing: yes\r\n", b"\r\n"]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"b" * 20000


@test
def http_in_pieces(_):
    """A request from four pieces of memory, then one byte by byte; an answer longer than what is copied of a call."""
    with Kflowd() as k:
        listener = socket.create_server((LOOPBACK, 80))
        client = socket.create_connection((LOOPBACK, 80))
        server, _peer = listener.accept()
        client.sendmsg(REQUEST)
        whole = b"".join(REQUEST)
        assert server.recv(1000) == whole
        server.sendall(ANSWER)
        left = len(ANSWER)
        while left:
            left -= len(client.recv(min(left, 333)))
        for i in range(len(whole)):
            client.sendall(whole[i : i + 1])
            # A look first, which moves nothing.
            server.recv(1, socket.MSG_PEEK)
            server.recv(1)
        client.close()
        server.close()
        result = k.stop(losses=ledger.COUNTED)
    for role, tx, rx in (("CLIENT", "AppTxHttp", "AppRxHttp"), ("SERVER", "AppRxHttp", "AppTxHttp")):
        (record,) = find(result.records, SockRole=role, App="HTTP")
        assert [m["_Url"] for m in record[tx]] == ["/a", "/a"], record[tx]
        assert {m["X-Thing"] for m in record[tx]} == {"yes"}
        assert [m["_Status"] for m in record[rx]] == [200], record[rx]
    ledger.flows_close(result)


@test
def log_messages_over_unix_sockets(_):
    """Connected and named datagrams to /dev/log, and a stream to the journal's socket; other sockets are none."""
    journal = pathlib.Path("/run/systemd/journal")
    journal.mkdir(parents=True, exist_ok=True)
    paths = {"/dev/log": socket.SOCK_DGRAM, f"{journal}/dev-log": socket.SOCK_STREAM, "/run/other": socket.SOCK_DGRAM}
    servers = []
    for path, kind in paths.items():
        pathlib.Path(path).unlink(missing_ok=True)
        one = socket.socket(socket.AF_UNIX, kind)
        one.bind(path)
        if kind == socket.SOCK_STREAM:
            one.listen()
        servers.append(one)
    text = b"<85>Sep 16 14:30:01 CRON[7]: %s"
    with Kflowd() as k:
        for path, kind in paths.items():
            one = socket.socket(socket.AF_UNIX, kind)
            one.connect(path)
            one.sendall(text % path.encode() + b"\n" * (kind == socket.SOCK_STREAM))
            one.close()
        named = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        named.sendto(text % b"named", "/dev/log")
        named.close()
        result = k.stop(losses=ledger.COUNTED)
    for one in servers:
        one.close()
    unix = find(result.records, SockFamily="AF_UNIX", ProcPID=ME)
    told = sorted((record["SockAddress"], record["AppTxSyslog"][0]["Message"]) for record in unix)
    expected = [(path, path) for path in paths if path != "/run/other"] + [("/dev/log", "named")]
    assert told == sorted(expected), told
    assert {(record["SockRole"], record["App"]) for record in unix} == {("CLIENT", "SYSLOG")}
    ledger.flows_close(result)


main()

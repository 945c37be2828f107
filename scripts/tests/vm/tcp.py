#!/usr/bin/env python3
"""TCP flows: both ends are here, so what each record has to say is known to the byte and to the packet."""

import collections
import os
import socket
import struct
import subprocess
import sys
import threading
import time

import ledger
from kflowd import Kflowd, find
from loopback import LOOPBACK, receive, serve, total, untold
from tests import main, test

# (tgid) of this program: it owns every flow that no child has made.
ME = os.getpid()


def pair(family=socket.AF_INET, address=LOOPBACK, listen=None):
    """A connection: (client, server, listener)."""
    listener = socket.create_server((listen or address, 0), family=family, dualstack_ipv6=listen == "::")
    client = socket.create_connection((address, listener.getsockname()[1]))
    return client, listener.accept()[0], listener


def ends(records, client_port, server_port):
    """The records of both ends of a connection: (client's, server's)."""
    tcp = find(records, SockProtocol="TCP")
    clients = find(tcp, SockRole="CLIENT", SockLocalPort=client_port, SockRemotePort=server_port)
    servers = find(tcp, SockRole="SERVER", SockLocalPort=server_port, SockRemotePort=client_port)
    return clients, servers


def has_fin(records, key):
    return any("FIN" in name for name in total(records, key))


def is_over_early(one, other):
    """Whether the kernel kept no socket that could count the other's FIN, and the ACK for it: when the own FIN was
    acknowledged before, because the machine was slow (tcp_time_wait)."""
    return has_fin(one, "SockTxFlags") and has_fin(other, "SockTxFlags") and not has_fin(one, "SockRxFlags")


def mirrored(clients, servers):
    """Nothing is lost on loopback: what one end sent is what the other received, but for an end that is over early."""
    for one, other in ((clients, servers), (servers, clients)):
        fin_unseen, ack_unseen = int(is_over_early(other, one)), int(is_over_early(one, other))
        for sent, received, more in (
            ("SockTxBytes", "SockRxBytes", 0),
            ("SockTxPackets", "SockRxPackets", fin_unseen - ack_unseen),
            ("SockTxDataPackets", "SockRxDataPackets", 0),
        ):
            assert total(one, sent) == total(other, received) + more, (sent, more, one, other)
        # Packets that wait for a busy reader are joined by the kernel, and one with PSH makes all of them so.
        flags = [
            collections.Counter({name: n for name, n in total(records, key).items() if name not in ("ACK", "PSH-ACK")})
            for records, key in ((one, "SockTxFlags"), (other, "SockRxFlags"))
        ]
        assert flags[0] == flags[1] + collections.Counter({"FIN-ACK": fin_unseen}), flags


def exchange(family, address, listen, shown, shown_family):
    with Kflowd() as k:
        client, server, listener = pair(family, address, listen)
        ports = client.getsockname()[1], listener.getsockname()[1]
        client.sendall(b"q" * 1000)
        receive(server, 1000)
        server.sendall(b"a" * 200000)
        receive(client, 200000)
        client.close()
        server.close()
        listener.close()
        result = k.stop(losses=ledger.COUNTED)
    clients, servers = ends(result.records, *ports)
    assert len(clients) == len(servers) == 1, f"{len(clients)} and {len(servers)} records"
    for record in (*clients, *servers):
        assert record["SockState"] == "TCP_CLOSE", record
        assert (record["SockFamily"], record["SockLocalIP"], record["SockRemoteIP"]) == (
            shown_family,
            shown,
            shown,
        ), record
        assert record["ProcPID"] == ME and record["Proc"].startswith("python3"), record
        assert record["SockRxTTL"] == 64, record
        assert record["SockTxInterface"].startswith("1:lo:"), record
        assert record["SockRxInterface"].startswith("1:lo:"), record
    # A slow machine may send again what was only late.
    sent = [one[0]["SockTxBytes"] - one[0]["SockTxBytesRetrans"] for one in (clients, servers)]
    assert sent == [1000, 200000], sent
    assert clients[0]["SockTxFlags"]["SYN"] == servers[0]["SockTxFlags"]["SYN-ACK"] == 1
    assert clients[0]["SockTxFlags"]["FIN-ACK"] == 1
    # The kernel's rules: at least 200 ms, in whole jiffies.
    assert 200 <= clients[0]["SockTxRTO"] < 3000, clients[0]["SockTxRTO"]
    assert 0 < clients[0]["SockRTT"] < 10
    mirrored(clients, servers)
    ledger.flows_close(result)


@test
def ipv4(_):
    exchange(socket.AF_INET, LOOPBACK, None, LOOPBACK, "AF_INET")


@test
def ipv6(_):
    exchange(socket.AF_INET6, "::1", None, "::1", "AF_INET6")


@test
def ipv4_on_a_dual_stack_listener_is_ipv4(_):
    exchange(socket.AF_INET6, LOOPBACK, "::", LOOPBACK, "AF_INET")


def abort(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def half_close(client, server):
    client.shutdown(socket.SHUT_WR)
    assert server.recv(10) == b""
    server.sendall(b"rest")
    receive(client, 4)
    server.close()
    client.close()


def late_answer(client, server):
    server.close()
    # Until the acknowledgement is no longer put off for the answer.
    time.sleep(0.2)
    client.close()


def unread(client, server):
    client.sendall(b"never read")
    server.close()
    client.close()


def disconnect(client, server):
    # connect() to no address ends the connection with a reset.
    libc_connect(client, struct.pack("H14x", socket.AF_UNSPEC))
    server.close()
    client.close()


def libc_connect(connection, address):
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.connect(connection.fileno(), address, len(address)) == 0, os.strerror(ctypes.get_errno())


# How a connection ends, and flags that each side must have sent.
ENDS = {
    "client first": (lambda c, s: (c.close(), s.close()), {"FIN-ACK"}, {"FIN-ACK"}),
    "server first": (lambda c, s: (s.close(), c.close()), {"FIN-ACK"}, {"FIN-ACK"}),
    "server first, client late": (late_answer, {"FIN-ACK"}, {"FIN-ACK"}),
    "half close": (half_close, {"FIN-ACK"}, {"FIN-ACK"}),
    "abort by the client": (lambda c, s: (abort(c), s.close()), {"RST-ACK"}, set()),
    "abort by the server": (lambda c, s: (abort(s), c.close()), set(), {"RST-ACK"}),
    "unread data": (unread, set(), {"RST-ACK"}),
    "disconnect": (disconnect, {"RST-ACK"}, set()),
}


@test
def every_end_is_one_record_for_each_side(_):
    ports = {}
    with Kflowd() as k:
        for name, (end, *_flags) in ENDS.items():
            client, server, listener = pair()
            ports[name] = client.getsockname()[1], listener.getsockname()[1]
            end(client, server)
            listener.close()
        # By the end of the connection itself, not by the stop.
        for client_port, server_port in ports.values():
            k.wait_for(SockLocalPort=client_port, SockRemotePort=server_port)
            k.wait_for(SockLocalPort=server_port, SockRemotePort=client_port)
        result = k.stop(losses=ledger.COUNTED)
    for name, (_end, by_client, by_server) in ENDS.items():
        clients, servers = ends(result.records, *ports[name])
        assert len(clients) == len(servers) == 1, f"{name}: {len(clients)} and {len(servers)} records"
        assert {clients[0]["SockState"], servers[0]["SockState"]} == {"TCP_CLOSE"}, name
        assert by_client <= set(clients[0]["SockTxFlags"]), (name, clients[0]["SockTxFlags"])
        assert by_server <= set(servers[0]["SockTxFlags"]), (name, servers[0]["SockTxFlags"])
        mirrored(clients, servers)
    ledger.flows_close(result)


@test
def refused_connect_and_port_in_backlog(_):
    with Kflowd() as k:
        closed = socket.create_server((LOOPBACK, 0))
        port = closed.getsockname()[1]
        closed.close()
        refused = socket.socket()
        assert refused.connect_ex((LOOPBACK, port)) != 0
        record = k.wait_for(SockRemotePort=port, SockRole="CLIENT")
        assert record["SockState"] == "TCP_CLOSE" and record["ProcPID"] == ME
        assert (record["SockTxFlags"], record["SockRxFlags"]) == ({"SYN": 1}, {"RST-ACK": 1}), record
        assert record["SockTxBytes"] == 0
        # The same socket connects again: a flow of its own.
        listener = socket.create_server((LOOPBACK, port))
        refused.connect((LOOPBACK, port))
        local = refused.getsockname()[1]
        # Closed before anybody accepted it: the server's side is there, without an owner.
        refused.close()
        listener.close()
        result = k.stop(losses=ledger.COUNTED)
    clients, servers = ends(result.records, local, port)
    assert len(clients) == len(servers) == 1, f"{len(clients)} and {len(servers)} records"
    ledger.flows_close(result)


@test
def who_accepts_owns_it(_):
    """Processes that all wait in accept() on one listener: each connection belongs to the one that got it."""
    listener = socket.create_server((LOOPBACK, 0), backlog=64)
    port = listener.getsockname()[1]
    code = (
        "import os,socket,sys\n"
        "l = socket.socket(fileno=int(sys.argv[1]))\n"
        "while True:\n"
        "    c, a = l.accept()\n"
        "    last = c.recv(1) == b'q'\n"
        "    c.close()\n"
        "    if last: break\n"
        "    print(a[1], flush=True)\n"
    )
    with Kflowd() as k:
        os.set_inheritable(listener.fileno(), True)
        command = [sys.executable, "-c", code, str(listener.fileno())]
        workers = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True, close_fds=False) for _ in range(4)
        ]
        for _ in range(40):
            with socket.create_connection((LOOPBACK, port)) as client:
                client.sendall(b"x")
                client.shutdown(socket.SHUT_WR)
                client.recv(1)
        for _ in workers:
            with socket.create_connection((LOOPBACK, port)) as client:
                client.sendall(b"q")
                client.recv(1)
        accepted = {int(peer): worker.pid for worker in workers for peer in worker.communicate()[0].split()}
        result = k.stop(losses=ledger.COUNTED)
    servers = find(result.records, SockRole="SERVER", SockLocalPort=port)
    seen = {record["SockRemotePort"]: record["ProcPID"] for record in servers}
    assert len(accepted) == 40 and len(servers) == 44, (len(accepted), len(servers))
    assert all(seen[peer] == pid for peer, pid in accepted.items())
    ledger.flows_close(result)


@test
def older_connections_and_stop(_):
    client, server, listener = pair()
    ports = client.getsockname()[1], listener.getsockname()[1]
    client.sendall(b"before")
    receive(server, 6)
    with Kflowd() as k:
        client.sendall(b"since")
        receive(server, 5)
        result = k.stop(losses=ledger.COUNTED)
    clients, servers = ends(result.records, *ports)
    assert len(clients) == len(servers) == 1, f"{len(clients)} and {len(servers)} records"
    for record in (*clients, *servers):
        assert record["SockState"] == "TCP_ESTABLISHED" and record["ProcPID"] == ME, record
    assert (clients[0]["SockTxBytes"], servers[0]["SockRxBytes"]) == (5, 5)
    ledger.flows_close(result)


@test
def timeouts_send_what_came_since_and_it_adds_up(_):
    with Kflowd(("-o", "json-min", "-t", "1,2")) as k:
        client, server, listener = pair()
        ports = client.getsockname()[1], listener.getsockname()[1]
        last = 0
        for _turn in range(3):
            client.sendall(b"x" * 100)
            receive(server, 100)
            # Nothing moves: the clock alone sends the record.
            later = {"InfoSequenceNumber": lambda number: number > last}
            found = k.wait_for(SockLocalPort=ports[0], SockState="TCP_ESTABLISHED", **later)
            last = found["InfoSequenceNumber"]
        client.close()
        server.close()
        result = k.stop(losses=ledger.COUNTED)
    clients, servers = ends(result.records, *ports)
    assert [record["SockTxBytes"] for record in clients[:3]] == [100] * 3, clients
    assert clients[-1]["SockState"] == "TCP_CLOSE"
    assert total(clients, "SockTxBytes") == total(servers, "SockRxBytes") == 300
    mirrored(clients, servers)
    ledger.flows_close(result)


@test
def many_at_once_and_many_in_a_row(_):
    listener = socket.create_server((LOOPBACK, 0), backlog=1024)
    port = listener.getsockname()[1]

    local = []
    with Kflowd() as k:
        server = threading.Thread(target=serve, args=(listener, 600))
        server.start()
        sockets = [socket.socket() for _ in range(200)]
        for one in sockets:
            one.setblocking(False)
            one.connect_ex((LOOPBACK, port))
        for one in sockets:
            one.setblocking(True)
            one.sendall(b"x")
            local.append(one.getsockname()[1])
            one.close()
        for _ in range(400):
            with socket.create_connection((LOOPBACK, port)) as one:
                local.append(one.getsockname()[1])
                one.sendall(b"x")
        server.join()
        result = k.stop(losses=ledger.COUNTED)
    tcp = find(result.records, SockProtocol="TCP", ProcPID=ME)
    clients = sorted(record["SockLocalPort"] for record in find(tcp, SockRole="CLIENT", SockRemotePort=port))
    servers = sorted(record["SockRemotePort"] for record in find(tcp, SockRole="SERVER", SockLocalPort=port))
    for name, found in (("clients", clients), ("servers", servers)):
        # On loopback the kernel may give a port again after a second.
        assert not collections.Counter(found) - collections.Counter(local), f"{name} twice or of others"
        assert len(found) >= len(local) - untold(len(local)), f"{len(found)} of {len(local)} {name}"
    ledger.flows_close(result)


@test
def large_transfer_is_exact(_):
    size = 50 << 20
    with Kflowd() as k:
        client, server, listener = pair()
        ports = client.getsockname()[1], listener.getsockname()[1]
        block = bytes(1 << 20)
        sender = threading.Thread(target=lambda: [client.sendall(block) for _ in range(size >> 20)])
        sender.start()
        receive(server, size)
        sender.join()
        client.close()
        server.close()
        result = k.stop(losses=ledger.COUNTED)
    clients, servers = ends(result.records, *ports)
    resent = total(clients, "SockTxBytesRetrans")
    assert total(clients, "SockTxBytes") - resent == size, total(clients, "SockTxBytes")
    assert size <= total(servers, "SockRxBytes") <= size + resent
    assert total(clients, "SockTxBytesAcked") >= size
    ledger.flows_close(result)


main()

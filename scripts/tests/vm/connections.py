#!/usr/bin/env python3
"""Connections in great number, in several network namespaces, without an answer, and of processes that are killed."""

import array
import collections
import os
import signal
import socket
import subprocess
import sys
import threading

import ledger
from kflowd import Kflowd, find
from loopback import LOOPBACK, receive, serve, untold
from networks import LEFT, RIGHT, ROUTER, inside, network, two_hosts
from tests import main, test

ME = os.getpid()
SHORT = 5000


@test
def five_thousand_short_ones_each_exactly_once(_):
    listener = socket.create_server((LOOPBACK, 0), backlog=1024)
    port = listener.getsockname()[1]
    with Kflowd() as k:
        server = threading.Thread(target=serve, args=(listener, SHORT))
        server.start()
        local = []
        for _ in range(SHORT):
            with socket.create_connection((LOOPBACK, port)) as one:
                local.append(one.getsockname()[1])
                one.sendall(b"x")
        server.join()
        result = k.stop(losses=ledger.COUNTED)
    tcp = find(result.records, SockProtocol="TCP", ProcPID=ME)
    for role, own, other, key in (
        ("CLIENT", "SockLocalPort", "SockRemotePort", "SockTxBytes"),
        ("SERVER", "SockRemotePort", "SockLocalPort", "SockRxBytes"),
    ):
        found = find(tcp, SockRole=role, **{other: port})
        # A port may come twice. A packet whose hook was skipped is not in the bytes.
        exact = collections.Counter(record[own] for record in found if record[key] == 1)
        skipped = untold(SHORT) + result.records[-1]["Kernel"]["LostMissed"]
        assert not exact - collections.Counter(local), f"{role}: {exact - collections.Counter(local)}"
        assert exact.total() >= SHORT - skipped, f"{exact.total()} {role} of {SHORT}, {skipped} skipped"
        assert SHORT - untold(SHORT) <= len(found) <= SHORT, f"{len(found)} {role} of {SHORT}"
    ledger.flows_close(result)


@test
def the_same_addresses_and_ports_in_two_namespaces(_):
    """Both hosts talk to themselves, with one and the same 5-tuple."""
    with two_hosts(), Kflowd() as k:
        held = []
        for host, size in ((LEFT, 100), (RIGHT, 2000)):
            with network(host):
                listener = socket.create_server((LOOPBACK, 7300))
                client = socket.create_connection((LOOPBACK, 7300), source_address=(LOOPBACK, 7301))
                one, other = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
                one.bind((LOOPBACK, 7302))
                other.bind((LOOPBACK, 7303))
            server = listener.accept()[0]
            client.sendall(b"x" * size)
            one.sendto(b"x" * size, (LOOPBACK, 7303))
            assert len(other.recv(5000)) == len(server.recv(5000)) == size
            held += [listener, client, server, one, other]
        result = k.stop(losses=ledger.COUNTED)
    for local, remote in ((7301, 7300), (7302, 7303)):
        senders = find(result.records, SockLocalPort=local, SockRemotePort=remote)
        receivers = find(result.records, SockLocalPort=remote, SockRemotePort=local)
        assert sorted(record["SockTxBytes"] for record in senders) == [100, 2000], senders
        assert sorted(record["SockRxBytes"] for record in receivers) == [100, 2000], receivers
    ledger.flows_close(result)


def syn_sent(port):
    """Whether somebody in LEFT waits for an answer from this port."""
    return inside(LEFT, "ss", "-tnHO", "state", "syn-sent", f"dport = :{port}").strip()


@test
def no_answer_and_no_route(_):
    """A connect that nobody answers, given up and killed; one that the router refuses."""
    with two_hosts(), Kflowd() as k:
        inside(ROUTER, "ip", "route", "add", "blackhole", "10.7.3.0/24")
        with network(LEFT):
            given_up = socket.socket()
            code = "import socket; socket.socket().connect(('10.7.3.3', 7401))"
            waiting = subprocess.Popen([sys.executable, "-c", code])
            refused = socket.socket().connect_ex(("10.7.9.9", 7402))
        given_up.settimeout(2)
        try:
            given_up.connect(("10.7.3.3", 7400))
            raise AssertionError("connected")
        except TimeoutError:
            given_up.close()
        record = k.wait_for(SockRemotePort=7400)
        assert set(record["SockTxFlags"]) == {"SYN"} and record["SockTxFlags"]["SYN"] >= 2, record
        assert record["SockTxPacketsRetrans"] == record["SockTxFlags"]["SYN"] - 1, record
        assert (record["SockState"], record["ProcPID"], record["SockTxBytes"]) == ("TCP_CLOSE", ME, 0), record
        while not syn_sent(7401):
            assert waiting.poll() is None, "it does not wait"
        waiting.kill()
        waiting.wait()
        record = k.wait_for(SockRemotePort=7401)
        assert (record["SockState"], record["ProcPID"], record["SockRole"]) == ("TCP_CLOSE", waiting.pid, "CLIENT")
        assert refused, "a host that is not there has answered"
        k.wait_for(SockRemotePort=7402, SockState="TCP_CLOSE")
        result = k.stop(losses=ledger.COUNTED)
    ledger.flows_close(result)


@test
def a_killed_process_and_a_passed_connection(_):
    """A kill ends both; who accepted a connection keeps it, whoever uses it then."""
    listener = socket.create_server((LOOPBACK, 0))
    port = listener.getsockname()[1]
    code = (
        "import socket, time\n"
        f"c = socket.create_connection(('{LOOPBACK}', {port}))\n"
        "c.sendall(b'x' * 500)\n"
        "time.sleep(600)\n"
    )
    with Kflowd() as k:
        child = subprocess.Popen([sys.executable, "-c", code])
        server, peer = listener.accept()
        receive(server, 500)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert server.recv(1) == b""
        record = k.wait_for(SockRole="CLIENT", SockLocalPort=peer[1])
        assert (record["ProcPID"], record["SockTxBytes"]) == (child.pid, 500), record
        # Accepted here, used by a child, which got it over a UNIX socket.
        client = socket.create_connection((LOOPBACK, port))
        passed = listener.accept()[0]
        here, there = socket.socketpair()
        user = os.fork()
        if not user:
            _data, ancillary, *_rest = there.recvmsg(1, socket.CMSG_SPACE(4))
            (fd,) = array.array("i", ancillary[0][2])
            socket.socket(fileno=fd).sendall(b"y" * 300)
            os._exit(0)
        here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [passed.fileno()]))])
        passed.close()
        os.waitpid(user, 0)
        receive(client, 300)
        local = client.getsockname()[1]
        client.close()
        record = k.wait_for(SockRole="SERVER", SockRemotePort=local)
        assert (record["ProcPID"], record["SockTxBytes"]) == (ME, 300), record
        result = k.stop(losses=ledger.COUNTED)
    ledger.flows_close(result)


main()

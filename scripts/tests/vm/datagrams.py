#!/usr/bin/env python3
"""UDP: fragments, segments, full buffers, workers that share a port, groups, senders that are gone."""

import os
import pathlib
import socket
import subprocess
import sys

import ledger
from capture import UDP, capture, packets
from kflowd import Kflowd, find
from loopback import LOOPBACK, datagram
from networks import ADDRESSES, LEFT, RIGHT, network, two_hosts
from tests import main, test

# From Linux's headers; Python's socket module lacks it.
UDP_SEGMENT = 103
FAMILIES = socket.AF_INET, socket.AF_INET6


def both(records, local, remote):
    """The record of either end of a flow."""
    (sender,) = find(records, SockProtocol="UDP", SockLocalPort=local, SockRemotePort=remote)
    (receiver,) = find(records, SockProtocol="UDP", SockLocalPort=remote, SockRemotePort=local)
    return sender, receiver


@test
def fragments_between_hosts(directory):
    """Datagrams that IP cuts: each counts once."""
    size, times = 8000, 5
    ports = {}
    with two_hosts(), Kflowd() as k, capture(RIGHT, "eth0", directory / "right"):
        for index, family in enumerate(FAMILIES):
            with network(RIGHT):
                server = datagram(family, (ADDRESSES[RIGHT][index], 7500))
            with network(LEFT):
                client = datagram(family)
            client.connect((ADDRESSES[RIGHT][index], 7500))
            for count in (size, 10):
                for _ in range(times):
                    client.send(b"x" * count)
                    assert len(server.recv(10_000)) == count
            ports[index] = client.getsockname()[1]
            client.close()
            server.close()
        result = k.stop(losses=ledger.COUNTED)
    wire = [packet for packet in packets(directory / "right") if packet.protocol == UDP]
    for index, local in ports.items():
        cut = [packet for packet in wire if packet.fragment and packet.source[0] == ADDRESSES[LEFT][index]]
        assert len(cut) == times * 6, cut
        sender, receiver = both(result.records, local, 7500)
        assert (sender["SockTxPackets"], sender["SockTxBytes"]) == (2 * times, times * (size + 10)), sender
        assert (receiver["SockRxPackets"], receiver["SockRxBytes"]) == (2 * times, times * (size + 10)), receiver
        assert (receiver["SockRxPacketsFrag"], receiver["SockRxTTL"]) == (times, 63), receiver
    ledger.flows_close(result)


@test
def one_call_for_many_datagrams(_):
    segment, count = 1000, 9 * 1000 + 1
    with Kflowd() as k:
        ports = []
        for family, address in zip(FAMILIES, (LOOPBACK, "::1")):
            server, client = datagram(family, (address, 0)), datagram(family)
            client.setsockopt(socket.SOL_UDP, UDP_SEGMENT, segment)
            client.connect((address, server.getsockname()[1]))
            client.send(b"x" * count)
            assert [len(server.recv(10_000)) for _ in range(10)] == [segment] * 9 + [1]
            ports.append((client.getsockname()[1], server.getsockname()[1]))
            client.close()
            server.close()
        result = k.stop(losses=ledger.COUNTED)
    for local, remote in ports:
        sender, receiver = both(result.records, local, remote)
        assert (sender["SockTxPackets"], sender["SockTxBytes"]) == (10, count), sender
        assert (receiver["SockRxPackets"], receiver["SockRxBytes"]) == (10, count), receiver
    ledger.flows_close(result)


@test
def workers_that_share_a_port(_):
    """Each datagram belongs to the process that got it."""
    code = (
        "import os, socket, sys\n"
        "one = socket.socket(type=socket.SOCK_DGRAM)\n"
        "one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)\n"
        f"one.bind(('{LOOPBACK}', 7600))\n"
        "print(flush=True)\n"
        "while True:\n"
        "    data, peer = one.recvfrom(100)\n"
        "    print(peer[1], flush=True)\n"
        "    one.sendto(b'y' * 50, peer)\n"
    )
    with Kflowd() as k:
        workers = [
            subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)
        ]
        for worker in workers:
            worker.stdout.readline()
        clients = [datagram() for _ in range(40)]
        for client in clients:
            client.connect((LOOPBACK, 7600))
            client.send(b"x" * 10)
            assert len(client.recv(100)) == 50
        told = {}
        for worker in workers:
            worker.terminate()
            told |= {int(line): worker.pid for line in worker.communicate()[0].split()}
        result = k.stop(losses=ledger.COUNTED)
    assert len(set(told.values())) > 1, "one worker got everything"
    for client in clients:
        local = client.getsockname()[1]
        sender, receiver = both(result.records, local, 7600)
        assert (sender["ProcPID"], receiver["ProcPID"]) == (os.getpid(), told[local]), receiver
        assert (receiver["SockRxBytes"], receiver["SockTxBytes"]) == (10, 50), receiver
    ledger.flows_close(result)


def kernel_drops(port):
    """What the kernel itself says of the socket with this port."""
    for line in pathlib.Path("/proc/net/udp").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[1].partition(":")[2], 16) == port:
            return int(words[-1])
    raise AssertionError(f"no socket with port {port}")


@test
def more_than_the_buffer_holds(_):
    with Kflowd() as k:
        server, client = datagram(), datagram()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        server.bind((LOOPBACK, 0))
        port = server.getsockname()[1]
        client.connect((LOOPBACK, port))
        client.send(b"x" * 1000)
        server.recv(2000)
        for _ in range(200):
            client.send(b"x" * 1000)
        drops = kernel_drops(port)
        server.setblocking(False)
        read = 1
        while True:
            try:
                server.recv(2000)
                read += 1
            except BlockingIOError:
                break
        result = k.stop(losses=ledger.COUNTED)
    sender, receiver = both(result.records, client.getsockname()[1], port)
    assert sender["SockTxPackets"] == 201 == drops + read, (sender, drops, read)
    assert (receiver["SockRxPackets"], receiver["SockRxPacketsDrop"]) == (read, drops), (receiver, drops, read)
    ledger.flows_close(result)


@test
def to_a_group(_):
    """Multicast on loopback: the receiver's own address is the group's."""
    group = "239.1.2.3"
    with Kflowd() as k:
        server, client = datagram(address=("", 7700)), datagram()
        request = socket.inet_aton(group) + socket.inet_aton(LOOPBACK)
        server.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        client.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LOOPBACK))
        client.sendto(b"x" * 70, (group, 7700))
        assert len(server.recv(100)) == 70
        local = client.getsockname()[1]
        result = k.stop(losses=ledger.COUNTED)
    sender, receiver = both(result.records, local, 7700)
    assert (sender["SockRemoteIP"], sender["SockTxBytes"]) == (group, 70), sender
    assert (receiver["SockLocalIP"], receiver["SockRxBytes"], receiver["SockRxTTL"]) == (group, 70, 1), receiver
    ledger.flows_close(result)


@test
def a_sender_that_is_gone(_):
    code = f"import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x' * 30, ('{LOOPBACK}', 7800))"
    with Kflowd() as k:
        server = datagram(address=(LOOPBACK, 7800))
        child = subprocess.Popen([sys.executable, "-c", code])
        child.wait()
        server.recv(100)
        record = k.wait_for(SockProtocol="UDP", SockRemotePort=7800)
        assert (record["ProcPID"], record["SockTxBytes"], record["SockState"]) == (child.pid, 30, "UDP_CLOSE"), record
        assert record["Proc"].startswith("python3") and record["ProcParent"].startswith("python3"), record
        result = k.stop(losses=ledger.COUNTED)
    ledger.flows_close(result)


main()

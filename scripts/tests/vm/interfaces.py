#!/usr/bin/env python3
"""Interfaces in flow records: loopback, interfaces that come, are renamed and go, other network namespaces."""

import contextlib
import pathlib
import socket

from kflowd import Kflowd, find
from networks import network, run
from tests import main, test

NAMESPACE = "kflowd-other"


def exchange(address, port, inside=None):
    """One connection to a server, which may be in another network namespace; both ends are closed then."""
    with contextlib.ExitStack() as stack:
        with network(inside):
            listener = stack.enter_context(socket.create_server((address, port)))
        client = stack.enter_context(socket.create_connection((address, port)))
        server = stack.enter_context(listener.accept()[0])
        client.sendall(b"ping")
        assert server.recv(4) == b"ping"
        server.sendall(b"pong")
        assert client.recv(4) == b"pong"
        client.shutdown(socket.SHUT_WR)
        assert server.recv(1) == b""


@contextlib.contextmanager
def veth(name):
    """A pair of interfaces, `name` here with 10.9.8.1, the other end in a namespace of its own with 10.9.8.2."""
    run("ip", "netns", "add", NAMESPACE)
    try:
        run("ip", "link", "add", name, "type", "veth", "peer", "name", "inner", "netns", NAMESPACE)
        run("ip", "address", "add", "10.9.8.1/24", "dev", name)
        run("ip", "link", "set", name, "up")
        run("ip", "-n", NAMESPACE, "address", "add", "10.9.8.2/24", "dev", "inner")
        run("ip", "-n", NAMESPACE, "link", "set", "inner", "up")
        yield
    finally:
        run("ip", "netns", "delete", NAMESPACE)


def link(name):
    """Index and hardware address of an interface."""
    directory = pathlib.Path("/sys/class/net") / name
    return (directory / "ifindex").read_text().strip(), (directory / "address").read_text().strip()


def inner():
    """Index of the interface in the other namespace."""
    with network(NAMESPACE):
        return str(socket.if_nametoindex("inner"))


def ends(kflowd, port):
    """The records of client and server of the connection to a port."""
    client = kflowd.wait_for(SockRole="CLIENT", SockRemotePort=port)
    return client, kflowd.wait_for(SockRole="SERVER", SockLocalPort=port)


def both(record):
    return record["SockTxInterface"], record["SockRxInterface"]


@test
def loopback_has_its_name(_directory):
    with Kflowd() as k:
        exchange("127.0.0.1", 7001)
        for record in ends(k, 7001):
            assert both(record) == ("1:lo:00:00:00:00:00:00",) * 2, record


@test
def interfaces_come_and_are_renamed_and_go(_directory):
    with Kflowd() as k:
        with veth("kflowd0"):
            index, address = link("kflowd0")
            exchange("10.9.8.2", 7002, NAMESPACE)
            client, server = ends(k, 7002)
            assert both(client) == (f"{index}:kflowd0:{address}",) * 2, client
            # In another namespace an index is another interface.
            assert both(server) == (inner(),) * 2, server
            run("ip", "link", "set", "kflowd0", "down")
            run("ip", "link", "set", "kflowd0", "name", "kflowd1")
            run("ip", "link", "set", "kflowd1", "up")
            exchange("10.9.8.2", 7003, NAMESPACE)
            assert both(ends(k, 7003)[0]) == (f"{index}:kflowd1:{address}",) * 2
        # The interface is gone before the record of its last connection is written.
        with veth("kflowd2"), contextlib.ExitStack() as stack:
            index, address = link("kflowd2")
            with network(NAMESPACE):
                listener = stack.enter_context(socket.create_server(("10.9.8.2", 7004)))
            client = stack.enter_context(socket.create_connection(("10.9.8.2", 7004)))
            stack.enter_context(listener.accept()[0])
            run("ip", "link", "delete", "kflowd2")
            client.close()
        result = k.stop()
    last = find(result.records, SockRole="CLIENT", SockRemotePort=7004)
    # What was sent last had no way out any more.
    assert last and all(both(record)[1] == f"{index}:kflowd2:{address}" for record in last), last


main()

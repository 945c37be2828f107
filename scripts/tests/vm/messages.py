#!/usr/bin/env python3
"""Application messages in the records of their flows: each one is there, once, on both sides.

All conversations are held in one run of kflowd, each on a port of its own.
"""

import contextlib
import functools
import os
import socket
import struct
import tempfile
import threading
import time

from kflowd import Kflowd, find
from loopback import receive
from tests import main, test

REQUEST = b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n"
TCP_CLOSE = 7
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextlib.contextmanager
def connected(port):
    """Both ends of a TCP connection on loopback."""
    with (
        socket.create_server(("127.0.0.1", port)) as listener,
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        with listener.accept()[0] as server:
            yield client, server


def messages(records, key, **flow):
    return [message for record in find(records, **flow) for message in record.get(key, [])]


def sides(records, port):
    """Requests and responses as the client, then as the server has them."""
    client = {"SockRole": "CLIENT", "SockRemotePort": port}
    server = {"SockRole": "SERVER", "SockLocalPort": port}
    return (
        (messages(records, "AppTxHttp", **client), messages(records, "AppRxHttp", **client)),
        (messages(records, "AppRxHttp", **server), messages(records, "AppTxHttp", **server)),
    )


def plain(_kflowd):
    with connected(8001) as (client, server):
        client.sendall(REQUEST % 1)
        receive(server, len(REQUEST % 1))
        server.sendall(RESPONSE)
        receive(client, len(RESPONSE))


def byte_by_byte(_kflowd):
    with connected(8002) as (client, server):
        for byte in REQUEST % 7:
            client.sendall(bytes([byte]))
        receive(server, len(REQUEST % 7))


MANY = 100


def many(_kflowd):
    with connected(8004) as (client, server):
        for number in range(MANY):
            client.sendall(REQUEST % number)
            receive(server, len(REQUEST % number))
            server.sendall(RESPONSE)
            receive(client, len(RESPONSE))


def wait_until_closed(client):
    """Until the kernel is done with the connection: both ends are shut."""
    while client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != TCP_CLOSE:
        time.sleep(0.01)


def read_late(kflowd):
    """The client has nothing more to say and reads when the connection is over, and its record might be sent."""
    with connected(8003) as (client, server):
        client.sendall(REQUEST % 3)
        client.shutdown(socket.SHUT_WR)
        receive(server, len(REQUEST % 3))
        server.sendall(RESPONSE)
        server.close()
        wait_until_closed(client)
        kflowd.wait_for(SockRole="SERVER", SockLocalPort=8003)
        # Several rounds of the sweep.
        time.sleep(3)
        receive(client, len(RESPONSE))
        kflowd.wait_for(SockRole="CLIENT", SockRemotePort=8003)


LONG = b"z" * 300_000
# Bodies of which not all is captured; then one that is.
LONG_RESPONSES = [
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LONG) + LONG,
    b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"".join(b"2710\r\n" + LONG[:10_000] + b"\r\n" for _ in range(30)) + b"0\r\n\r\n",
    RESPONSE,
]
UPLOAD = b"POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: " + b"%d\r\n\r\n" % len(LONG) + LONG


def long_bodies(_kflowd):
    with connected(8005) as (client, server):
        for number, response in enumerate(LONG_RESPONSES):
            for sender, receiver, data in (
                (client, server, UPLOAD % number if number else REQUEST % number),
                (server, client, response),
            ):
                thread = threading.Thread(target=sender.sendall, args=(data,))
                thread.start()
                receive(receiver, len(data))
                thread.join()


# Of which a part is sent that begins in one page and ends in the next.
FILE = "".join(f"{number:05} " for number in range(2000))
BEGIN, SIZE = 3500, 1000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE


def by_sendfile(file, server):
    offset, left = BEGIN, SIZE
    while left:
        sent = os.sendfile(server.fileno(), file.fileno(), offset, left)
        offset, left = offset + sent, left - sent


def by_splice(file, server):
    reader, writer = os.pipe()
    assert os.splice(file.fileno(), writer, SIZE, offset_src=BEGIN) == SIZE
    left = SIZE
    while left:
        left -= os.splice(reader, server.fileno(), left)
    os.close(reader)
    os.close(writer)


def from_pages(_kflowd):
    """Bodies that the server never has in its own memory; one with its head in one packet, one alone."""
    with connected(8006) as (client, server), tempfile.TemporaryFile() as file:
        file.write(FILE.encode())
        file.flush()
        for number, (move, flags) in enumerate(((by_sendfile, socket.MSG_MORE), (by_splice, 0), (by_sendfile, 0))):
            client.sendall(REQUEST % number)
            receive(server, len(REQUEST % number))
            server.sendall(HEAD, flags)
            move(file, server)
            receive(client, len(HEAD) + SIZE)


def question(number):
    return struct.pack("!6H", number, 0x100, 1, 0, 0, 0) + b"\x04name\x04test\x00" + struct.pack("!2H", 1, 1)


def answer(query):
    (number,) = struct.unpack("!H", query[:2])
    record = b"\xc0\x0c" + struct.pack("!2HIH4B", 1, 1, 60, 4, 192, 0, 2, number)
    return struct.pack("!6H", number, 0x8180, 1, 1, 0, 0) + query[12:] + record


CLIENTS = 5
# Ports of the clients, by the number of their question.
asked_from = {}


def dns(_kflowd):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 53))
        for number in range(1, CLIENTS + 1):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                # A port that the kernel chooses may come twice.
                client.bind(("127.0.0.1", 20_000 + number))
                client.connect(("127.0.0.1", 53))
                client.send(question(number))
                query, peer = server.recvfrom(512)
                server.sendto(answer(query), peer)
                assert client.recv(512)[:2] == query[:2]
                asked_from[number] = client.getsockname()[1]


LOG = "/dev/log"


def log(_kflowd):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(LOG)
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client,
    ):
        server.bind(LOG)
        for number in range(3):
            client.sendto(f"<13>Sep 16 14:30:01 app[{number}]: text {number}".encode(), LOG)
            assert server.recv(1000)
    os.unlink(LOG)


@functools.cache
def records():
    """What kflowd says of all conversations."""
    ports = ",".join(f"tcp/{port}" for port in range(8001, 8007))
    with Kflowd(("-o", "json-min", "-p", f"http={ports}")) as k:
        for talk in (plain, byte_by_byte, read_late, many, long_bodies, from_pages, dns, log):
            talk(k)
        result = k.stop()
    assert result.code == 0, result.stderr
    return result.records


@test
def http_on_both_sides(_directory):
    for requests, responses in sides(records(), 8001):
        assert [(r["_Method"], r["_Url"], r["Host"]) for r in requests] == [("GET", "/1", "h")], requests
        assert [(r["_Status"], r["_Body"]) for r in responses] == [(200, "ok")], responses
        assert 0 < requests[0]["_Timestamp"] < responses[0]["_Timestamp"] < 60, (requests, responses)


@test
def a_request_byte_by_byte(_directory):
    for requests, _ in sides(records(), 8002):
        assert [r.get("_Url") for r in requests] == ["/7"], requests


@test
def long_bodies_hide_no_message(_directory):
    for requests, responses in sides(records(), 8005):
        assert [r.get("_Url") for r in requests] == ["/0", "/1", "/2"], requests
        assert [r.get("_Status") for r in responses] == [200, 201, 200], responses


@test
def bodies_sent_from_pages(_directory):
    for requests, responses in sides(records(), 8006):
        assert [r.get("_Url") for r in requests] == ["/0", "/1", "/2"], requests
        assert [r.get("_Body") for r in responses] == [FILE[BEGIN : BEGIN + SIZE]] * 3, responses


@test
def what_is_read_after_the_connection_is_closed(_directory):
    for requests, responses in sides(records(), 8003):
        assert [r["_Url"] for r in requests] == ["/3"], requests
        assert [(r["_Status"], r["_Body"]) for r in responses] == [(200, "ok")], responses


@test
def a_connection_older_than_kflowd(_directory):
    """It is joined within a body, of which nothing is told, and the next message is whole."""
    with connected(80) as (client, server):
        client.sendall(REQUEST % 4)
        receive(server, len(REQUEST % 4))
        begun = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 50
        server.sendall(begun)
        receive(client, len(begun))
        with Kflowd() as k:
            server.sendall(b"x" * 50)
            client.sendall(REQUEST % 5)
            receive(server, len(REQUEST % 5))
            server.sendall(RESPONSE)
            receive(client, 50 + len(RESPONSE))
            result = k.stop()
    for requests, responses in sides(result.records, 80):
        assert [r.get("_Url") for r in requests] == ["/5"], requests
        assert [(r.get("_Status"), r.get("_Body")) for r in responses] == [(200, "ok")], responses


@test
def a_long_connection_loses_none(_directory):
    for requests, responses in sides(records(), 8004):
        assert [r.get("_Url") for r in requests] == [f"/{n}" for n in range(MANY)], len(requests)
        assert [r.get("_Status") for r in responses] == [200] * MANY, len(responses)
    for record in records():
        assert len(record.get("AppTxHttp", []) + record.get("AppRxHttp", [])) <= 32


@test
def dns_of_several_clients_of_one_server(_directory):
    found = records()
    assert len(asked_from) == CLIENTS
    for number, port in asked_from.items():
        for flow, sent, received in (
            ({"SockLocalPort": port, "SockRemotePort": 53}, "AppTxDns", "AppRxDns"),
            ({"SockLocalPort": 53, "SockRemotePort": port}, "AppRxDns", "AppTxDns"),
        ):
            asked, answered = messages(found, sent, **flow), messages(found, received, **flow)
            assert [m["TransactionId"] for m in asked + answered] == [number] * 2, (flow, asked, answered)
            data = answered[0]["ResourceRecords"]
            assert data == [["A", "name.test", 60, "IN", f"192.0.2.{number}"]], data


@test
def log_lines_of_a_unix_socket(_directory):
    lines = messages(records(), "AppTxSyslog", SockFamily="AF_UNIX", SockAddress=LOG)
    assert [(m["ProcId"], m["Message"]) for m in lines] == [(str(n), f"text {n}") for n in range(3)], lines


@test
def every_message_is_in_a_record(_directory):
    ledger = records()[-1]["Messages"]
    assert ledger["In"] == ledger["Out"] > 0 and not ledger["Kept"] and not ledger["LostNoRecord"], ledger


main()

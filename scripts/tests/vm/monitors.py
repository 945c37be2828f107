#!/usr/bin/env python3
"""-m: only files, only sockets, or both, which is the default."""

import socket

from kflowd import Kflowd, find, main, test


def kinds(directory, *options):
    """What kflowd reports of one file and one connection."""
    with Kflowd(("-o", "json-min", *options)) as k:
        with (
            socket.create_server(("127.0.0.1", 7100)) as listener,
            socket.create_connection(("127.0.0.1", 7100)) as client,
            listener.accept()[0] as server,
        ):
            client.sendall(b"x")
            assert server.recv(1) == b"x"
        (directory / "only").write_text("x")
        result = k.stop()
    assert result.code == 0, result.stderr
    return {record["InfoMonitor"] for record in result.records} - {"kflowd"}, result.records


@test
def both_unless_told(directory):
    found, records = kinds(directory)
    assert found == {"filesystem", "socket"}, found
    assert find(records, File="only") and find(records, SockRemotePort=7100), records


@test
def files_alone(directory):
    found, records = kinds(directory, "-m", "file")
    assert found == {"filesystem"} and find(records, File="only"), records


@test
def sockets_alone(directory):
    found, records = kinds(directory, "-m", "socket")
    assert found == {"socket"} and find(records, SockRemotePort=7100), records


main()

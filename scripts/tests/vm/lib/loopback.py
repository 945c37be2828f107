"""Sockets on loopback, and what the records of their flows add up to."""

import socket

from tests import kernel

LOOPBACK = "127.0.0.1"


def datagram(family=socket.AF_INET, address=None):
    """A UDP socket, bound where an address is given."""
    one = socket.socket(family, socket.SOCK_DGRAM)
    if address:
        one.bind(address)
    return one


def receive(connection, count):
    """Reads so many bytes."""
    while count:
        data = connection.recv(min(count, 1 << 20))
        assert data, f"{count} bytes are missing"
        count -= len(data)


def serve(listener, count):
    """Accepts so many connections, one after the other, and reads a little of each."""
    for _ in range(count):
        with listener.accept()[0] as connection:
            connection.recv(10)


def untold(count):
    """Of so many: before 5.12 the kernel skips runs of a hook that interrupts itself without a word, up to 1 %."""
    return count // 100 if kernel() < (5, 12) else 0


def total(records, key):
    """Sum over the records of one flow: a number, or an object of numbers."""
    values = [record[key] for record in records if key in record]
    if values and isinstance(values[0], dict):
        names = {name for value in values for name in value}
        return {name: sum(value.get(name, 0) for value in values) for name in names}
    return sum(values)

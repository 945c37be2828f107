"""What tcpdump sees of an interface, as packets that tests can count."""

import collections
import contextlib
import ipaddress
import pathlib
import signal
import struct
import subprocess

TCP, UDP = 6, 17
FLAGS = "FIN SYN RST PSH ACK URG ECE CWR".split()

# source and destination are (address, port); flags as records name them, "" without any; size is that of the payload.
Packet = collections.namedtuple("Packet", "source destination protocol flags size ttl fragment")


@contextlib.contextmanager
def capture(namespace, interface, path):
    """Captures while the block runs; afterwards packets(path) gives what was seen."""
    command = ["ip", "netns", "exec", namespace, "tcpdump", "-i", interface, "-w", str(path)]
    command += ["-Z", "root", "-U", "--immediate-mode", "-B", "32768", "-s", "160", "ip or ip6"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    line = process.stderr.readline()
    while "listening on" not in line:
        assert line, "tcpdump did not start"
        line = process.stderr.readline()
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)[1]
    assert "\n0 packets dropped by kernel" in told, told


def packets(path):
    """The IP packets of a capture, in order; of one that still runs, those that are written."""
    data = pathlib.Path(path).read_bytes()
    assert not data or data[:4] == b"\xd4\xc3\xb2\xa1", data[:4]
    found, at = [], 24
    while at + 16 <= len(data):
        (there,) = struct.unpack_from("<8xI", data, at)
        if at + 16 + there > len(data):
            break
        packet = decode(data[at + 16 : at + 16 + there])
        found += [packet] if packet else []
        at += 16 + there
    return found


def decode(frame):
    """One Ethernet frame; None for what is no IP."""
    kind = struct.unpack_from(">12xH", frame)[0]
    if kind == 0x0800:
        return decode_ipv4(frame[14:])
    return decode_ipv6(frame[14:]) if kind == 0x86DD else None


def decode_ipv4(data):
    first, length, _number, where, ttl, protocol = struct.unpack_from(">BxHHHBB", data)
    head = (first & 15) * 4
    addresses = [str(ipaddress.ip_address(data[at : at + 4])) for at in (12, 16)]
    if where & 0x1FFF:
        return Packet((addresses[0], 0), (addresses[1], 0), protocol, "", length - head, ttl, True)
    return transport(addresses, protocol, data[head:], length - head, ttl, bool(where & 0x2000))


def decode_ipv6(data):
    length, protocol, ttl = struct.unpack_from(">4xHBB", data)
    addresses = [str(ipaddress.ip_address(data[at : at + 16])) for at in (8, 24)]
    if protocol == 44:
        protocol, where = struct.unpack_from(">BxH", data, 40)
        if where & 0xFFF8:
            return Packet((addresses[0], 0), (addresses[1], 0), protocol, "", length - 8, ttl, True)
        return transport(addresses, protocol, data[48:], length - 8, ttl, True)
    return transport(addresses, protocol, data[40:], length, ttl, False)


def transport(addresses, protocol, data, length, ttl, fragment):
    """The part behind the IP header, `length` bytes of it on the wire."""
    if protocol not in (TCP, UDP):
        return None
    ports = struct.unpack_from(">HH", data)
    head, flags = 8, ""
    if protocol == TCP:
        head = (data[12] >> 4) * 4
        flags = "-".join(name for bit, name in enumerate(FLAGS) if data[13] & 1 << bit)
    source, destination = zip(addresses, ports)
    return Packet(source, destination, protocol, flags, length - head, ttl, fragment)

"""Network namespaces: entering them, and two hosts that reach each other through a router which does harm."""

import contextlib
import ctypes
import subprocess

# From Linux's headers; Python's os module has it from 3.12 on.
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def run(*command):
    """A command that has to succeed."""
    subprocess.run(command, check=True)


def inside(name, *command):
    """The output of a command in a namespace."""
    return subprocess.run(["ip", "netns", "exec", name, *command], check=True, stdout=subprocess.PIPE, text=True).stdout


@contextlib.contextmanager
def network(name):
    """The calling thread in a network namespace; None: where it is."""
    if name is None:
        yield
        return
    with open("/proc/thread-self/ns/net", "rb") as own, open(f"/run/netns/{name}", "rb") as other:
        assert LIBC.setns(other.fileno(), CLONE_NEWNET) == 0, ctypes.get_errno()
        try:
            yield
        finally:
            assert LIBC.setns(own.fileno(), CLONE_NEWNET) == 0, ctypes.get_errno()


# Host -> its addresses, and its router's.
LEFT, RIGHT, ROUTER = "kflowd-left", "kflowd-right", "kflowd-router"
ADDRESSES = {LEFT: ("10.7.1.2", "fd07:1::2"), RIGHT: ("10.7.2.2", "fd07:2::2")}
GATEWAYS = {LEFT: ("10.7.1.1", "fd07:1::1"), RIGHT: ("10.7.2.1", "fd07:2::1")}
# The router's ends of the links to them.
LINKS = {LEFT: "to-left", RIGHT: "to-right"}
MTU = 1500


def connect(host):
    """The link between a host and the router, named eth0 in the host. No packet of it is more than one on the wire."""
    run("ip", "link", "add", "eth0", "netns", host, "type", "veth", "peer", "name", LINKS[host], "netns", ROUTER)
    for place, device, addresses in ((host, "eth0", ADDRESSES[host]), (ROUTER, LINKS[host], GATEWAYS[host])):
        inside(place, "ethtool", "-K", device, "tso", "off", "gso", "off", "gro", "off", "tx", "off")
        inside(place, "ip", "link", "set", device, "up", "mtu", str(MTU))
        inside(place, "ip", "address", "add", f"{addresses[0]}/24", "dev", device)
        inside(place, "ip", "address", "add", f"{addresses[1]}/64", "dev", device, "nodad")
    inside(host, "ip", "link", "set", "lo", "up")
    inside(host, "ip", "route", "add", "default", "via", GATEWAYS[host][0])
    inside(host, "ip", "-6", "route", "add", "default", "via", GATEWAYS[host][1])


@contextlib.contextmanager
def two_hosts():
    """LEFT and RIGHT, with ROUTER between them."""
    hosts = LEFT, RIGHT, ROUTER
    for host in hosts:
        run("ip", "netns", "add", host)
    try:
        inside(ROUTER, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        connect(LEFT)
        connect(RIGHT)
        yield
    finally:
        for host in hosts:
            run("ip", "netns", "delete", host)


def harm(*netem, towards=(LEFT, RIGHT)):
    """What the router does to packets to these hosts, in the words of tc-netem(8); nothing: none."""
    for host in towards:
        # There is none at first.
        delete = ["ip", "netns", "exec", ROUTER, "tc", "qdisc", "delete", "dev", LINKS[host], "root"]
        subprocess.run(delete, stderr=subprocess.DEVNULL)
        if netem:
            inside(ROUTER, "tc", "qdisc", "add", "dev", LINKS[host], "root", "netem", *netem)

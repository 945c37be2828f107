#!/usr/bin/env python3
"""Real programs on the network: what they tell of their own connections and what the records say."""

import json
import os
import pathlib
import re
import subprocess

import ledger
from kflowd import Kflowd, find
from loopback import LOOPBACK, total
from servers import output, server
from tests import main, test


def ends(records, local, port, protocol="TCP"):
    """The records of the two ends of the flow from port `local` to a server's."""
    client = find(records, SockProtocol=protocol, SockLocalPort=local, SockRemotePort=port)
    other = find(records, SockProtocol=protocol, SockLocalPort=port, SockRemotePort=local)
    assert client and other, f"no records of {local} -> {port}"
    return client, other


def sent(records):
    """Payload without what was sent again."""
    return total(records, "SockTxBytes") - total(records, "SockTxBytesRetrans")


def moved(sender, receiver, size):
    """So many bytes went from one end to the other; a slow machine may send again what was only late."""
    assert sent(sender) == size, (sent(sender), size, sender)
    again = total(sender, "SockTxBytesRetrans")
    assert size <= total(receiver, "SockRxBytes") <= size + again, (size, again, receiver)


@test
def curl_and_nginx(directory):
    (directory / "www").mkdir()
    directory.chmod(0o755)
    directory.parent.chmod(0o755)
    sizes = (0, 1, 1000, 70_000, 3_000_000)
    for size in sizes:
        (directory / f"www/{size}").write_bytes(b"w" * size)
    (directory / "conf").write_text(f"""\
daemon off; worker_processes 2; user root; pid {directory}/pid; error_log {directory}/errors;
events {{ worker_connections 64; }}
http {{ access_log off; server {{ listen {LOOPBACK}:80; root {directory}/www; }} }}
""")
    told = {}
    form = "%{local_port} %{size_request} %{size_header} %{size_download} %{http_code}"
    with Kflowd() as k, server(80, "nginx", "-c", f"{directory}/conf"):
        for size in (*sizes, "missing"):
            line = output("curl", "-s", "-o", "/dev/null", "-w", form, f"http://{LOOPBACK}/{size}")
            told[size] = tuple(int(word) for word in line.split())
        result = k.stop(losses=ledger.COUNTED)
    for size, (local, request, head, body, code) in told.items():
        assert code == (404 if size == "missing" else 200), (size, code)
        client, other = ends(result.records, local, 80)
        moved(client, other, request)
        moved(other, client, head + body)
        assert {record["Proc"] for record in client} == {"curl"}
        assert {record["Proc"] for record in other} == {"nginx"}
        (question,) = [message for record in client for message in record.get("AppTxHttp", ())]
        assert (question["_Method"], question["_Url"]) == ("GET", f"/{size}"), question
        (answer,) = [message for record in other for message in record.get("AppTxHttp", ())]
        assert answer["_Status"] == code, answer
    ledger.flows_close(result)


@test
def dig_and_dnsmasq(_):
    names = {f"n{number}.kflow.test": f"10.1.2.{number}" for number in range(5)}
    records = [f"--host-record={name},{address}" for name, address in names.items()]
    command = ("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root")
    command += ("--bind-interfaces", f"--listen-address={LOOPBACK}", "--pid-file=", *records)
    told = {}
    with Kflowd() as k, server(53, *command):
        for number, name in enumerate((*names, "absent.test")):
            over_tcp = number % 2
            local = 20_000 + number
            text = output("dig", f"@{LOOPBACK}", "-b", f"{LOOPBACK}#{local}", *["+tcp"] * over_tcp, name)
            told[name] = local, over_tcp, int(re.search(r"MSG SIZE  rcvd: (\d+)", text)[1])
            assert ("status: NOERROR" in text) == (name in names), text
        result = k.stop(losses=ledger.COUNTED)
    for name, (local, over_tcp, size) in told.items():
        client, other = ends(result.records, local, 53, "TCP" if over_tcp else "UDP")
        moved(other, client, size + 2 * over_tcp)
        assert {record["Proc"] for record in other} == {"dnsmasq"}, other
        messages = [message for record in other for message in record.get("AppTxDns", ())]
        assert len(messages) == 1, (name, messages)
        if name in names:
            assert messages[0]["ResourceRecords"][0][:2] == ["A", name], messages
            assert messages[0]["ResourceRecords"][-1][-1] == names[name], messages
    ledger.flows_close(result)


@test
def iperf3_tcp_and_udp(_):
    with Kflowd() as k, server(5201, "iperf3", "-s", "-B", LOOPBACK):
        tcp = json.loads(output("iperf3", "-c", LOOPBACK, "-n", "20M", "-P", "2", "-J"))
        udp = json.loads(output("iperf3", "-c", LOOPBACK, "-u", "-b", "20M", "-n", "2M", "-l", "1000", "-J"))
        result = k.stop(losses=ledger.COUNTED)
    for stream, told in zip(tcp["start"]["connected"], tcp["end"]["streams"]):
        client, other = ends(result.records, stream["local_port"], 5201)
        # The stream begins with a cookie of 37 bytes.
        assert told["receiver"]["bytes"] <= sent(client) <= told["sender"]["bytes"] + 37, (client, told)
        assert total(client, "SockTxPacketsRetrans") >= told["sender"]["retransmits"], (client, told)
        # The server may reset it before it has read the rest.
        acked = total(client, "SockTxBytesAcked") - 1 - closing(client)
        assert acked <= total(other, "SockRxBytes") <= total(client, "SockTxBytes"), (acked, client, other)
    (stream,), (told,) = udp["start"]["connected"], udp["end"]["streams"]
    client, other = ends(result.records, stream["local_port"], 5201, "UDP")
    # One datagram each way says that they know each other.
    assert total(client, "SockTxPackets") == told["udp"]["packets"] + 1, (client, told)
    assert total(client, "SockTxBytes") == told["udp"]["packets"] * 1000 + 4, (client, told)
    # The server may be told that it is over before it has read the last ones.
    packets = total(other, "SockRxPackets")
    assert 1 < packets <= told["udp"]["packets"] + 1, (other, told)
    assert total(other, "SockRxBytes") == (packets - 1) * 1000 + 4, other
    ledger.flows_close(result)


def closing(records):
    """A FIN that was acknowledged counts as one byte."""
    return int(any("FIN" in flags for record in records for flags in record.get("SockTxFlags", ())))


@test
def rsync_over_ssh(directory):
    (directory / "src").mkdir()
    for number in range(20):
        (directory / f"src/{number}").write_bytes(os.urandom(20_000))
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / "key"], check=True)
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    (directory / "conf").write_text(f"""\
ListenAddress {LOOPBACK}:2222
HostKey {directory}/key
AuthorizedKeysFile {directory}/key.pub
StrictModes no
UsePAM no
PermitRootLogin yes
PidFile none
""")
    shell = f"ssh -p 2222 -i {directory}/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    with Kflowd() as k, server(2222, "/usr/sbin/sshd", "-D", "-e", "-f", f"{directory}/conf"):
        output("rsync", "-a", "-e", shell, f"{directory}/src", f"root@{LOOPBACK}:{directory}/copy")
        result = k.stop(losses=ledger.COUNTED)
    assert (directory / "copy/src/7").read_bytes() == (directory / "src/7").read_bytes()
    clients = find(result.records, SockRole="CLIENT", SockRemotePort=2222, Proc="ssh")
    (local,) = {record["SockLocalPort"] for record in clients}
    client, other = ends(result.records, local, 2222)
    assert {record["ProcParent"] for record in client} == {"rsync"}, client
    assert {record["Proc"] for record in other} == {"sshd"}, other
    assert sent(client) > 400_000, client
    moved(client, other, sent(client))
    moved(other, client, sent(other))
    ledger.flows_close(result)


main()

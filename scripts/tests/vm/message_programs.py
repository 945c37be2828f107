#!/usr/bin/env python3
"""Messages of real programs: what curl, nginx, dig, dnsmasq, logger and rsyslog say to each other."""

import os
import pathlib
import subprocess

from kflowd import Kflowd, find
from loopback import LOOPBACK
from servers import output, server
from tests import main, test


def messages(records, key, **flow):
    return [message for record in find(records, **flow) for message in record.get(key, [])]


NGINX = """\
daemon off; worker_processes 1; user root; pid {0}/pid; error_log {0}/errors;
events {{ worker_connections 64; }}
http {{
    access_log off; gzip on; gzip_min_length 10; gzip_types text/plain; default_type text/plain;
    server {{
        listen 127.0.0.1:80; root {0}/www;
        location /moved {{ return 301 http://kflow.test/there; }}
        location /chunked/ {{ alias {0}/www/; ssi on; ssi_types text/plain; }}
    }}
}}
"""


@test
def http_by_curl_and_nginx(directory):
    """Many requests on one connection: HEAD, 304, 404, a redirect, bodies compressed, in part and in chunks, a POST."""
    (directory / "www").mkdir()
    directory.chmod(0o755)
    directory.parent.chmod(0o755)
    (directory / "www/text").write_text("hello " * 2000)
    os.utime(directory / "www/text", (1_000_000_000, 1_000_000_000))
    (directory / "conf").write_text(NGINX.format(directory))
    at = f"http://{LOOPBACK}"
    asked = [
        (["/text"], ("GET", "/text", 200)),
        (["-I", "/text"], ("HEAD", "/text", 200)),
        (["/missing"], ("GET", "/missing", 404)),
        (["/moved"], ("GET", "/moved", 301)),
        (["--compressed", "/text"], ("GET", "/text", 200)),
        (["-r", "5-20", "/text"], ("GET", "/text", 206)),
        (["-H", "If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT", "/text"], ("GET", "/text", 304)),
        (["/chunked/text"], ("GET", "/chunked/text", 200)),
        (["-d", "a=b&c=d", "/text"], ("POST", "/text", 405)),
        (["-H", "Authorization: Bearer secret", "-b", "session=secret", "/text"], ("GET", "/text", 200)),
    ]
    arguments = []
    for options, _expected in asked:
        arguments += ["--next"] if arguments else []
        arguments += ["-s", "-o", "/dev/null", *options[:-1], at + options[-1]]
    with Kflowd() as k, server(80, "nginx", "-c", f"{directory}/conf"):
        told = output("curl", *arguments, "--next", "-s", "-w", "%{local_port}", "-o", "/dev/null", f"{at}/text")
        result = k.stop()
    asked.append(([], ("GET", "/text", 200)))
    local = int(told)
    for flow, sent, received in (
        ({"SockLocalPort": local, "SockRole": "CLIENT"}, "AppTxHttp", "AppRxHttp"),
        ({"SockRemotePort": local, "SockRole": "SERVER"}, "AppRxHttp", "AppTxHttp"),
    ):
        requests = messages(result.records, sent, **flow)
        responses = messages(result.records, received, **flow)
        assert not [one for one in requests + responses if "_Exception" in one], responses
        seen = [(one["_Method"], one["_Url"], other["_Status"]) for one, other in zip(requests, responses)]
        assert seen == [expected for _options, expected in asked], seen
        assert responses[4]["Content-Encoding"] == "gzip" and responses[3]["Location"] == "http://kflow.test/there"
        assert responses[7]["Transfer-Encoding"] == "chunked", responses[7]
        assert requests[8]["_Body"] == "a=b&c=d", requests[8]
        text = str(requests) + str(responses)
        assert "secret" not in text, text


def resolve(*words):
    return output("dig", f"@{LOOPBACK}", *words)


@test
def dns_by_dig_and_dnsmasq(directory):
    """Large, compressed and empty answers, of several types, over UDP and TCP."""
    long_text = ["x" * 250] * 8
    options = [f"--host-record=many.test,10.0.0.{number}" for number in range(60)]
    options += [
        "--cname=alias.test,many.test", "--mx-host=mail.test,many.test,10", "--address=/six.test/fd00::1",
        "--srv-host=_ldap._tcp.srv.test,many.test,389,5,6", f"--txt-record=text.test,{','.join(long_text)}",
        "--ptr-record=1.0.0.10.in-addr.arpa,many.test", "--caa-record=caa.test,0,issue,ca.test",
    ]
    command = ("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root")
    command += ("--bind-interfaces", f"--listen-address={LOOPBACK}", "--pid-file=", "--edns-packet-max=4096", *options)
    asked = [("A", "many.test", 60), ("MX", "mail.test", 1), ("AAAA", "six.test", 1), ("TXT", "text.test", 1)]
    asked += [("SRV", "_ldap._tcp.srv.test", 1), ("PTR", "1.0.0.10.in-addr.arpa", 1), ("CAA", "caa.test", 1)]
    with Kflowd() as k, server(53, *command):
        for number, (kind, name, _count) in enumerate(asked):
            resolve("-b", f"{LOOPBACK}#{21000 + number}", "+bufsize=4096", kind, name)
            resolve("-b", f"{LOOPBACK}#{22000 + number}", "+tcp", kind, name)
        result = k.stop()
    for number, (kind, name, count) in enumerate(asked):
        for local, protocol in ((21000 + number, "UDP"), (22000 + number, "TCP")):
            flow = {"SockProtocol": protocol, "SockLocalPort": local}
            (question,) = messages(result.records, "AppTxDns", **flow)
            assert question["ResourceRecords"] == [[kind, name]], question
            (answer,) = messages(result.records, "AppRxDns", **flow)
            assert answer["ResponseCode"] == "NOERROR" and answer["TransactionId"] == question["TransactionId"], answer
            same = [record for record in answer["ResourceRecords"] if record[:2] == [kind, name]]
            assert len(same) >= count and answer["AnswerCount"] >= count, (kind, protocol, answer)
            assert "_Exception" not in answer, answer


RSYSLOG = """\
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
module(load="imtcp")
input(type="imuxsock" Socket="/dev/log")
input(type="imudp" address="127.0.0.1" port="514")
input(type="imtcp" address="127.0.0.1" port="514")
action(type="omfile" file="{0}/log" template="RSYSLOG_TraditionalFileFormat")
"""


@test
def syslog_by_logger_and_rsyslog(directory):
    """Both forms of the message, over UDP, TCP (a line, and counted octets) and /dev/log."""
    (directory / "conf").write_text(RSYSLOG.format(directory))
    pathlib.Path("/dev/log").unlink(missing_ok=True)
    ways = {
        "by udp, old": ["-d", "-n", LOOPBACK, "-P", "514", "--rfc3164"],
        "by udp, new": ["-d", "-n", LOOPBACK, "-P", "514", "--rfc5424", "--msgid", "ID9"],
        "by tcp, new": ["-T", "-n", LOOPBACK, "-P", "514", "--rfc5424", "--octet-count"],
        "by tcp, old": ["-T", "-n", LOOPBACK, "-P", "514", "--rfc3164"],
        "by unix": ["-u", "/dev/log"],
    }
    with Kflowd() as k, server(514, "rsyslogd", "-n", "-i", "NONE", "-f", f"{directory}/conf"):
        for text, options in ways.items():
            subprocess.run(["logger", *options, "-p", "auth.notice", "-t", "tag", "-i", text], check=True)
        for text in ways:
            k.wait_for(AppTxSyslog=lambda found, text=text: any(one.get("Message") == text for one in found))
        result = k.stop()
    sent = {one["Message"]: one for one in messages(result.records, "AppTxSyslog", Proc="logger")}
    assert set(sent) == set(ways), sent
    for text, message in sent.items():
        assert (message["Facility"], message["Severity"]) == ("Security/Authorization", "Notice (5)"), message
        assert (message["Priority"], message["Appname"]) == (37, "tag"), message
        assert message["Version"] == int("new" in text) and message["ProcId"].isdigit(), message
    assert sent["by udp, new"]["MsgId"] == "ID9"
    # A socket of the internet has two ends; kflowd shows that of /dev/log which sends.
    received = messages(result.records, "AppRxSyslog", Proc=lambda name: name.startswith("rsyslogd"))
    received = {one["Message"] for one in received}
    assert received == {text for text in ways if "unix" not in text}, received


main()

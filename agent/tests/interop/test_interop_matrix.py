# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Both roles against wireguard-go with every key option, and what the real wg(8) reads from and writes to us."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

import pytest
from support.netns import Lab, run, wait_until
from support.traffic import is_silent
from support.wireguard import OURS, THEIRS, TunnelEnd, interface_name, program

pytestmark = pytest.mark.netns

WITH_GO = [pytest.param(OURS, THEIRS, id="ours-go"), pytest.param(THEIRS, OURS, id="go-ours")]
with_go = pytest.mark.parametrize(("left", "right"), WITH_GO)


@dataclass(frozen=True)
class DumpedPeer:
    """One line of ``wg show IF dump``."""

    preshared_key: str
    endpoint: str
    allowed_ips: str
    handshake_s: int
    received_bytes: int
    sent_bytes: int
    keepalive: str


def dump(end: TunnelEnd) -> tuple[list[str], dict[str, DumpedPeer]]:
    """The interface's fields, and the peers by public key."""
    first, *rest = end.wg("show", end.name, "dump").splitlines()
    peers = {}
    for line in rest:
        key, psk, endpoint, allowed_ips, handshake, received, sent, keepalive = line.split("\t")
        peers[key] = DumpedPeer(psk, endpoint, allowed_ips, int(handshake), int(received), int(sent), keepalive)
    return first.split("\t"), peers


def keep_psk(end: TunnelEnd, other: TunnelEnd, psk: str) -> None:
    end.wg("set", end.name, "peer", other.public_key, "preshared-key", "/dev/stdin", text=psk + "\n")


@with_go
@pytest.mark.parametrize("family", ["v4", "v6"])
@pytest.mark.parametrize("is_keyed", [False, True], ids=["plain", "psk"])
def test_a_session_is_told_alike_by_both_ends(make_pair, left: str, right: str, family: str, is_keyed: bool) -> None:
    # checklist 3, 42
    one, two = make_pair(left, right, family, joined=False)
    psk = run("wg", "genpsk").stdout.strip() if is_keyed else "(none)"
    before_s = int(time.time())
    # The responder first, and the initiator's peer last: a keepalive makes it speak at once.
    for end, other, knows in ((two, one, False), (one, two, True)):
        end.start()
        end.up()
        if is_keyed:
            keep_psk(end, other, psk)
        end.add_peer(other, "persistent-keepalive", "25", knows_endpoint=knows)
    wait_until(lambda: dump(two)[1][one.public_key].handshake_s, "the session that the keepalive makes")

    one.ping(two.addresses[0])
    two.ping(one.addresses[1])

    wait_until(lambda: one.transfer(two) == two.transfer(one)[::-1], "both ends have counted the last answer")
    for end, other in ((one, two), (two, one)):
        interface, peers = dump(end)
        peer = peers[other.public_key]
        assert interface == [end.private_key, end.public_key, str(end.port), "off"]
        assert list(peers) == [other.public_key]
        assert (peer.preshared_key, peer.endpoint, peer.keepalive) == (psk, other.endpoint, "25")
        assert set(peer.allowed_ips.split(",")) == set(end_prefixes(other))
        assert before_s <= peer.handshake_s <= time.time() + 1
        assert min(peer.received_bytes, peer.sent_bytes) > 6 * 128


def end_prefixes(end: TunnelEnd) -> list[str]:
    return end.host_prefixes.split(",")


def test_a_wrong_preshared_key_makes_no_session_and_is_counted(make_pair) -> None:  # checklist 3, 8
    one, two = make_pair(OURS, THEIRS, joined=False)
    one.log_level = "verbose"
    for end, other in ((one, two), (two, one)):
        end.start()
        end.add_peer(other)
        keep_psk(end, other, run("wg", "genpsk").stdout.strip())
        end.up()

    assert is_silent(one.namespace, two.addresses[0])

    for end, other in ((one, two), (two, one)):
        assert end.show("latest-handshakes") == {other.public_key: "0"}
        assert int(end.show("transfer")[other.public_key].split()[1]) > 0
    log = end_and_read_log(one)
    assert "tunnel_stopped" in log
    assert '"bad_handshake": ' in log


def end_and_read_log(end: TunnelEnd) -> str:
    """What a daemon with LOG_LEVEL=verbose had to tell until it was asked to end."""
    (pid,) = end.namespace.processes()
    os.kill(pid, signal.SIGTERM)
    end.wait_gone()
    wait_until(lambda: not end.namespace.processes(), "the process has ended")
    return end.lab.log_of(end.name)


def test_a_wrong_preshared_key_is_no_session_for_the_responder_either(make_pair) -> None:  # checklist 11
    one, two = make_pair(THEIRS, OURS, joined=False)
    for end, other in ((one, two), (two, one)):
        end.start()
        end.add_peer(other)
        keep_psk(end, other, run("wg", "genpsk").stdout.strip())
        end.up()

    assert is_silent(one.namespace, two.addresses[0])

    assert two.show("latest-handshakes") == {one.public_key: "0"}
    assert two.show("endpoints") == {one.public_key: one.endpoint}
    received, sent = two.transfer(one)
    assert received >= 148
    assert sent >= 92


@with_go
def test_showconf_of_one_implementation_configures_the_other(make_pair, left: str, right: str) -> None:
    one, two = make_pair(left, right, joined=False)
    for end in (one, two):
        end.start()
    one.add_peer(two, "persistent-keepalive", "7", allowed_ips="10.1.0.0/16,fd01::/32,0.0.0.0/0")
    keep_psk(one, two, run("wg", "genpsk").stdout.strip())
    one.wg("set", one.name, "fwmark", "0xabc")
    written = one.wg("showconf", one.name)

    two.configure(written)

    assert sorted(two.wg("showconf", two.name).splitlines()) == sorted(written.splitlines())


def test_addconf_adds_and_keeps_what_was_there(make_pair) -> None:
    one, two = make_pair(OURS, THEIRS)
    one.ping(two.addresses[0])
    key = run("wg", "pubkey", text=run("wg", "genkey").stdout).stdout.strip()

    one.configure(f"[Peer]\nPublicKey = {key}\nAllowedIPs = 10.44.0.0/16, 10.45.0.0/16\n", verb="addconf")
    one.configure(f"[Peer]\nPublicKey = {key}\nAllowedIPs = 10.46.0.0/16\n", verb="addconf")

    # wg(8) writes every [Peer] of a file with replace_allowed_ips, also with addconf.
    assert one.show("allowed-ips")[key] == "10.46.0.0/16"
    assert set(one.show("peers")) == {key, two.public_key}
    one.ping(two.addresses[0], count=1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("fwmark", "nonsense"),
        ("peer", "AAAA", "remove"),
        ("peer", "{key}", "allowed-ips", "10.0.0.0/33"),
        ("peer", "{key}", "persistent-keepalive", "65536"),
        ("peer", "{key}", "endpoint", "192.0.2.7:0:1"),
        ("listen-port", "50000", "peer", "{key}", "frobnicate", "1"),
    ],
    ids=lambda arguments: " ".join(arguments[-2:]),
)
def test_a_bad_set_fails_and_changes_nothing(lab: Lab, arguments: tuple[str, ...]) -> None:  # checklist 44
    end = TunnelEnd(lab, lab.namespace("one"), OURS, "192.0.2.1", "10.9.0.1/24")
    end.start()
    other = TunnelEnd(lab, end.namespace, THEIRS, "192.0.2.2", "10.9.0.2/24")
    end.add_peer(other)
    before = end.wg("showconf", end.name)

    wanted = (argument.format(key=other.public_key) for argument in arguments)
    refused = end.namespace.run("wg", "set", end.name, *wanted, check=False)

    assert refused.returncode != 0
    assert refused.stderr.strip()
    assert end.wg("showconf", end.name) == before


def test_wg_lists_our_interface_beside_those_of_wireguard_go(lab: Lab) -> None:
    namespace = lab.namespace("one")
    names = []
    for implementation in (OURS, THEIRS):
        names.append(interface_name("l"))
        process = namespace.start(program(implementation), names[-1], env={"LOG_LEVEL": "silent"})
        assert process.wait() == 0, process.output

    listed = namespace.run("wg", "show", "interfaces").stdout.split()
    shown = namespace.run("wg").stdout

    assert set(names) <= set(listed)
    for name in names:
        assert f"interface: {name}\n" in shown

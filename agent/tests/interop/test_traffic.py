# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Two tunnel ends, ours and wireguard-go in both roles, over both underlays."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from support.netns import wait_until
from support.wireguard import OURS, THEIRS, TunnelEnd

pytestmark = pytest.mark.netns

PAIRS = [(OURS, OURS), (OURS, THEIRS), (THEIRS, OURS)]
pairs = pytest.mark.parametrize(("left", "right"), PAIRS, ids=["ours-ours", "ours-go", "go-ours"])
families = pytest.mark.parametrize("family", ["v4", "v6"])
TRANSFER_BYTES = 24 * 1024 * 1024

SEND = """
import socket,sys
s=socket.create_connection((sys.argv[1],7000)); s.sendfile(open(sys.argv[2],'rb')); s.close()
"""
RECEIVE = """
import hashlib,socket
s=socket.socket(socket.AF_INET6); s.setsockopt(41,26,0); s.bind(('::',7000)); s.listen(1); print('listening',flush=True)
c,_=s.accept(); h=hashlib.sha256(); n=0
while d:=c.recv(1<<16): h.update(d); n+=len(d)
print(n,h.hexdigest(),flush=True)
"""


@pairs
@families
def test_the_initiator_reaches_the_responder_and_back(make_pair, left: str, right: str, family: str) -> None:
    one, two = make_pair(left, right, family)

    for address in two.addresses:
        one.ping(address)
    for address in one.addresses:
        two.ping(address)

    assert one.show("endpoints") == {two.public_key: two.endpoint}
    assert two.show("endpoints") == {one.public_key: one.endpoint}
    for end, other in ((one, two), (two, one)):
        assert int(end.show("latest-handshakes")[other.public_key]) > 0
        assert min(end.transfer(other)) > 0


@pairs
def test_packets_of_every_size_up_to_the_mtu_pass(make_pair, left: str, right: str) -> None:  # checklist 28, 29
    one, two = make_pair(left, right)

    for size in (0, 1, 7, 8, 15, 16, 17, 1000, 1379, 1380, 1391, 1392):
        one.ping(two.addresses[0], count=1, size=size)
    one.ping(two.addresses[0], count=2, size=4000)


@pairs
@pytest.mark.parametrize("overlay", [0, 1], ids=["inner-v4", "inner-v6"])
def test_a_file_arrives_unharmed(make_pair, lab, left: str, right: str, overlay: int) -> None:
    one, two = make_pair(left, right)
    file: Path = lab.directory / "file"
    file.write_bytes(os.urandom(1024 * 1024) * (TRANSFER_BYTES // (1024 * 1024)))

    receiver = two.namespace.start("python3", "-c", RECEIVE)
    wait_until(lambda: "listening" in receiver.output, "the receiver listens")
    one.namespace.run("python3", "-c", SEND, two.addresses[overlay], str(file))
    receiver.wait()

    assert receiver.output.split()[1:] == [str(TRANSFER_BYTES), hashlib.sha256(file.read_bytes()).hexdigest()]


@pairs
def test_only_one_side_needs_to_know_the_endpoint(make_pair, left: str, right: str) -> None:  # checklist 33
    one, two = make_pair(left, right, joined=False)
    for end in (one, two):
        end.start()
        end.up()
    one.add_peer(two)
    two.add_peer(one, knows_endpoint=False)

    one.ping(two.addresses[0])

    assert two.show("endpoints") == {one.public_key: one.endpoint}


@pytest.mark.parametrize(("left", "right"), [(OURS, THEIRS), (THEIRS, OURS)], ids=["ours-go", "go-ours"])
def test_a_preshared_key_must_be_the_same_on_both_sides(make_pair, left: str, right: str) -> None:  # checklist 3
    one, two = make_pair(left, right)
    psk = one.wg("genpsk")

    one.wg("set", one.name, "peer", two.public_key, "preshared-key", "/dev/stdin", text=psk)
    assert not one.ping(two.addresses[0], count=1, check=False)
    two.wg("set", two.name, "peer", one.public_key, "preshared-key", "/dev/stdin", text=psk)
    wait_until(lambda: one.ping(two.addresses[0], count=1, check=False), "the handshake with the key", 30)


def test_the_peer_follows_a_new_listen_port(make_pair) -> None:  # checklist 33
    one, two = make_pair(OURS, OURS)
    one.ping(two.addresses[0])

    one.wg("set", one.name, "listen-port", "40000")
    one.ping(two.addresses[0])

    assert two.show("endpoints") == {one.public_key: f"{one.underlay}:40000"}


def test_traffic_survives_the_link_going_down_and_up(make_pair) -> None:
    one, two = make_pair(OURS, OURS)
    one.ping(two.addresses[0])

    one.down()
    one.up()

    one.ping(two.addresses[0])
    assert one.wg("show", one.name, "listen-port").strip() == str(one.port)


def test_a_source_that_is_not_allowed_is_dropped(make_pair) -> None:  # checklist 30
    one, two = make_pair(OURS, OURS)
    one.ping(two.addresses[0])
    one.namespace.run("ip", "address", "add", "10.9.0.77/32", "dev", one.name)

    spoofed = one.namespace.run(
        "ping", "-c", "2", "-i", "0.1", "-W", "1", "-I", "10.9.0.77", two.addresses[0], check=False
    )

    assert "0 received" in spoofed.stdout
    one.ping(two.addresses[0])


def test_a_peer_removed_and_added_again_talks_again(make_pair) -> None:  # checklist 39
    one, two = make_pair(OURS, OURS)
    one.ping(two.addresses[0])

    one.wg("set", one.name, "peer", two.public_key, "remove")
    assert one.wg("show", one.name, "peers") == ""
    one.add_peer(two)

    wait_until(lambda: one.ping(two.addresses[0], count=1, check=False), "a new handshake", 30)


def answers(end: TunnelEnd, address: str) -> bool:
    return end.ping(address, count=1, check=False)


def test_a_killed_peer_that_comes_back_is_reached_again(make_pair) -> None:
    one, two = make_pair(OURS, OURS)
    one.ping(two.addresses[0])

    two.namespace.run("ip", "link", "delete", two.name)
    two.wait_gone()
    two.start()
    two.add_peer(one)
    two.up()
    two.ping(one.addresses[0])

    assert answers(one, two.addresses[0])


def test_the_interface_works_in_another_namespace_than_its_sockets(make_pair, lab) -> None:
    one, two = make_pair(OURS, OURS, joined=False)
    for end in (one, two):
        end.start()
    inside = lab.namespace("inside")
    one.namespace.run("ip", "link", "set", one.name, "netns", inside.name)
    inside.run("ip", "address", "add", one.overlay.split()[0], "dev", one.name)

    inside.run("ip", "link", "set", one.name, "up", "mtu", "1400")
    wait_until(one.is_listening, "the sockets are open in the first namespace")
    two.up()
    one.add_peer(two)
    two.add_peer(one)

    inside.run("ping", "-c", "2", "-i", "0.2", "-s", "1300", two.addresses[0])
    inside.run("ip", "link", "delete", one.name)
    wait_until(lambda: not one.socket.exists(), "the process has ended")

# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What counts as an answer of a peer: a change is proven by a handshake that is newer than the change."""

from __future__ import annotations

import pytest
from support.memory_host import MemoryHost
from support.service import apply, ask, conf
from wirefleet_agent.host.keystore import KeyStore
from wirefleet_agent.host.paths import Paths

PSK = "UFNLUFNLUFNLUFNLUFNLUFNLUFNLUFNLUFNLUFNLUFM="


@pytest.fixture
def pair(tmp_path):
    """Two hosts that have a session of one minute's age."""
    one = MemoryHost(tmp_path / "one")
    two = MemoryHost(tmp_path / "two", underlay=one.underlay, hosts=("192.0.2.2",), time=one.time)
    for host in (one, two):
        host.root.mkdir()
        KeyStore(Paths(host.root)).ensure("wf0")
        host.start()
    for host, other in ((one, two), (two, one)):
        apply(host, conf(as_peer(other)))
    pass_s(1, one, two)
    assert is_healthy(one, two)
    pass_s(60, one, two)
    assert is_healthy(one, two)
    yield one, two
    for host in (one, two):
        host.crash()


def key_of(host):
    return str(KeyStore(Paths(host.root)).ensure("wf0").public_key)


def as_peer(host, *, keepalive=25, port=51820):
    return (
        f"[Peer]\nPublicKey = {key_of(host)}\nEndpoint = {host.hosts[0]}:{port}\n"
        f"AllowedIPs = 10.9.0.2/32\nPersistentKeepalive = {keepalive}\n"
    )


def pass_s(seconds, *hosts):
    for host in hosts:
        host.turn()
    hosts[0].time.pass_s(seconds)
    for _ in range(4):
        for host in hosts:
            host.turn()


def is_healthy(host, other):
    return ask(host, "health", {"peers": [key_of(other)]})["healthy"]


def set_preshared_key(host, other, key=PSK):
    return apply(host, conf(as_peer(other)), preshared_keys={key_of(other): key})


def test_a_preshared_key_that_only_one_end_has_is_noticed_although_the_old_session_lives(pair):
    one, two = pair

    set_preshared_key(one, two)

    for _ in range(4):
        assert not is_healthy(one, two)
        pass_s(6, one, two)
    assert one.live.tunnel.device.peers  # the session itself goes on
    assert next(iter(one.live.tunnel.device.peers.values())).has_session(one.loop.now())


def test_a_preshared_key_that_both_ends_have_is_proven_by_a_handshake_at_once(pair):
    one, two = pair

    for host, other in ((one, two), (two, one)):
        set_preshared_key(host, other)
    assert not is_healthy(one, two)
    pass_s(6, one, two)

    assert is_healthy(one, two)
    assert is_healthy(two, one)


def test_an_endpoint_at_which_nobody_listens_is_noticed_although_the_old_session_lives(pair):
    one, two = pair

    apply(one, conf(as_peer(two, port=51999)))

    assert not is_healthy(one, two)
    pass_s(6, one, two)
    assert not is_healthy(one, two)


def test_a_change_that_does_not_concern_a_peer_asks_nothing_of_it(pair):
    one, two = pair

    apply(one, conf(as_peer(two, keepalive=20)))

    assert is_healthy(one, two)


def test_a_rotated_key_is_unhealthy_until_the_peers_know_it(pair):
    one, two = pair

    ask(one, "key.rotate")

    assert not is_healthy(one, two)
    pass_s(6, one, two)
    assert not is_healthy(one, two)
    apply(two, conf(as_peer(one)))
    for _ in range(3):
        is_healthy(one, two)
        pass_s(6, one, two)
    assert is_healthy(one, two)


def test_a_peer_that_was_silent_for_lack_of_packets_is_called_when_somebody_asks(pair):
    one, two = pair
    for host, other in ((one, two), (two, one)):
        apply(host, conf(as_peer(other, keepalive=0)))
    pass_s(600, one, two)

    assert not is_healthy(one, two)
    pass_s(1, one, two)
    assert is_healthy(one, two)

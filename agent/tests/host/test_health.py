# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What counts as an answer of a peer: a change is proven by a handshake that is newer than the change."""

from __future__ import annotations

import pytest
from support.memory_host import MemoryHost
from support.service import apply, ask, conf
from wirefleet_agent.host.keystore import KeyStore
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.keys import PublicKey
from wirefleet_agent.wire.endpoint import Endpoint

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


def press(one, two, seconds=24):
    """Ask until it is healthy, as the collection does, or until the time is over."""
    for _ in range(seconds // 2):
        if is_healthy(one, two):
            return True
        pass_s(2, one, two)
    return is_healthy(one, two)


def call(host, other):
    host.live.call([PublicKey.from_base64(key_of(other))])


def test_a_change_that_concerns_a_peer_calls_it_before_anybody_asks(pair):
    one, two = pair
    began = handshakes_of(one)

    apply(one, conf(as_peer(two, port=51999)))
    pass_s(6, one, two)
    apply(one, conf(as_peer(two)))
    pass_s(6, one, two)

    assert handshakes_of(one) > began
    assert is_healthy(one, two)


def test_a_wrong_endpoint_is_not_proven_by_a_peer_that_calls_from_where_it_really_is(pair):
    one, two = pair

    apply(one, conf(as_peer(two, port=51999)))
    pass_s(1, one, two)
    call(two, one)
    pass_s(1, one, two)

    assert next(iter(one.live.tunnel.device.peers.values())).last_handshake > one.loop.now() - 3
    assert not press(one, two)


def test_an_endpoint_that_is_changed_back_is_proven_again(pair):
    one, two = pair
    apply(one, conf(as_peer(two, port=51999)))
    assert not press(one, two)

    apply(one, conf(as_peer(two)))

    assert not is_healthy(one, two)
    assert press(one, two)


def test_an_endpoint_that_is_changed_back_to_where_the_peer_roamed_is_proven_again(pair):
    one, two = pair
    apply(one, conf(as_peer(two, port=51999)))
    call(two, one)
    pass_s(1, one, two)

    apply(one, conf(as_peer(two)))

    assert press(one, two)


def test_a_new_listen_port_is_proven_by_every_peer(pair):
    one, two = pair

    apply(one, conf(as_peer(two), port=51821))

    assert not is_healthy(one, two)
    assert press(one, two)


def test_a_peer_whose_port_moves_is_proven_at_the_new_one(pair):
    one, two = pair

    apply(two, conf(as_peer(one), port=51821))
    apply(one, conf(as_peer(two, port=51821)))

    assert press(one, two)
    assert press(two, one)


def test_a_name_that_now_leads_elsewhere_is_a_change(pair, monkeypatch):
    one, two = pair
    monkeypatch.setattr("wirefleet_agent.engine.resolver.Resolver._ask", lambda self, key: None)
    named = as_peer(two).replace(two.hosts[0], "two.example.net")
    key = PublicKey.from_base64(key_of(two))

    apply(one, conf(named))
    assert not press(one, two, 12)  # nobody knows yet where that is
    one.live._resolved(key, Endpoint("192.0.2.77", 51820))
    assert not press(one, two, 12)
    one.live._resolved(key, Endpoint(two.hosts[0], 51820))

    assert press(one, two)


def test_status_tells_which_peers_have_not_answered_since_the_change(pair):
    one, two = pair
    assert [peer["is_proven"] for peer in ask(one, "status")["peers"]] == [True]

    set_preshared_key(one, two)

    assert [peer["is_proven"] for peer in ask(one, "status")["peers"]] == [False]
    assert [peer["is_proven"] for peer in ask(one, "health")["peers"]] == [False]


def handshakes_of(host):
    return next(iter(host.live.tunnel.device.peers.values())).last_handshake


def test_an_idle_session_is_healthy_at_every_moment_whoever_keeps_it_warm(pair):
    one, two = pair
    keepers = [(one, 25, two, 0), (one, 0, two, 25)]

    for keeper, interval, other, none in keepers:
        apply(keeper, conf(as_peer(other, keepalive=interval)))
        apply(other, conf(as_peer(keeper, keepalive=none)))
        seen = []
        for step_s in [15] * 10 + [3] * 24 + [15] * 6 + [3] * 24:  # finely where the session is old
            pass_s(step_s, one, two)
            seen.append(is_healthy(keeper if interval else other, other if interval else keeper))

        assert all(seen)

# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The only door for change: all of it or none of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from support.configs import (
    full_config,
    interface,
    peer,
    prefixes,
    preshared_key,
    private_key,
    public_key,
    tunnel,
    tunnel_configs,
)
from support.control import Bench
from wirefleet_agent.config import HostPort, TunnelConfig, effective_fwmark, ownership, plan_changes, planned_routes
from wirefleet_agent.config import changes as c
from wirefleet_agent.control import Applier
from wirefleet_agent.core.constants import MAX_PEERS
from wirefleet_agent.crypto import public_key_of
from wirefleet_agent.errors import DriverError, RefusedError
from wirefleet_agent.wire import Endpoint, LocalAddress

A, B = public_key("a"), public_key("b")
(ONE, TWO) = prefixes("10.1.0.0/16", "10.2.0.0/16")


def assert_is_as_configured(bench: Bench, config: TunnelConfig) -> None:
    device, on = bench.device, config.interface
    assert device.private_key == on.private_key
    assert set(device.peers) == {each.public_key for each in config.peers}
    for each in config.peers:
        live = device.peers[each.public_key]
        assert set(live.allowed_ips) == set(ownership(config).peers[each.public_key])
        assert live.preshared_key == each.preshared_key
        assert live.persistent_keepalive_s == each.persistent_keepalive_s
    assert_groups_are_as_configured(bench, config)
    assert bench.sockets.fwmark == effective_fwmark(config)
    assert bench.host.addresses() == set(on.addresses)
    assert bench.host.routes() == planned_routes(config)
    assert bench.host.mtu_bytes == on.mtu_bytes
    assert bench.host.is_up
    assert bench.host.dns == (on.dns_servers, on.dns_search)
    assert bench.host.is_forwarding == config.options.is_forwarding


def assert_groups_are_as_configured(bench: Bench, config: TunnelConfig) -> None:
    wanted = ownership(config).groups
    assert set(bench.device.groups) == set(wanted)
    for name, group in bench.device.groups.items():
        assert tuple(peer.public_key for peer in group.members) == wanted[name].members
        assert set(group.prefixes) == set(wanted[name].prefixes)
        assert (group.direct and group.direct.public_key) == wanted[name].direct
    own = {address.packed for address in config.interface.addresses}
    assert bench.device.own_addresses == own


def is_own_peer(config: TunnelConfig) -> bool:
    own = config.interface.private_key
    return own is not None and public_key_of(own) in {each.public_key for each in config.peers}


@given(tunnel_configs(), tunnel_configs())
@settings(deadline=None, max_examples=60)
def test_any_configuration_after_any_other_is_reached(first: TunnelConfig, second: TunnelConfig) -> None:
    if is_own_peer(first) or is_own_peer(second):
        return
    bench = Bench()

    bench.applier.apply(plan_changes(None, first), 1.0)
    assert_is_as_configured(bench, first)
    bench.applier.apply(plan_changes(first, second), 2.0)
    assert_is_as_configured(bench, second)


def test_what_is_so_already_is_not_reported() -> None:
    bench = Bench()
    config = replace(full_config(), peers=full_config().peers[:1])
    plan = plan_changes(None, config)
    first = bench.applier.apply(plan, 1.0)

    again = bench.applier.apply(plan, 2.0)

    assert sorted(change.op for change in first.changes) == sorted(change.op for change in plan)
    assert [change.op for change in again.changes] == ["set_log_level", "set_host_labels", "set_peer_name"]
    assert bench.levels == ["debug", "debug"]


def test_names_are_left_to_a_resolver() -> None:
    bench = Bench()
    named = c.SetEndpoint(A, HostPort("hub.example.net", 51820))

    applied = bench.applier.apply([c.AddPeer(A), named], 1.0)

    assert applied.unresolved == (named,)
    assert applied.changes == (c.AddPeer(A),)
    assert bench.device.peers[A].endpoint is None


def test_a_change_never_touches_a_peer_that_it_does_not_concern() -> None:
    bench = Bench()
    old = tunnel(peer("a", "10.1.0.0/16"), peer("b", "10.2.0.0/16"), on=interface(private_key=private_key("x")))
    bench.applier.apply(plan_changes(None, old), 1.0)
    stays = bench.device.peers[B]
    new = replace(old, peers=(peer("c", "10.1.0.0/16", preshared_key=preshared_key("c")), old.peers[1]))

    bench.applier.apply(plan_changes(old, new), 2.0)

    assert bench.device.peers[B] is stays
    assert stays.allowed_ips == (TWO,)


def test_an_allowed_ip_is_taken_back_by_its_owner_only() -> None:  # checklist 38
    bench = Bench()
    bench.applier.apply([c.AddPeer(A), c.AddPeer(B), c.AddAllowedIp(A, ONE)], 1.0)

    moved = bench.applier.apply([c.AddAllowedIp(B, ONE), c.RemoveAllowedIp(A, ONE)], 2.0)

    assert moved.changes == (c.AddAllowedIp(B, ONE),)
    assert bench.device.peers[B].allowed_ips == (ONE,)
    assert bench.applier.apply([c.RemoveAllowedIp(B, ONE)], 3.0).changes == (c.RemoveAllowedIp(B, ONE),)


def test_replacing_allowed_ips_keeps_what_stays_and_takes_what_others_own() -> None:
    bench = Bench()
    bench.applier.apply([c.AddPeer(A), c.AddPeer(B), c.ReplaceAllowedIps(A, (ONE,)), c.AddAllowedIp(B, TWO)], 1.0)

    bench.applier.apply([c.ReplaceAllowedIps(A, (TWO, ONE, TWO))], 2.0)

    assert set(bench.device.peers[A].allowed_ips) == {ONE, TWO}
    assert bench.device.peers[B].allowed_ips == ()


def test_removing_a_peer_that_is_not_there_is_no_error() -> None:
    assert Bench().applier.apply([c.RemovePeer(A)], 1.0).changes == ()


def test_a_private_key_change_removes_the_peer_that_is_the_device_and_lets_the_old_self_be_a_peer() -> None:
    # checklist 17
    bench = Bench()
    old, new = private_key("old"), private_key("new")
    bench.applier.apply([c.SetPrivateKey(old), c.AddPeer(public_key_of(new))], 1.0)

    bench.applier.apply([c.SetPrivateKey(new), c.AddPeer(public_key_of(old)), c.RemovePeer(public_key_of(new))], 2.0)

    assert list(bench.device.peers) == [public_key_of(old)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (c.SetPresharedKey(A, None), "no such peer"),
        (c.SetEndpoint(A, None), "no such peer"),
        (c.SetPersistentKeepalive(A, 1), "no such peer"),
        (c.ReplaceAllowedIps(A, ()), "no such peer"),
        (c.AddAllowedIp(A, ONE), "no such peer"),
        (c.RemoveAllowedIp(A, ONE), "no such peer"),
        (c.AddPeer(public_key_of(private_key("x"))), "own public key"),
        (c.SetListenPort(65536), "65536 is not between 0 and 65535"),
        (c.SetFwmark(2**32), "is not between"),
        (c.SetMtu(67), "67 is not between 68 and 65535"),
        (c.SetPersistentKeepalive(B, 65536), "is not between"),
    ],
    ids=lambda value: getattr(value, "op", None),
)
def test_a_change_that_cannot_be_made_is_refused_before_anything_is_done(change: c.Change, message: str) -> None:
    bench = Bench()
    bench.applier.apply([c.SetPrivateKey(private_key("x")), c.AddPeer(B)], 1.0)
    before = bench.snapshot()

    with pytest.raises(RefusedError, match=message) as caught:
        bench.applier.apply([c.SetListenPort(5), c.SetUp(True), c.RemovePeer(B), c.AddPeer(B), change], 2.0)

    assert bench.snapshot() == before
    assert (caught.value.path or "").startswith(change.op)


def test_a_peer_of_this_transaction_counts_and_a_removed_one_does_not() -> None:
    bench = Bench()
    bench.applier.check([c.AddPeer(A), c.AddAllowedIp(A, ONE)])

    with pytest.raises(RefusedError, match="no such peer"):
        bench.applier.check([c.AddPeer(A), c.RemovePeer(A), c.AddAllowedIp(A, ONE)])

    assert not bench.device.peers


def test_host_changes_need_a_host() -> None:
    bench = Bench()
    applier = Applier(bench.device, bench.sockets)

    with pytest.raises(RefusedError, match="no interface that could be set"):
        applier.apply([c.SetUp(True)], 1.0)


def test_more_peers_than_possible_are_refused_together() -> None:  # checklist 39
    bench = Bench()
    many = [c.AddPeer(type(A)(number.to_bytes(32, "big"))) for number in range(1, MAX_PEERS + 2)]

    with pytest.raises(RefusedError, match="at most 65536 peers"):
        bench.applier.apply(many, 1.0)

    assert not bench.device.peers
    bench.applier.check(many[:MAX_PEERS])


OLD = tunnel(
    peer("a", "10.1.0.0/16", "0.0.0.0/0"),
    peer("b", "10.2.0.0/16"),
    on=interface("10.86.0.1/24", private_key=private_key("x"), listen_port=1000, dns_servers=("1.1.1.1",)),
)
NEW = tunnel(
    peer("b", "10.3.0.0/16", "10.1.0.0/16", "::/0"),
    peer("c", "10.4.0.0/16"),
    on=interface(
        "10.87.0.1/24", "fd86::1/64", private_key=private_key("y"), listen_port=2000, mtu_bytes=1300, fwmark=7
    ),
    is_forwarding=True,
)


def is_refused(bench: Bench, plan: tuple[c.Change, ...], step: int) -> bool:
    bench.refusals.start(step)
    try:
        bench.applier.apply(plan, 2.0)
    except DriverError:
        return True
    return False


def test_a_refusal_by_the_system_at_any_step_undoes_the_steps_before_it() -> None:
    bench = Bench()
    bench.applier.apply(plan_changes(None, OLD), 1.0)
    before = bench.snapshot()
    plan = plan_changes(OLD, NEW)
    steps = 0
    while is_refused(bench, plan, steps):
        assert bench.snapshot() == before, f"step {steps}"
        steps += 1

    assert steps >= 14
    assert_is_as_configured(bench, NEW)


def test_a_refused_start_leaves_nothing_behind() -> None:
    steps = len([change for change in plan_changes(None, NEW) if not hasattr(change, "public_key")])
    for step in range(steps - 4):
        bench = Bench()
        bench.refusals.start(step)
        with pytest.raises(DriverError):
            bench.applier.apply(plan_changes(None, NEW), 1.0)

        assert not bench.device.peers
        assert bench.device.private_key is None
        assert not bench.host.routes()
        assert not bench.host.addresses()
        assert not bench.host.is_up
        assert not bench.host.default_route_rules


def test_what_cannot_be_undone_is_noted_at_the_error() -> None:
    bench = Bench()
    bench.refusals.start(2, 3)

    with pytest.raises(DriverError) as caught:
        bench.applier.apply([c.SetListenPort(5), c.SetFwmark(6), c.SetUp(True)], 1.0)

    assert caught.value.__notes__ == ["could not be taken back: setsockopt is refused"]
    assert bench.sockets.fwmark == 6
    assert bench.sockets.listen_port == 40000


def test_what_moves_sources_clears_the_sticky_ones() -> None:  # checklist 35
    bench = Bench()
    bench.applier.apply([c.AddPeer(A), c.SetEndpoint(A, Endpoint("192.0.2.1", 5))], 1.0)
    live = bench.device.peers[A]

    for change, is_cleared in [(c.SetListenPort(7), True), (c.SetFwmark(7), True), (c.SetMtu(1300), False)]:
        live.local = LocalAddress("192.0.2.2", 1)
        bench.applier.apply([change], 2.0)
        assert (live.local is None) is is_cleared, change


def test_settings_go_back_to_what_they_were() -> None:
    bench = Bench()
    before = [c.SetMtu(1300), c.SetDns(("1.1.1.1",), ()), c.SetForwarding(True), c.SetUp(True)]
    bench.applier.apply(before, 1.0)
    snapshot = bench.snapshot()
    bench.refusals.start(4)

    with pytest.raises(DriverError):
        bench.applier.apply(
            [c.SetMtu(1400), c.SetDns((), ("example.net",)), c.SetForwarding(False), c.SetUp(False), c.SetFwmark(1)],
            2.0,
        )

    assert bench.snapshot() == snapshot
    assert bench.applier.apply(before, 3.0).changes == ()


def test_forwarding_that_was_never_set_by_us_is_left_as_it_is() -> None:
    bench = Bench()
    bench.refusals.start(2)

    with pytest.raises(DriverError):
        bench.applier.apply([c.SetDns(("1.1.1.1",), ()), c.SetForwarding(True), c.SetUp(True)], 1.0)

    assert bench.host.is_forwarding
    assert bench.host.dns == ((), ())


def test_an_address_that_is_gone_already_is_not_removed_and_one_that_is_there_is_not_added() -> None:
    bench = Bench()
    (address,) = interface("10.86.0.1/24").addresses

    assert bench.applier.apply([c.RemoveAddress(address)], 1.0).changes == ()
    assert bench.applier.apply([c.AddAddress(address), c.AddAddress(address)], 1.0).changes == (c.AddAddress(address),)


def test_an_interface_that_was_changed_by_others_is_brought_to_what_is_wanted() -> None:
    bench = Bench()
    (route,) = planned_routes(tunnel(peer("a", "10.1.0.0/16")))
    bench.host.add_route(route)

    applied = bench.applier.apply([c.AddRoute(route), c.RemoveRoute(route), c.AddRoute(route)], 1.0)

    assert applied.changes == (c.RemoveRoute(route), c.AddRoute(route))
    assert bench.host.routes() == {route}

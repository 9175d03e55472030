# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Two configurations -> the ordered, minimal changes between them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

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
from wirefleet_agent.config import GroupConfig, HostPort, RelaysConfig, TunnelConfig, plan_changes
from wirefleet_agent.config import changes as c
from wirefleet_agent.wire import Endpoint

A, B, C = public_key("a"), public_key("b"), public_key("c")


def plan(old: TunnelConfig | None, new: TunnelConfig | None) -> list[str]:
    return [f"{change.op} {change.target}" for change in plan_changes(old, new)]


@given(tunnel_configs())
@settings(deadline=None, max_examples=30)
def test_nothing_changes_between_equal_configurations(config: TunnelConfig) -> None:
    assert plan_changes(config, config) == ()


def test_a_tunnel_out_of_nothing_is_planned_in_the_order_in_which_it_can_work() -> None:
    new = tunnel(
        peer("a", "192.168.7.0/24", endpoint=HostPort("192.0.2.1", 51820), preshared_key=preshared_key("a"), name="A"),
        on=interface(
            "10.86.0.1/24", private_key=private_key("x"), listen_port=51820, fwmark=1, dns_servers=("1.1.1.1",)
        ),
        is_forwarding=True,
        log_level="debug",
        host="h",
        role="hub",
    )

    assert plan(None, new) == [
        "set_private_key interface",
        "set_listen_port 51820",
        "set_fwmark 0x1",
        f"add_peer {A}",
        f"set_preshared_key {A}",
        f"set_endpoint {A}",
        f"replace_allowed_ips {A}",
        "add_address 10.86.0.1/24",
        "set_mtu 1420",
        "set_up up",
        "add_route 192.168.7.0/24",
        "set_dns 1.1.1.1",
        "set_forwarding on",
        "set_log_level debug",
        "set_host_labels h (hub)",
        f"set_peer_name {A} A",
    ]


def test_a_peer_that_does_not_change_is_not_mentioned() -> None:
    old = tunnel(peer("a", "10.1.0.0/16"), peer("b", "10.2.0.0/16"))
    new = tunnel(peer("b", "10.2.0.0/16", persistent_keepalive_s=25), peer("c"), peer("a", "10.1.0.0/16"))

    changes = plan_changes(old, new)

    assert changes == (c.AddPeer(C), c.SetPersistentKeepalive(B, 25))


def test_routes_go_before_their_peer_goes() -> None:  # checklist 39
    old = tunnel(peer("a", "10.1.0.0/16"), peer("b", "10.2.0.0/16"))

    assert plan(old, tunnel(peer("a", "10.1.0.0/16"))) == ["remove_route 10.2.0.0/16", f"remove_peer {B}"]


def test_a_prefix_moves_from_peer_to_peer_in_one_step() -> None:  # checklist 38
    old = tunnel(peer("a", "10.1.0.0/16", "10.3.0.0/16"), peer("b", "10.2.0.0/16"))
    new = tunnel(peer("a", "10.3.0.0/16"), peer("b", "10.2.0.0/16", "10.1.0.0/16"))

    assert plan(old, new) == [f"add_allowed_ip {B} 10.1.0.0/16"]


def test_a_prefix_of_a_leaving_peer_has_its_new_owner_before_the_peer_goes() -> None:  # checklist 39
    old = tunnel(peer("a", "10.1.0.0/16"), peer("b"))

    assert plan(old, tunnel(peer("b", "10.1.0.0/16"))) == [f"add_allowed_ip {B} 10.1.0.0/16", f"remove_peer {A}"]
    assert plan(old, tunnel(peer("c", "10.1.0.0/16"), peer("b"))) == [
        f"add_peer {C}",
        f"replace_allowed_ips {C}",
        f"remove_peer {A}",
    ]


def test_a_prefix_that_nobody_gets_is_removed() -> None:
    old = tunnel(peer("a", "10.1.0.0/16", "10.2.0.0/16"))

    assert plan(old, tunnel(peer("a", "10.2.0.0/16"))) == [
        "remove_route 10.1.0.0/16",
        f"remove_allowed_ip {A} 10.1.0.0/16",
    ]


def test_the_order_of_allowed_ips_is_no_change() -> None:
    assert plan(tunnel(peer("a", "10.1.0.0/16", "10.2.0.0/16")), tunnel(peer("a", "10.2.0.0/16", "10.1.0.0/16"))) == []


def test_secrets_are_compared_and_never_shown() -> None:
    old = tunnel(peer("a", preshared_key=preshared_key("1")), on=interface(private_key=private_key("1")))
    new = tunnel(peer("a", preshared_key=preshared_key("2")), on=interface(private_key=private_key("2")))

    changes = plan_changes(old, new)

    assert [type(change) for change in changes] == [c.SetPrivateKey, c.SetPresharedKey]
    assert preshared_key("2").reveal_base64() not in repr(changes)
    assert plan(new, tunnel(peer("a"), on=interface())) == ["set_private_key interface", f"set_preshared_key {A}"]


def test_numeric_endpoints_are_resolved_at_once_and_names_are_not() -> None:
    def planned(host: str) -> object:
        (change,) = plan_changes(tunnel(peer("a")), tunnel(peer("a", endpoint=HostPort(host, 5))))
        assert isinstance(change, c.SetEndpoint)
        return change.endpoint

    assert planned("192.0.2.1") == Endpoint("192.0.2.1", 5)
    assert planned("2001:db8::1") == Endpoint("2001:db8::1", 5)
    assert planned("fe80::1%3") == Endpoint("fe80::1", 5, 3)
    assert planned("fe80::1%eth0") == HostPort("fe80::1%eth0", 5)
    assert planned("hub.example.net") == HostPort("hub.example.net", 5)


def test_an_endpoint_that_is_taken_away_is_planned_as_none() -> None:
    old = tunnel(peer("a", endpoint=HostPort("192.0.2.1", 5)))

    assert plan_changes(old, tunnel(peer("a"))) == (c.SetEndpoint(A, None),)


def test_a_default_route_brings_mark_table_and_rules_and_takes_them_away() -> None:
    plain = tunnel(peer("a", "10.1.0.0/16"), on=interface("10.86.0.1/24", listen_port=51821))
    default = replace(plain, peers=(peer("a", "10.1.0.0/16", "0.0.0.0/0"),))

    assert plan(plain, default) == [
        "set_fwmark 0xca6d",
        f"add_allowed_ip {A} 0.0.0.0/0",
        "add_route 0.0.0.0/0 table 51821",
        "set_default_route_rules on fwmark 0xca6d table 51821",
    ]
    assert plan(default, plain) == [
        "set_default_route_rules off fwmark 0xca6d table 51821",
        "remove_route 0.0.0.0/0 table 51821",
        "set_fwmark 0x0",
        f"remove_allowed_ip {A} 0.0.0.0/0",
    ]


def test_rules_follow_the_number_of_their_table() -> None:
    old = tunnel(peer("a", "0.0.0.0/0"), on=interface("10.86.0.1/24", fwmark=1))
    new = replace(old, interface=replace(old.interface, fwmark=2))

    assert plan(old, new) == [
        "set_default_route_rules off fwmark 0x1 table 1",
        "remove_route 0.0.0.0/0 table 1",
        "set_fwmark 0x2",
        "add_route 0.0.0.0/0 table 2",
        "set_default_route_rules on fwmark 0x2 table 2",
    ]


def test_an_address_that_goes_may_take_others_and_ipv4_routes_with_it_so_they_are_planned_again() -> None:
    old = tunnel(peer("a", "10.1.0.0/16", "fd01::/64"), on=interface("10.86.0.1/24", "10.86.0.2/24", "10.9.0.1/24"))
    new = replace(old, interface=interface("10.86.0.2/24", "10.9.0.1/24"))

    assert plan(old, new) == ["remove_address 10.86.0.1/24", "add_address 10.86.0.2/24", "add_route 10.1.0.0/16"]


def test_an_ipv6_address_goes_alone() -> None:
    old = tunnel(peer("a", "10.1.0.0/16"), on=interface("10.86.0.1/24", "fd86::1/64"))

    assert plan(old, replace(old, interface=interface("10.86.0.1/24"))) == ["remove_address fd86::1/64"]


def test_the_mtu_of_a_new_interface_is_always_set_and_later_only_when_it_changes() -> None:
    old = tunnel(on=interface("10.86.0.1/24"))

    assert "set_mtu 1420" in plan(None, old)
    assert plan(old, replace(old, interface=interface("10.86.0.1/24", mtu_bytes=1280))) == ["set_mtu 1280"]


def test_options_and_names_are_planned_without_touching_a_peer() -> None:
    old = tunnel(peer("a", name="old"))
    new = tunnel(peer("a"), log_level="debug", role="spoke", is_forwarding=True)

    assert plan(old, new) == [
        "set_forwarding on",
        "set_log_level debug",
        "set_host_labels - (spoke)",
        f"set_peer_name {A} -",
    ]


def test_taking_a_tunnel_down_gives_the_host_back_but_not_its_forwarding() -> None:
    assert plan(full_config(), None) == [
        *(f"remove_route {text} table 1234" for text in ("10.86.0.2/32", "192.168.7.0/24", "fd86::2/128")),
        f"remove_peer {public_key('spoke')}",
        f"remove_peer {public_key('hub-2')}",
        "remove_address 10.86.0.1/24",
        "remove_address fd86::1/64",
        "remove_address 10.87.0.1/32",
        "set_up down",
        "set_dns none",
    ]
    assert plan(None, None) == []


def test_routes_are_planned_from_what_the_host_has_when_others_changed_the_live_peers() -> None:
    configured = tunnel(peer("a", "10.1.0.0/16", "10.2.0.0/16"))
    live = tunnel(peer("a", "10.1.0.0/16", "10.3.0.0/16"))

    changes = plan_changes(live, tunnel(peer("a", "10.1.0.0/16")), routed=configured)

    assert [change.op for change in changes] == ["remove_route", "remove_allowed_ip"]
    assert changes[0].target == "10.2.0.0/16"
    assert changes[1].target.endswith("10.3.0.0/16")


def test_a_spoke_of_a_hub_with_relays_is_two_changes_and_no_relay_more_than_that() -> None:
    relays = RelaysConfig((public_key("r1"), public_key("r2")))
    spokes = [peer(str(number), f"10.87.{number // 250}.{number % 250}/32") for number in range(1000)]
    new = tunnel(peer("r1", "10.86.0.2/32"), peer("r2", "10.86.0.3/32"), *spokes, relays=relays)

    ops = Counter(change.op for change in plan_changes(tunnel(), new))

    assert ops == {"add_peer": 1002, "set_group": 1000, "replace_allowed_ips": 2, "add_route": 1000}
    assert plan_changes(new, new) == ()


def test_a_group_comes_after_its_members_and_before_what_it_leaves_to_them() -> None:
    old = tunnel(
        peer("a", "10.1.0.0/16", "10.2.0.0/16"), peer("b"), groups=(GroupConfig("g", (A, B), prefixes("10.1.0.0/16")),)
    )
    group = GroupConfig("h", (A, C), prefixes("10.2.0.0/16"))
    new = tunnel(peer("a", "10.1.0.0/16", "10.2.0.0/16"), peer("c"), groups=(group,))

    assert plan(old, new) == [
        f"add_peer {C}",
        "remove_group g",
        f"set_group h: 10.2.0.0/16 by {A}, {C}",
        f"add_allowed_ip {A} 10.1.0.0/16",
        f"remove_peer {B}",
        "set_group_policy h: active_standby, hold 30 s",
    ]

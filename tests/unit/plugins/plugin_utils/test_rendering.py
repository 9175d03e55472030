# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import tomllib

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import Lock, make_plan
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import PlanFilesError
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.rendering import render_slice, toml_literal
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import fleet, public_key, slice_of


def rendered(host="spoke-1", **options):
    return render_slice(slice_of(make_plan(fleet(spokes=2, **options), Lock()), host))


def test_a_spokes_conf_is_plain_wg_quick_syntax_without_a_private_key():
    conf = rendered().conf

    assert "[Interface]\nAddress = 10.86.0.4/24, fd86::4/64\nListenPort = 51820\nMTU = 1420\n" in conf
    assert conf.count("[Peer]") == 3
    assert (
        f"PublicKey = {public_key('hub-1')}\nEndpoint = 192.0.2.1:51820\n"
        "AllowedIPs = 10.86.0.0/24, 10.86.0.1/32, fd86::/64, fd86::1/128\n"
    ) in conf
    assert (
        f"PublicKey = {public_key('hub-3')}\nEndpoint = [2001:db8:3::3]:51820\n"
        "AllowedIPs = 10.86.0.3/32, fd86::3/128\nPersistentKeepalive = 25\n"
    ) in conf
    assert "PrivateKey" not in conf
    assert conf.endswith("PersistentKeepalive = 25\n")


def test_a_hubs_conf_leaves_out_what_it_does_not_know():
    conf = rendered("hub-1").conf

    assert f"PublicKey = {public_key('spoke-2')}\n" in conf
    assert conf.count("Endpoint") == 2


def test_the_toml_is_toml_and_names_the_peers():
    document = tomllib.loads(rendered("hub-1").toml)

    assert document["host"] == {"name": "hub-1", "role": "hub", "forwarding": True}
    assert document["logging"] == {"level": "info"}
    assert document["peers"][public_key("spoke-2")] == "spoke-2"


@pytest.mark.parametrize(("metrics", "section"), [("off", None), ("overlay", {"listen": "overlay"})])
def test_metrics_are_served_where_the_fleet_says(metrics, section):
    document = slice_of(make_plan(fleet(spokes=2), Lock()), "hub-1")

    assert tomllib.loads(render_slice(document, metrics=metrics).toml).get("metrics") == section


def test_a_spokes_toml_has_the_heartbeat_and_the_group_of_hubs_best_first():
    document = tomllib.loads(rendered("spoke-1", everywhere={"heartbeat": "fast"}).toml)

    hubs = slice_of(make_plan(fleet(spokes=2), Lock()), "spoke-1")["preferred_hubs"]
    assert document["heartbeat"] == {"port": 51821, "interval_ms": 100, "misses": 3}
    assert document["groups"] == [
        {
            "name": "hubs",
            "members": [public_key(hub) for hub in hubs],
            "allowed_ips": ["10.86.0.0/24", "fd86::/64"],
            "policy": "active_standby",
            "hold_s": 30,
        }
    ]
    assert "relays" not in document


def test_a_hubs_toml_has_the_other_hubs_and_whose_hub_is_fixed():
    document = tomllib.loads(rendered("hub-1", hosts={"spoke-2": {"agent": False}}).toml)

    relays = {"members": [public_key("hub-2"), public_key("hub-3")], "fixed": [public_key("spoke-2")]}
    assert document["relays"] == relays
    assert "groups" not in document
    assert document["cluster"]["port"] == 51822
    assert document["cluster"]["members"][2] == {"key": public_key("hub-3"), "address": "10.86.0.3"}
    assert "cluster" not in tomllib.loads(rendered("spoke-1").toml)
    assert (rendered("hub-1").has_cluster, rendered("spoke-1").has_cluster) == (True, False)
    assert document["heartbeat"]["interval_ms"] == 500


def test_a_hubs_toml_has_the_redundant_sites_with_the_keys_of_their_gateways():
    hosts = {name: {"site_prefixes": ["10.20.0.0/24"]} for name in ("spoke-1", "spoke-2")}

    document = tomllib.loads(rendered("hub-1", hosts=hosts).toml)

    assert document["sites"] == [
        {
            "name": "site-10.20.0.0-24",
            "members": [public_key("spoke-1"), public_key("spoke-2")],
            "allowed_ips": ["10.20.0.0/24"],
        }
    ]
    assert "local_networks" not in document["host"]


def test_a_gateways_toml_has_its_local_networks():
    hosts = {name: {"site_prefixes": ["10.20.0.0/24", "fd20::/64"]} for name in ("spoke-1", "spoke-2")}

    document = tomllib.loads(rendered("spoke-2", hosts=hosts).toml)

    assert document["host"] == {
        "name": "spoke-2",
        "role": "spoke",
        "forwarding": True,
        "local_networks": ["10.20.0.0/24", "fd20::/64"],
    }
    assert "sites" not in document


def test_what_is_rendered_for_a_plain_spoke_is_the_conf_alone():
    config = rendered("spoke-2", hosts={"spoke-2": {"agent": False}})

    assert "AllowedIPs = 10.86.0.0/24, fd86::/64\n" in config.conf
    assert config.conf.count("AllowedIPs") == 1
    assert {"heartbeat", "groups", "relays"}.isdisjoint(tomllib.loads(config.toml))


def test_preshared_keys_are_named_and_never_rendered():
    config = rendered(everywhere={"preshared_keys": True})

    assert config.preshared_peers == tuple(public_key(hub) for hub in ("hub-1", "hub-2", "hub-3"))
    assert "PresharedKey" not in config.conf
    assert rendered().preshared_peers == ()


def test_the_digest_follows_both_texts():
    digests = {rendered().digest, rendered("spoke-2").digest, rendered(everywhere={"mtu": 1300}).digest}

    assert len(digests) == 3
    assert rendered().digest == rendered().digest


def test_an_incomplete_slice_is_refused():
    document = slice_of(make_plan(fleet(), Lock()), "spoke-1")

    keys = ("peers", "tunnel", "interface", "pending", "forwarding", "groups", "heartbeat", "relays", "cluster")
    for key in (*keys, "sites", "local_networks"):
        with pytest.raises(PlanFilesError, match="the slice is incomplete"):
            render_slice({name: value for name, value in document.items() if name != key})


def test_a_group_of_strangers_is_refused():
    document = slice_of(make_plan(fleet(), Lock()), "spoke-1")
    document["groups"][0]["members"] = ["hub-1", "hub-9"]

    with pytest.raises(PlanFilesError, match="hub-9"):
        render_slice(document)


def test_toml_texts_are_escaped():
    odd = 'a"b\\n'
    assert tomllib.loads("x = " + toml_literal(odd))["x"] == odd
    assert toml_literal(True) == "true"

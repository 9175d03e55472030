# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import Lock, make_plan
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import PlanFilesError
from ansible_collections.wirefleet.wireguard.plugins.module_utils.verify import find_differences
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import fleet, public_key, slice_of
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.statuses import named, status_of

SITES = {"spoke-1": {"site_prefixes": ["10.20.1.0/24"]}, "spoke-2": {"endpoint": "vpn.example.net"}}


@pytest.fixture
def plan():
    return make_plan(fleet(spokes=2, hosts=SITES), Lock())


@pytest.mark.parametrize("host", ["hub-1", "hub-2", "hub-3", "spoke-1", "spoke-2"])
def test_a_host_as_planned_has_no_findings(plan, host):
    document = slice_of(plan, host)

    assert find_differences(document, status_of(document), expected_digest="d1") == []


def test_a_service_that_does_not_run_is_the_only_finding(plan):
    for status in ({"running": False}, {}):
        assert named(find_differences(slice_of(plan, "spoke-1"), status)) == [("daemon_not_running", "error", None)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"public_key": public_key("other")}, ("key_mismatch", "error", None)),
        ({"public_key": None}, ("key_mismatch", "error", None)),
        ({"listen_port": 1}, ("listen_port_mismatch", "error", None)),
        ({"config_digest": "d2"}, ("digest_mismatch", "error", None)),
        ({"pending": True}, ("change_pending", "warning", None)),
        ({"interface": None}, ("interface_down", "error", None)),
        ({"interface.forwarding": False}, ("forwarding_mismatch", "error", None)),
        ({"interface.is_up": False}, ("interface_down", "error", None)),
        ({"interface.mtu_bytes": 1280}, ("mtu_mismatch", "error", None)),
        ({"interface.addresses": ["10.86.0.4/24"]}, ("address_missing", "error", None)),
        (
            {"interface.addresses": ["10.86.0.4/24", "fd86::4/64", "192.0.2.9/24"]},
            ("address_unexpected", "warning", None),
        ),
        ({"peer.allowed_ips": []}, ("allowed_ips_mismatch", "error", "hub-1")),
        (
            {"peer.allowed_ips": ["10.86.0.0/24", "fd86::/64", "10.86.0.1", "fd86::1", "10.9.9.9"]},
            ("allowed_ips_mismatch", "error", "hub-1"),
        ),
        ({"peer.allowed_ips": ["10.86.0.0/24", "fd86::/64"]}, ("allowed_ips_mismatch", "error", "hub-1")),
        ({"peer.endpoint": "203.0.113.9:51820"}, ("endpoint_mismatch", "warning", "hub-1")),
        ({"peer.endpoint": "[fe80::1%eth0]:51820"}, ("endpoint_other_family", "warning", "hub-1")),
        ({"peer.persistent_keepalive_s": 0}, ("keepalive_mismatch", "warning", "hub-1")),
        ({"peer.last_handshake_age_s": 206.0}, ("handshake_stale", "error", "hub-1")),
        ({"peer.last_handshake_age_s": None}, ("handshake_missing", "error", "hub-1")),
        ({"peer.is_proven": False}, ("handshake_outdated", "error", "hub-1")),
    ],
)
def test_each_difference_has_a_name(plan, change, expected):
    document = slice_of(plan, "spoke-1")
    status = status_of(document)
    for path, value in change.items():
        place, _dot, key = path.rpartition(".")
        {"": status, "interface": status["interface"], "peer": status["peers"][0]}[place][key] = value

    assert named(find_differences(document, status, expected_digest="d1")) == [expected]


def test_a_missing_peer_and_a_stranger_are_named(plan):
    document = slice_of(plan, "spoke-1")
    status = status_of(document)
    status["peers"][1].update(public_key=public_key("stranger"), name=None)

    assert named(find_differences(document, status)) == [
        ("peer_missing", "error", "hub-2"),
        ("peer_unexpected", "error", public_key("stranger")),
    ]


def test_on_a_hub_a_spoke_without_a_handshake_is_only_a_warning(plan):
    document = slice_of(plan, "hub-1")
    status = status_of(document)
    for peer in status["peers"]:
        peer["last_handshake_age_s"] = None

    findings = named(find_differences(document, status))

    assert findings == [
        ("handshake_missing", "error", "hub-2"),
        ("handshake_missing", "error", "hub-3"),
        ("handshake_missing", "warning", "spoke-1"),
        ("handshake_missing", "warning", "spoke-2"),
    ]
    assert find_differences(document, status, max_handshake_age_s=0) == []


def test_a_session_that_only_the_responder_keeps_warm_is_not_stale(plan):
    # Its keepalives are 25 s apart; the first one after 165 s makes the initiator renew the session.
    document = slice_of(plan, "spoke-1")
    status = status_of(document)
    for peer in status["peers"]:
        peer["last_handshake_age_s"] = 195.0

    assert find_differences(document, status) == []


def test_a_long_keepalive_interval_lets_a_handshake_be_older(plan):
    document = slice_of(plan, "spoke-1")
    for peer in document["peers"]:
        peer["persistent_keepalive"] = 600
    status = status_of(document)
    for peer in status["peers"]:
        peer["last_handshake_age_s"] = 700

    assert find_differences(document, status) == []
    status["peers"][0]["last_handshake_age_s"] = 800
    assert named(find_differences(document, status)) == [("handshake_stale", "error", "hub-1")]


def test_an_endpoint_given_by_name_may_resolve_to_anything(plan):
    document = slice_of(plan, "hub-1")
    status = status_of(document)
    status["peers"][-1]["endpoint"] = "203.0.113.77:51820"

    assert find_differences(document, status) == []


def test_a_peer_without_a_key_is_a_warning():
    plan = make_plan(fleet(spokes=1, without_keys=["hub-3"]), Lock())
    document = slice_of(plan, "spoke-1")

    assert named(find_differences(document, status_of(document))) == [("peer_pending", "warning", "hub-3")]


def test_what_the_status_does_not_mention_is_not_judged(plan):
    document = slice_of(plan, "spoke-1")
    status = {
        "running": True,
        "public_key": document["public_key"],
        "interface": {"is_up": True},
        "peers": [{"public_key": peer["public_key"], "last_handshake_age_s": 1} for peer in document["peers"]],
    }

    assert find_differences(document, status) == []


def test_an_unplanned_key_of_a_pending_host_is_not_judged():
    plan = make_plan(fleet(spokes=1, without_keys=["spoke-1"]), Lock())
    document = slice_of(plan, "spoke-1")

    assert find_differences(document, {**status_of(document), "public_key": public_key("new")}) == []


def test_an_incomplete_slice_or_status_is_refused(plan):
    document = slice_of(plan, "spoke-1")
    with pytest.raises(PlanFilesError, match="incomplete"):
        find_differences({"host": "x", "tunnel": "t", "public_key": None}, status_of(document))
    with pytest.raises(PlanFilesError, match="incomplete"):
        find_differences(document, {**status_of(document), "peers": [{}]})


def test_findings_are_plain_values(plan):
    [finding] = find_differences(slice_of(plan, "spoke-1"), {})

    assert json.loads(json.dumps(finding.as_dict()))["host"] == "spoke-1"
    assert finding.hint


def test_forwarding_that_somebody_else_needs_is_no_finding(plan):
    document = {**slice_of(plan, "spoke-1"), "forwarding": False}
    status = status_of(document)
    status["interface"]["forwarding"] = True

    assert find_differences(document, status) == []


WINDOWS = {
    "user": "NT AUTHORITY\\SYSTEM",
    "sids": ["S-1-5-80-1"],
    "privileges": ["SeChangeNotifyPrivilege", "SeLoadDriverPrivilege"],
    "surplus_privileges": [],
    "mode": "single_process",
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"user": "AUTORITE NT\\Système"}, []),
        ({"user": "S-1-5-18"}, []),
        ({"privileges": [*WINDOWS["privileges"], "SeDebugPrivilege"]}, [("process_privileges", "warning", None)]),
        ({"user": "SERVER\\joe"}, [("process_account", "warning", None)]),
        ({"user": "root", "privileges": ["cap_net_admin", "cap_sys_admin"]}, []),
        ({"privileges": []}, []),
    ],
)
def test_what_the_service_on_windows_may_do_is_reported(plan, change, expected):
    document = slice_of(plan, "spoke-1")
    status = {**status_of(document), "process": {**WINDOWS, **change}}

    assert named(find_differences(document, status)) == expected


def test_surplus_privileges_are_named(plan):
    document = slice_of(plan, "spoke-1")
    status = {**status_of(document), "process": {**WINDOWS, "privileges": ["SeTcbPrivilege", "SeDebugPrivilege"]}}

    assert "SeDebugPrivilege, SeTcbPrivilege" in find_differences(document, status)[0].message


@pytest.mark.parametrize(
    ("mtu_bytes", "process", "severity"),
    [(1400, WINDOWS, "warning"), (1440, WINDOWS, "error"), (1400, None, "error")],
)
def test_smaller_mtu_is_the_networks_doing_on_windows_alone(plan, mtu_bytes, process, severity):
    document = slice_of(plan, "spoke-1")
    status = {**status_of(document), "process": process}
    status["interface"]["mtu_bytes"] = mtu_bytes

    assert named(find_differences(document, status)) == [("mtu_mismatch", severity, None)]

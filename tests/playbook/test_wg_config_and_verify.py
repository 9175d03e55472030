# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import stat

import pytest

PLAN = {"name": "plan", "wirefleet.wireguard.wg_plan": {}, "run_once": True}


def config(**options):
    return {"name": "config", "wirefleet.wireguard.wg_config": options}


def verify(**options):
    return {"name": "verify", "wirefleet.wireguard.wg_verify": options}


@pytest.fixture
def planned(fleet):
    fleet.add_keys()
    fleet.run([PLAN])
    return fleet


def status_of(fleet, host):
    document = json.loads((fleet.plan_dir / "slices" / f"{host}.json").read_text())
    return {
        "running": True,
        "public_key": document["public_key"],
        "listen_port": document["interface"]["listen_port"],
        "interface": {"is_up": True, "mtu_bytes": 1420, "addresses": document["interface"]["addresses"]},
        "peers": [
            {"public_key": peer["public_key"], "allowed_ips": peer["allowed_ips"], "last_handshake_age_s": 3.0}
            for peer in document["peers"]
        ],
    }


def test_every_host_gets_the_texts_of_its_own_slice(planned):
    results = planned.run([config()]).results["config"]

    assert len(results) == 6
    assert all(f"on {host} " in result["conf"] for host, result in results.items())
    assert all(result["tunnel"] == "wf0" and not result["changed"] for result in results.values())
    assert len({result["digest"] for result in results.values()}) == 6


def test_preshared_keys_are_named_only(planned):
    planned.variables["wirefleet_preshared_keys"] = True

    result = planned.run([PLAN, config()], "--limit", "spoke-1").results["config"]["spoke-1"]

    assert len(result["preshared_peers"]) == 3
    assert "PresharedKey" not in result["conf"]


def test_copies_are_private_idempotent_and_honest_in_check_mode(planned):
    dest = planned.root / "review"
    task = config(dest=str(dest), host="spoke-1", log_level="debug")

    check = planned.run([task], "--check", "--diff", hosts="hub-1").of("config")
    assert check["changed"]
    assert not dest.exists()
    assert [diff["after_header"] for diff in check["diff"]] == check["files"]

    assert planned.run([task], hosts="hub-1").of("config")["changed"]
    assert not planned.run([task], hosts="hub-1").of("config")["changed"]
    assert stat.S_IMODE((dest / "wf0.conf").stat().st_mode) == 0o600
    assert 'level = "debug"' in (dest / "wf0.toml").read_text()


def test_a_host_without_a_slice_fails_with_a_hint(planned):
    result = planned.run([config(host="stranger")], hosts="hub-1").of("config")

    assert result["failed"]
    assert "run wg_plan first" in result["msg"]


def test_a_host_as_planned_passes(planned):
    result = planned.run([verify(observed=status_of(planned, "spoke-1"))], hosts="spoke-1").of("verify")

    assert result["ok"]
    assert result["findings"] == []
    assert not result["changed"]


def test_a_host_that_differs_fails_with_every_finding_named(planned):
    status = status_of(planned, "spoke-1")
    status["interface"]["mtu_bytes"] = 9000
    del status["peers"][0]

    outcome = planned.run([verify(observed=status)], "--check", hosts="spoke-1")

    result = outcome.of("verify")
    assert outcome.code == 2
    assert [finding["name"] for finding in result["findings"]] == ["mtu_mismatch", "peer_missing"]
    assert "- peer_missing (hub-1): the peer is not configured" in result["msg"]


def test_findings_can_be_reported_without_failing(planned):
    task = verify(observed={"running": False}, fail_on_findings=False)

    outcome = planned.run([task], hosts="spoke-1")

    assert outcome.code == 0
    assert outcome.of("verify")["ok"] is False


def test_a_long_list_of_findings_is_bounded_in_the_message(planned):
    status = status_of(planned, "hub-1")
    strangers = [{"public_key": f"{n:043d}=", "allowed_ips": []} for n in range(40)]

    result = planned.run([verify(observed={**status, "peers": strangers})], hosts="hub-1").of("verify")

    assert "- and 25 more" in result["msg"]
    assert len(result["findings"]) == 45


def test_warnings_are_shown_one_line_for_each_kind(planned):
    observed = status_of(planned, "hub-1")
    observed["peers"][0]["endpoint"] = "[2001:db8::77]:51820"
    for peer in observed["peers"][-3:]:
        peer["last_handshake_age_s"] = 700
    observed["pending"] = True

    result = planned.run([verify(observed=observed)], hosts="hub-1").of("verify")

    assert result["ok"]
    assert len(result["warnings"]) == 2
    pending, stale = (str(warning) for warning in result["warnings"])
    assert pending.startswith("hub-1: change_pending: a configuration waits for its confirmation")
    assert stale.startswith("hub-1: handshake_stale (spoke-1, spoke-2, spoke-3) -- see whether")


def test_a_host_as_planned_has_no_warnings(planned):
    result = planned.run([verify(observed=status_of(planned, "hub-1"))], hosts="hub-1").of("verify")

    assert not result.get("warnings")

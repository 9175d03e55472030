# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes that concern who can talk to whom: proven by new handshakes on a fleet that already runs, or taken back."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.slow]

SHORT = ("-e", "tunnel_config_health_timeout_s=12", "-e", "tunnel_config_confirm_timeout_s=40")
HOSTS = ("hub-1", "hub-2", "hub-3", "spoke-1", "spoke-2", "spoke-3")


def settings_of(fleet) -> dict[str, list[str]]:
    """Preshared keys and ports of all hosts; endpoints roam."""
    shown = {host: fleet.wg(host, "preshared-keys") + fleet.wg(host, "listen-port") for host in HOSTS}
    return {host: sorted(text.splitlines()) for host, text in shown.items()}


def pending_hosts(fleet) -> list[str]:
    return [host for host in HOSTS if list((fleet.root(host) / "var/lib/wirefleet/pending").glob("*/journal.json"))]


def messages(run) -> str:
    return " ".join(run.output.split())


@pytest.mark.usefixtures("converged_afterwards")
def test_endpoint_at_which_nobody_answers_fails_and_is_taken_back(fleet):
    run = fleet.play("site", *SHORT, inventory=fleet.inventory(hub_2={"wirefleet_endpoint": "198.51.100.99"}))

    assert run.returncode != 0
    assert {name for name, recap in run.recap.items() if recap.failed} == set(HOSTS) - {"hub-2"}
    assert "no handshake since the last change with hub-2" in messages(run)
    assert fleet.wait_until(lambda: pending_hosts(fleet) == [], timeout_s=60)
    assert fleet.wait_until(lambda: "198.51.100.2:51820" in fleet.wg("spoke-1", "endpoints"), timeout_s=15)
    assert fleet.unreachable_paths() == []


@pytest.mark.usefixtures("converged_afterwards")
def test_new_preshared_keys_that_one_spoke_has_wrong_are_confirmed_by_nobody(fleet):
    before, right = settings_of(fleet), fleet.home / "other-secret"
    wrong = fleet.home / "wrong-secret"
    for path, letter in ((right, b"r"), (wrong, b"w")):
        path.write_bytes(b64encode(letter * 32) + b"\n")
        path.chmod(0o600)
    choice = f"{{{{ '{wrong}' if inventory_hostname == 'spoke-3' else '{right}' }}}}"

    run = fleet.play("site", *SHORT, "-e", json.dumps({"tunnel_config_preshared_secret_path": choice}))

    assert all(recap.failed for recap in run.recap.values()), run.output[-8000:]
    assert "no handshake since the last change with hub-1, hub-2, hub-3" in messages(run)
    assert "spoke-3 has lost hub-1, hub-2, hub-3" in messages(run)
    assert fleet.wait_until(lambda: pending_hosts(fleet) == [], timeout_s=60)
    assert settings_of(fleet) == before
    assert fleet.wait_until(lambda: fleet.unreachable_paths() == [], timeout_s=30)


@pytest.mark.usefixtures("converged_afterwards")
def test_new_secret_key_and_port_at_once_are_proven_and_confirmed(fleet):
    before, secret = settings_of(fleet), fleet.secret_path.read_bytes()
    options = {"root": str(fleet.root("spoke-3")), "tunnel": f"{fleet.prefix}-spoke-3", "state": "rotated"}
    assert fleet.module("spoke-3", "agent_key", options).returncode == 0
    fleet.secret_path.unlink()

    run = fleet.play("site", inventory=fleet.inventory(hub_2={"wirefleet_port": 51999}))

    assert run.returncode == 0, run.output[-8000:]
    assert fleet.secret_path.read_bytes() != secret
    after = settings_of(fleet)
    assert all(after[host] != before[host] for host in HOSTS)
    assert pending_hosts(fleet) == []
    assert fleet.unreachable_paths() == []


@pytest.mark.usefixtures("converged_afterwards")
def test_hub_that_was_silent_before_does_not_take_back_the_change_of_the_others(fleet):
    """Ansible still reaches the hub; its underlay is dead. Restarted agents have no session that looks alive."""
    deaf = "add table inet deaf; add chain inet deaf input { type filter hook input priority 0; policy drop; }"
    assert fleet.inside("hub-2", "nft", deaf).returncode == 0
    try:
        for host in HOSTS:
            options = {"root": str(fleet.root(host)), "tunnel": f"{fleet.prefix}-{host}", "backend": "process"}
            assert fleet.module(host, "tunnel_service", {**options, "state": "restarted"}).returncode == 0

        run = fleet.play("site", *SHORT, "-e", "wirefleet_keepalive=20")
    finally:
        assert fleet.inside("hub-2", "nft", "delete table inet deaf").returncode == 0

    assert {name for name, recap in run.recap.items() if recap.failed} >= {"spoke-1"}  # verify names the dead hub
    assert "hub-2" in messages(run)
    assert pending_hosts(fleet) == []
    for host in ("spoke-1", "spoke-2", "spoke-3"):
        assert {line.split("\t")[1] for line in fleet.wg(host, "persistent-keepalive").splitlines()} == {"20"}

# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators do to a running fleet: drift is repaired, releases come and go, bad changes heal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from wirefleet_rehearsal.bundles import build_windows, changed_agent
from wirefleet_rehearsal.topology import LINUX_HOSTS, WINDOWS_HOSTS

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

# Passes the installer's trial, and fails as soon as a tunnel is to start.
BREAKAGE = """

def _refuse(*_arguments: object, **_options: object) -> None:
    raise DriverError("this release is broken on purpose", call="rehearsal", os_code=31)


WindowsTun.__init__ = _refuse
"""


def _version(agent: Path, version: str) -> None:
    project = agent / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    old = next(line for line in text.splitlines() if line.startswith("version = "))
    project.write_text(text.replace(old, f'version = "{version}"'), encoding="utf-8")


def _breaks_tunnels(agent: Path) -> None:
    _version(agent, "0.1.98")
    driver = agent / "src" / "wirefleet_agent" / "drivers" / "tun_windows.py"
    driver.write_text(driver.read_text(encoding="utf-8") + BREAKAGE, encoding="utf-8")


def _over_the_tunnel(fleet, host):
    """Variables with which a Windows host is reached at its overlay address; NTLM, as no certificate names it."""
    return {
        "ansible_host": fleet.overlay(host),
        "ansible_port": 5985,
        "ansible_winrm_scheme": "http",
        "ansible_winrm_transport": "ntlm",
        "ansible_winrm_message_encryption": "always",
        "ansible_winrm_operation_timeout_sec": 6,  # a connection that the task cuts is noticed sooner
        "ansible_winrm_read_timeout_sec": 9,
    }


def _current(fleet, host) -> str:
    return (fleet.root(host) / "current").read_text(encoding="ascii").strip()


@pytest.mark.parametrize("host", ["hub-3"])
def test_drift_is_repaired_and_only_where_it_is(fleet, host):
    (fleet.root(host) / "config" / "wf0.conf").unlink()
    rules = json.loads((fleet.rehearsal.directory(host) / "wsman" / "firewall.json").read_text(encoding="utf-8"))
    rule = next(iter(rules.values()))["name"]
    assert fleet.module(host, "community.windows.win_firewall_rule", {"name": rule, "state": "absent"}).returncode == 0
    service = {"name": fleet.service(host), "start_mode": "manual"}
    assert fleet.module(host, "ansible.windows.win_service", service).returncode == 0

    repair = fleet.play("site", "--limit", f"{host},spoke-1,spoke-2")

    assert repair.returncode == 0, repair.tail
    assert set(repair.changed) == {host}
    assert repair.changed[host] >= 3  # and nothing is left to repair: the last run of the broken release's scenario


def test_work_over_the_tunnel_itself_changes_nothing_either(fleet):
    hub = fleet.inventory(hub_2=_over_the_tunnel(fleet, "hub-2"))

    run = fleet.play("site", "--limit", "hub-2", inventory=hub, at=LINUX_HOSTS[0])

    assert run.returncode == 0, run.tail
    assert run.changed == {}


def test_upgrade_over_its_own_tunnel_survives_the_loss_of_the_connection(fleet, tmp_path, report):
    agent = changed_agent(tmp_path / "agent", lambda copy: _version(copy, "0.1.97"))
    bundle = build_windows(agent, tmp_path / "bundles")
    before = _current(fleet, "hub-2")
    hub = fleet.inventory(hub_2=_over_the_tunnel(fleet, "hub-2"))

    run = fleet.play(
        "site", "--limit", "hub-2", "-e", f"tunnel_service_bundle={bundle}", inventory=hub, at=LINUX_HOSTS[0]
    )

    report.measured["upgrade of a hub over its own tunnel, s"] = round(run.duration_s, 1)
    assert run.returncode == 0, run.tail
    assert _current(fleet, "hub-2") != before
    assert fleet.wait_until(lambda: fleet.unreachable_paths() == [], timeout_s=60)
    back = fleet.play("site", "--limit", "hub-2")
    assert back.returncode == 0, back.tail
    assert _current(fleet, "hub-2") == before


def test_broken_release_is_rolled_back_and_the_tunnel_works(fleet, tmp_path):
    bundle = build_windows(changed_agent(tmp_path / "agent", _breaks_tunnels), tmp_path / "bundles")
    before = _current(fleet, "hub-3")

    run = fleet.play("site", "--limit", "hub-3", "-e", f"tunnel_service_bundle={bundle}")

    assert run.returncode != 0
    assert run.recap["hub-3"].failed == 1
    assert _current(fleet, "hub-3") == before
    assert fleet.wait_until(lambda: fleet.unreachable_paths() == [], timeout_s=60)
    again = fleet.play("site", "--limit", "hub-3")
    assert again.returncode == 0, again.tail
    assert again.changed == {}


def test_bad_configuration_sent_over_the_tunnel_heals_by_itself(fleet):
    hub = fleet.inventory(hub_2=_over_the_tunnel(fleet, "hub-2"))
    address = fleet.overlay("hub-2")
    options = {
        "root": "C:\\Program Files\\WireFleet",
        "tunnel": fleet.tunnel("hub-2"),
        "conf": f"[Interface]\nAddress = {address}/32\nListenPort = 51999\n",
        "confirm_timeout_s": 5,
    }

    run = fleet.module("hub-2", "wirefleet.wireguard.agent_config", options, inventory=hub, at=LINUX_HOSTS[0])

    assert '"pending": true' in run.output or run.returncode != 0, run.tail
    assert fleet.wait_until(lambda: fleet.ping(LINUX_HOSTS[0], address), timeout_s=60)
    assert fleet.wait_until(lambda: fleet.unreachable_paths() == [], timeout_s=60)


def test_invalid_configuration_is_refused_and_names_the_line(fleet):
    host = WINDOWS_HOSTS[0]
    options = {
        "root": "C:\\Program Files\\WireFleet",
        "tunnel": fleet.tunnel(host),
        "conf": "[Interface]\nListenPort = 99999\n",
    }

    run = fleet.module(host, "wirefleet.wireguard.agent_config", options)

    assert run.returncode != 0
    assert "invalid_config" in run.output
    assert "ListenPort" in run.output

# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No private key and no preshared key shows in anything that a run leaves or lets see, with everything turned up."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture
def secrets(fleet) -> dict[str, str]:
    """Every secret of the fleet by what it is, in the text in which tools write it."""
    found = {"fleet secret": fleet.secret_path.read_text(encoding="ascii").strip()}
    for path in fleet.state.glob("hosts/*/var/lib/wirefleet/keys/*.key"):
        found[str(path)] = path.read_text(encoding="ascii", errors="replace").strip()
    for host in ("hub-1", "hub-2", "hub-3"):
        for line in fleet.wg(host, "preshared-keys").splitlines():
            found[f"preshared key {host} {line.split()[0]}"] = line.split()[1]
    secret = base64.b64decode(found["fleet secret"])
    cluster_key = hmac.new(secret, b"wirefleet cluster key v1\0", hashlib.sha256).digest()
    found["cluster key"] = base64.b64encode(cluster_key).decode()
    assert len(found) >= 2 + 6 + 6 + 15
    assert all(len(secret) >= 40 for secret in found.values())
    return found


def leaks(secrets: dict[str, str], text: bytes) -> list[str]:
    """Names of the secrets that a text holds, in base64, hexadecimal or raw."""
    found = []
    for name, secret in secrets.items():
        forms = [secret.encode()]
        raw = base64.b64decode(secret + "=" * (-len(secret) % 4), validate=False)
        if len(raw) == 32:
            forms += [raw, raw.hex().encode()]
        if any(form in text for form in forms):
            found.append(name)
    return found


def test_search_finds_a_secret_when_there_is_one(secrets):
    name, secret = next(iter(secrets.items()))

    assert leaks(secrets, f"...{secret}...".encode()) == [name]


def test_output_of_the_most_talkative_run_has_none(first_run, secrets):
    assert "EXEC" in first_run.run.output
    assert leaks(secrets, first_run.run.output.encode()) == []


def test_log_of_ansible_has_none(fleet, secrets):
    log = (fleet.home / "ansible.log").read_bytes()

    assert b"tunnel_config" in log
    assert leaks(secrets, log) == []


def test_fact_cache_has_none(fleet, secrets):
    assert [leaks(secrets, path.read_bytes()) for path in fleet.home.glob("facts/**/*") if path.is_file()] in (
        [],
        [[]] * len([path for path in fleet.home.glob("facts/**/*") if path.is_file()]),
    )


def test_process_list_had_none_at_any_time(first_run, secrets):
    assert any(b"wirefleet-agent" in seen for seen in first_run.processes.seen)
    assert leaks(secrets, b"\0".join(first_run.processes.seen)) == []


def test_plan_lock_file_and_logs_of_the_agents_have_none(fleet, secrets):
    paths = [*fleet.state.glob("plan/**/*"), *fleet.state.glob("*.json"), *fleet.state.glob("hosts/*/var/log/**/*")]
    files = [path for path in paths if path.is_file()]

    assert len(files) > 12
    assert {str(path): found for path in files if (found := leaks(secrets, path.read_bytes()))} == {}


def test_key_of_the_cluster_is_on_the_hubs_alone(fleet):
    holders = {path.parents[4].name for path in fleet.state.glob("hosts/*/var/lib/wirefleet/keys/*.cluster")}

    assert holders == {"hub-1", "hub-2", "hub-3"}


def test_files_that_hold_secrets_belong_to_their_owner_alone(fleet):
    paths = [*fleet.state.glob("hosts/*/var/lib/wirefleet/keys/*"), *fleet.state.glob("hosts/*/etc/wirefleet/*")]

    assert len(paths) >= 6 * 4
    assert {str(path): oct(path.stat().st_mode) for path in paths if path.stat().st_mode & 0o077} == {}


def test_status_of_the_agents_has_none(fleet, secrets):
    for module in ("agent_info", "agent_key"):
        options = {"root": "{{ wirefleet_root }}", "tunnel": "{{ wirefleet_tunnel }}"}
        run = fleet.module("hubs:spokes", module, options, "-vvv")

        assert run.returncode == 0, run.output
        assert leaks(secrets, run.output.encode()) == []

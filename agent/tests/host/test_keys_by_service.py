# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Where keys are sealed for the service, the service makes them; the command line asks it, and does without it."""

from __future__ import annotations

import io
import json
import sys

import pytest
import structlog
from support.windows_files import FakeDpapi
from wirefleet_agent.host import cli
from wirefleet_agent.host.secrets_windows import WindowsSealing
from wirefleet_agent.observe import Logs

if sys.platform != "win32":
    from support.memory_host import MemoryHost

pytestmark = pytest.mark.linux_only  # the service is on a Unix socket here; only the seals are those of Windows

OWN_SEALING = "wirefleet_agent.host.keystore.own_sealing"


class Host(MemoryHost if sys.platform != "win32" else object):
    """Its service is LocalSystem, and whoever calls the command line is not."""

    def start(self):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(OWN_SEALING, lambda: WindowsSealing(FakeDpapi(is_system=True)))
            return super().start()


@pytest.fixture
def host(tmp_path, monkeypatch):
    Logs().configure(level="silent")
    monkeypatch.setattr(OWN_SEALING, lambda: WindowsSealing(FakeDpapi()))
    yield Host(tmp_path)
    structlog.reset_defaults()


@pytest.fixture
def agent(host, monkeypatch, capsys):
    def call(*words: str) -> dict:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        cli.main(["--root", str(host.root), "--tunnel", "wf0", "--json", *words])
        return json.loads(capsys.readouterr().out)

    return call


def sealed_for(host) -> str:
    return json.loads(host.paths.private_key.read_bytes())["for"]


def test_a_running_service_makes_the_key_and_seals_it_for_itself(host, agent):
    with host.running():
        made = agent("key", "ensure")
        again = agent("key", "ensure")

    assert (made["changed"], again["changed"]) == (True, False)
    assert again == made | {"changed": False}
    assert sealed_for(host) == "service"


def test_a_running_service_rotates_the_key_and_seals_it_for_itself(host, agent):
    with host.running():
        before = agent("key", "ensure")
        after = agent("key", "rotate")

    assert after["public_key"] != before["public_key"]
    assert agent("key", "show")["public_key"] == after["public_key"]
    assert sealed_for(host) == "service"


def test_without_a_service_the_key_is_for_the_machine_until_one_starts(host, agent):
    made = agent("key", "ensure")
    assert sealed_for(host) == "host"

    with host.running():
        assert sealed_for(host) == "service"
        assert agent("key", "show")["public_key"] == made["public_key"]
        assert agent("status")["public_key"] == made["public_key"]


def test_check_mode_asks_nobody_and_makes_nothing(host, agent):
    with host.running():
        assert agent("--check", "key", "ensure")["changed"]

    assert not host.paths.private_key.exists()


def test_a_key_that_cannot_be_adopted_does_not_keep_the_service_from_starting(host, agent):
    agent("key", "ensure")
    damaged = host.paths.private_key.read_bytes().replace(b'"dpapi":"', b'"dpapi":"%')
    host.paths.private_key.write_bytes(damaged)

    with host.running():
        assert agent("status")["running"]

    assert host.paths.private_key.read_bytes() == damaged

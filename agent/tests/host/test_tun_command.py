# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The words of wirefleet-tun; what it does is tested in interop/."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from support.netns import can_make_namespaces, single_namespace, wait_until
from wirefleet_agent.host.tun_command import main


@pytest.fixture(autouse=True)
def logging_is_put_back() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("wirefleet-tun ")


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_is_no_mistake(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 0
    assert "WG_QUICK_USERSPACE_IMPLEMENTATION" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["-f"], ["one", "two"], ["--frobnicate"], ["-f", "-x"]])
def test_a_wrong_call_prints_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "Usage: wirefleet-tun" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["a-name-that-is-too-long"], ["-f", "a-name-that-is-too-long"]])
def test_an_error_of_the_daemon_is_the_commands_error(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    assert "1 to 15 bytes" in capfd.readouterr().err


@pytest.mark.netns
@pytest.mark.skipif(not can_make_namespaces(), reason="needs root")
def test_it_serves_also_when_the_caller_closed_all_standard_descriptors() -> None:
    name = f"wft{os.getpid() % 100000}c"
    with single_namespace("closed") as namespace:
        command = f"{sys.executable} -m wirefleet_agent.host.tun_command {name} <&- >&- 2>&-"

        namespace.run("sh", "-c", command)

        assert namespace.run("wg", "show", name, "listen-port").returncode == 0
        namespace.run("ip", "link", "del", name)
        wait_until(lambda: not Path(f"/var/run/wireguard/{name}.sock").exists(), "the socket goes")

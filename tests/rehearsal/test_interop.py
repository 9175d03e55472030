# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wireguard-go as a peer of a Wine hub: added through the pipe that wg.exe uses, and packets in both directions."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from wirefleet_lab.machine import in_namespace
from wirefleet_rehearsal.topology import CONTROLLER

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

HUB = "hub-1"
PEER_ADDRESS = "10.86.0.250"
# What wg.exe does: opens the tunnel's pipe, writes one request, reads until the empty line.
TALK = """
import sys
pipe = open("\\\\\\\\.\\\\pipe\\\\ProtectedPrefix\\\\Administrators\\\\WireGuard\\\\wf0", "r+b", buffering=0)
pipe.write(sys.argv[1].replace("|", "\\n").encode() + b"\\n\\n")
reply = b""
while not reply.endswith(b"\\n\\n"):
    reply += pipe.read(65536)
print(reply.decode())
"""


def _uapi(fleet, *lines: str) -> str:
    host = fleet.windows(HUB)
    script = host.drive_c / "windows" / "temp" / "uapi.py"
    script.write_text(TALK)
    done = fleet.linux(HUB, str(host.prefix / "wpy"), "C:\\windows\\temp\\uapi.py", "|".join(lines))
    script.unlink()
    assert done.returncode == 0, done.stderr
    return done.stdout


def _hex(key: str) -> str:
    import base64

    return base64.b64decode(key).hex()


@pytest.fixture
def wireguard_go(fleet) -> Iterator[tuple[str, str]]:
    """An interface of wireguard-go where the controller is, with a key; its name and public key."""
    interface = f"{fleet.rehearsal.prefix}-wg"
    process = subprocess.Popen(
        in_namespace(fleet.rehearsal.namespace(CONTROLLER), ["wireguard-go", "--foreground", interface]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert fleet.wait_until(
            lambda: fleet.linux(CONTROLLER, "ip", "link", "show", interface).returncode == 0, timeout_s=10
        )
        key = fleet.linux(
            CONTROLLER, "sh", "-c", f"wg genkey | tee /dev/fd/2 | wg set {interface} private-key /dev/stdin"
        )
        assert key.returncode == 0, key.stderr
        for words in (("address", "add", f"{PEER_ADDRESS}/32", "dev"), ("link", "set", "up", "dev")):
            assert fleet.linux(CONTROLLER, "ip", *words, interface).returncode == 0
        yield interface, fleet.linux(CONTROLLER, "wg", "show", interface, "public-key").stdout.strip()
    finally:
        process.terminate()
        process.wait()


def test_wireguard_go_is_a_peer_of_a_wine_hub(fleet, wireguard_go):
    interface, public_key = wireguard_go
    hub_key = fleet.agent(HUB, "status")["public_key"]
    hub_address = fleet.overlay(HUB)

    reply = _uapi(fleet, "set=1", f"public_key={_hex(public_key)}", f"allowed_ip={PEER_ADDRESS}/32")
    try:
        endpoint = f"{fleet.rehearsal.address4(HUB)}:51820"
        words = ["peer", hub_key, "endpoint", endpoint, "allowed-ips", f"{hub_address}/32"]
        assert fleet.linux(CONTROLLER, "wg", "set", interface, *words).returncode == 0
        assert fleet.linux(CONTROLLER, "ip", "route", "add", f"{hub_address}/32", "dev", interface).returncode == 0
        adapter = fleet.linux(HUB, "ip", "-4", "-o", "address", "show", "to", hub_address).stdout.split()[1]
        fleet.linux(HUB, "ip", "route", "replace", f"{PEER_ADDRESS}/32", "dev", adapter)
        is_answered = fleet.ping(CONTROLLER, hub_address)
        shown = _uapi(fleet, "get=1")
    finally:
        _uapi(fleet, "set=1", f"public_key={_hex(public_key)}", "remove=true")
        fleet.linux(HUB, "ip", "route", "delete", f"{PEER_ADDRESS}/32")

    assert "errno=0" in reply
    assert is_answered
    is_shown, is_gone = _hex(public_key) in shown, _hex(public_key) not in _uapi(fleet, "get=1")
    assert (is_shown, is_gone) == (True, True)  # never the reply itself: it has the private key, as wg.exe expects

# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The official tools against our UAPI socket, and wirefleet-tun in the place of wireguard-go."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest
from support.netns import Lab, run, wait_until
from support.wireguard import OURS, PORT, TunnelEnd, interface_name, program

pytestmark = pytest.mark.netns

KEYS = [run("wg", "genkey").stdout.strip() for _ in range(3)]
PEERS = [run("wg", "pubkey", text=key + "\n").stdout.strip() for key in KEYS]


@pytest.fixture
def end(lab: Lab) -> TunnelEnd:
    made = TunnelEnd(lab, lab.namespace("one"), OURS, "192.0.2.1", "10.9.0.1/24")
    made.start()
    return made


def test_the_socket_is_for_root_alone(end: TunnelEnd) -> None:  # checklist 45
    mode = end.socket.stat().st_mode

    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_show_names_what_set_has_set(end: TunnelEnd) -> None:  # checklist 41, 42
    end.wg(
        "set", end.name, "fwmark", "0x1234", "peer", PEERS[0], "endpoint", "[2001:db8::7]:999",
        "persistent-keepalive", "25", "allowed-ips", "10.1.0.0/16,fd00:1::/32",
    )  # fmt: skip

    assert end.wg("show", end.name, "fwmark").strip() == "0x1234"
    assert end.wg("show", end.name, "listen-port").strip() == str(PORT)
    assert end.wg("show", end.name, "public-key").strip() == end.public_key
    assert end.show("endpoints") == {PEERS[0]: "[2001:db8::7]:999"}
    assert end.show("persistent-keepalive") == {PEERS[0]: "25"}
    assert end.show("allowed-ips") == {PEERS[0]: "10.1.0.0/16 fd00:1::/32"}
    assert "peer: " + PEERS[0] in end.wg("show", end.name)
    assert end.name in end.wg("show", "interfaces").split()


def test_showconf_given_to_setconf_changes_nothing(end: TunnelEnd) -> None:
    end.wg("set", end.name, "peer", PEERS[0], "allowed-ips", "10.1.0.0/16", "endpoint", "192.0.2.9:1")
    before = end.wg("showconf", end.name)

    end.configure(before)

    assert end.wg("showconf", end.name) == before


def test_syncconf_touches_only_what_differs(end: TunnelEnd) -> None:
    conf = f"[Interface]\nPrivateKey={end.private_key}\nListenPort={PORT}\n"
    peers = [f"[Peer]\nPublicKey={key}\nAllowedIPs=10.{number}.0.0/16\n" for number, key in enumerate(PEERS)]
    end.configure(conf + peers[0] + peers[1])

    end.configure(conf + peers[1] + peers[2], verb="syncconf")

    assert end.show("allowed-ips") == {PEERS[1]: "10.1.0.0/16", PEERS[2]: "10.2.0.0/16"}


def test_an_allowed_ip_moves_to_the_last_peer_that_set_it(end: TunnelEnd) -> None:  # checklist 38
    end.wg("set", end.name, "peer", PEERS[0], "allowed-ips", "10.1.0.0/16")
    end.wg("set", end.name, "peer", PEERS[1], "allowed-ips", "10.1.0.0/16")

    assert end.show("allowed-ips") == {PEERS[0]: "(none)", PEERS[1]: "10.1.0.0/16"}


def test_a_bad_set_changes_nothing(end: TunnelEnd) -> None:  # checklist 44
    before = end.wg("showconf", end.name)
    request = b"set=1\nlisten_port=4711\nfwmark=1\npublic_key=" + b"ab" * 32 + b"\nallowed_ip=10.0.0.0/99\n\n"

    reply = exchange(end.socket, request)

    assert reply == b"errno=-22\n\n"
    assert end.wg("showconf", end.name) == before


def test_a_port_in_use_is_told_and_nothing_changes(end: TunnelEnd) -> None:  # checklist 43
    end.up()
    other = TunnelEnd(end.lab, end.namespace, OURS, "192.0.2.1", "10.9.1.1/24", port=PORT + 1)
    other.start()
    other.up()
    request = f"set=1\nfwmark=7\nlisten_port={PORT}\n\n".encode()

    assert exchange(other.socket, request) == b"errno=-98\n\n"

    assert other.wg("show", other.name, "listen-port").strip() == str(PORT + 1)
    assert other.wg("show", other.name, "fwmark").strip() == "off"


def test_a_connection_serves_many_requests_and_an_unknown_one_ends_it(end: TunnelEnd) -> None:  # checklist 40
    with connected(end.socket) as client:
        for _ in range(3):
            client.sendall(b"get=1\n\n")
            assert read_reply(client).endswith(b"errno=0\n\n")
        client.sendall(b"set=1\nfwmark=5\n\nget=1\n\n")
        assert b"fwmark=5\n" in read_reply(client) + read_reply(client)
        client.sendall(b"frobnicate=1\n\n")
        assert client.recv(100) == b""


def test_removing_the_interface_ends_the_process_and_its_socket(end: TunnelEnd) -> None:
    end.namespace.run("ip", "link", "delete", end.name)

    end.wait_gone()
    wait_until(lambda: not end.namespace.processes(), "the process has ended")


def test_removing_the_socket_ends_the_process_and_its_interface(end: TunnelEnd) -> None:
    end.socket.unlink()

    end.wait_gone()
    wait_until(lambda: not end.namespace.processes(), "the process has ended")


def test_a_signal_cleans_up(lab: Lab) -> None:
    namespace = lab.namespace("one")
    name = interface_name("s")
    process = namespace.start(program(OURS), "-f", name)
    end = TunnelEnd(lab, namespace, OURS, "192.0.2.1", "10.9.0.1/24", name=name)
    wait_until(end.socket.exists, "the socket")

    assert process.stop() == 0

    end.wait_gone()


def test_the_log_level_decides_what_is_said_and_no_key_is_among_it(lab: Lab) -> None:
    namespace = lab.namespace("one")
    outputs = {}
    for level in ("verbose", "error", "silent"):
        end = TunnelEnd(lab, namespace, OURS, "192.0.2.1", "10.9.0.1/24", port=0, log_level=level)
        process = namespace.start(program(OURS), "-f", end.name, env={"LOG_LEVEL": level})
        wait_until(end.socket.exists, "the socket")
        end.wg("set", end.name, "private-key", "/dev/stdin", text=end.private_key)
        end.up()
        exchange(end.socket, b"set=1\nnonsense\n\n")
        process.stop()
        outputs[level] = process.output
        assert end.private_key not in process.output

    assert '"event": "tunnel_up"' in outputs["verbose"]
    assert outputs["error"] == ""
    assert outputs["silent"] == ""


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(lab: Lab) -> None:  # checklist 45
    one, two = lab.namespace("one"), lab.namespace("two")
    end = TunnelEnd(lab, one, OURS, "192.0.2.1", "10.9.0.1/24")
    end.socket.parent.mkdir(mode=0o700, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(end.socket))

    end.start()
    second = two.run(program(OURS), end.name, check=False)

    assert second.returncode == 1
    assert "in use" in second.stderr
    assert end.public_key in end.wg("show", end.name)


def test_errors_come_out_of_the_parent(lab: Lab) -> None:
    namespace = lab.namespace("one")

    too_long = namespace.run(program(OURS), "a-name-that-is-too-long", check=False)
    unnamed = namespace.run(program(OURS), check=False)

    assert (too_long.returncode, unnamed.returncode) == (1, 2)
    assert "1 to 15 bytes" in too_long.stderr
    assert "Usage" in unnamed.stderr
    assert namespace.run(program(OURS), "--version").stdout.startswith("wirefleet-tun ")


@pytest.fixture
def quick_file(lab: Lab) -> tuple[str, Path]:
    name = interface_name("q")
    path = lab.directory / f"{name}.conf"
    path.write_text(
        f"[Interface]\nPrivateKey = {KEYS[0]}\nListenPort = 51999\nAddress = 10.77.0.1/24, fd77::1/64\n"
        f"[Peer]\nPublicKey = {PEERS[1]}\nAllowedIPs = 10.78.0.0/16, fd78::/48\nEndpoint = 192.0.2.7:51820\n"
    )
    path.chmod(0o600)
    return name, path


def test_wg_quick_brings_it_up_and_down(lab: Lab, quick_file: tuple[str, Path]) -> None:
    name, path = quick_file
    namespace = lab.namespace("quick")
    env = {"WG_QUICK_USERSPACE_IMPLEMENTATION": program(OURS)}
    # A host without the kernel's WireGuard, as wg-quick sees it when "ip link add type wireguard" fails.
    up = namespace.run("wg-quick", "up", str(path), env=env)

    assert program(OURS) in up.stderr
    assert "10.77.0.1/24" in namespace.run("ip", "address", "show", name).stdout
    assert name in namespace.run("ip", "route", "get", "10.78.1.1").stdout
    assert namespace.run("wg", "show", name, "peers").stdout.strip() == PEERS[1]
    namespace.run("wg-quick", "down", str(path), env=env)

    wait_until(lambda: name not in namespace.run("ip", "link").stdout, "the interface has gone")
    wait_until(lambda: not namespace.processes(), "the process has ended")


def test_wg_quick_with_a_default_route_uses_the_mark(lab: Lab, quick_file: tuple[str, Path]) -> None:
    # checklist 36
    name, path = quick_file
    path.write_text(path.read_text().replace("10.78.0.0/16, fd78::/48", "0.0.0.0/0, ::/0"))
    namespace = lab.namespace("quick")
    env = {"WG_QUICK_USERSPACE_IMPLEMENTATION": program(OURS)}

    namespace.run("wg-quick", "up", str(path), env=env)

    assert namespace.run("wg", "show", name, "fwmark").stdout.strip() == "0xca6c"
    assert name in namespace.run("ip", "route", "get", "198.51.100.1").stdout
    namespace.run("wg-quick", "down", str(path), env=env)
    assert "51820" not in namespace.run("ip", "rule").stdout


def connected(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(str(path))
    return client


def read_reply(client: socket.socket) -> bytes:
    reply = b""
    while not reply.endswith(b"\n\n"):
        reply += client.recv(1) or b"\n\n"
    return reply


def exchange(path: Path, request: bytes) -> bytes:
    with connected(path) as client:
        client.sendall(request)
        return read_reply(client)

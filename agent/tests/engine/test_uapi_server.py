# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The UAPI socket over a real Unix socket, the tunnel behind it on memory drivers."""

from __future__ import annotations

import errno
import ipaddress
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.tunnels import TunnelPair
from wirefleet_agent.engine.uapi_server import UapiServer
from wirefleet_agent.errors import DriverError
from wirefleet_agent.keys import PublicKey


@pytest.fixture
def server(pair: TunnelPair, tmp_path: Path) -> Iterator[UapiServer]:
    made = UapiServer(pair.loop, pair.left.tunnel, pair.left.applier, directory=tmp_path / "wireguard")
    made.start()
    yield made
    made.stop()


class Client:
    """A client of the same thread: it turns the loop while it waits."""

    def __init__(self, pair: TunnelPair, server: UapiServer) -> None:
        self._pair = pair
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(server.path))
        self._socket.setblocking(False)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self, *, turns: int = 400) -> bytes:
        """What has come when nothing more comes; b"" if the server closed without an answer."""
        received = b""
        for _ in range(turns):
            self._pair.loop.run_once(0)
            try:
                chunk = self._socket.recv(1 << 20)
            except BlockingIOError:
                if received.endswith(b"\n\n"):
                    break
                continue
            if not chunk:
                break
            received += chunk
        return received

    def exchange(self, request: bytes) -> bytes:
        self.send(request)
        return self.receive()

    @property
    def is_closed(self) -> bool:
        self._pair.turn()
        try:
            return self._socket.recv(1) == b""
        except BlockingIOError:
            return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def client(pair: TunnelPair, server: UapiServer) -> Iterator[Client]:
    made = Client(pair, server)
    yield made
    made.close()


def test_directory_and_socket_are_private(server: UapiServer) -> None:  # checklist 45
    assert stat.S_IMODE(server.path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o600


def test_get_shows_the_device(pair: TunnelPair, client: Client) -> None:
    reply = client.exchange(b"get=1\n\n")

    assert f"public_key={pair.right.device.public_key.hex()}\n".encode() in reply  # type: ignore[union-attr]
    assert b"listen_port=51820\n" in reply
    assert reply.endswith(b"errno=0\n\n")


def test_set_goes_through_the_applier_and_its_handshake_leaves_at_once(pair: TunnelPair, client: Client) -> None:
    public_key = pair.right.device.public_key
    assert public_key is not None

    reply = client.exchange(f"set=1\npublic_key={public_key.hex()}\npersistent_keepalive_interval=25\n\n".encode())
    pair.turn()

    assert reply == b"errno=0\n\n"
    assert pair.right.peer.last_handshake is not None


def test_a_request_may_come_byte_by_byte_and_several_in_one_piece(client: Client) -> None:  # checklist 40
    for byte in b"set=1\nfwmark=9\n\n":
        client.send(bytes([byte]))
        client.receive(turns=2)
    reply = client.exchange(b"get=1\n\nset=1\nfwmark=0\n\nget=1\n\n")

    assert reply.count(b"errno=0\n\n") == 3
    assert reply.count(b"fwmark=9\n") == 1


def test_a_bad_set_is_answered_negative_and_the_connection_lives_on(client: Client) -> None:  # checklist 43, 44
    assert client.exchange(b"set=1\nfwmark=5\nlisten_port=70000\n\n") == b"errno=-22\n\n"
    assert b"fwmark" not in client.exchange(b"get=1\n\n")
    assert client.exchange(b"set=1\nnonsense\n\n") == b"errno=-71\n\n"


def test_a_port_in_use_is_eaddrinuse(pair: TunnelPair, client: Client) -> None:  # checklist 43
    pair.end("other", *pair.left.udp.hosts).udp.open(4000)

    assert client.exchange(b"set=1\nlisten_port=4000\n\n") == b"errno=-98\n\n"


@pytest.mark.parametrize("request_", [b"frobnicate=1\n\n", b"get=2\n\n", b"\n\n", b"GET / HTTP/1.1\r\n\r\n"])
def test_an_unknown_operation_closes_the_connection(client: Client, request_: bytes) -> None:  # checklist 40
    client.send(request_)

    assert client.is_closed


def test_a_large_answer_waits_for_a_slow_reader(pair: TunnelPair, client: Client) -> None:
    for number in range(30000):
        pair.left.device.allowed_ips.insert(ipaddress.ip_network((0x0B000000 + number, 32)), pair.left.peer)
    client.send(b"get=1\n\nget=1\n\n")
    pair.turn()

    reply = client.receive(turns=4000)
    while reply.count(b"errno=0\n\n") < 2:
        reply += client.receive(turns=4000)

    assert reply.count(b"allowed_ip=11.") == 60000


def test_a_hub_is_described_a_piece_per_turn(pair: TunnelPair, client: Client) -> None:
    for number in range(1000):
        pair.left.device.add_peer(PublicKey(number.to_bytes(32, "big")), pair.clock.now)
    client.send(b"get=1\n\n")

    first = client.receive(turns=2)
    reply = first + client.receive(turns=100)

    assert b"errno" not in first
    assert first.count(b"public_key=") < 1000
    assert reply.count(b"public_key=") == 1001
    assert reply.endswith(b"errno=0\n\n")
    assert client.exchange(b"set=1\nfwmark=1\n\n") == b"errno=0\n\n"


def test_a_peer_that_is_removed_while_it_is_described_harms_nobody(pair: TunnelPair, client: Client) -> None:
    keys = [PublicKey(number.to_bytes(32, "big")) for number in range(1000)]
    for key in keys:
        pair.left.device.add_peer(key, pair.clock.now)
    client.send(b"get=1\n\n")
    first = client.receive(turns=2)
    for key in keys:
        pair.left.device.remove_peer(key, pair.clock.now)

    reply = first + client.receive(turns=100)

    assert reply.count(b"public_key=") == 1001
    assert reply.endswith(b"errno=0\n\n")


def test_clients_that_go_away_in_the_middle_harm_nobody(pair: TunnelPair, server: UapiServer) -> None:
    for part in (b"", b"set=1\nfwmark=3\n", b"get=1\n\n"):
        client = Client(pair, server)
        client.send(part)
        client.close()
        pair.turn()

    survivor = Client(pair, server)
    assert b"fwmark" not in survivor.exchange(b"get=1\n\n")
    survivor.close()


def test_clients_that_say_nothing_do_not_lock_others_out(pair: TunnelPair, server: UapiServer) -> None:
    silent = []
    for _ in range(64):
        silent.append(Client(pair, server))
        pair.turn()
    pair.run_for(1)

    newest = Client(pair, server)

    assert newest.exchange(b"get=1\n\n").endswith(b"errno=0\n\n")
    assert [client.is_closed for client in silent].count(True) == 1
    for client in (newest, *silent):
        client.close()


def test_a_client_that_is_silent_for_half_a_minute_is_dropped_and_a_busy_one_is_not(
    pair: TunnelPair, server: UapiServer
) -> None:
    busy, silent = Client(pair, server), Client(pair, server)
    silent.send(b"set=1\nfwmark=")

    for _ in range(4):
        pair.run_for(9)
        assert busy.exchange(b"get=1\n\n").endswith(b"errno=0\n\n")

    assert (busy.is_closed, silent.is_closed) == (False, True)
    busy.close()
    silent.close()


def test_a_removed_socket_ends_the_tunnel(pair: TunnelPair, server: UapiServer) -> None:
    ended: list[bool] = []
    server.on_removed = lambda: ended.append(True)
    pair.run_for(2)
    assert ended == []

    server.path.unlink()
    pair.run_for(2)

    assert ended == [True]


def test_a_tunnel_that_outlives_its_socket_makes_it_anew(pair: TunnelPair, server: UapiServer) -> None:
    server.on_removed = server.start_again
    server.path.unlink()
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(str(server.path))
        stranger.listen()
        pair.run_for(3)
        while_taken = server.path.stat().st_ino

    server.path.unlink()
    pair.run_for(12)

    client = Client(pair, server)
    assert client.exchange(b"get=1\n\n").endswith(b"errno=0\n\n")
    assert server.path.stat().st_ino != while_taken
    client.close()


def test_stopping_leaves_a_socket_that_somebody_put_in_its_place(pair: TunnelPair, server: UapiServer) -> None:
    server.path.unlink()
    (server.path.parent / "new").write_text("")
    server.path.write_text("somebody else's")

    server.stop()

    assert server.path.read_text() == "somebody else's"


def test_a_stale_socket_is_replaced(pair: TunnelPair, tmp_path: Path) -> None:  # checklist 45
    path = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    server = UapiServer(pair.loop, pair.left.tunnel, pair.left.applier, directory=tmp_path)

    server.start()

    client = Client(pair, server)
    assert client.exchange(b"get=1\n\n").endswith(b"errno=0\n\n")
    client.close()
    server.stop()
    assert not path.exists()


def test_a_live_socket_is_refused(pair: TunnelPair, server: UapiServer) -> None:  # checklist 45
    second = UapiServer(pair.loop, pair.left.tunnel, pair.left.applier, directory=server.path.parent)

    with pytest.raises(DriverError) as caught:
        second.start()
    second.stop()

    assert caught.value.os_code == errno.EADDRINUSE
    assert server.path.exists()


def test_a_live_socket_with_a_full_queue_is_refused_and_not_waited_for(pair: TunnelPair, tmp_path: Path) -> None:
    server = UapiServer(pair.loop, pair.left.tunnel, pair.left.applier, directory=tmp_path)
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(str(server.path))
        busy.listen(0)
        waiting.connect(str(server.path))

        with pytest.raises(DriverError) as caught:
            server.start()

    assert caught.value.os_code == errno.EADDRINUSE


def test_a_host_without_free_descriptors_does_not_turn_in_circles(
    pair: TunnelPair, server: UapiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener, tries = server._listener, []

    class Exhausted:
        def fileno(self) -> int:
            return listener.fileno()

        def accept(self) -> tuple[socket.socket, object]:
            tries.append(pair.clock.now)
            raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(server, "_listener", Exhausted())
    client = Client(pair, server)
    client.send(b"get=1\n\n")
    for _ in range(50):
        pair.loop.run_once(0)
    assert len(tries) == 1
    monkeypatch.undo()
    pair.clock.now += 1.1

    assert client.receive().endswith(b"errno=0\n\n")


def test_a_server_that_stops_while_it_accepts_nothing_stays_stopped(
    pair: TunnelPair, server: UapiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = server._listener
    assert listener is not None

    def fail() -> None:
        raise OSError(errno.ENFILE, "too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(server, "_listener", SimpleNamespace(fileno=listener.fileno, accept=fail))
        server._accept()
    server.stop()
    pair.clock.now += 1.1
    pair.loop.run_once(0)

    assert not server.path.exists()
    assert server._pause is None

# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What thousands of peers cost a hub: memory, start, stalls, handshakes beside data.

Usage: python many_peers.py [--peers 10000] [--spokes 1000] [--per-second 300] [--mbit 300] [--seconds 15]

A real ``wirefleet-tun`` (the one beside this interpreter) is the hub, in namespaces of its own: needs root, wg,
wireguard-go, ping and iperf3. Printed, one line of JSON per step:

* memory: RSS in KiB with one peer and with all, and per further peer;
* start: seconds that ``wg setconf`` takes with all peers, and the longest gap between two answers to a ping every 5 ms
  through another peer of the hub meanwhile; the same once more with a persistent keepalive for each of them;
* handshakes: how many initiations a second, of ``--spokes`` peers in turn, are answered while iperf3 sends
  ``--mbit`` Mbit/s through the hub's tunnel to another peer, and what that receives.
"""

from __future__ import annotations

import argparse
import base64
import ipaddress
import itertools
import json
import os
import random
import re
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.netns import Lab, Process
from support.wireguard import OURS, THEIRS, TunnelEnd, join
from wirefleet_agent.core import Device, stamp_of
from wirefleet_agent.keys import PrivateKey, PublicKey
from wirefleet_agent.wire import Endpoint

_PING_S = 0.005
_ANSWER = re.compile(r"^\[(\d+\.\d+)\] \d+ bytes from", re.MULTILINE)
_SETTLE_S = 1.5


@dataclass
class Bench:
    """A hub of ours and a peer of wireguard-go, joined."""

    lab: Lab
    hub: TunnelEnd
    peer: TunnelEnd

    @classmethod
    def of(cls, lab: Lab) -> Bench:
        namespaces = lab.namespace("hub"), lab.namespace("peer")
        lab.link(*namespaces, "192.0.2.1/24", "192.0.2.2/24")
        hub = TunnelEnd(lab, namespaces[0], OURS, "192.0.2.1", "10.9.0.1/24")
        peer = TunnelEnd(lab, namespaces[1], THEIRS, "192.0.2.2", "10.9.0.2/24")
        join(hub, peer)
        peer.ping(hub.addresses[0])
        return cls(lab, hub, peer)

    def rss_kib(self) -> int:
        (pid,) = (pid for pid in self.hub.namespace.processes() if OURS in Path(f"/proc/{pid}/cmdline").read_text())
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])  # type: ignore[index]

    def add(self, peers: str) -> float:
        """Seconds that it takes wg(8) to have them added."""
        began = time.monotonic()
        self.hub.wg("addconf", self.hub.name, "/dev/stdin", text=peers)
        return time.monotonic() - began

    def longest_gap_s(self, peers: str) -> tuple[float, float]:
        """(seconds for the addition, longest gap between two answers beside it)."""
        target = self.hub.addresses[0]
        stream = self.peer.namespace.start("ping", "-n", "-D", "-i", str(_PING_S), target)
        time.sleep(_SETTLE_S)
        took_s = self.add(peers)
        time.sleep(2 * _SETTLE_S)
        stream.signal(signal.SIGINT)
        stream.wait()
        times = [float(each) for each in _ANSWER.findall(stream.output)]
        return took_s, max(later - earlier for earlier, later in itertools.pairwise(times))


def peers_text(count: int, *, seed: int, extra: str = "") -> str:
    """``count`` peers that nobody answers for, two allowed IPs and an endpoint each."""
    draw = random.Random(seed)
    v4, v6 = ipaddress.IPv4Address("10.64.0.0"), ipaddress.IPv6Address("fd86::")
    return "".join(
        f"[Peer]\nPublicKey = {base64.b64encode(draw.randbytes(32)).decode()}\n"
        f"AllowedIPs = {v4 + number}/32, {v6 + number}/128\nEndpoint = 192.0.2.2:{1024 + number % 50000}\n{extra}"
        for number in range(count)
    )


class Spokes:
    """Peers of a hub that do nothing but initiate, made ahead so that sending them costs nothing."""

    def __init__(self, count: int, hub: PublicKey) -> None:
        self._now = 1000.0
        self._hub = Endpoint("192.0.2.1", 51820)
        self._devices = [self._device(hub) for _ in range(count)]

    def text(self) -> str:
        return "".join(
            f"[Peer]\nPublicKey = {device.public_key}\nAllowedIPs = {ipaddress.IPv4Address('10.128.0.0') + number}/32\n"
            for number, device in enumerate(self._devices)
        )

    def initiations(self, count: int) -> Iterator[bytes]:
        """Of all in turn, round after round."""
        while True:
            for device in self._devices:
                if count <= 0:
                    return
                (peer,) = device.peers.values()
                device.start_handshake(peer, self._now)
                yield device.poll()[0].datagram  # type: ignore[union-attr]
                count -= 1
            self._now += 6

    def _device(self, hub: PublicKey) -> Device:
        device = Device(entropy=os.urandom, tai64n_now=lambda: stamp_of(1_700_000_000 + int(self._now), 0))
        device.set_private_key(PrivateKey(os.urandom(32)), self._now)
        device.up(self._now)
        device.set_endpoint(device.add_peer(hub, self._now), self._hub, self._now)
        return device


def answered(bench: Bench, initiations: list[bytes], per_second: float) -> tuple[int, float]:
    """Send them evenly; (responses that came back, seconds until the last)."""
    sock = bench.peer.namespace.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with sock:
        sock.setblocking(False)
        sock.connect(("192.0.2.1", 51820))
        began = last = time.monotonic()
        count = 0
        for number, datagram in enumerate(initiations + [b""] * int(per_second)):
            if datagram:
                sock.send(datagram)
            due = began + (number + 1) / per_second
            while (left := due - time.monotonic()) > 0 or select.select([sock], [], [], 0)[0]:
                if select.select([sock], [], [], max(0.0, left))[0] and sock.recv(2048)[0] == 2:
                    count += 1
                    last = time.monotonic()
    return count, last - began


def carry(bench: Bench, mbit: float, seconds: float) -> Process:
    bench.peer.namespace.start("iperf3", "-s", "-1")
    time.sleep(0.5)
    arguments = ("-c", bench.peer.addresses[0], "-b", f"{mbit}M", "-t", str(seconds), "-J")
    return bench.hub.namespace.start("iperf3", *arguments)


def report(step: str, **figures: float) -> None:
    print(json.dumps({"step": step, **{name: round(figure, 3) for name, figure in figures.items()}}), flush=True)


def measure_peers(count: int) -> None:
    with Lab() as lab:
        bench = Bench.of(lab)
        before = bench.rss_kib()
        took_s, gap_s = bench.longest_gap_s(peers_text(count, seed=1))
        after = bench.rss_kib()
        report("memory", rss_one_peer_kib=before, rss_all_kib=after, per_peer_kib=(after - before) / count)
        report("start", peers=count, seconds=took_s, longest_gap_s=gap_s)
    with Lab() as lab:
        bench = Bench.of(lab)
        took_s, gap_s = bench.longest_gap_s(peers_text(count, seed=2, extra="PersistentKeepalive = 25\n"))
        report("start with keepalives", peers=count, seconds=took_s, longest_gap_s=gap_s)


def measure_handshakes(spokes: int, per_second: float, mbit: float, seconds: float) -> None:
    with Lab() as lab:
        bench = Bench.of(lab)
        made = Spokes(spokes, PublicKey.from_base64(bench.hub.public_key))
        initiations = list(made.initiations(int(per_second * seconds)))
        bench.add(made.text())
        traffic = carry(bench, mbit, seconds + 2)
        time.sleep(1)
        count, took_s = answered(bench, initiations, per_second)
        traffic.wait()
        received = json.loads(traffic.output)["end"]["sum_received"]["bits_per_second"] / 1e6
        report(
            "handshakes",
            sent=len(initiations),
            answered=count,
            answered_per_second=count / took_s,
            data_mbit_per_second=received,
            rss_kib=bench.rss_kib(),
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", type=int, default=10_000)
    parser.add_argument("--spokes", type=int, default=1000)
    parser.add_argument("--per-second", type=float, default=300.0)
    parser.add_argument("--mbit", type=float, default=300.0)
    parser.add_argument("--seconds", type=float, default=15.0)
    arguments = parser.parse_args()
    measure_peers(arguments.peers)
    measure_handshakes(arguments.spokes, arguments.per_second, arguments.mbit, arguments.seconds)


if __name__ == "__main__":
    main()

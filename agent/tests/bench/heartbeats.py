# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the heartbeats of a thousand spokes cost a hub, without the tunnel around them.

    python agent/tests/bench/heartbeats.py [SPOKES]

Real sockets on loopback: every spoke's request is read, checked, its route looked at, and answered. Prints the CPU time
per heartbeat, and the share of one processor at the default interval. The two packets that each heartbeat is in the
tunnel come on top: see the figures for single packets in docs/benchmarks.md.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.tunnels import ManualClock
from wirefleet_agent.core import Device, stamp_of
from wirefleet_agent.drivers.heartbeat_udp import UdpHeartbeats
from wirefleet_agent.drivers.memory import MemoryRoutes, MemoryTun, MemoryUdp, MemoryUnderlay
from wirefleet_agent.engine import Loop, Tunnel
from wirefleet_agent.engine.ha_loop import HaLoop
from wirefleet_agent.engine.ha_settings import HaContext, HaSettings, LocalHubState
from wirefleet_agent.ha.messages import Request, build_request
from wirefleet_agent.keys import PrivateKey, PublicKey

PORT = 51899
INTERVAL_S = 0.5
ROUNDS = 10
HUB = "127.0.0.1"


def main(spokes: int) -> None:
    clock = ManualClock()
    loop = Loop(clock)
    device = Device(entropy=lambda count: bytes(count), tai64n_now=lambda: stamp_of(1, 0))
    device.set_private_key(PrivateKey(bytes([1]) * 32), clock.now)
    tunnel = Tunnel(loop, device, MemoryTun(), MemoryUdp(MemoryUnderlay(), "192.0.2.1"), routes=MemoryRoutes())
    tun = tunnel.tun
    assert isinstance(tun, MemoryTun)
    tunnel.start()
    tun.set_link(is_up=True)
    keys = [PublicKey(number.to_bytes(32, "big")) for number in range(1, spokes + 1)]
    hosts = [str(ipaddress.ip_address("127.1.0.0") + number) for number in range(1, spokes + 1)]
    for number, (key, host) in enumerate(zip(keys, hosts, strict=True)):
        device.add_peer(key, clock.now)
        prefix = ipaddress.ip_network(host)
        device.set_group(f"spoke-{number}", [key], [prefix], active=key, direct=key, now=clock.now)
    context = HaContext(lambda: 0.5, 1, 1, LocalHubState(), lambda key: None)
    ha = HaLoop(loop, tunnel, UdpHeartbeats("lo"), context)
    packed = {key: (socket.inet_aton(host),) for key, host in zip(keys, hosts, strict=True)}
    ha.configure(HaSettings(PORT, INTERVAL_S, 3, (socket.inet_aton(HUB),), packed))
    ha.start()
    clients = []
    for host in hosts:
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.bind((host, PORT))
        clients.append(client)
    me = device.public_key
    spent_s = 0.0
    for number in range(1, ROUNDS + 1):
        payload = build_request(Request(number, number - 1, me, 7, 0, 3))
        for first in range(0, spokes, 100):
            for client in clients[first : first + 100]:
                client.sendto(payload, (HUB, PORT))
            clock.now += INTERVAL_S * 100 / spokes
            start = time.process_time()
            for _ in range(4):
                loop.run_once(0)
            spent_s += time.process_time() - start
    answered = ha.counters.replies_sent
    assert answered == spokes * ROUNDS, ha.counters
    assert ha.spokes_using_us == spokes
    per_heartbeat_s = spent_s / answered
    print(f"{spokes} spokes: {per_heartbeat_s * 1e6:.1f} us per heartbeat, ", end="")
    print(f"{100 * per_heartbeat_s * spokes / INTERVAL_S:.1f} % of a processor at {INTERVAL_S * 1000:.0f} ms")
    ha.stop()
    tunnel.stop()
    loop.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)

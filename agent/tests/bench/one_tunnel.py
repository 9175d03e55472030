# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""One tunnel with the platform's own drivers and no service around it, for measuring.

Usage: python one_tunnel.py CONFIG.json. Runs on Windows' Python (under Wine, too) and on Linux. The configuration
has ``name``, ``port``, ``private_key``, ``peer_key``, ``peer_address`` (of the underlay), ``allowed_ips`` and
``stop_file``; on Windows also ``wintun`` and ``wintun_sha256``; ``profile``: a file for cProfile's figures. Addresses
and routes are the caller's business. It ends when ``stop_file`` exists and then prints one line of JSON.
"""

from __future__ import annotations

import cProfile
import ipaddress
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from wirefleet_agent.core import Device, stamp_of
from wirefleet_agent.drivers.interfaces import TunDriver, UdpDriver
from wirefleet_agent.engine import Loop, Tunnel
from wirefleet_agent.keys import PrivateKey, PublicKey
from wirefleet_agent.wire.endpoint import Endpoint

_MTU_BYTES = 1420
_LOOK_S = 0.5


def main(arguments: list[str]) -> int:
    config = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    loop = Loop(time.monotonic)
    tun, udp = drivers(config)
    device = Device(entropy=os.urandom, tai64n_now=lambda: stamp_of(*divmod(time.time_ns(), 10**9)))
    tunnel = Tunnel(loop, device, tun, udp)
    device.set_private_key(PrivateKey.from_base64(config["private_key"]), loop.now())
    peer = device.add_peer(PublicKey.from_base64(config["peer_key"]), loop.now())
    device.allowed_ips.insert(ipaddress.ip_network(config["allowed_ips"]), peer)
    device.set_endpoint(peer, Endpoint.parse(config["peer_address"]), loop.now())
    tunnel.set_listen_port(config["port"])
    tunnel.start()
    watch(loop, Path(config["stop_file"]))
    print("running", flush=True)
    profile = cProfile.Profile() if "profile" in config else None
    loop.run() if profile is None else profile.runcall(loop.run)
    if profile is not None:
        profile.dump_stats(config["profile"])
    drops = {reason.value: count for reason, count in device.drops.items()}
    print(
        json.dumps({"tx_datagrams": peer.tx_datagrams, "rx_datagrams": peer.rx_datagrams, "drops": drops}), flush=True
    )
    tunnel.stop()
    loop.close()
    return 0


def drivers(config: dict[str, Any]) -> tuple[TunDriver, UdpDriver]:
    if sys.platform == "win32":
        from wirefleet_agent.drivers.tun_windows import WindowsTun
        from wirefleet_agent.drivers.udp_windows import WindowsUdp
        from wirefleet_agent.drivers.win32.wintun import load_wintun

        wintun = load_wintun(Path(config["wintun"]), config["wintun_sha256"])
        return WindowsTun(config["name"], mtu_bytes=_MTU_BYTES, wintun=wintun), WindowsUdp()
    from wirefleet_agent.drivers.tun_linux import LinuxTun
    from wirefleet_agent.drivers.udp_linux import LinuxUdp

    return LinuxTun(config["name"], mtu_bytes=_MTU_BYTES), LinuxUdp()


def watch(loop: Loop, stop_file: Path) -> None:
    def look() -> None:
        if stop_file.exists():
            loop.stop()
        else:
            loop.call_at(loop.now() + _LOOK_S, look)

    look()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

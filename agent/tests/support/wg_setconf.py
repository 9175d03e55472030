# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What ``wg showconf | wg setconf`` does to a host of a ``HaNet``."""

from __future__ import annotations

from support.ha_net import HaHost, HaNet
from wirefleet_agent.control import Applier
from wirefleet_agent.control.uapi import RequestReader, SetRequest, parse_set


def set_conf(net: HaNet, host: HaHost) -> None:
    """All peers go and come back in one transaction."""
    device = host.device
    lines = ["set=1", "replace_peers=true"]
    for peer in device.peers.values():
        lines.append(f"public_key={peer.public_key.hex()}")
        if peer.endpoint:
            lines.append(f"endpoint={peer.endpoint}")
        lines += [f"allowed_ip={prefix}" for prefix in device.prefixes_to(peer)]
    (request,) = RequestReader().feed(("\n".join(lines) + "\n\n").encode())
    assert isinstance(request, SetRequest)
    Applier(device, host.tunnel).apply(parse_set(request.body, device), net.clock.now)
    host.tunnel.flush()

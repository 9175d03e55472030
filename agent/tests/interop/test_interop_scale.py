# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""130,000 AllowedIPs through wg(8): in, out, again, while packets flow."""

from __future__ import annotations

import time

import pytest
from support.netns import run
from support.traffic import PingStream
from support.wireguard import OURS, THEIRS, TunnelEnd

pytestmark = [pytest.mark.netns, pytest.mark.slow]

PEERS = 13
PREFIXES = 130_000
LIMIT_S = 60.0


def prefixes(number: int) -> list[str]:
    """10,000 of them, both families, of several lengths, never those of another number."""
    v4 = [f"10.{128 + number}.{i >> 5}.{(i & 31) << 3}/29" for i in range(5_000)]
    v4_wide = [f"{100 + number}.{i >> 8}.{i & 255}.0/24" for i in range(2_500)]
    v6 = [f"fd{number:02x}:{(i >> 8) + 1:x}:{(i & 255) + 1:x}::/48" for i in range(2_500)]
    return v4 + v4_wide + v6


def configuration(end: TunnelEnd, other: TunnelEnd) -> str:
    keys = [run("wg", "pubkey", text=run("wg", "genkey").stdout).stdout.strip() for _ in range(PEERS - 1)]
    sections = [
        f"[Interface]\nPrivateKey = {end.private_key}\nListenPort = {end.port}\n",
        f"[Peer]\nPublicKey = {other.public_key}\nEndpoint = {other.endpoint}\n"
        f"AllowedIPs = {','.join(prefixes(0))},{other.host_prefixes}\n",
    ]
    for number, key in enumerate(keys, 1):
        sections.append(f"[Peer]\nPublicKey = {key}\nAllowedIPs = {','.join(prefixes(number))}\n")
    return "\n".join(sections)


def test_130000_allowed_ips_go_in_and_come_out_while_traffic_flows(make_pair, capsys) -> None:  # checklist 38
    one, two = make_pair(OURS, THEIRS)
    one.ping(two.addresses[0])
    text = configuration(one, two)
    took_s: dict[str, float] = {}

    def timed(name: str, *arguments: str, text: str | None = None) -> str:
        began = time.monotonic()
        output = one.wg(*arguments, text=text)
        took_s[name] = round(time.monotonic() - began, 2)
        return output

    timed("setconf", "setconf", one.name, "/dev/stdin", text=text)
    one.ping(two.addresses[0])
    shown = timed("show allowed-ips", "show", one.name, "allowed-ips")
    stream = PingStream(two.namespace, one.addresses[0], 0.02)
    handshake = one.show("latest-handshakes")[two.public_key]
    timed("syncconf", "syncconf", one.name, "/dev/stdin", text=text)
    missing = stream.missing()
    again = timed("show again", "show", one.name, "allowed-ips")
    timed("show dump", "show", one.name, "dump")

    with capsys.disabled():
        print(f"\n{PREFIXES} AllowedIPs, seconds: {took_s}")
    owned = {key: set(rest.split()) for key, _, rest in (line.partition("\t") for line in shown.splitlines())}
    assert sum(map(len, owned.values())) == PREFIXES + len(one.addresses)
    assert set(prefixes(0)) <= owned[two.public_key]
    assert len(owned) == PEERS
    assert again == shown
    assert one.show("latest-handshakes")[two.public_key] == handshake
    assert missing == []
    assert max(took_s.values()) < LIMIT_S

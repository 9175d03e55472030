# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""iperf3 between the ends of a tunnel, and its JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .commands import Started, wait_until
from .errors import BenchError
from .lossless import Trial
from .stage import Place

_PORT = 5201
_GRACE_S = 15.0


@dataclass(frozen=True)
class Transfer:
    """What arrived: application bytes, without TCP's and IP's headers."""

    mbit_per_s: float
    received_bytes: int
    retransmits: int

    @property
    def received_gib(self) -> float:
        return self.received_bytes / (1 << 30)


def parse_transfer(text: str) -> Transfer:
    """The client's JSON of a TCP test, in either direction. Raises BenchError."""
    end = _ended(text)
    received, sent = end["sum_received"], end["sum_sent"]
    return Transfer(received["bits_per_second"] / 1e6, int(received["bytes"]), int(sent.get("retransmits", 0)))


def parse_trial(text: str, seconds: float) -> Trial:
    """The client's JSON of a UDP test that lasted ``seconds``. Raises BenchError."""
    total = _ended(text)["sum"]
    packets, lost = int(total["packets"]), int(total["lost_packets"])
    took_s = float(total.get("seconds") or seconds)
    return Trial(packets / took_s, (packets - lost) / took_s, lost / packets if packets else 1.0)


def _ended(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        raise BenchError(f"iperf3 printed no JSON: {text.strip()[-500:]!r}") from None
    if error := document.get("error"):
        raise BenchError(f"iperf3: {error}")
    try:
        end: dict[str, Any] = document["end"]
        if not end:
            raise KeyError("end")
    except KeyError:
        raise BenchError("iperf3 told no result") from None
    return end


@contextmanager
def _client(server: Place, client: Place, address: str, *arguments: str) -> Iterator[Started]:
    """A running client against a server of its own."""
    with Started(server.namespace, "iperf3", "-s", "-1", "-p", str(_PORT), "--forceflush") as listener:
        wait_until(lambda: "listening" in listener.output.lower(), "iperf3 is listening")
        command = ("iperf3", "-c", address, "-p", str(_PORT), "-J", *arguments)
        with Started(client.namespace, *command) as running:
            yield running


def transfer(
    server: Place, client: Place, *, seconds: float, family: int = 4, streams: int = 1, is_reverse: bool = False
) -> Transfer:
    """TCP from client to server (is_reverse: the other way), over the server's overlay address of the family."""
    extra = ["-t", _seconds(seconds), "-P", str(streams), *(["-R"] if is_reverse else [])]
    with _client(server, client, server.overlay[family], *extra) as running:
        return parse_transfer(running.finish(seconds + _GRACE_S))


class Stream:
    """TCP at a fixed rate that goes on while something else is measured."""

    def __init__(self, running: Started, seconds: float) -> None:
        self._running = running
        self._seconds = seconds

    def finish(self) -> Transfer:
        """What arrived after the first second, which does not count."""
        return parse_transfer(self._running.finish(self._seconds + _GRACE_S))


@contextmanager
def steady_stream(server: Place, client: Place, *, seconds: float, mbit_per_s: float) -> Iterator[Stream]:
    """From client to server; it starts at once and is measured for ``seconds`` after its first second."""
    arguments = ("-t", _seconds(seconds), "-O", "1", "-b", f"{mbit_per_s:.0f}M")
    with _client(server, client, server.overlay[4], *arguments) as running:
        yield Stream(running, seconds + 1)


def udp_trial(server: Place, client: Place, *, packets_per_s: float, payload_bytes: int, seconds: float) -> Trial:
    """Offer datagrams at this rate; what left the client and what the server got of it.

    Raises BenchError as well if the tunnel is so full that the two iperf3 cannot agree on an end.
    """
    bits = packets_per_s * payload_bytes * 8
    arguments = ("-u", "-l", str(payload_bytes), "-b", f"{bits:.0f}", "-t", _seconds(seconds))
    with _client(server, client, server.overlay[4], *arguments) as running:
        return parse_trial(running.finish(seconds + _GRACE_S), seconds)


def _seconds(seconds: float) -> str:
    """iperf3 takes whole seconds."""
    return str(max(1, round(seconds)))

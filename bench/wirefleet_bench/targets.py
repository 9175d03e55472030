# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the figures are held against. A target that is missed is told and changes nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from .tunnels import OURS, THEIRS


class Basis(Enum):
    """OURS: our median. RATIO: the median of ours by wireguard-go's (the one on PATH), pair by pair."""

    OURS = "ours"
    RATIO = "ratio"


@dataclass(frozen=True)
class Target:
    """Exactly one of at_least and at_most is set."""

    measure: str
    figure: str
    basis: Basis
    at_least: float | None = None
    at_most: float | None = None

    @property
    def text(self) -> str:
        """Such as ``>= 2.7x``."""
        bound = self.at_least if self.at_least is not None else self.at_most
        sign = ">=" if self.at_least is not None else "<="
        return f"{sign} {bound:.2f}x" if self.basis is Basis.RATIO else f"{sign} {bound:g}"

    def is_met_by(self, value: float) -> bool:
        """Whether this median, or ratio, is on the right side of the bound; the bound itself is."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


TARGETS = (
    Target("tcp", "mbit_per_s", Basis.RATIO, at_least=2.7),
    Target("tcp", "cpu_s_per_gib_sender", Basis.OURS, at_most=5.0),
    Target("tcp", "cpu_s_per_gib_receiver", Basis.OURS, at_most=4.0),
    Target("streams", "mbit_per_s", Basis.RATIO, at_least=2.5),
    Target("reverse", "mbit_per_s", Basis.RATIO, at_least=2.5),
    Target("underlay6", "v6_by_v4", Basis.OURS, at_least=0.9),
    Target("udp", "lossless_pps", Basis.RATIO, at_least=1.0),
    Target("ping", "p50_us", Basis.RATIO, at_most=1.1),
    Target("ping", "p99_us", Basis.RATIO, at_most=1.1),
    Target("memory", "rss_mib", Basis.OURS, at_most=60),
    Target("memory", "kib_per_peer", Basis.OURS, at_most=20),
    Target("memory", "start_10000_s", Basis.OURS, at_most=10),
    Target("hub", "handshakes_per_s", Basis.OURS, at_least=300),
    # What iperf3 paces at 300 arrives as a little less.
    Target("hub", "data_mbit_per_s", Basis.OURS, at_least=297),
)


def judged(measure: str, figures: dict[str, Any]) -> list[dict[str, Any]]:
    """For JSON: the targets of one measure, held against its figures as results.py makes them."""
    verdicts = []
    for target in TARGETS:
        if target.measure != measure or target.figure not in figures:
            continue
        figure = figures[target.figure]
        if target.basis is Basis.OURS:
            value = figure["median"].get(OURS)
        else:
            value = figure["ratio"].get(THEIRS, {}).get("median")
        if value is not None:
            verdicts.append(
                {
                    "figure": target.figure,
                    "basis": target.basis.value,
                    "text": target.text,
                    "value": value,
                    "is_met": target.is_met_by(value),
                }
            )
    return verdicts

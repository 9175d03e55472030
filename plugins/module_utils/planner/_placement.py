# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Placement of spokes on hubs by weighted rendezvous hashing.

Every spoke gives each hub a score of its own, score = -weight / ln(u), where u in (0, 1) comes from a hash of both
names. The hubs are ranked by score; those in the spoke's region come first. A spoke's ranking of two hubs depends on
nothing but these two, so a hub that comes or goes moves only the spokes which prefer it, and spokes never move each
other. A hub gets spokes in proportion to its weight; a hub of weight 0 is preferred by nobody as long as there is
another.

Source: Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (1998); the weights are those of
Schindelhauer and Schomaker, "Weighted distributed hash tables" (2005).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass

_HASH_BITS = 52  # (x + 0.5) / 2**52 is exact in a double and never 0 or 1


@dataclass(frozen=True)
class Candidate:
    """A hub as placement sees it."""

    name: str
    region: str
    weight: int


def score(spoke: str, hub: str, weight: int) -> float:
    """How much the spoke likes the hub; 0 for weight 0."""
    digest = hashlib.sha256(f"wirefleet placement v1\0{spoke}\0{hub}".encode()).digest()
    draw = (int.from_bytes(digest[:8], "big") >> (64 - _HASH_BITS)) + 0.5
    return -weight / math.log(draw / (1 << _HASH_BITS))


def rank_hubs(spoke: str, region: str, hubs: Iterable[Candidate]) -> tuple[str, ...]:
    """Names of all hubs, the preferred one first; the order of ``hubs`` does not matter."""

    def key(hub: Candidate) -> tuple[bool, bool, float, str]:
        return (hub.weight == 0, hub.region != region, -score(spoke, hub.name, hub.weight), hub.name)

    return tuple(hub.name for hub in sorted(hubs, key=key))

# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A family: all series of one name. The names follow Prometheus' conventions: base units, ``_total`` for counters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Kind(Enum):
    """The value is the word of the exposition format."""

    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Family:
    """name: as it is scraped. labels: their names, in the order of a row's values. unit: for people; "" has none."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""

    def __post_init__(self) -> None:
        if (self.kind is Kind.COUNTER) != self.name.endswith("_total"):
            raise ValueError(f"counters, and they alone, end with _total: {self.name}")


Row = tuple[Sequence[str], float]
"""The values of the labels, and the value."""

Series = tuple[Family, Iterable[Row]]


class MetricSource(Protocol):
    """One room's part of the metrics."""

    @property
    def families(self) -> Sequence[Family]:
        """All that ``collect`` may ever give; no other source has any of them."""

    def collect(self) -> Iterator[Series]:
        """Each family at most once, and its rows as they are now.

        Rows may be asked for some turns of the loop later, a few at a time: what they walk through must not mind
        changes meanwhile. Nothing here waits, reads files or holds a secret.
        """

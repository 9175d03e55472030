# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The failover drill: one fault at a time at the hub that a flow uses, and how long the flow noticed it.

For each round, kind of fault and hub: wait until all hubs are well, bring the flow to the hub, start measuring, make
the fault, hold it, undo it, and stop measuring. So what the repair breaks counts too. Here is the order of things;
``Stage`` is what does them (``drill_stage`` on the lab), so that the order can be tested without a lab.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from .faults import KINDS as FAULT_KINDS
from .flows import Outage, read_stream
from .topology import LabError

DRAIN = "drain"
KINDS = (*FAULT_KINDS, DRAIN)
SCHEMA = 1
# A pause of the machine for as long as that would be taken for the fault's; then the fault is made again.
MAX_STALL_S = 0.1
_ATTEMPTS = 3


@dataclass(frozen=True)
class Result:
    """One fault. hub: where it was; moved_to: the hub that the flow used afterwards; stream.lost: 1 if it broke.

    stall_s: how long the machine itself stood still meanwhile, as far as is known.
    """

    round: int
    kind: str
    hub: str
    moved_to: str
    ping: Outage
    stream: Outage
    stall_s: float = 0.0

    @property
    def is_disturbed(self) -> bool:
        """Says nothing about the fault."""
        return self.stall_s > MAX_STALL_S


@dataclass(frozen=True)
class Drill:
    """What to do. hubs: in this order. hold_s: how long a fault lasts; settle_s: how long is measured after it."""

    kinds: Sequence[str]
    hubs: Sequence[str]
    rounds: int = 1
    hold_s: float = 6.0
    settle_s: float = 3.0
    lead_s: float = 1.0

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            raise LabError(f"{', '.join(unknown) or 'nothing'} is no kind of fault", f"there are {', '.join(KINDS)}")
        if not self.hubs or self.rounds < 1:
            raise LabError("a drill has a hub and a round at least")


class Stage(Protocol):
    """Where the drill happens. Every method raises LabError when something does not come about in time."""

    def bring_to(self, hub: str) -> None:
        """Let the flow use the hub."""

    def measured(self) -> contextlib.AbstractContextManager[Callable[[], tuple[Outage, Outage, float]]]:
        """Flows run during the block; calling its value ends them and tells what the ping and the stream noticed.

        The third value: for how many seconds the machine itself stood still.
        """

    def fault(self, kind: str, hub: str) -> contextlib.AbstractContextManager[None]:
        """The fault, during the block."""

    def active_hub(self) -> str:
        """The hub that the flow uses now."""

    def wait_until_well(self) -> None:
        """Return once every hub could take the flow."""

    def sleep(self, seconds: float) -> None: ...


def run_drill(drill: Drill, stage: Stage, progress: Callable[[Result], None]) -> list[Result]:
    """Every fault in turn; progress hears of each as soon as it is over.

    One during which the machine stood still is made again, three times at most; ``progress`` alone hears of those that
    do not count. Raises LabError if the machine is never quiet for long enough.
    """
    results = []
    for number in range(1, drill.rounds + 1):
        for kind in drill.kinds:
            for hub in drill.hubs:
                for _attempt in range(_ATTEMPTS):
                    result = _one(drill, stage, number, kind, hub)
                    progress(result)
                    if not result.is_disturbed:
                        break
                else:
                    message = f"{_ATTEMPTS} times during {kind} at {hub} the machine itself stood still"
                    raise LabError(f"{message}, for {result.stall_s:.2f} s", "it is too busy, or paused from outside")
                results.append(result)
    return results


def _one(drill: Drill, stage: Stage, number: int, kind: str, hub: str) -> Result:
    stage.wait_until_well()
    stage.bring_to(hub)
    with stage.measured() as finish:
        stage.sleep(drill.lead_s)
        with stage.fault(kind, hub):
            stage.sleep(drill.hold_s)
            moved_to = stage.active_hub()
        stage.sleep(drill.settle_s)
        ping, stream, stall_s = finish()
    return Result(number, kind, hub, moved_to, ping, stream, stall_s)


def percentile(values: Iterable[float], share: float) -> float:
    """By nearest rank: the smallest value that this share of all does not exceed. Of few values, p99 is the worst."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def summary(results: Sequence[Result]) -> dict[str, dict[str, float]]:
    """By kind, in the order of their first appearance: how many, and what ping and stream noticed, in seconds."""
    kinds: dict[str, list[Result]] = {}
    for result in results:
        kinds.setdefault(result.kind, []).append(result)
    return {
        kind: {
            "faults": len(alike),
            "p50_s": percentile((one.ping.outage_s for one in alike), 0.5),
            "p99_s": percentile((one.ping.outage_s for one in alike), 0.99),
            "worst_s": max(one.ping.outage_s for one in alike),
            "pings_lost": sum(one.ping.lost for one in alike),
            "pings_lost_at_most": max(one.ping.lost for one in alike),
            "stream_p50_s": percentile((one.stream.outage_s for one in alike), 0.5),
            "stream_p99_s": percentile((one.stream.outage_s for one in alike), 0.99),
            "streams_broken": sum(one.stream.lost for one in alike),
        }
        for kind, alike in kinds.items()
    }


def from_measurements(document: Mapping[str, Any]) -> list[Result]:
    """Results that were measured elsewhere: ``faults``, with what ``flows.py`` printed as ping, stream and sink.

    Raises LabError for a document that lacks something.
    """
    try:
        return [
            Result(
                round=int(one["round"]),
                kind=str(one["kind"]),
                hub=str(one["hub"]),
                moved_to=str(one["moved_to"]),
                ping=_outage(one["ping"]),
                stream=read_stream(one["stream"], one["sink"]),
            )
            for one in document["faults"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise LabError(f"these are no measurements ({type(error).__name__}: {error})") from error


def _outage(ping: Mapping[str, Any]) -> Outage:
    outage_s = ping["outage_s"]
    return Outage(math.inf if outage_s is None else float(outage_s), int(ping["received"]), int(ping["lost"]))


def report(drill: Drill, flow: Mapping[str, Any], results: Sequence[Result]) -> dict[str, Any]:
    """The document that is saved. An outage without an end is null: JSON has no infinity."""
    faults = [
        {
            **{key: value for key, value in asdict(result).items() if key not in ("ping", "stream", "stall_s")},
            "stall_s": round(result.stall_s, 4),
            "ping": _finite(asdict(result.ping)),
            "stream": _finite(asdict(result.stream)),
        }
        for result in results
    ]
    return {
        "schema": SCHEMA,
        "drill": {**asdict(drill), "kinds": list(drill.kinds), "hubs": list(drill.hubs)},
        "flow": dict(flow),
        "summary": {kind: _finite(row) for kind, row in summary(results).items()},
        "faults": faults,
    }


def _finite(row: Mapping[str, float]) -> dict[str, float | None]:
    return {
        key: None if math.isinf(value) else (round(value, 4) if isinstance(value, float) else value)
        for key, value in row.items()
    }


_COLUMNS = (
    ("faults", "faults"),
    ("p50_s", "p50 s"),
    ("p99_s", "p99 s"),
    ("worst_s", "worst s"),
    ("pings_lost", "pings lost"),
    ("stream_p50_s", "TCP p50 s"),
    ("stream_p99_s", "TCP p99 s"),
    ("streams_broken", "TCP broken"),
)


def table(rows: Mapping[str, Mapping[str, float | None]]) -> str:
    """The summary for people. Times are what the ping noticed, unless they are TCP's own."""
    lines = [["fault", *(title for _key, title in _COLUMNS)]]
    lines += [[kind, *(_cell(row[key]) for key, _title in _COLUMNS)] for kind, row in rows.items()]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if not column else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cell(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def one_line(result: Result) -> str:
    """Progress for people."""
    broken = ", the TCP stream broke" if result.stream.lost else ""
    broken += f"; the machine stood still for {result.stall_s:.2f} s: again" if result.is_disturbed else ""
    return (
        f"round {result.round}: {result.kind} {result.hub}: {result.ping.outage_s:.2f} s, "
        f"{result.ping.lost} pings lost, now over {result.moved_to}{broken}"
    )

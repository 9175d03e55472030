# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs measures in interleaved rounds: every implementation once per round, forwards and backwards in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from wirefleet_lab.topology import LabError

from .errors import BenchError, MachineTooBusy
from .figures import Sample
from .measures import Measure
from .options import Options
from .quiet import BUSY_LIMIT, WATCH_BETWEEN_S, Guard, calibration_ms, others_share, snapshot
from .results import MeasureResult, Round
from .stage import Stage
from .statistics import median
from .tunnels import Implementation

# Rounds of one measure that may be discarded and repeated.
REPEATS = 2
_OVERHEAD_S = 0.3


class Remaining:
    """How long it will still take, from estimates and what samples have taken since."""

    def __init__(self, measures: Sequence[Measure], options: Options, implementations: int) -> None:
        self._estimates_s = {each.name: each.estimate_s(options) + _OVERHEAD_S for each in measures}
        self._left = {each.name: min(options.rounds, each.max_rounds) * implementations for each in measures}
        self._taken_s: dict[str, list[float]] = {each.name: [] for each in measures}

    def took(self, measure: str, seconds: float) -> None:
        """One more sample is done."""
        self._taken_s[measure].append(seconds)
        self._left[measure] = max(0, self._left[measure] - 1)

    def over(self, measure: str) -> None:
        self._left[measure] = 0

    @property
    def seconds(self) -> float:
        return sum(
            left * (median(self._taken_s[name]) if self._taken_s[name] else self._estimates_s[name])
            for name, left in self._left.items()
        )

    def __str__(self) -> str:
        seconds = self.seconds
        return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"


class Runner:
    """Measures one after the other. tell: gets lines of progress."""

    def __init__(
        self,
        stage: Stage,
        implementations: Sequence[Implementation],
        options: Options,
        guard: Guard,
        tell: Callable[[str], None],
    ) -> None:
        self._stage = stage
        self._implementations = implementations
        self._options = options
        self._guard = guard
        self._tell = tell

    def run(self, measures: Sequence[Measure]) -> tuple[list[MeasureResult], MachineTooBusy | None]:
        """All measures, or those before the machine became too busy, with the refusal."""
        remaining = Remaining(measures, self._options, len(self._implementations))
        results: list[MeasureResult] = []
        for measure in measures:
            result = MeasureResult(measure)
            try:
                self._measure(result, remaining)
            except MachineTooBusy as refusal:
                return results, refusal
            results.append(result)
            remaining.over(measure.name)
        return results, None

    def _measure(self, result: MeasureResult, remaining: Remaining) -> None:
        """Fill the result. Raises MachineTooBusy."""
        wanted = min(self._options.rounds, result.measure.max_rounds)
        repeats = REPEATS
        while len(result.counting) < wanted:
            self._guard.require_quiet(WATCH_BETWEEN_S)
            try:
                taken = self._round(result.measure, len(result.counting) + 1, wanted, remaining)
            except (BenchError, LabError) as error:
                self._tell(f"{result.measure.name}: {error}")
                if not repeats:
                    result.failure = str(error)
                    return
                repeats -= 1
                continue
            if taken.is_noisy and repeats and not self._options.is_forced:
                repeats -= 1
                taken = replace(taken, discarded="noisy")
                self._tell(f"{result.measure.name}: {self._noise(taken)}; the round is repeated")
            result.rounds.append(taken)

    @staticmethod
    def _noise(taken: Round) -> str:
        others = max(taken.others_shares, default=0.0)
        return f"others took {others:.0%} of the machine" if others > BUSY_LIMIT else "the machine's speed changed"

    def _round(self, measure: Measure, number: int, wanted: int, remaining: Remaining) -> Round:
        """One sample of each; every other round goes backwards."""
        order = self._implementations if number % 2 else list(reversed(self._implementations))
        samples: dict[str, Sample] = {}
        calibrations_ms = [calibration_ms()]
        others_shares = []
        first = measure.figures[0]
        for implementation in order:
            before = snapshot()
            sample = measure.run(self._stage, implementation, self._options, number)
            after = snapshot()
            others_shares.append(others_share(before, after))
            calibrations_ms.append(calibration_ms())
            samples[implementation.key] = sample
            remaining.took(measure.name, after.at - before.at + _OVERHEAD_S)
            value = f"{sample[first.key]:,.{first.digits}f} {first.unit}"
            self._tell(f"{measure.name} {number}/{wanted} {implementation.label}: {value} ({remaining})")
        return Round(samples, calibrations_ms, others_shares)

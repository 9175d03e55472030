# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from wirefleet_bench import rounds
from wirefleet_bench.errors import BenchError, MachineTooBusy
from wirefleet_bench.figures import Better, Figure
from wirefleet_bench.measures import Measure
from wirefleet_bench.options import Options
from wirefleet_bench.quiet import Guard
from wirefleet_bench.rounds import Remaining, Runner
from wirefleet_bench.tunnels import Implementation

IMPLEMENTATIONS = [Implementation(key, key, "", "") for key in ("one", "two")]


class Lab:
    """A measure that is never really taken. calibrations: what the machine's clock says; the last one repeats."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, calibrations: list[float] | None = None) -> None:
        self.taken: list[tuple[int, str]] = []
        self.failures = 0
        self.busy_after = 1000
        self.others_share = 0.0
        self._calibrations = calibrations or []
        monkeypatch.setattr(rounds, "calibration_ms", self._calibration)
        monkeypatch.setattr(rounds, "others_share", lambda before, after: self.others_share)
        monkeypatch.setattr(Guard, "require_quiet", self._require_quiet)
        figure = Figure("value", "value", "", Better.HIGHER)
        self.measure = Measure("any", "any", (figure,), self._run, lambda options: 10.0)

    def _calibration(self) -> float:
        return self._calibrations.pop(0) if self._calibrations else 10.0

    def _require_quiet(self, seconds: float) -> None:
        self.busy_after -= 1
        if self.busy_after < 0:
            raise MachineTooBusy("busy")

    def _run(self, stage: Any, implementation: Implementation, options: Options, number: int) -> dict[str, float]:
        if self.failures:
            self.failures -= 1
            raise BenchError("it broke")
        self.taken.append((number, implementation.key))
        return {"value": 1.0}

    def run(self, *, measures: int = 1, **options: Any) -> Any:
        guard = Guard(is_forced=options.get("is_forced", False))
        stage: Any = None
        return Runner(stage, IMPLEMENTATIONS, Options(**options), guard, lambda line: None).run(
            [self.measure] * measures
        )


@pytest.fixture
def lab(monkeypatch):
    return Lab(monkeypatch)


def test_every_other_round_goes_backwards(lab):
    lab.run(rounds=3)

    assert lab.taken == [(1, "one"), (1, "two"), (2, "two"), (2, "one"), (3, "one"), (3, "two")]


def test_a_round_during_which_the_machine_changed_is_repeated(monkeypatch):
    lab = Lab(monkeypatch, calibrations=[10.0, 15.0, 10.0])

    (result,), refusal = lab.run(rounds=2)

    assert [each.discarded for each in result.rounds] == ["noisy", "", ""]
    assert len(result.counting) == 2
    assert refusal is None


def test_a_machine_that_never_settles_ends_it_after_two_repeats(monkeypatch):
    lab = Lab(monkeypatch, calibrations=[10.0, 15.0, 10.0] * 9)

    (result,) = lab.run(rounds=2)[0]

    assert len(result.rounds) == 4
    assert result.is_noisy


def test_a_round_during_which_others_worked_is_repeated(lab):
    lab.others_share = 0.5

    (result,) = lab.run(rounds=1)[0]

    assert [each.discarded for each in result.rounds] == ["noisy", "noisy", ""]
    assert result.is_noisy


def test_a_forced_run_repeats_nothing(monkeypatch):
    lab = Lab(monkeypatch, calibrations=[10.0, 15.0, 10.0])

    (result,) = lab.run(rounds=1, is_forced=True)[0]

    assert len(result.rounds) == 1


def test_a_failure_is_tried_again_and_the_third_one_is_told(lab):
    lab.failures = 2
    (result,) = lab.run(rounds=1)[0]
    assert (result.failure, len(result.counting)) == ("", 1)

    lab.failures = 3
    (result,) = lab.run(rounds=1)[0]
    assert result.failure == "it broke"


def test_what_was_measured_before_the_machine_became_busy_is_kept(lab):
    lab.busy_after = 3

    results, refusal = lab.run(measures=2, rounds=2)

    assert [len(each.counting) for each in results] == [2]
    assert isinstance(refusal, MachineTooBusy)


def test_the_time_left_is_estimated_and_then_what_samples_took(lab):
    remaining = Remaining([lab.measure], Options(rounds=3), implementations=2)
    assert remaining.seconds == pytest.approx(6 * 10.3)
    assert str(remaining) == "about 62 s left"

    remaining.took("any", 60.0)

    assert str(remaining) == "about 5 min left"

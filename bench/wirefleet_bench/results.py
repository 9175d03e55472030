# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run found, as one JSON document: every sample, medians and ratios, and the targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .figures import Sample
from .measures import Measure
from .quiet import has_drifted, is_round_noisy
from .statistics import median, pair_ratios
from .targets import judged
from .tunnels import OURS, Implementation

SCHEMA = 1


@dataclass(frozen=True)
class Round:
    """One sample of every implementation, in this order. discarded: why it does not count, or nothing.

    calibrations_ms: before each sample and after the last. others_shares: of the machine, during each sample.
    """

    samples: dict[str, Sample]
    calibrations_ms: list[float]
    others_shares: list[float] = field(default_factory=list)
    discarded: str = ""

    @property
    def is_noisy(self) -> bool:
        return is_round_noisy(self.calibrations_ms, self.others_shares)


@dataclass
class MeasureResult:
    """failure: why there are no figures, or nothing."""

    measure: Measure
    rounds: list[Round] = field(default_factory=list)
    failure: str = ""

    @property
    def counting(self) -> list[Round]:
        return [each for each in self.rounds if not each.discarded]

    @property
    def is_noisy(self) -> bool:
        counting = self.counting
        return any(each.is_noisy for each in counting) or has_drifted([each.calibrations_ms for each in counting])


def measure_document(result: MeasureResult, *, is_forced: bool) -> dict[str, Any]:
    """One measure. A noisy one has samples and no figures, unless it was forced."""
    failure = result.failure
    if not failure and result.is_noisy and not is_forced:
        failure = "noisy: others worked meanwhile, or the machine's speed changed"
    figures = {} if failure else _figures(result)
    return {
        "title": result.measure.title,
        "failure": failure,
        "is_noisy": result.is_noisy,
        "figures": figures,
        "targets": judged(result.measure.name, figures),
        "rounds": [
            {
                "order": list(each.samples),
                "samples": {key: dict(sample) for key, sample in each.samples.items()},
                "calibrations_ms": [round(took_ms, 3) for took_ms in each.calibrations_ms],
                "others_shares": [round(share, 4) for share in each.others_shares],
                "discarded": each.discarded,
            }
            for each in result.rounds
        ],
    }


def _figures(result: MeasureResult) -> dict[str, Any]:
    rounds = result.counting
    keys = sorted({key for each in rounds for key in each.samples})
    figures = {}
    for figure in result.measure.figures:
        series = {key: [each.samples[key][figure.key] for each in rounds] for key in keys}
        ratios = {}
        for key in keys:
            pairs = pair_ratios(series[OURS], series[key]) if figure.in_ratio and key != OURS and OURS in keys else []
            if pairs:
                ratios[key] = {"median": median(pairs), "pairs": pairs}
        figures[figure.key] = {
            "title": figure.title,
            "unit": figure.unit,
            "better": figure.better.value,
            "digits": figure.digits,
            "median": {key: median(values) for key, values in series.items()},
            "ratio": ratios,
        }
    return figures


def document(
    results: Sequence[MeasureResult],
    implementations: Sequence[Implementation],
    *,
    made_at: str,
    commit: str,
    is_modified: bool,
    is_partial: bool,
    is_forced: bool,
    options: dict[str, Any],
    machine: dict[str, Any],
    busy_shares: Sequence[float],
    ignored: Sequence[str],
) -> dict[str, Any]:
    """The whole run. made_at: ISO 8601, UTC. ignored: the refusals that --force overruled."""
    return {
        "schema": SCHEMA,
        "made_at": made_at,
        "commit": commit,
        "is_modified": is_modified,
        "is_partial": is_partial,
        "is_forced": is_forced,
        "refusals_overruled": len(ignored),
        "options": options,
        "machine": machine,
        "greatest_busy_share": round(max(busy_shares, default=0.0), 4),
        "implementations": {each.key: {"label": each.label, "version": each.version} for each in implementations},
        "measures": {each.measure.name: measure_document(each, is_forced=is_forced) for each in results},
    }

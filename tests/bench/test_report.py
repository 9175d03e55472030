# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from wirefleet_bench import results
from wirefleet_bench.figures import Better, Figure
from wirefleet_bench.measures import MEASURES, Measure
from wirefleet_bench.report import table
from wirefleet_bench.results import MeasureResult, Round
from wirefleet_bench.targets import TARGETS, Basis
from wirefleet_bench.tunnels import OURS, SECOND, THEIRS, Implementation

IMPLEMENTATIONS = [
    Implementation(OURS, "wirefleet", "/somewhere/wirefleet-tun", "0.1.0"),
    Implementation(THEIRS, "wireguard-go", "/usr/bin/wireguard-go", "v0.0.1"),
]
STEADY_MS = [10.0, 10.0, 10.0]


def unused(*_: object) -> dict[str, float]:
    raise AssertionError


TCP = Measure(
    "tcp",
    "TCP, one stream",
    (Figure("mbit_per_s", "throughput", "Mbit/s", Better.HIGHER), Figure("retransmits", "resent", "", Better.NEITHER)),
    unused,
    lambda options: 1.0,
)


def sample(mbit_per_s: float) -> dict[str, float]:
    return {"mbit_per_s": mbit_per_s, "retransmits": 3}


def two_rounds(**changes: Any) -> MeasureResult:
    """Ours is three times as fast in the first round and 2.6 times in the second."""
    return MeasureResult(
        TCP,
        [
            Round({OURS: sample(1500), THEIRS: sample(500)}, STEADY_MS),
            Round({THEIRS: sample(1000), OURS: sample(2600)}, STEADY_MS),
        ],
        **changes,
    )


def run_of(*found: MeasureResult, is_forced: bool = False, ignored: tuple[str, ...] = ()) -> dict[str, Any]:
    return results.document(
        found,
        IMPLEMENTATIONS,
        made_at="2026-01-02T03:04:05Z",
        commit="abc1234",
        is_modified=False,
        is_partial=False,
        is_forced=is_forced,
        options={"rounds": 2},
        machine={"cpu_model": "Example", "cpus": 2, "kernel": "6.1", "python": "3.11", "cryptography": "50"},
        busy_shares=[0.01],
        ignored=ignored,
    )


def test_medians_are_of_each_and_ratios_of_pairs():
    figure = run_of(two_rounds())["measures"]["tcp"]["figures"]["mbit_per_s"]

    assert figure["median"] == {OURS: 2050, THEIRS: 750}
    assert figure["ratio"][THEIRS] == {"median": pytest.approx(2.8), "pairs": [3.0, 2.6]}


def test_the_document_is_json_and_keeps_every_sample_in_the_order_in_which_it_was_taken():
    document = json.loads(json.dumps(run_of(two_rounds())))

    rounds = document["measures"]["tcp"]["rounds"]
    assert [each["order"] for each in rounds] == [[OURS, THEIRS], [THEIRS, OURS]]
    assert rounds[1]["samples"][OURS] == sample(2600)


def test_the_document_names_no_paths():
    assert "/somewhere" not in json.dumps(run_of(two_rounds()))


def test_a_target_stands_beside_its_figure_with_its_verdict():
    document = run_of(two_rounds())

    (target,) = document["measures"]["tcp"]["targets"]
    assert target["is_met"] is True
    row = next(line for line in table(document).splitlines() if "throughput" in line)
    assert row.split()[-6:] == ["2,050", "750", "2.80x", ">=", "2.70x", "met"]


def test_a_missed_target_is_shouted():
    missed = two_rounds()
    missed.rounds = missed.rounds[1:]

    assert "MISSED" in table(run_of(missed))


def test_figures_that_only_explain_have_no_ratio():
    figure = run_of(two_rounds())["measures"]["tcp"]["figures"]["retransmits"]

    assert figure["ratio"] == {}


def test_a_discarded_round_is_kept_and_does_not_count():
    found = two_rounds()
    found.rounds.append(Round({OURS: sample(1), THEIRS: sample(1000)}, [10.0, 20.0], discarded="noisy"))

    measure = run_of(found)["measures"]["tcp"]

    assert len(measure["rounds"]) == 3
    assert measure["figures"]["mbit_per_s"]["median"][OURS] == 2050
    assert not measure["is_noisy"]


def noisy() -> MeasureResult:
    found = two_rounds()
    found.rounds[1] = Round(found.rounds[1].samples, [10.0, 20.0, 10.0])
    return found


def test_a_noisy_measure_has_samples_and_no_figures():
    document = run_of(noisy())

    measure = document["measures"]["tcp"]
    assert (measure["figures"], measure["targets"]) == ({}, [])
    assert measure["rounds"]
    assert "no figures: noisy" in table(document)


def test_a_forced_run_reports_noise_and_says_so_at_the_top():
    document = run_of(noisy(), is_forced=True, ignored=("the machine is busy",))

    assert document["measures"]["tcp"]["figures"]
    text = table(document)
    assert "FORCED" in text
    assert "refused 1 times" in text
    assert "TCP, one stream (noisy)" in text


def test_a_failed_measure_does_not_take_the_others_with_it():
    udp = next(each for each in MEASURES if each.name == "udp")

    text = table(run_of(MeasureResult(udp, failure="iperf3: unable to connect\nmore"), two_rounds()))

    assert "no figures: iperf3: unable to connect" in text
    assert "more" not in text
    assert "2,050" in text


def test_a_second_binary_gets_columns_of_its_own():
    found = two_rounds()
    for each in found.rounds:
        each.samples[SECOND] = sample(1000)
    IMPLEMENTATIONS.append(Implementation(SECOND, "WIREGUARD_GO", "/elsewhere", "v0.0.2"))
    try:
        text = table(run_of(found))
    finally:
        IMPLEMENTATIONS.pop()

    assert "by WIREGUARD_GO" in text
    assert "2.05x" in text


def test_every_target_is_of_a_figure_that_exists_and_ratios_only_of_figures_that_have_one():
    figures = {(each.name, figure.key): figure for each in MEASURES for figure in each.figures}

    for target in TARGETS:
        assert (target.at_least is None) != (target.at_most is None)
        figure = figures[target.measure, target.figure]
        assert target.basis is Basis.OURS or figure.in_ratio

# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs of one commit that make a whole one."""

from __future__ import annotations

import json

import pytest
from wirefleet_bench import joining
from wirefleet_bench.errors import UsageError
from wirefleet_bench.measures import MEASURES

NAMES = [each.name for each in MEASURES]


def result(names, *, noisy=(), made_at="2026-11-01T10:00:00Z", **changes):
    measures = {name: {"failure": "noisy: ..." if name in noisy else "", "from": made_at} for name in names}
    alike = {"schema": 1, "commit": "abc1234", "machine": {"cpus": 2}, "implementations": {"wirefleet": {}}}
    return {
        **alike,
        "made_at": made_at,
        "is_partial": True,
        "is_forced": False,
        "is_modified": False,
        "measures": measures,
        **changes,
    }


def test_what_was_noisy_and_is_measured_again_makes_a_whole_run():
    earlier = result(NAMES, noisy=("udp",))
    now = result(["udp"], made_at="2026-11-01T11:00:00Z")

    whole = joining.joined(now, earlier)

    assert list(whole["measures"]) == NAMES
    assert whole["measures"]["udp"]["from"] == "2026-11-01T11:00:00Z"
    assert whole["measures"]["tcp"]["from"] == "2026-11-01T10:00:00Z"
    assert not whole["is_partial"]
    assert whole["joined"] == ["2026-11-01T10:00:00Z"]


def test_a_measure_that_is_still_missing_or_noisy_leaves_it_partial():
    earlier = result(NAMES, noisy=("udp", "ping"))

    assert joining.joined(result(["udp"]), earlier)["is_partial"]
    assert joining.joined(result(["udp", "ping"], noisy=("ping",)), earlier)["is_partial"]
    assert not joining.joined(result(["udp", "ping"]), earlier)["is_partial"]


def test_one_forced_part_makes_the_whole_forced():
    assert joining.joined(result(["udp"]), result(NAMES, is_forced=True))["is_forced"]


@pytest.mark.parametrize("key", ["schema", "commit", "machine", "implementations"])
def test_results_that_are_not_alike_are_not_joined(key):
    with pytest.raises(UsageError, match=key):
        joining.joined(result(["udp"]), result(NAMES, **{key: "another"}))


@pytest.mark.parametrize(("commit", "now", "then"), [("def5678", False, False), ("abc1234", True, False)])
def test_other_code_or_code_of_no_commit_is_refused_before_anything_is_measured(commit, now, then):
    with pytest.raises(UsageError, match="commit abc1234"):
        joining.require_commit(result(NAMES, is_modified=then), commit, is_modified=now)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"measures": 1}'])
def test_a_file_that_is_no_result_is_refused(tmp_path, text):
    path = tmp_path / "result.json"
    path.write_text(text)

    with pytest.raises(UsageError, match="cannot read"):
        joining.read(path)


def test_a_result_is_read(tmp_path):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(result(NAMES)))

    joining.require_commit(joining.read(path), "abc1234", is_modified=False)

# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from wirefleet_bench import cli
from wirefleet_bench.errors import UsageError
from wirefleet_bench.measures import MEASURES


def parsed(*arguments: str):
    return cli._parser().parse_args(arguments)


def test_measures_are_chosen_by_name_and_keep_their_order():
    assert [each.name for each in cli.chosen("ping, tcp")] == ["tcp", "ping"]
    assert cli.chosen(None) == list(MEASURES)


@pytest.mark.parametrize("only", ["", ",", "tcp,speed"])
def test_an_unknown_measure_is_a_wrong_call(only):
    with pytest.raises(UsageError):
        cli.chosen(only)


def test_quick_is_a_beginning_that_other_options_change():
    options = cli.options_of(parsed("--quick", "--rounds", "2", "--force"))

    assert (options.rounds, options.seconds, options.pings, options.is_forced) == (2, 2.0, 800, True)


def test_a_run_of_no_rounds_is_a_wrong_call(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--rounds", "0"])
    assert end.value.code == 2


def test_help_names_the_measures_and_the_exit_statuses(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])

    assert end.value.code == 0
    text = capsys.readouterr().out
    assert all(each.name in text for each in MEASURES)
    assert "WIREGUARD_GO" in text
    assert "exit status" in text


def test_a_file_that_is_no_result_cannot_be_shown(tmp_path, capsys):
    (tmp_path / "result.json").write_text("{")

    assert cli.main(["--show", str(tmp_path / "result.json")]) == 2
    assert "cannot read" in capsys.readouterr().err

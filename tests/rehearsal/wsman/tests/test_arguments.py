# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments are judged by the real modules' documentation."""

from __future__ import annotations

import pytest
from wirefleet_wsman.documentation import ArgumentsRefusedError, check_arguments
from wirefleet_wsman.modules import STAND_INS


# The real setup takes any argument.
@pytest.mark.parametrize("module", sorted(STAND_INS.keys() - {"ansible.windows.setup"}))
def test_every_stand_in_has_a_documented_original_that_knows_no_bogus_argument(module):
    with pytest.raises(ArgumentsRefusedError, match=r"bogus|required"):
        check_arguments(module, {"bogus": 1})


@pytest.mark.parametrize(
    ("module", "arguments", "reason"),
    [
        ("win_file", {"path": "C:\\x", "state": "link"}, "one of"),
        ("win_file", {}, "required"),
        ("win_service", {"name": "x", "start_mode": "later"}, "one of"),
        ("win_service", {"name": "x", "password": "y"}, "username"),
        ("win_service", {"name": "x", "failure_actions": [{"type": "explode"}]}, "one of"),
        ("win_service", {"name": "x", "pre_shutdown_timeout_ms": "soon"}, "UInt32"),
        ("win_command", {}, "required"),
        ("win_command", {"_raw_params": "a", "argv": ["b"]}, "mutually exclusive"),
        ("win_stat", {"path": "C:\\x", "checksum_algorithm": "crc"}, "one of"),
    ],
)
def test_what_the_real_module_refuses_is_refused(module, arguments, reason):
    with pytest.raises(ArgumentsRefusedError, match=reason):
        check_arguments(f"ansible.windows.{module}", arguments)


def test_arguments_are_converted_and_defaults_filled_in():
    checked = check_arguments("ansible.windows.win_service", {"name": 5, "failure_reset_period": "7"})

    assert checked["name"] == "5"
    assert checked["failure_reset_period_sec"] == 7
    assert checked["dependency_action"] == "set"
    assert checked["desktop_interact"] is False


def test_a_path_argument_is_not_expanded_on_the_controller():
    assert check_arguments("ansible.windows.win_stat", {"path": "~\\$HOME\\%TEMP%"})["path"] == "~\\$HOME\\%TEMP%"


def test_a_module_without_a_stand_in_fails_loudly(module):
    result = module("ansible.windows.win_hostname", name="x")

    assert result["failed"]
    assert "no stand-in" in result["msg"]

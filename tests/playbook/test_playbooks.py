# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shipped playbooks and role defaults, as far as they need no host."""

from __future__ import annotations

from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
DEFAULTS = CHECKOUT / "roles" / "tunnel_config" / "defaults" / "main.yml"


def test_two_hubs_are_refused_until_the_operator_accepts_a_degraded_fleet(fleet):
    fleet.add_keys()
    del fleet.hosts["hubs"]["hub-3"]
    playbook = CHECKOUT / "playbooks" / "plan.yml"

    refused = fleet.run([], playbook=playbook)
    accepted = fleet.run([], "-e", "wirefleet_allow_degraded=true", playbook=playbook)

    assert refused.code != 0
    assert "wirefleet_allow_degraded" in refused.text
    assert accepted.code == 0, accepted.text
    assert set(accepted.of("Fleet has a plan")["hosts"]) == {"hub-1", "hub-2", "spoke-1", "spoke-2", "spoke-3"}


@pytest.mark.parametrize(("spokes", "forks", "expected_s"), [(3, 5, 180), (397, 5, 920), (397, 100, 180)])
def test_time_to_confirm_grows_with_the_rounds_that_a_play_needs(fleet, spokes, forks, expected_s):
    """Every host applies before the first one confirms."""
    fleet.hosts["spokes"] = {f"spoke-{n}": {} for n in range(spokes)}
    show = {
        "name": "show",
        "ansible.builtin.debug": {"msg": "{{ tunnel_config_confirm_timeout_s | int }}"},
        "run_once": True,
    }
    read = {"name": "read", "ansible.builtin.include_vars": {"file": str(DEFAULTS)}, "run_once": True}

    outcome = fleet.run([read, show], "--forks", str(forks))

    assert int(outcome.of("show")["msg"]) == expected_s

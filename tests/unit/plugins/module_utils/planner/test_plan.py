# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random

from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import Lock, PlanRequest, make_plan
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import fleet, plan_again


def shuffled(request, seed):
    order = random.Random(seed)
    names = list(request.variables)
    order.shuffle(names)
    return PlanRequest(
        hubs=[name for name in names if name in request.hubs],
        spokes=[name for name in names if name in request.spokes],
        variables={name: request.variables[name] for name in names},
        public_keys={name: request.public_keys[name] for name in reversed(names)},
    )


def test_the_order_of_the_inventory_changes_nothing():
    request = fleet(spokes=12)

    plans = [make_plan(shuffled(request, seed), Lock()) for seed in range(5)]

    assert all(plan == plans[0] for plan in plans)


def test_a_second_run_changes_nothing():
    first = make_plan(fleet(spokes=12), Lock())

    assert plan_again(first, fleet(spokes=12)) == first


def test_no_plan_holds_a_secret_variable():
    request = fleet(everywhere={"preshared_secret_path": "/etc/secret-place", "private_key": "S3CRET"})

    plan = make_plan(request, Lock())

    for text in (plan.plan_text, plan.lock_text, *plan.slice_texts.values()):
        assert "S3CRET" not in text
        assert "secret-place" not in text


def test_a_host_that_changes_its_role_keeps_its_address():
    first = make_plan(fleet(spokes=["hub-4", "s"]), Lock())

    after = plan_again(
        first, fleet(hubs=["hub-1", "hub-2", "hub-4"], spokes=["hub-3", "s"], hosts={"hub-4": {"region": "ap"}})
    )

    assert after.hosts["hub-4"] == {"role": "hub", "addresses": ["10.86.0.4", "fd86::4"], "preferred_hub": None}
    assert after.hosts["hub-3"]["addresses"] == ["10.86.0.3", "fd86::3"]

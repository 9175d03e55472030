# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The switch for hosts whose cards or kernels cut or join packets wrongly."""

from __future__ import annotations

import pytest
from wirefleet_agent.errors import UsageError
from wirefleet_agent.host.offload_switch import uses_offloads


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, True), ({"WIREFLEET_OFFLOADS": ""}, True), ({"WIREFLEET_OFFLOADS": "auto"}, True)],
)
def test_what_the_kernel_offers_is_used(environment: dict[str, str], expected: bool) -> None:
    assert uses_offloads(environment) is expected


def test_off_is_off() -> None:
    assert not uses_offloads({"WIREFLEET_OFFLOADS": "off"})


def test_another_value_is_refused_with_what_is_possible() -> None:
    with pytest.raises(UsageError, match="auto or off, not 'no'"):
        uses_offloads({"WIREFLEET_OFFLOADS": "no"})

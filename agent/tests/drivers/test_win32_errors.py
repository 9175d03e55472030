# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Codes of Windows, in whichever shape they come."""

from __future__ import annotations

import pytest
from wirefleet_agent.drivers.win32_errors import Win32Error


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (5, 5),
        (10054, 10054),
        (0x80070005, 5),
        (0x80070005 - (1 << 32), 5),  # as ctypes.get_last_error() has it
        (0x800B0109, 0x800B0109),
        (0x800B0109 - (1 << 32), 0x800B0109),
    ],
)
def test_an_hresult_that_wraps_a_code_is_that_code(given: int, code: int) -> None:
    error = Win32Error("SwDeviceCreate", given)

    assert error.code == error.as_driver_error().os_code == code
    assert str(code) in str(error)

# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with a measurement, by who must act."""

from __future__ import annotations


class BenchError(Exception):
    """It could not be measured. hint: what to do about it, or nothing."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(BenchError):
    """The call was wrong."""

    exit_code = 2


class MachineTooBusy(BenchError):
    """It could be measured, but the figures would say more about the rest of the machine."""

    exit_code = 3

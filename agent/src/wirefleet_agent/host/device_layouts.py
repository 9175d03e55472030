# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Structures of setupapi.h for 64-bit Windows, and what cfgmgr32 says of a device.

Source: SP_DEVINFO_DATA, CM_Get_DevNode_Status of Microsoft's documentation; cfg.h.
"""

from __future__ import annotations

import ctypes
from typing import ClassVar, Self
from uuid import UUID


class Guid(ctypes.Structure):
    """As Windows has it in memory: the first three fields in the machine's order."""

    _fields_: ClassVar = [("bytes_le", ctypes.c_uint8 * 16)]

    @classmethod
    def of(cls, value: UUID) -> Self:
        return cls.from_buffer_copy(value.bytes_le)


class DeviceInfo(ctypes.Structure):
    """SP_DEVINFO_DATA. dev_inst: the handle of cfgmgr32."""

    _fields_: ClassVar = [
        ("size", ctypes.c_uint32),
        ("class_guid", Guid),
        ("dev_inst", ctypes.c_uint32),
        ("reserved", ctypes.c_uint64),
    ]

    dev_inst: int

    @classmethod
    def empty(cls) -> Self:
        return cls(size=ctypes.sizeof(cls))


GUID_DEVCLASS_NET = Guid.of(UUID("4d36e972-e325-11ce-bfc1-08002be10318"))

_DN_HAS_PROBLEM = 0x00000400


def problem_code(status: int, problem: int) -> int:
    """0 is none: the number that comes with a status means something only where the status says so."""
    return problem if status & _DN_HAS_PROBLEM else 0

# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""PySyncObj without two of its modules, which do harm when they are imported. Must be imported before PySyncObj.

``win_inet_pton`` puts calls of Windows in the place of ``socket.inet_ntop`` and ``inet_pton`` for the whole process, on
Linux too, where they fail: nothing that reads addresses would work any more. Python has had both on Windows since 3.4.

``atomic_replace`` looks up calls of Windows' transactional file system, which Microsoft advises against and may take
away. ``os.replace`` is atomic on both platforms.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType


def _replace(staged: str, path: str) -> bool:
    os.replace(staged, path)  # noqa: PTH105  # the signature that PySyncObj calls
    return True


def _instead_of(name: str, **content: object) -> None:
    if name not in sys.modules:
        module = ModuleType(name)
        vars(module).update(content)
        sys.modules[name] = module


_instead_of("pysyncobj.win_inet_pton")
_instead_of("pysyncobj.atomic_replace", atomicReplace=_replace)

# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""PySyncObj without Windows' transactional file system.

On Windows its ``atomic_replace`` looks up calls of that system when it is imported, and has no other way; Microsoft
advises against it and may take it away. ``os.replace`` is atomic on both platforms. Must be imported before PySyncObj.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

_NAME = "pysyncobj.atomic_replace"


def _replace(staged: str, path: str) -> bool:
    os.replace(staged, path)  # noqa: PTH105  # the signature that PySyncObj calls
    return True


if _NAME not in sys.modules:
    _module = ModuleType(_NAME)
    _module.atomicReplace = _replace  # type: ignore[attr-defined]
    sys.modules[_NAME] = _module

#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Write ``windows-requirements.txt``: every package of a Windows bundle, its version and the hashes of its files.

Versions are those of ``constraints.txt``, which the agent's tests passed with; packages that only Windows has are named
below. Needs a package index and the library ``packaging``: run it with the project's environment (make lock-windows).
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import zipfile
from email.parser import BytesParser
from pathlib import Path

from packaging.requirements import Requirement

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "pyz"))
sys.path.insert(0, str(HERE))

from bundling.built_wheels import published, source_only  # noqa: E402
from bundling.programs import run_pip  # noqa: E402
from bundling.sources import AgentSource  # noqa: E402
from bundling.windows_wheelhouse import (  # noqa: E402
    NOT_INSTALLED,
    PYTHONS,
    needed_on_windows,
    normalized,
    wheel_tags,
)

_LOCK = HERE / "windows-requirements.txt"
_PLATFORM = "win_amd64"
_ONLY_WINDOWS = ("pywin32==312", "pytun-pmd3==3.0.3")
_HEADER = """\
# Every package of a Windows bundle with the SHA-256 of its files for CPython {pythons} on {platform}.
# Made by 'make lock-windows'; versions as in constraints.txt. Not resolved when a bundle is built: this is all of it.
"""


def main() -> int:
    source = AgentSource(HERE.parent)
    only_windows = {pin.partition("==")[0] for pin in _ONLY_WINDOWS}
    wanted = sorted(needed_on_windows(published(source.requirements)) | NOT_INSTALLED | only_windows)
    sums: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory(prefix="wirefleet-lock-") as temporary:
        constraints = Path(temporary, "constraints.txt")
        constraints.write_text((HERE / "constraints.txt").read_text() + "\n".join(_ONLY_WINDOWS) + "\n")
        for python in PYTHONS:
            folder = Path(temporary, python)
            arguments = ["download", "--constraint", str(constraints), "--dest", str(folder)]
            run_pip([*arguments, *wheel_tags(_PLATFORM, python), *wanted], {}, f"downloading for Python {python}")
            for wheel in sorted(folder.glob("*.whl")):
                name, version = wheel.name.split("-")[:2]
                pin = f"{normalized(name)}=={version}"
                sums.setdefault(pin, set()).add(hashlib.sha256(wheel.read_bytes()).hexdigest())
            _require_closed(folder, python)
    blocks = [" \\\n    ".join([pin, *(f"--hash=sha256:{one}" for one in sorted(sums[pin]))]) for pin in sorted(sums)]
    _LOCK.write_text(_HEADER.format(pythons=", ".join(PYTHONS), platform=_PLATFORM) + "\n".join(blocks) + "\n")
    print(f"{_LOCK.name}: {len(sums)} packages")
    return 0


def _require_closed(folder: Path, python: str) -> None:
    """Everything that a package needs on Windows is there too: pip looked at this machine's markers."""
    environment = {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "python_version": python}
    environment |= {"platform_python_implementation": "CPython", "implementation_name": "cpython", "extra": ""}
    environment |= {"python_full_version": f"{python}.0", "platform_machine": "AMD64"}
    there = {normalized(wheel.name.split("-")[0]) for wheel in folder.glob("*.whl")} | source_only()
    for wheel in folder.glob("*.whl"):
        if normalized(wheel.name.split("-")[0]) in NOT_INSTALLED:
            continue
        with zipfile.ZipFile(wheel) as archive:
            metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            lines = BytesParser().parsebytes(archive.read(metadata)).get_all("Requires-Dist") or []
        for line in lines:
            requirement = Requirement(line)
            holds = requirement.marker is None or requirement.marker.evaluate(environment)
            if holds and normalized(requirement.name) not in there:
                raise SystemExit(f"{wheel.name} needs {line} on Windows: name it in _ONLY_WINDOWS")


if __name__ == "__main__":
    sys.exit(main())

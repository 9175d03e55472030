# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Small bundles for tests of the installer: an agent of a few lines, packed by the real builder."""

from __future__ import annotations

import base64
import hashlib
import importlib
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

BUNDLE_FOLDER = Path(__file__).parents[2] / "bundle"
for _folder in (BUNDLE_FOLDER, BUNDLE_FOLDER / "pyz"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

built_wheels = importlib.import_module("bundling.built_wheels")
linux_bundle = importlib.import_module("bundling.linux_bundle")
sources = importlib.import_module("bundling.sources")
wheelhouse = importlib.import_module("bundling.wheelhouse")
contents = importlib.import_module("wirefleet_bundle.contents")
host = importlib.import_module("wirefleet_bundle.host")
manifest = importlib.import_module("wirefleet_bundle.manifest")
errors = importlib.import_module("wirefleet_bundle.errors")

CACHE = Path(os.environ.get("WIREFLEET_BUNDLE_CACHE") or Path.home() / ".cache/wirefleet/bundle")

TINY_AGENT = """
import sys
from pathlib import Path

def main():
    words = sys.argv[1:]
    if "activate" in words:
        (Path(words[words.index("--root") + 1]) / "opt/wirefleet/current").symlink_to(Path("releases") / words[-1])
    print("{}")
    return 0
"""


def make_wheel(folder: Path, name: str, files: Mapping[str, str], *, version: str = "0.1.0", script: str = "") -> Path:
    """A wheel with a correct RECORD."""
    info = f"{name}-{version}.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if script:
        contents[f"{info}/entry_points.txt"] = f"[console_scripts]\n{script}\n"
    record = io.StringIO()
    for path, text in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record.write(f"{path},sha256={digest},{len(text.encode())}\n")
    record.write(f"{info}/RECORD,,\n")
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        for path, text in {**contents, f"{info}/RECORD": record.getvalue()}.items():
            packed.writestr(path, text)
    return wheel


def tiny_agent(folder: Path, code: str = TINY_AGENT) -> Path:
    files = {"wirefleet_agent/__init__.py": code, "wirefleet_agent/__main__.py": "from . import main\nmain()\n"}
    return make_wheel(folder, "wirefleet_agent", files, script="wirefleet-agent = wirefleet_agent:main")


def tool_wheel() -> Path:
    """PyPA's installer, from the builder's cache."""
    house = wheelhouse.Wheelhouse(CACHE, host.platform_tag(), (), BUNDLE_FOLDER / "constraints.txt")
    return house.tool()


def make_bundle(
    folder: Path,
    *,
    code: str = TINY_AGENT,
    platform: str | None = None,
    python: str | None = None,
    more: tuple[Path, ...] = (),
) -> Path:
    path = folder / "wirefleet-agent-0.1.0-test.pyz"
    parts = linux_bundle.LinuxParts(
        version="0.1.0",
        platform=platform or host.platform_tag(),
        inputs="inputs",
        agent_wheel=tiny_agent(folder, code),
        wheels={python or host.python_version(): more},
        tool=tool_wheel(),
    )
    linux_bundle.write_linux_bundle(path, BUNDLE_FOLDER / "pyz", parts)
    return path


def rewritten(bundle: Path, changes: Mapping[str, bytes | None], more: Mapping[str, bytes] | None = None) -> Path:
    """A copy with members replaced (None: left out) or added."""
    target = bundle.with_name(f"changed-{bundle.name}")
    with zipfile.ZipFile(bundle) as source, zipfile.ZipFile(target, "w") as packed:
        for name in source.namelist():
            content = changes.get(name, source.read(name))
            if content is not None:
                packed.writestr(name, content)
        for name, content in (more or {}).items():
            packed.writestr(name, content)
    return target


def run_bundle(bundle: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """With nothing of this environment but the path of the interpreter."""
    return subprocess.run(
        [sys.executable, "-I", str(bundle), *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": "/nonexistent"},
    )

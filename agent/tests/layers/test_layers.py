# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Imports go strictly down the floors of the house; rooms of one floor do not know each other; the core is sans-IO."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import wirefleet_agent

ROOT = Path(wirefleet_agent.__file__).parent
FLOORS = {
    "errors": 0, "drops": 0, "keys": 0,
    "wire": 1, "crypto": 1,
    "core": 2, "config": 2, "ha": 2,
    "dataplane": 3, "control": 3, "cluster": 3, "drivers": 3, "observe": 3,
    "engine": 4,
    "host": 5,
}  # fmt: skip
# Floor 0 is one room: errors.py names drops.py's reasons.
ONE_ROOM = {"errors", "drops", "keys"}
SANS_IO_ROOMS = ("wire", "crypto", "core", "config", "ha")
IO_MODULES = {"socket", "asyncio", "threading", "time", "os", "random", "logging", "ctypes", "selectors", "subprocess"}
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


def imported_names(path: Path, tree: ast.AST) -> Iterator[str]:
    """Dotted names that a module of ours imports, relative ones made absolute."""
    package = ["wirefleet_agent", *path.parent.parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            yield stem
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def room_of(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


def parsed(path: Path) -> ast.AST:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def test_every_room_of_the_house_has_a_floor() -> None:
    rooms = {room_of(path) for path in MODULES} - {"__init__", "__main__"}

    assert rooms <= FLOORS.keys()
    assert len(MODULES) > 20


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_go_strictly_down(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return

    for name in imported_names(path, parsed(path)):
        parts = name.split(".")
        if parts[0] != "wirefleet_agent" or len(parts) < 2 or parts[1] == room or parts[1] not in FLOORS:
            continue
        same_room = room in ONE_ROOM and parts[1] in ONE_ROOM
        assert same_room or FLOORS[parts[1]] < FLOORS[room], f"{path} (floor {FLOORS[room]}) imports {name}"


@pytest.mark.parametrize("path", [p for p in MODULES if room_of(p) in SANS_IO_ROOMS], ids=str)
def test_the_sans_io_rooms_import_nothing_that_does_io(path: Path) -> None:
    names = {name.split(".")[0] for name in imported_names(path, parsed(path))}

    assert not names & IO_MODULES


def test_the_test_sees_a_wrong_import() -> None:
    tree = ast.parse("from ..engine.loop import Loop\nimport time")

    assert {"wirefleet_agent.engine.loop", "time"} <= set(imported_names(Path("core/device.py"), tree))

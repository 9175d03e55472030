# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import importlib

import pytest
import support.bundles  # noqa: F401  # makes the installer's modules importable

names = importlib.import_module("wirefleet_bundle.names")


@pytest.mark.parametrize(
    "path", ["a", "a/b.c", "python311._pth", "Lib/_x/__init__.py", "a b/c+d", ".hidden", "console"]
)
def test_an_ordinary_path_is_safe(path):
    assert names.why_unsafe(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\\b", "C:", "C:/a", "a:b", "a\0b", "a\nb", "a?",
        "a*", 'a"', "a|b", "<a>", "a.", "a ", "a./b", "a /b", "con", "CON", "a/nul", "nul.txt", "Com1.dll", "lpt9/x",
        "aux .txt", "ä", "x" * 181,
    ],
)  # fmt: skip
def test_a_path_that_would_be_another_file_on_some_host_is_not(path):
    assert names.why_unsafe(path) is not None


def test_paths_collide_when_only_case_tells_them_apart():
    assert names.colliding(["a/b", "a/c", "d"]) is None
    assert names.colliding(["a/b", "A/B"]) == "A/B"
    assert names.colliding(["a/b/c", "A"]) == "a"
    assert names.colliding([]) is None

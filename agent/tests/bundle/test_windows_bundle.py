# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import zipfile

import pytest
from packaging.requirements import Requirement
from support.bundles import BUNDLE_FOLDER, CACHE, built_wheels, errors, make_wheel
from support.windows_bundles import make_windows_bundle, runtime_zip, windows_wheelhouse, wintun

LOCK = BUNDLE_FOLDER / "windows-requirements.txt"
PROJECT = tomllib.loads((BUNDLE_FOLDER.parent / "pyproject.toml").read_text())["project"]


def pins(path):
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", path.read_text(), re.MULTILINE))


def build(*words):
    command = [
        sys.executable,
        str(BUNDLE_FOLDER / "build_bundle.py"),
        "--json",
        "--cache",
        str(CACHE),
        *map(str, words),
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    return result.returncode, json.loads(result.stdout)


def test_every_package_for_windows_is_pinned_by_the_hash_of_each_file():
    blocks = re.split(r"\n(?=\S)", LOCK.read_text().strip())
    entries = [block for block in blocks if not block.startswith("#")]

    assert len(entries) == len(pins(LOCK)) >= 9
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)


def test_windows_gets_the_versions_that_linux_gets():
    linux = {
        windows_wheelhouse.normalized(name): version
        for name, version in pins(BUNDLE_FOLDER / "constraints.txt").items()
    }
    windows = pins(LOCK)

    assert {name: linux[name] for name in windows if name in linux} == {
        name: windows[name] for name in windows if name in linux
    }
    # Netlink; checksums of offloads that Windows lacks; what is built here for every platform.
    assert set(linux) - set(windows) == {"pyroute2", "numpy"} | built_wheels.source_only()


def test_what_the_agent_asks_for_on_windows_is_pinned_in_a_version_that_it_takes():
    windows, environment = pins(LOCK), {"sys_platform": "win32"}

    for line in built_wheels.published(PROJECT["dependencies"]):
        requirement = Requirement(line)
        is_needed = requirement.marker is None or requirement.marker.evaluate(environment)
        assert is_needed == (
            windows_wheelhouse.normalized(requirement.name) in windows_wheelhouse.needed_on_windows((line,))
        )
        assert not is_needed or windows[windows_wheelhouse.normalized(requirement.name)] in requirement.specifier


def test_a_requirement_that_is_not_pinned_is_told_before_anything_is_downloaded(tmp_path):
    with pytest.raises(errors.UsageError, match="something-new is not pinned"):
        windows_wheelhouse.WindowsWheelhouse(tmp_path, "win_amd64", ("Something.New>=1",), LOCK)
    with pytest.raises(errors.BundleError, match="cannot tell"):
        windows_wheelhouse.needed_on_windows(("x; python_version < '3.12'",))


def test_a_python_without_pinned_packages_is_refused(tmp_path):
    house = windows_wheelhouse.WindowsWheelhouse(tmp_path, "win_amd64", (), LOCK)

    with pytest.raises(errors.UsageError, match=r"3\.10"):
        house.wheels_for("3.10")


def test_another_wintun_than_the_pinned_one_is_refused(tmp_path):
    other = make_wheel(tmp_path, "pytun_pmd3", {"pytun_pmd3/wintun/bin/amd64/wintun.dll": "another library"})
    without = make_wheel(tmp_path, "empty", {})

    with pytest.raises(errors.BundleError, match="another file than the pinned one"):
        wintun.take_wintun(other, "win_amd64")
    with pytest.raises(errors.BundleError, match="there is no"):
        wintun.take_wintun(without, "win_amd64")


def test_the_manifest_lists_every_other_member_of_the_zip(tmp_path):
    with zipfile.ZipFile(make_windows_bundle(tmp_path)) as archive:
        names = archive.namelist()
        manifest = json.loads(archive.read("manifest.json"))

    assert sorted([*manifest["files"], "manifest.json"]) == sorted(names)
    assert {"install.pyz", "sbom.cdx.json", "runtime/python.exe", "payload/wintun.dll"} <= set(names)
    assert manifest["platform"] == "win_amd64"
    assert list(manifest["wheels"]) == ["3.11"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--platform", "win_amd64"], "the Windows Python runtime is not given"),
        (["--platform", "win_amd64", "--windows-python", "x.zip"], "the SHA-256 of the Windows Python runtime is not"),
        (["--platform", "win_arm64"], "cryptography"),
        (["--platform", "win32"], "not a platform"),
        (["--platform", "win_amd64", "--python-version", "3.11"], "the version of its runtime"),
    ],
)
def test_the_builder_refuses_what_it_cannot_build_and_says_why(tmp_path, words, message):
    code, reply = build("--output", tmp_path / "out", *words)

    assert (code, reply["error"]["code"]) == (2, "usage")
    assert message in reply["error"]["message"]
    assert not (tmp_path / "out").exists()


def test_check_says_what_would_be_built_and_builds_nothing(tmp_path):
    runtime, sha256 = runtime_zip(tmp_path)

    code, reply = build(
        "--check", "--output", tmp_path / "out", "--platform", "win_amd64", "--windows-python", runtime,
        "--windows-python-sha256", sha256,
    )  # fmt: skip

    path = tmp_path / "out" / f"wirefleet-agent-{PROJECT['version']}-win_amd64.zip"
    assert (code, reply) == (0, {"changed": True, "path": str(path)})
    assert not path.parent.exists()


@pytest.mark.slow
def test_the_real_windows_bundle_is_the_same_each_time_and_carries_no_linux(tmp_path):
    runtime, sha256 = runtime_zip(tmp_path)
    words = ["--platform", "win_amd64", "--windows-python", runtime, "--windows-python-sha256", sha256]

    (_, one), (_, two) = (build("--output", tmp_path / name, *words) for name in ("one", "two"))
    _, again = build("--output", tmp_path / "one", *words)

    assert (one["changed"], two["changed"], again["changed"]) == (True, True, False)
    bundles = [tmp_path / name / f"wirefleet-agent-{PROJECT['version']}-win_amd64.zip" for name in ("one", "two")]
    assert bundles[0].read_bytes() == bundles[1].read_bytes()
    with zipfile.ZipFile(bundles[0]) as archive:
        wheels = [name for name in archive.namelist() if name.endswith(".whl")]
    assert any("pywin32-" in name for name in wheels)
    assert not any("pyroute2" in name or "linux" in name or "pytun" in name for name in wheels)

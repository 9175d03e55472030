# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The installer's Windows half on this machine: files, order and refusals; the interpreter is ours."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from support.bundles import contents, errors, host
from support.windows_bundles import (
    TINY_AGENT,
    make_windows_bundle,
    release,
    release_windows,
    start_here,
    unpacked,
)

WINDOWS_HOST = host.Host("win_amd64", "3.11", None)
BUSY, GONE = 32, 2


class Waits(list):
    """Records pauses instead of making them."""

    def __call__(self, seconds):
        self.append(seconds)


class BusyPath:
    """A path whose first moves fail as they do while a scanner has the file open."""

    def __init__(self, failures, code):
        self.failures, self.code, self.moved_to = failures, code, None

    def rename(self, target):
        if self.failures:
            self.failures -= 1
            error = PermissionError(13, "in use")
            error.winerror = self.code
            raise error
        self.moved_to = target


@pytest.fixture(autouse=True)
def _same_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


@pytest.fixture
def installer(tmp_path):
    return unpacked(make_windows_bundle(tmp_path), tmp_path / "unpacked")


def install(program, root, *, check=False, on=WINDOWS_HOST):
    home = release_windows.WindowsReleases(root, wait=Waits(), start=start_here)
    return release.ReleaseInstaller(contents.Bundle(program), root, home, lambda line: None, on).install(check=check)


def another(tmp_path, number):
    folder = tmp_path / f"build-{number}"
    folder.mkdir()
    return unpacked(make_windows_bundle(folder, TINY_AGENT + f"# {number}\n"), folder / "unpacked")


def everything(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*")) if root.exists() else []


def test_a_release_is_the_runtime_with_the_packages_inside(installer, root):
    outcome = install(installer, root)

    assert (outcome.changed, outcome.version, outcome.activated) == (True, "0.1.0", True)
    home = root / "releases/0.1.0"
    files = [name for name in everything(home) if "__pycache__" not in name and (home / name).is_file()]
    assert [name for name in files if "/" not in name] == [
        "_ssl.pyd", "python.exe", "python311._pth", "python311.dll", "python311.zip", "pywintypes311.dll",
        "release.json", "sbom.cdx.json", "wintun-LICENSE.txt", "wintun.dll",
    ]  # fmt: skip
    assert "Lib/site-packages/wirefleet_agent/__init__.py" in files
    assert "Lib/site-packages/pywin32.pth" in files
    assert not (home / "Scripts").exists()
    assert not (home / "payload").exists()
    assert (root / "current").read_text().strip() == "0.1.0"


def test_the_search_path_names_the_packages_and_those_of_pywin32(installer, root):
    install(installer, root)

    assert (root / "releases/0.1.0/python311._pth").read_bytes().decode().split("\r\n") == [
        "python311.zip",
        ".",
        "Lib\\site-packages",
        "Lib\\site-packages\\win32",
        "Lib\\site-packages\\win32\\lib",
        "Lib\\site-packages\\pythonwin",
        "import site",
        "",
    ]
    assert release_windows._search_path(["Lib/os.py"], "311").startswith("Lib\nDLLs\n.\n")


def test_the_record_has_the_sum_that_the_agent_compares_wintun_with(installer, root):
    outcome = install(installer, root)

    record = json.loads((root / "releases/0.1.0/release.json").read_text())
    windows = contents.Bundle(installer).manifest.windows
    assert record == {
        "schema": 1,
        "version": "0.1.0",
        "digest": outcome.digest,
        "python": "3.11.9",
        "wintun_sha256": windows.wintun_sha256,
    }


def test_byte_code_is_there_for_what_the_trial_does_not_import(installer, root):
    install(installer, root)

    packages = root / "releases/0.1.0/Lib/site-packages"
    assert len(list(packages.glob("win32/lib/__pycache__/win32serviceutil.*.pyc"))) == 1
    assert len(list(packages.glob("wirefleet_agent/__pycache__/__main__.*.pyc"))) == 1


def test_a_second_installation_changes_nothing(installer, root):
    install(installer, root)
    before = everything(root)

    again = install(installer, root)

    assert (again.changed, again.activated) == (False, False)
    assert everything(root) == before


def test_check_mode_touches_nothing(installer, root):
    assert install(installer, root, check=True).changed is True
    assert not root.exists()


def test_another_build_of_the_version_gets_a_name_of_its_own_and_waits_to_be_activated(tmp_path, installer, root):
    install(installer, root)

    outcome = install(another(tmp_path, 1), root)

    assert (outcome.version, outcome.activated) == (f"0.1.0+{outcome.digest[:12]}", False)
    assert (root / "current").read_text().strip() == "0.1.0"


@pytest.mark.parametrize("pointer", [None, "", "0.0.9\r\n"])
def test_a_pointer_that_leads_nowhere_is_replaced(installer, root, pointer):
    install(installer, root)
    (root / "current").unlink()
    if pointer is not None:
        (root / "current").write_text(pointer)

    assert install(installer, root).activated is True
    assert (root / "current").read_text().strip() == "0.1.0"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("runtime/python311.zip", b"tampered library"),
        ("runtime/python.exe", b"MZ"),
        ("payload/wintun.dll", b"another library!"),
        ("payload/wintun.dll", None),
        ("install.pyz", b""),
        ("sbom.cdx.json", b"{}"),
        ("runtime/extra.dll", b"x"),
        ("runtime/sub/__pycache__x/extra.pyc", b"x"),
        ("payload/__pycache__/extra.pyc", b"x"),
        ("extra.txt", b"x"),
        ("manifest.json", b"{}"),
    ],
)
def test_whatever_differs_from_the_manifest_is_found_before_anything_is_touched(installer, root, name, content):
    path = installer.parent / name
    if content is None:
        path.unlink()
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    with pytest.raises(errors.InvalidBundle):
        install(installer, root)
    assert not root.exists()


def test_a_link_in_the_unpacked_bundle_is_refused(installer, root):
    dll = installer.parent / "payload/wintun.dll"
    dll.rename(installer.parent.parent / "elsewhere.dll")
    dll.symlink_to(installer.parent.parent / "elsewhere.dll")

    with pytest.raises(errors.InvalidBundle, match="link"):
        install(installer, root)


def test_byte_code_that_the_unpacked_runtime_made_for_itself_is_neither_damage_nor_installed(installer, root):
    cache = installer.parent / "runtime/__pycache__"
    cache.mkdir()
    (cache / "sitecustomize.cpython-311.pyc").write_bytes(b"byte code")

    install(installer, root)

    assert not (root / "releases/0.1.0/__pycache__").exists()


def test_an_agent_that_does_not_run_is_not_installed(tmp_path, root):
    program = unpacked(make_windows_bundle(tmp_path, "raise SystemExit('I am broken')\n"), tmp_path / "unpacked")

    with pytest.raises(errors.InstallFailed, match="I am broken"):
        install(program, root)
    assert everything(root) == ["releases", "releases/.install.lock"]


def test_what_the_dead_left_is_removed_and_a_broken_release_is_replaced(installer, root):
    install(installer, root)
    (root / "releases/0.1.0/release.json").unlink()
    (root / "releases/.staging-dead/Lib").mkdir(parents=True)

    assert install(installer, root).changed is True
    assert sorted(path.name for path in (root / "releases").iterdir()) == [".install.lock", "0.1.0"]


def test_old_releases_go_but_not_the_current_one_nor_one_in_use(tmp_path, installer, root, monkeypatch):
    made = [install(installer, root).version, *(install(another(tmp_path, n), root).version for n in range(5))]
    in_use, plain_rename = made[1], Path.rename

    def rename(path, target):
        if path.name == in_use:
            raise PermissionError(13, "a program of it runs")
        return plain_rename(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    made += [install(another(tmp_path, n), root).version for n in range(5, 7)]

    kept = {path.name for path in (root / "releases").iterdir()} - {".install.lock"}
    assert {made[0], in_use, made[-1]} <= kept
    assert (root / "releases" / in_use / "python.exe").is_file()
    assert len(kept) <= 7
    assert made[2] not in kept


def test_an_old_release_whose_program_runs_stays_whole_though_its_directory_could_be_renamed(tmp_path, installer, root):
    first = install(installer, root)
    old = install(another(tmp_path, 0), root)
    program = root / "releases" / old.version / "python.exe"
    shutil.copyfile(os.environ.get("COMSPEC") or shutil.which("cat"), program)
    program.chmod(0o755)
    with subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as running:
        for number in range(1, 8):
            install(another(tmp_path, number), root)
        running.communicate()

    kept = {path.name for path in (root / "releases").iterdir()} - {".install.lock"}
    assert {first.version, old.version} <= kept
    assert len(kept) <= 7


def test_a_move_that_a_scanner_holds_up_is_tried_again(tmp_path):
    waits, source = Waits(), BusyPath(failures=3, code=BUSY)

    release_windows.WindowsReleases(tmp_path, wait=waits).rename(source, Path("target"))

    assert source.moved_to == Path("target")
    assert waits == [0.1, 0.2, 0.4]


def test_a_move_is_not_tried_for_ever_nor_for_other_faults(tmp_path):
    waits = Waits()
    home = release_windows.WindowsReleases(tmp_path, wait=waits)

    with pytest.raises(PermissionError):
        home.rename(BusyPath(failures=99, code=BUSY), Path("target"))
    assert sum(waits) < 15
    with pytest.raises(PermissionError):
        home.rename(BusyPath(failures=1, code=GONE), Path("target"))


def test_a_second_installer_waits_for_the_first_and_gives_up_in_the_end(tmp_path, monkeypatch):
    (tmp_path / "releases").mkdir()
    answers = iter([False, False, True])
    monkeypatch.setattr(release_windows, "_lock", lambda descriptor: next(answers))
    waits = Waits()
    with release_windows.WindowsReleases(tmp_path, wait=waits).locked():
        assert waits == [0.5, 0.5]

    monkeypatch.setattr(release_windows, "_lock", lambda descriptor: False)
    with (
        pytest.raises(errors.InstallFailed, match="another installation"),
        release_windows.WindowsReleases(tmp_path, wait=Waits()).locked(),
    ):
        pytest.fail("nobody holds the lock twice")


@pytest.mark.parametrize(
    ("on", "message"),
    [
        (host.Host("linux_x86_64", "3.11", (2, 36)), "for win_amd64"),
        (host.Host("win_arm64", "3.11", None), "for win_amd64"),
        (host.Host("win_amd64", "3.13", None), "3.13"),
    ],
)
def test_a_bundle_for_another_host_is_refused(installer, root, on, message):
    with pytest.raises(errors.Refused, match=message):
        install(installer, root, on=on)
    assert not root.exists()


def test_a_root_too_deep_for_windows_is_refused(tmp_path):
    with pytest.raises(errors.Refused, match="too long"):
        release_windows.WindowsReleases(Path("/" + "x" * 101))


def test_the_archive_is_an_ordinary_zip_with_ordinary_files(tmp_path):
    bundle = make_windows_bundle(tmp_path)

    assert bundle.read_bytes()[:2] == b"PK"
    assert not stat.S_IMODE(bundle.stat().st_mode) & 0o111
    assert contents.Bundle(bundle).manifest.digest == contents.Bundle(unpacked(bundle, tmp_path / "u")).manifest.digest

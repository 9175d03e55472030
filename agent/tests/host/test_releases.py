# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from wirefleet_agent.errors import DriverError, RefusedError
from wirefleet_agent.host import private_files
from wirefleet_agent.host.paths import LINUX_LAYOUT, WINDOWS_LAYOUT, Paths
from wirefleet_agent.host.release_pointers import SHIM
from wirefleet_agent.host.releases import ReleaseStore


@pytest.fixture(
    params=[pytest.param(LINUX_LAYOUT, marks=pytest.mark.linux_only), WINDOWS_LAYOUT], ids=["links", "files"]
)
def paths(request, tmp_path):
    return Paths(tmp_path / "Program Files", request.param)


@pytest.fixture
def releases(paths):
    return ReleaseStore(paths)


def command_of(paths: Paths, home: Path) -> Path:
    return home / ("python.exe" if paths.layout is WINDOWS_LAYOUT else "bin/wirefleet-agent")


def install(paths: Paths, name: str, digest: str | None = None) -> Path:
    home = paths.release_dir / name
    command = command_of(paths, home)
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    (home / "release.json").write_text(json.dumps({"version": name, "digest": digest or name.encode().hex() * 8}))
    return home


def test_nothing_installed_is_an_empty_list(releases):
    listing = releases.list()

    assert (listing.current, listing.previous, listing.releases) == (None, None, ())


def test_activating_switches_the_pointer_and_remembers_the_previous(releases, paths):
    install(paths, "0.1.0")
    install(paths, "0.2.0")

    first = releases.activate("0.1.0")
    second = releases.activate("0.2.0")

    assert (first.changed, first.current, first.previous) == (True, "0.1.0", None)
    assert (second.changed, second.current, second.previous) == (True, "0.2.0", "0.1.0")
    listing = releases.list()
    assert (listing.current, listing.previous) == ("0.2.0", "0.1.0")
    assert [(release.version, release.active) for release in listing.releases] == [("0.1.0", False), ("0.2.0", True)]


def test_activating_the_current_release_changes_nothing(releases, paths):
    install(paths, "0.1.0")
    install(paths, "0.2.0")
    releases.activate("0.1.0")
    releases.activate("0.2.0")

    again = releases.activate("0.2.0")

    assert (again.changed, again.previous) == (False, "0.1.0")


def test_rollback_goes_back_and_forth(releases, paths):
    install(paths, "0.1.0")
    install(paths, "0.2.0")
    releases.activate("0.1.0")
    releases.activate("0.2.0")

    assert releases.rollback(check=True).current == "0.1.0"
    assert releases.list().current == "0.2.0"
    assert releases.rollback().current == "0.1.0"
    assert releases.rollback().current == "0.2.0"


def test_without_a_previous_release_a_rollback_is_refused(releases, paths):
    install(paths, "0.1.0")
    releases.activate("0.1.0")

    with pytest.raises(RefusedError, match="no previous release"):
        releases.rollback()


def test_a_removed_previous_release_cannot_be_rolled_back_to(releases, paths):
    old = install(paths, "0.1.0")
    install(paths, "0.2.0")
    releases.activate("0.1.0")
    releases.activate("0.2.0")
    command_of(paths, old).unlink()

    with pytest.raises(RefusedError, match="incomplete"):
        releases.rollback()
    assert releases.list().current == "0.2.0"


@pytest.mark.parametrize("name", ["9.9", "../..", "/etc", "", ".staging-1"])
def test_an_unknown_release_is_refused_with_the_known_ones(releases, paths, name):
    install(paths, "0.1.0")

    with pytest.raises(RefusedError, match="there is no release"):
        releases.activate(name)


@pytest.mark.parametrize("damage", ["record", "command", pytest.param("mode", marks=pytest.mark.linux_only)])
def test_a_broken_release_is_neither_listed_nor_activated(releases, paths, damage):
    home = install(paths, "0.1.0")
    if damage == "record":
        (home / "release.json").write_text("{")
    elif damage == "command":
        command_of(paths, home).unlink()
    else:
        command_of(paths, home).chmod(0o644)

    assert releases.list().releases == ()
    with pytest.raises(RefusedError, match="incomplete"):
        releases.activate("0.1.0")


def test_a_release_is_found_by_its_digest_too(releases, paths):
    install(paths, "0.1.0", "a" * 64)
    install(paths, "0.1.0+bbbbbbbbbbbb", "b" * 64)

    assert releases.activate("b" * 12).current == "0.1.0+bbbbbbbbbbbb"
    with pytest.raises(RefusedError):
        releases.activate("a" * 7)


def test_check_mode_switches_nothing(releases, paths):
    install(paths, "0.1.0")

    assert releases.activate("0.1.0", check=True).changed
    assert releases.list().current is None


def test_a_process_knows_the_release_it_runs_from(releases, paths):
    home = install(paths, "0.1.0")

    assert releases.running(home) == "0.1.0"
    assert releases.running(paths.root) is None


@pytest.mark.linux_only
def test_links_are_relative_so_that_the_tree_can_be_moved(tmp_path):
    paths = Paths(tmp_path, LINUX_LAYOUT)
    install(paths, "0.2.0")

    ReleaseStore(paths).activate("0.2.0")

    assert (tmp_path / "opt/wirefleet/current").readlink() == Path("releases/0.2.0")


@pytest.fixture
def windows(tmp_path):
    return Paths(tmp_path / "Program Files", WINDOWS_LAYOUT)


def test_on_windows_the_pointer_is_one_line_of_text_beside_a_batch_file(windows):
    install(windows, "0.2.0+0123456789ab")

    ReleaseStore(windows).activate("0.2.0+0123456789ab")

    assert (windows.root / "current").read_bytes() == b"0.2.0+0123456789ab\r\n"
    assert (windows.root / "wirefleet-agent.cmd").read_bytes() == SHIM
    names = {path.name for path in windows.root.iterdir()}
    assert names == {"current", "wirefleet-agent.cmd", "releases", "run"}


def test_the_batch_file_is_put_right_and_otherwise_left_alone(windows):
    for name in ("1", "2", "3"):
        install(windows, name)
    shim = windows.root / "wirefleet-agent.cmd"
    releases = ReleaseStore(windows)
    releases.activate("1")
    os.utime(shim, (1, 1))

    releases.activate("2")
    assert shim.stat().st_mtime == 1
    shim.write_bytes(b"echo gone\r\n")
    releases.activate("3")

    assert shim.read_bytes() == SHIM


@pytest.mark.parametrize("content", [b"", b"\r\n", b"..", b"..\\..", b"9.9\r\n", b"C:\\x", b"\xff\xfe", b"0" * 1000])
def test_a_pointer_that_leads_to_no_release_is_none(windows, content):
    install(windows, "0.1.0")
    (windows.root / "current").write_bytes(content)

    assert ReleaseStore(windows).list().current is None


def test_a_pointer_that_cannot_be_replaced_stays_and_leaves_nothing(windows, monkeypatch):
    install(windows, "0.1.0")
    install(windows, "0.2.0")
    releases = ReleaseStore(windows)
    releases.activate("0.1.0")

    def refuse(staged, path):
        raise PermissionError(13, "in use")

    monkeypatch.setattr(private_files.files, "replace", refuse)
    with pytest.raises(DriverError, match="in use"):
        releases.activate("0.2.0")

    assert releases.list().current == "0.1.0"
    assert not list(windows.root.glob(".*"))


@pytest.mark.windows_only
def test_the_batch_file_calls_the_current_release_with_its_words_and_its_exit_code(windows, tmp_path):
    """The program in the release's place prints its own path and words: a copy of cmd.exe does that."""
    for name in ("1", "2"):
        home = install(windows, name)
        (home / "python.exe").write_bytes(Path(os.environ["COMSPEC"]).read_bytes())
    shim = windows.root / "wirefleet-agent.cmd"
    ReleaseStore(windows).activate("1")
    ReleaseStore(windows).activate("2")
    # cmd.exe knows no -I: it starts as a shell, which reads from stdin and ends with the code that it is told.
    outcome = subprocess.run(
        [os.environ["COMSPEC"], "/c", str(shim)], input=b"exit 7\r\n", capture_output=True, timeout=60
    )

    assert outcome.returncode == 7


@pytest.mark.windows_only
def test_the_batch_file_is_safe_from_its_callers_shell(windows):
    """Delayed expansion would take the "!" away; another program's WF must not choose what runs."""
    root = windows.root.with_name("Program! Files")
    paths = Paths(root, WINDOWS_LAYOUT)
    home = install(paths, "1")
    (home / "python.exe").write_bytes(Path(os.environ["COMSPEC"]).read_bytes())
    ReleaseStore(paths).activate("1")
    command = [os.environ["COMSPEC"], "/v:on", "/c", str(root / "wirefleet-agent.cmd")]

    outcome = subprocess.run(command, input=b"exit 7\r\n", capture_output=True, timeout=60)
    (root / "current").unlink()
    without = subprocess.run(
        command, env=os.environ | {"WF": "1"}, input=b"exit 7\r\n", capture_output=True, timeout=60
    )

    assert (outcome.returncode, without.returncode) == (7, 1)

# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundle's own installer under Windows CPython in Wine, from the unpacked zip to a command that answers.

Not shown by Wine: sharing violations of a virus scanner, refusal to rename a directory in use, the volume's flush.
"""

from __future__ import annotations

import concurrent.futures
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from wirefleet_rehearsal.bundles import build_windows, changed_agent
from wirefleet_rehearsal.cache import CHECKOUT
from wirefleet_rehearsal.host import WineHost

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

ROOT = "C:\\Program Files\\WireFleet"
SHIM = f"{ROOT}\\wirefleet-agent.cmd"


class Site:
    """A host with the unpacked bundle on it."""

    def __init__(self, host: WineHost, bundle: Path) -> None:
        self.host = host
        self.root = host.drive_c / "Program Files/WireFleet"
        self.bundle = bundle

    def unpack(self, name: str, bundle: Path | None = None) -> Path:
        folder = self.root / "staging" / name
        with zipfile.ZipFile(bundle or self.bundle) as archive:
            archive.extractall(folder)
        return folder

    def install(self, folder: Path, *words: str, code: int = 0) -> dict[str, object]:
        place = f"{ROOT}\\staging\\{folder.name}"
        python, installer = f"{place}\\runtime\\python.exe", f"{place}\\install.pyz"
        done = self.host.execute(python, "-I", installer, "install", "--root", ROOT, "--json", *words)
        assert done.returncode == code, done.stdout + done.stderr
        reply: dict[str, object] = json.loads(done.stdout)
        return reply

    def agent(self, *words: str) -> str:
        done = self.host.execute("cmd.exe", "/d", "/c", SHIM, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def installed(self) -> dict[str, bytes]:
        """Everything but the staging directory."""
        files = (path for path in self.root.rglob("*") if path.is_file() and self.root / "staging" not in path.parents)
        return {str(path.relative_to(self.root)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WineHost]:
    host = WineHost("bundle", tmp_path_factory.mktemp("bundle-host"), None, cpu=0)
    try:
        host.build()
        host.boot()
        yield host
    finally:
        host.remove()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_windows(CHECKOUT / "agent", tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def site(booted: WineHost, bundle: Path) -> Site:
    return Site(booted, bundle)


@pytest.fixture(scope="module")
def first(site: Site) -> dict[str, object]:
    """The reply of the first installation on this host."""
    return site.install(site.unpack("first"))


def test_an_unpacked_bundle_installs_an_agent_that_answers_by_its_command(site, first):
    before = site.installed()
    second = site.install(site.root / "staging/first")

    assert (first["changed"], first["activated"]) == (True, True)
    assert (second["changed"], second["digest"]) == (False, first["digest"])
    assert site.installed() == before
    shutil.rmtree(site.root / "staging")
    assert site.agent("--version").startswith("wirefleet-agent ")
    assert "DAEMON" in json.loads(site.agent("--json", "graph"))["graph"]
    assert json.loads(site.agent("--json", "release", "list"))["current"] == first["version"]


def test_a_service_finds_all_of_pywin32_and_byte_code_in_its_release(site, first):
    program = (
        "import win32service, win32serviceutil, win32event, servicemanager, win32evtlogutil, pythoncom, pywintypes; "
        "import sys, wirefleet_agent.host.cli as cli; print(cli.__cached__); print(sys.flags.isolated)"
    )

    done = site.host.execute(f"{ROOT}\\releases\\{first['version']}\\python.exe", "-I", "-c", program)

    assert done.returncode == 0, done.stderr
    cached, isolated = done.stdout.split("\n")[:2]
    assert isolated.strip() == "1"
    assert (site.host.drive_c / cached.strip()[3:].replace("\\", "/")).is_file()


def test_a_damaged_member_is_refused_and_nothing_is_changed(site, first):
    before = site.installed()
    folder = site.unpack("damaged")
    dll = folder / "payload/wintun.dll"
    dll.write_bytes(dll.read_bytes()[:-1] + b"x")

    error = site.install(folder, code=3)["error"]

    assert error["code"] == "invalid_bundle"
    assert "payload/wintun.dll does not match" in error["message"]
    assert site.installed() == before


def test_a_release_that_does_not_run_leaves_the_host_as_it_was(site, first, tmp_path):
    before = site.installed()
    agent = changed_agent(tmp_path / "agent", _breaks_the_agent)

    error = site.install(site.unpack("broken", build_windows(agent, tmp_path / "bundles")), code=1)["error"]

    assert "I am broken" in error["message"]
    assert site.installed() == before


def test_two_installers_at_once_install_one_release_and_leave_the_current_one(site, first, tmp_path):
    agent = changed_agent(tmp_path / "agent", _says_more)
    folder = site.unpack("second", build_windows(agent, tmp_path / "bundles"))

    with concurrent.futures.ThreadPoolExecutor() as pool:
        replies = list(pool.map(lambda _: site.install(folder), range(2)))

    assert sorted(reply["changed"] for reply in replies) == [False, True]
    assert {reply["version"] for reply in replies} == {f"{first['version']}+{replies[0]['digest'][:12]}"}
    names = {path.name for path in (site.root / "releases").iterdir()}
    assert names == {".install.lock", first["version"], replies[0]["version"]}
    assert json.loads(site.agent("--json", "release", "list"))["current"] == first["version"]


def _says_more(copy: Path) -> None:
    main = copy / "src/wirefleet_agent/__main__.py"
    main.write_text(main.read_text(encoding="utf-8") + "# another build of the version\n", encoding="utf-8")


def _breaks_the_agent(copy: Path) -> None:
    (copy / "src/wirefleet_agent/__main__.py").write_text("raise SystemExit('I am broken')\n", encoding="utf-8")

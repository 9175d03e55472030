# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import json
from pathlib import Path

import pytest
from wirefleet_agent.errors import RefusedError
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.host.releases import ReleaseStore


@pytest.fixture
def releases(tmp_path):
    return ReleaseStore(Paths(tmp_path))


def install(root: Path, name: str, digest: str | None = None) -> Path:
    home = root / "opt/wirefleet/releases" / name
    (home / "bin").mkdir(parents=True)
    command = home / "bin/wirefleet-agent"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    (home / "release.json").write_text(json.dumps({"version": name, "digest": digest or name.encode().hex() * 8}))
    return home


def test_nothing_installed_is_an_empty_list(releases):
    listing = releases.list()

    assert (listing.current, listing.previous, listing.releases) == (None, None, ())


def test_activating_switches_the_link_and_remembers_the_previous(releases, tmp_path):
    install(tmp_path, "0.1.0")
    install(tmp_path, "0.2.0")

    first = releases.activate("0.1.0")
    second = releases.activate("0.2.0")

    assert (first.changed, first.current, first.previous) == (True, "0.1.0", None)
    assert (second.changed, second.current, second.previous) == (True, "0.2.0", "0.1.0")
    assert (tmp_path / "opt/wirefleet/current").readlink() == Path("releases/0.2.0")
    listing = releases.list()
    assert (listing.current, listing.previous) == ("0.2.0", "0.1.0")
    assert [(release.version, release.active) for release in listing.releases] == [("0.1.0", False), ("0.2.0", True)]


def test_activating_the_current_release_changes_nothing(releases, tmp_path):
    install(tmp_path, "0.1.0")
    install(tmp_path, "0.2.0")
    releases.activate("0.1.0")
    releases.activate("0.2.0")

    again = releases.activate("0.2.0")

    assert (again.changed, again.previous) == (False, "0.1.0")


def test_rollback_goes_back_and_forth(releases, tmp_path):
    install(tmp_path, "0.1.0")
    install(tmp_path, "0.2.0")
    releases.activate("0.1.0")
    releases.activate("0.2.0")

    assert releases.rollback(check=True).current == "0.1.0"
    assert releases.list().current == "0.2.0"
    assert releases.rollback().current == "0.1.0"
    assert releases.rollback().current == "0.2.0"


def test_without_a_previous_release_a_rollback_is_refused(releases, tmp_path):
    install(tmp_path, "0.1.0")
    releases.activate("0.1.0")

    with pytest.raises(RefusedError, match="no previous release"):
        releases.rollback()


def test_a_removed_previous_release_cannot_be_rolled_back_to(releases, tmp_path):
    old = install(tmp_path, "0.1.0")
    install(tmp_path, "0.2.0")
    releases.activate("0.1.0")
    releases.activate("0.2.0")
    (old / "bin/wirefleet-agent").unlink()

    with pytest.raises(RefusedError, match="incomplete"):
        releases.rollback()
    assert releases.list().current == "0.2.0"


@pytest.mark.parametrize("name", ["9.9", "../..", "/etc", "", ".staging-1"])
def test_an_unknown_release_is_refused_with_the_known_ones(releases, tmp_path, name):
    install(tmp_path, "0.1.0")

    with pytest.raises(RefusedError, match="there is no release"):
        releases.activate(name)


@pytest.mark.parametrize("damage", ["record", "command", "mode"])
def test_a_broken_release_is_neither_listed_nor_activated(releases, tmp_path, damage):
    home = install(tmp_path, "0.1.0")
    if damage == "record":
        (home / "release.json").write_text("{")
    elif damage == "command":
        (home / "bin/wirefleet-agent").unlink()
    else:
        (home / "bin/wirefleet-agent").chmod(0o644)

    assert releases.list().releases == ()
    with pytest.raises(RefusedError, match="incomplete"):
        releases.activate("0.1.0")


def test_a_release_is_found_by_its_digest_too(releases, tmp_path):
    install(tmp_path, "0.1.0", "a" * 64)
    install(tmp_path, "0.1.0+bbbbbbbbbbbb", "b" * 64)

    assert releases.activate("b" * 12).current == "0.1.0+bbbbbbbbbbbb"
    with pytest.raises(RefusedError):
        releases.activate("a" * 7)


def test_check_mode_switches_nothing(releases, tmp_path):
    install(tmp_path, "0.1.0")

    assert releases.activate("0.1.0", check=True).changed
    assert releases.list().current is None


def test_a_process_knows_the_release_it_runs_from(releases, tmp_path):
    home = install(tmp_path, "0.1.0")

    assert releases.running(home) == "0.1.0"
    assert releases.running(tmp_path) is None

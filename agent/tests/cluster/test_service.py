# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The whole service of three hubs on memory drivers, with a real cluster on loopback between them."""

from __future__ import annotations

import io
import json
import os
import sys

import pytest
from support.cluster_site import SPOKE, turning
from support.hubs import KEY, loopback_addresses, wait_for
from wirefleet_agent.errors import RefusedError
from wirefleet_agent.host import cli
from wirefleet_agent.observe import Logs


def test_drain_and_resume_reach_every_hubs_state(together):
    first, second, _ = together.hubs
    seen: list[bool] = []
    first.cluster.state.subscribe(lambda: seen.append(first.cluster.state.draining))

    together.change(first, op="drain")
    wait_for(lambda: together.turn() or second.cluster.state.view.drains)

    assert first.cluster.state.draining
    assert not second.cluster.state.draining
    assert second.ask("cluster.status")["drains"] == [str(first.key)]
    together.change(first, op="resume")
    wait_for(lambda: together.turn() or not second.cluster.state.view.drains)
    assert seen[-1] is False


def test_placement_and_epoch(together):
    first, second, third = together.hubs

    together.change(first, op="place", peer="spoke-9", hub="hub-2")
    together.change(second, op="advance", epoch=41)
    wait_for(lambda: together.turn() or third.cluster.state.epoch == 41)

    assert third.cluster.state.override_of(SPOKE) == second.key
    with pytest.raises(RefusedError, match="41 already"):
        together.change(third, op="advance", epoch=40)
    with pytest.raises(RefusedError, match="not a hub"):
        third.ask("cluster.propose", op="place", peer="spoke-9", hub=str(SPOKE))
    together.change(third, op="place", peer="spoke-9", hub="")
    wait_for(lambda: together.turn() or not first.cluster.state.view.overrides)


def test_a_hub_of_its_own_can_drain_alone_without_anybody(together):
    first, second, third = together.hubs
    together.stop(second, third)

    assert first.ask("cluster.drain_alone", is_on=True) == {"changed": True}

    assert first.cluster.state.draining
    assert first.ask("cluster.status")["is_draining_alone"]
    assert first.ask("cluster.drain_alone", is_on=True, check=True) == {"changed": False}


def test_the_majority_of_hubs_cannot_be_revoked(together):
    first = together.hubs[0]
    together.revoke(first, "hub-2")

    with pytest.raises(RefusedError, match="too few hubs"):
        together.revoke(first, "hub-3")


def test_without_a_key_the_tunnel_runs_and_the_cluster_says_why_it_does_not(site):
    first = site.hubs[0]
    site.start(first)

    site.apply(first, has_key=False)

    assert first.has_spoke()
    status = first.ask("cluster.status")
    assert status["state"] == "stopped"
    assert "no cluster key" in status["problem"]
    with pytest.raises(RefusedError, match="takes no part"):
        first.ask("cluster.propose", op="drain")
    assert site.apply(first)["changed"]  # the key alone
    wait_for(lambda: site.turn() or first.cluster.report.status)
    assert site.apply(first)["changed"] is False


def test_damaged_files_keep_a_hub_out_of_the_cluster_and_not_its_tunnel(together):
    first = together.hubs[0]
    together.revoke(first)
    together.stop(first)
    meta = first.host.paths.cluster_dir / "meta"
    meta.write_bytes(meta.read_bytes().replace(b"term", b"tern"))

    together.start(first)

    wait_for(lambda: together.turn() or first.cluster.report.problem)
    assert "damaged" in first.cluster.report.problem
    assert first.ask("cluster.status")["state"] == "stopped"
    assert together.change(together.hubs[1], op="advance", epoch=1)["changed"]


def test_a_file_of_somebody_else_in_the_place_of_the_log_is_not_read(together, tmp_path):
    first = together.hubs[0]
    together.stop(first)
    log = first.host.paths.cluster_dir / "log"
    log.rename(tmp_path / "elsewhere")
    log.symlink_to(tmp_path / "elsewhere")

    together.start(first)

    assert "not a" in first.cluster.problem or "regular file" in first.cluster.problem
    assert first.cluster.runner is None


def test_files_of_the_cluster_and_its_key_are_private(together):
    paths = together.hubs[0].host.paths
    together.revoke(together.hubs[0])

    assert {path.stat().st_mode & 0o777 for path in (paths.cluster_key, *paths.cluster_dir.iterdir())} == {0o600}
    assert paths.cluster_dir.stat().st_mode & 0o777 == 0o700


def test_the_cluster_key_is_in_no_reply_and_no_log(site, capsys):
    Logs().configure(level="debug")
    first = site.hubs[0]
    site.start(first)

    replies = [site.apply(first), first.ask("cluster.status"), first.service.status()]
    site.stop()

    said = json.dumps(replies, default=str) + "".join(capsys.readouterr())
    assert "cluster_started" in said
    assert KEY.reveal_base64() not in said
    assert {"op": "set_cluster_key", "target": "cluster"} in replies[0]["changes"]


def test_the_command_line_of_a_hub(together, monkeypatch, capsys):
    """The real verbs over the real control socket, the loops turned by a thread."""
    first = together.hubs[0]

    def call(*words: str) -> tuple[int, dict[str, object]]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        code = cli.main(["--root", str(first.host.root), "--json", *words])
        return code, json.loads(capsys.readouterr().out)

    with turning(together):
        assert call("peer", "revoke", "spoke-9", "--reason", "lost", "--check") == (0, {"changed": True})
        assert call("peer", "revoke", "spoke-9", "--reason", "lost") == (0, {"changed": True})
        assert call("peer", "revoke", str(SPOKE), "--reason", "lost") == (0, {"changed": False})
        assert call("peer", "restore", "spoke-9") == (0, {"changed": True})
        assert call("peer", "place", "spoke-9", "--hub", "hub-3") == (0, {"changed": True})
        assert call("peer", "place", "spoke-9", "--planned") == (0, {"changed": True})
        assert call("cluster", "epoch", "3") == (0, {"changed": True})
        assert call("drain") == (0, {"changed": True})
        assert call("drain", "--local") == (0, {"changed": True})
        assert call("resume") == (0, {"changed": True})
        code, status = call("cluster", "status")
        assert (code, status["epoch"], status["is_draining_alone"]) == (0, 3, False)
        code, reply = call("drain", "--wait")
        assert (code, reply["error"]["code"]) == (5, "refused")
        code, reply = call("peer", "revoke", "nobody", "--reason", "x")
        assert (code, reply["error"]["code"]) == (2, "usage")
        code, reply = call("cluster", "epoch", "2")
        assert (code, reply["error"]["code"]) == (5, "refused")
        first.cluster.count_spokes = iter([2, 2, 1, 0]).__next__
        code, reply = call("drain", "--wait")
        assert (code, reply["changed"], reply["spokes"]) == (0, True, 0)
    together.stop(*together.hubs[1:])
    wait_for(lambda: not together.is_writable())
    with turning(together):
        for words in (["drain"], ["peer", "restore", "spoke-9"], ["peer", "restore", "spoke-9", "--check"]):
            code, reply = call(*words)
            assert (code, reply["error"]["code"]) == (5, "no_quorum"), words
            assert "cluster status" in reply["error"]["hint"]
        code, status = call("cluster", "status")
        assert (code, status["is_writable"], status["epoch"]) == (0, False, 3)
        assert call("drain", "--local", "--check") == (0, {"changed": True})


def test_the_tests_hubs_have_addresses_of_their_own():
    assert len(set(loopback_addresses(3)) | set(loopback_addresses(3))) == 6
    assert os.name == "posix"

# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
import json

import pytest
from support.memory_host import FollowingRoutes, MemoryHost
from support.service import OTHER, PEER, apply, ask, conf, peer, refuse_to
from wirefleet_agent.core import Device
from wirefleet_agent.errors import DriverError, RefusedError, UsageError
from wirefleet_agent.host.control_server import ControlServer
from wirefleet_agent.host.keystore import KeyStore
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.keys import PublicKey
from wirefleet_agent.observe import Logs
from wirefleet_agent.wire.endpoint import Endpoint


@pytest.fixture
def host(tmp_path):
    host = MemoryHost(tmp_path)
    KeyStore(Paths(tmp_path)).ensure("wf0")
    yield host
    if host.container is not None:
        host.crash()


def test_a_service_without_a_configuration_has_no_interface(host):
    service = host.start()

    assert host.drivers.made == []
    assert service.status()["interface"] is None
    assert service.status()["running"] is True
    assert service.status()["configured"] is False


def test_a_service_without_a_configuration_shows_the_key_that_it_will_use(host, tmp_path):
    key = str(KeyStore(Paths(tmp_path)).show("wf0").public_key)
    service = host.start()

    assert service.status()["public_key"] == key


def test_a_service_without_a_key_has_a_status(tmp_path):
    host = MemoryHost(tmp_path)
    with host.running():
        assert ask(host, "status")["public_key"] is None


def test_the_status_says_whether_the_host_forwards(host):
    host.start()

    apply(host, conf(peer()))
    before = ask(host, "status")["interface"]["forwarding"]
    host.drivers.routes_made[-1].set_forwarding(True)

    assert (before, ask(host, "status")["interface"]["forwarding"]) == (False, True)


def test_the_first_configuration_makes_the_interface(host):
    host.start()

    reply = apply(host, conf(peer()))

    assert reply["changed"]
    assert reply["running"]
    status = ask(host, "status")
    assert status["interface"] == {
        "name": "wf0",
        "mtu_bytes": 1420,
        "is_up": True,
        "addresses": ["10.9.0.1/24"],
        "forwarding": False,
        "offloads": {"tun": [], "udp": []},
    }
    assert status["configured"] is True
    assert status["listen_port"] == 51820
    assert status["peers"][0]["endpoint"] == "192.0.2.2:51820"
    assert status["config_digest"] == reply["digest"]


def test_an_identical_configuration_changes_nothing(host):
    host.start()
    apply(host, conf(peer()))

    reply = apply(host, conf(peer()), confirm_timeout_s=30)

    assert not reply["changed"]
    assert not reply["pending"]
    assert reply["confirm_id"] is None
    assert reply["changes"] == []


def test_without_a_private_key_a_configuration_is_refused(tmp_path):
    host = MemoryHost(tmp_path)
    host.start()

    error = apply(host, conf(peer()))["error"]

    assert error["code"] == "refused"
    assert "key ensure" in error["hint"]
    host.crash()


def test_an_invalid_configuration_changes_nothing(host):
    host.start()
    before = apply(host, conf(peer()))

    error = apply(host, conf(peer(allowed="10.9.0.300/32")))["error"]

    assert error["code"] == "invalid_config"
    assert ask(host, "config.show")["digest"] == before["digest"]


def test_a_failing_interface_leaves_no_file_and_no_socket(host):
    host.start()
    host.drivers.fail_next = DriverError("no TUN here", call="open", os_code=errno.ENODEV)

    error = apply(host, conf(peer()))["error"]

    assert (error["code"], error["call"], error["os_code"]) == ("driver", "open", errno.ENODEV)
    assert ask(host, "config.show")["digest"] is None
    assert list(host.uapi.iterdir()) == []
    assert apply(host, conf(peer()))["changed"]


def test_a_change_that_the_system_refuses_leaves_files_and_tunnel_as_they_were(host, monkeypatch):
    host.start()
    before = apply(host, conf(peer()))
    routes = host.drivers.routes_made[-1]

    def refuse(address):
        raise DriverError("no", call="RTM_NEWADDR", os_code=errno.EPERM)

    monkeypatch.setattr(routes, "add_address", refuse)
    error = apply(host, conf(peer(), peer(OTHER, "192.0.2.3", "10.9.0.3/32"), address="10.9.0.7/24"))["error"]

    assert error["code"] == "driver"
    monkeypatch.undo()
    assert ask(host, "config.show")["digest"] == before["digest"]
    assert len(ask(host, "status")["peers"]) == 1


def test_what_cannot_be_applied_at_the_start_is_tried_again_with_growing_pauses(host):
    host.start()
    apply(host, conf(peer()))
    host.crash()
    taken = DriverError("Address already in use", call="bind", os_code=errno.EADDRINUSE)
    host.drivers.fail_next = taken
    host.start()
    assert ask(host, "status")["error"]["message"] == "Address already in use"
    host.drivers.fail_next = taken

    host.pass_s(1.1)
    assert ask(host, "status")["interface"] is None
    host.pass_s(1.1)
    assert ask(host, "status")["interface"] is None
    host.pass_s(1.0)

    assert ask(host, "status")["interface"]["is_up"]
    assert ask(host, "status")["error"] is None


def test_an_invalid_file_on_disk_does_not_keep_a_good_one_from_being_applied(host):
    host.start()
    apply(host, conf(peer()))
    host.crash()
    host.paths.conf.write_text("[Interface]\nnonsense\n")
    host.start()
    assert ask(host, "status")["error"]["code"] == "invalid_config"

    reply = apply(host, conf(peer()))

    assert reply["changed"]
    assert ask(host, "status")["error"] is None


def test_a_removed_interface_is_made_again(host):
    host.start()
    apply(host, conf(peer()))

    host.drivers.made[-1].set_link(is_removed=True)
    host.turn()
    assert ask(host, "status")["interface"] is None
    host.pass_s(1.1)

    assert len(host.drivers.made) == 2
    assert ask(host, "status")["interface"]["is_up"]


def test_stopping_takes_routes_addresses_and_sockets_away(host):
    service = host.start()
    apply(host, conf(peer(allowed="10.9.0.2/32, 10.77.0.0/16")))
    routes = host.drivers.routes_made[-1]
    assert routes.routes()

    service.stop()

    assert (routes.routes(), routes.addresses(), routes.is_up) == (set(), set(), False)
    assert list(host.uapi.iterdir()) == []
    assert not host.paths.socket.exists()


def test_what_wg_set_changed_is_put_right_by_the_next_apply(host):
    host.start()
    apply(host, conf(peer()))
    device: Device = host.live.tunnel.device
    device.add_peer(PublicKey.from_base64(OTHER), host.time.now_s)
    device.allowed_ips.remove_all(device.peers[PublicKey.from_base64(PEER)])

    apply(host, conf(peer()))

    assert [str(key) for key in device.peers] == [PEER]
    assert len(device.peers[PublicKey.from_base64(PEER)].allowed_ips) == 1


def test_a_rotated_key_is_live_at_once(host):
    host.start()
    apply(host, conf(peer()))
    before = str(host.live.tunnel.device.public_key)

    reply = ask(host, "key.rotate")

    assert reply["changed"]
    assert str(host.live.tunnel.device.public_key) == reply["public_key"] != before


def test_a_rotation_that_cannot_be_applied_keeps_the_old_key(host, monkeypatch):
    host.start()
    apply(host, conf(peer()))
    before = KeyStore(Paths(host.root)).private_key("wf0")

    def refuse(config):
        raise RefusedError("not now")

    monkeypatch.setattr(host.live, "switch_to", refuse)
    reply = ask(host, "key.rotate")

    assert reply["error"]["code"] == "refused"
    assert KeyStore(Paths(host.root)).private_key("wf0") == before


def test_health_names_the_peers_without_a_fresh_handshake(host):
    host.start()
    apply(host, conf(peer()))

    reply = ask(host, "health", {"peers": [PEER, OTHER]})

    assert reply["healthy"] is False
    assert [(row["public_key"], row["ok"]) for row in reply["peers"]] == [(PEER, False), (OTHER, False)]


def test_an_endpoint_that_is_a_name_is_resolved_without_blocking(host, monkeypatch):
    asked = []
    host.start()
    monkeypatch.setattr(
        "wirefleet_agent.engine.resolver.Resolver._ask", lambda self, key: asked.append(self._watched[key].name)
    )

    apply(host, conf(peer(host="hub.example")))

    assert [str(name) for name in asked] == ["hub.example:51820"]
    assert ask(host, "status")["peers"][0]["endpoint"] is None


def test_unknown_verbs_and_nonsense_are_answered_with_an_error(host):
    host.start()
    server = host.container.get(ControlServer)

    assert ask(host, "no.such")["error"]["code"] == "usage"
    assert json.loads(server.answer(b"[1]\n"))["error"]["code"] == "usage"
    assert json.loads(server.answer(b"\xff\n"))["error"]["code"] == "usage"
    assert ask(host, "config.apply", {"conf": 3})["error"]["path"] == "stdin: conf"


def test_a_mistake_of_ours_is_answered_without_its_details(host, monkeypatch):
    service = host.start()

    def fail(request):
        raise UsageError("x") from ValueError("secret")

    def crash(request):
        raise ValueError("secret")

    server = host.container.get(ControlServer)
    server.handlers |= {"fail": fail, "crash": crash}

    assert ask(host, "fail")["error"]["code"] == "usage"
    assert ask(host, "crash")["error"]["code"] == "internal"
    assert "secret" not in str(ask(host, "crash"))
    assert service.status()["running"]


def test_a_resolved_endpoint_reaches_the_peer(host, monkeypatch):
    monkeypatch.setattr("wirefleet_agent.engine.resolver.Resolver._ask", lambda self, key: None)
    host.start()
    apply(host, conf(peer(host="hub.example")))
    key = PublicKey.from_base64(PEER)

    host.live._resolved(key, Endpoint("192.0.2.9", 51820))
    host.live._resolved(PublicKey.from_base64(OTHER), Endpoint("192.0.2.8", 51820))

    assert ask(host, "status")["peers"][0]["endpoint"] == "192.0.2.9:51820"


def test_the_name_of_a_peer_that_does_not_answer_is_asked_for_again(host, monkeypatch):
    asked = []
    monkeypatch.setattr("wirefleet_agent.engine.resolver.Resolver._ask", lambda self, key: asked.append(key))
    host.start()
    apply(host, conf(peer(host="hub.example")))
    tunnel = host.live.tunnel
    key = PublicKey.from_base64(PEER)

    tunnel.on_unreachable(tunnel.device.peers[key])

    assert asked == [key, key]


def test_a_first_configuration_that_the_system_refuses_leaves_no_interface(host, monkeypatch):
    host.start()
    monkeypatch.setattr(FollowingRoutes, "add_address", refuse_to("RTM_NEWADDR"))

    error = apply(host, conf(peer()))["error"]

    assert error["call"] == "RTM_NEWADDR"
    assert ask(host, "status")["interface"] is None
    assert list(host.uapi.iterdir()) == []
    assert not host.paths.conf.exists()


def test_a_step_of_the_cleanup_that_fails_does_not_keep_the_rest(host, monkeypatch):
    service = host.start()
    apply(host, conf(peer(allowed="10.9.0.2/32, 10.77.0.0/16")))
    routes = host.drivers.routes_made[-1]
    monkeypatch.setattr(routes, "remove_route", refuse_to("RTM_DELROUTE"))

    service.stop()

    assert (routes.addresses(), routes.is_up) == (set(), False)
    assert list(host.uapi.iterdir()) == []


def test_files_that_cannot_be_put_in_place_bring_the_live_tunnel_back(host, monkeypatch):
    host.start()
    before = apply(host, conf(peer()))
    monkeypatch.setattr("wirefleet_agent.host.store.commit_staged", refuse_to("rename"))

    error = apply(host, conf(peer(), port=2000))["error"]

    assert error["call"] == "rename"
    assert ask(host, "status")["listen_port"] == 51820
    assert ask(host, "config.show")["digest"] == before["digest"]


def test_the_configured_log_level_is_used(host, monkeypatch):
    levels = []
    monkeypatch.setattr(Logs, "set_level", lambda self, level: levels.append(level))
    host.start()

    apply(host, conf(peer()), toml='schema = 1\n[logging]\nlevel = "debug"\n')

    assert levels == ["debug"]


def test_a_mistake_of_ours_leaves_no_interface_that_nobody_knows(host, monkeypatch):
    def fail(*_arguments):
        raise KeyError("a mistake")

    host.start()
    with monkeypatch.context() as patch:
        patch.setattr(FollowingRoutes, "add_address", fail)
        reply = apply(host, conf(peer()))

    assert reply["error"]["code"] == "internal"
    assert [tun.fileno() for tun in host.drivers.made] == [-1]
    assert apply(host, conf(peer()))["changed"]


def test_an_identical_configuration_brings_back_what_went_with_the_link(host):
    host.start()
    apply(host, conf(peer(allowed="10.9.0.2/32, 192.168.7.0/24")))
    routes = host.drivers.routes_made[-1]
    before = (routes.addresses(), routes.routes())
    for address in routes.addresses():
        routes.remove_address(address)
    for route in routes.routes():
        routes.remove_route(route)
    host.live.tunnel.set_listen_port(4242)

    reply = apply(host, conf(peer(allowed="10.9.0.2/32, 192.168.7.0/24")))

    assert not reply["changed"]
    assert (routes.addresses(), routes.routes()) == before
    assert len(before[1]) == 1
    assert ask(host, "status")["listen_port"] == 51820

# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import io
import ipaddress
import json
import logging
import os
from pathlib import Path

import pytest
import structlog
from wirefleet_agent.config.model import AgentOptions, HostPort, InterfaceConfig, PeerConfig, TunnelConfig
from wirefleet_agent.drops import DropReason
from wirefleet_agent.keys import PresharedKey, PrivateKey, PublicKey
from wirefleet_agent.observe import Counters, Logs, drop_counts, get_logger, is_secret_name, parse_log_level, redact

PRIVATE = PrivateKey(bytes(range(32)))
PRESHARED = PresharedKey(bytes(range(100, 132)))


@pytest.fixture
def output():
    yield io.StringIO()
    structlog.reset_defaults()
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if type(handler).__name__ != "_Forwarder"]


def a_config() -> TunnelConfig:
    peer = PeerConfig(
        PublicKey(bytes(range(50, 82))),
        preshared_key=PRESHARED,
        endpoint=HostPort("vpn.example", 51820),
        allowed_ips=(ipaddress.ip_network("10.86.0.0/24"),),
    )
    return TunnelConfig("wf0", InterfaceConfig(private_key=PRIVATE), (peer,), AgentOptions())


def all_spellings(secret) -> list[str]:
    return [secret.reveal_base64(), secret.reveal_hex(), repr(secret.reveal_bytes())[2:-1]]


def test_a_logged_configuration_shows_no_secret(output):
    Logs().configure(level="debug", stream=output)

    get_logger("host").info("config", config=a_config(), key=PRIVATE, nested=[{"deep": (PRESHARED,)}])
    get_logger("host").warning(f"config {a_config()!r} {a_config()}")

    text = output.getvalue()
    assert "vpn.example" in text
    assert not [s for secret in (PRIVATE, PRESHARED) for s in all_spellings(secret) if s in text]


def test_a_secret_that_became_text_is_hidden_by_its_name(output):
    Logs().configure(level="info", stream=output)
    secret = PRIVATE.reveal_base64()

    get_logger("host").info("oops", private_key=secret, psk=secret, request={"preshared_keys": {"peer": secret}})

    assert secret not in output.getvalue()


@pytest.mark.parametrize("line", ["PrivateKey = {}", "preshared_key={}", '"private_key": "{}"', "x PresharedKey={} y"])
def test_a_secret_inside_a_configuration_line_is_hidden(output, line):
    Logs().configure(level="info", stream=output)
    secret = PRIVATE.reveal_base64()

    get_logger("host").info("text", conf="[Interface]\n" + line.format(secret))

    assert secret not in output.getvalue()
    assert "(redacted)" in output.getvalue()


def test_an_exception_is_logged_without_the_secret_in_its_message(output):
    Logs().configure(level="info", stream=output)
    try:
        raise ValueError(f"PrivateKey = {PRIVATE.reveal_base64()}")
    except ValueError:
        get_logger("host").exception("failed")

    assert PRIVATE.reveal_base64() not in output.getvalue()
    assert "ValueError" in output.getvalue()


def test_every_line_is_one_json_object_that_starts_with_time_level_and_event(output):
    Logs().configure(level="info", stream=output)

    get_logger("engine").info("peer_added", public_key="abc", count=2)

    line = json.loads(output.getvalue())
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert line["timestamp"].endswith("Z")
    assert (line["level"], line["event"], line["room"], line["count"]) == ("info", "peer_added", "engine", 2)


def test_lines_below_the_level_are_not_written(output):
    Logs().configure(level="warning", stream=output)

    get_logger("host").info("quiet")
    get_logger("host").error("loud")

    assert [json.loads(line)["event"] for line in output.getvalue().splitlines()] == ["loud"]


def test_silent_writes_nothing_at_all(output):
    Logs().configure(level="silent", stream=output)

    get_logger("host").critical("loud")

    assert output.getvalue() == ""


def test_the_level_can_change_while_running(output):
    logs = Logs()
    logger = get_logger("host")
    logs.configure(level="error", stream=output)
    logger.info("before")

    logs.configure(level="debug", stream=output)
    logger.debug("after")

    assert [json.loads(line)["event"] for line in output.getvalue().splitlines()] == ["after"]


def test_an_unknown_level_is_refused_with_the_list():
    with pytest.raises(ValueError, match=r"debug.*silent.*'loud'"):
        parse_log_level("loud")


def test_warnings_of_libraries_become_lines_of_ours(output):
    Logs().configure(level="info", stream=output)

    logging.getLogger("pyroute2").warning("netlink said %s", "no")
    logging.getLogger("pyroute2").info("chatter")

    [line] = map(json.loads, output.getvalue().splitlines())
    assert (line["event"], line["library"], line["message"]) == ("library_message", "pyroute2", "netlink said no")


@pytest.mark.linux_only
def test_a_rotated_file_is_followed(output, tmp_path):
    path = tmp_path / "wf0.log"
    logs = Logs()
    logs.configure(level="info", path=path)
    get_logger("host").info("first")
    path.rename(tmp_path / "wf0.log.1")

    logs.reopen()
    get_logger("host").info("second")

    assert json.loads((tmp_path / "wf0.log.1").read_text())["event"] == "first"
    assert json.loads(path.read_text())["event"] == "second"
    assert oct(path.stat().st_mode & 0o777) == "0o600"


@pytest.mark.linux_only
def test_a_log_file_is_never_a_symbolic_link(tmp_path):
    os.symlink(tmp_path / "elsewhere", tmp_path / "wf0.log")

    with pytest.raises(OSError):
        Logs().configure(level="info", path=tmp_path / "wf0.log")


@pytest.mark.parametrize(
    "name", ["private_key", "PrivateKey", "preshared_keys", "psk", "password", "confirm_id", "apiToken"]
)
def test_secret_names_are_known_in_every_spelling(name):
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["public_key", "key_id", "peer", "allowed_ips", "is_up"])
def test_ordinary_names_are_not_secret(name):
    assert not is_secret_name(name)


def test_redaction_keeps_plain_values_and_bounds_depth():
    loop: list[object] = []
    loop.append(loop)

    assert redact({"a": [1, 2.5, None, True, "x"], "b": b"1234"}) == {"a": [1, 2.5, None, True, "x"], "b": "(4 bytes)"}
    assert "..." in str(redact(loop))


def test_counters_grow_and_are_read_as_a_copy():
    counters = Counters()
    counters.add("config_applied")
    counters.add("bytes", 5)

    snapshot = counters.snapshot()
    counters.add("config_applied")

    assert snapshot == {"bytes": 5, "config_applied": 1}
    with pytest.raises(ValueError):
        counters.add("bytes", -1)


def test_drops_are_shown_by_name_and_only_if_they_happened():
    assert drop_counts({DropReason.BAD_TAG: 2, DropReason.REPLAYED: 0}) == {"bad_tag": 2}


def test_the_operators_level_goes_before_the_configurations(output):
    logs = Logs()
    logs.configure(level="error", is_level_fixed=True, stream=output)

    logs.set_level("debug")
    get_logger("host").info("quiet")

    assert output.getvalue() == ""
    logs.configure(level="error", stream=output)
    logs.set_level("debug")
    get_logger("host").info("loud")
    assert "loud" in output.getvalue()


def test_a_full_disk_costs_lines_and_not_the_service(output):
    logs = Logs()
    logs.configure(level="info", path=Path("/dev/full"))

    get_logger("host").error("nowhere_to_go")
    logs.set_level("debug")
    get_logger("host").debug("nowhere_either")
    logs.configure(level="info", stream=output)

    get_logger("host").info("back_again")
    assert "back_again" in output.getvalue()


def test_a_reader_of_the_log_that_has_gone_costs_lines_and_not_the_service(output):
    reader, writer = os.pipe()
    os.close(reader)
    with io.FileIO(writer, "w") as raw:
        Logs().configure(level="info", stream=io.TextIOWrapper(raw, write_through=True))

        get_logger("host").error("nobody_listens")
        Logs().configure(level="info", stream=output)

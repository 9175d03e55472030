# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""<tunnel>.conf: what is read, and what is refused in which words."""

from __future__ import annotations

import ipaddress
import re

import pytest
from support.configs import FULL_CONF, SECRETS, full_config, prefixes, private_key, public_key
from wirefleet_agent.config import ConfigErrors, HostPort, parse
from wirefleet_agent.config.problems import MAX_ERRORS
from wirefleet_agent.crypto import public_key_of
from wirefleet_agent.errors import ConfigError

PEER = f"[Peer]\nPublicKey = {public_key('a')}\n"
OTHER_PEER = f"[Peer]\nPublicKey = {public_key('b')}\n"


def errors_of(conf: str, toml: str = "", **settings: object) -> tuple[ConfigError, ...]:
    with pytest.raises(ConfigErrors) as caught:
        parse(conf, toml, name="wf0", **settings)  # type: ignore[arg-type]
    return caught.value.errors


def error_of(conf: str) -> ConfigError:
    (error,) = errors_of(conf)
    return error


def test_the_whole_vocabulary_is_read() -> None:
    config = full_config()

    interface = config.interface
    assert interface.private_key == private_key("hub")
    assert interface.listen_port == 51820
    assert interface.fwmark == 0xCA6C
    assert [str(address) for address in interface.addresses] == ["10.86.0.1/24", "fd86::1/64", "10.87.0.1/32"]
    assert interface.dns_servers == ("10.86.0.53", "fd86::53")
    assert interface.dns_search == ("example.net",)
    assert interface.mtu_bytes == 1400
    assert interface.table == 1234
    spoke, hub = config.peers
    assert spoke.public_key == public_key("spoke")
    assert spoke.preshared_key is not None
    assert spoke.endpoint == HostPort("2001:db8::2", 51820)
    assert spoke.allowed_ips == prefixes("10.86.0.2/32", "fd86::2/128", "192.168.7.0/24")
    assert spoke.persistent_keepalive_s == 25
    assert hub.endpoint == HostPort("hub-2.example.net", 51821)
    assert hub.allowed_ips == ()


def test_an_interface_alone_has_the_defaults() -> None:
    config = parse("[Interface]", name="wf0")

    assert config.interface.private_key is None
    assert config.interface.listen_port == 0
    assert config.interface.mtu_bytes == 1420
    assert config.interface.table == "auto"
    assert config.peers == ()


@pytest.mark.parametrize(
    "text",
    [
        re.sub(r"(?m)^(\[?\w+)", lambda found: found[1].upper(), FULL_CONF),
        FULL_CONF.replace("\n", "\r\n"),
        "\ufeff" + FULL_CONF,
        FULL_CONF.replace(" = ", "="),
        FULL_CONF.replace(" = ", "\t=\t").replace("[Peer]", "  [ peer ]  # comment"),
    ],
    ids=["upper case", "windows line ends", "byte order mark", "no spaces", "tabs and comments"],
)
def test_case_line_ends_and_spacing_do_not_matter(text: str) -> None:
    assert parse(text, name="wf0") == parse(FULL_CONF, name="wf0")


def test_off_and_hexadecimal_are_understood() -> None:
    text = f"[Interface]\nFwMark = off\nTable = off\n{PEER}PersistentKeepalive = OFF\n"

    config = parse(text, name="wf0")

    assert config.interface.fwmark == 0
    assert config.interface.table == "off"
    assert config.peers[0].persistent_keepalive_s == 0
    assert parse("[Interface]\nFwMark = 51820\nTable = main", name="wf0").interface.fwmark == 51820
    assert parse("[Interface]\nFwMark = 51820\nTable = Main", name="wf0").interface.table == 254
    assert parse("[Interface]\nTable = AUTO", name="wf0").interface.table == "auto"


def test_addresses_without_a_length_are_single_hosts() -> None:
    config = parse(f"[Interface]\nAddress = 10.0.0.1, fd00::1\n{PEER}AllowedIPs = 10.0.0.2, fd00::2\n", name="wf0")

    assert config.interface.addresses == (ipaddress.ip_interface("10.0.0.1/32"), ipaddress.ip_interface("fd00::1/128"))
    assert config.peers[0].allowed_ips == prefixes("10.0.0.2/32", "fd00::2/128")


def test_host_bits_of_allowed_ips_are_masked() -> None:  # checklist 38
    config = parse(f"[Interface]\n{PEER}AllowedIPs = 10.1.2.3/8, fd00::1/16\n", name="wf0")

    assert config.peers[0].allowed_ips == prefixes("10.0.0.0/8", "fd00::/16")


def test_what_is_listed_twice_in_one_place_is_there_once() -> None:
    text = (
        f"[Interface]\nAddress = 10.0.0.1/24, 10.0.0.1/24\nDNS = 1.1.1.1, 1.1.1.1\n{PEER}AllowedIPs = 10.1.0.0/16\n"
        "AllowedIPs = 10.1.0.5/16\nAllowedIPs =\n"
    )

    config = parse(text, name="wf0")

    assert len(config.interface.addresses) == len(config.interface.dns_servers) == 1
    assert config.peers[0].allowed_ips == prefixes("10.1.0.0/16")


def test_a_preshared_key_of_zeros_means_none() -> None:  # checklist 3
    config = parse(f"[Interface]\n{PEER}PresharedKey = {'A' * 43}=\n", name="wf0")

    assert config.peers[0].preshared_key is None


@pytest.mark.parametrize("key", ["PreUp", "PostUp", "PreDown", "PostDown", "postup"])
def test_commands_are_refused_with_the_reason(key: str) -> None:
    error = error_of(f"[Interface]\n{key} = iptables -A FORWARD\n")

    assert "runs no commands" in error.message
    assert error.hint == "remove the line"
    assert error.path is not None
    assert error.path.startswith("wf0.conf:2 [Interface] P")


def test_save_config_is_refused() -> None:
    assert "never writes" in error_of("[Interface]\nSaveConfig = true\n").message


def test_every_error_of_both_files_is_collected_in_the_order_of_lines() -> None:
    conf = f"[Interface]\nMTU = 1000\nAddress = fd00::1/64\nListenPort = 70000\nNonsense\n{PEER}Endpoint = x\n[Peer]\n"

    errors = errors_of(conf, "schema = 1\n[host]\nrole = 'boss'\n")

    assert [error.path for error in errors] == [
        "wf0.conf:2 [Interface] MTU",
        "wf0.conf:4 [Interface] ListenPort",
        "wf0.conf:5 [Interface]",
        "wf0.conf:8 [Peer] Endpoint",
        "wf0.conf:9 [Peer]",
        "wf0.toml:3 [host] role",
    ]
    assert all(error.hint or "number" in error.message for error in errors)


def test_the_collected_error_is_a_config_error_that_speaks_for_the_first() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("[Interface]\nMTU = 1\nFwMark = x\n", name="wf0")

    error = caught.value
    assert error.exit_code == 3
    assert error.as_dict()["path"] == "wf0.conf:2 [Interface] MTU"
    assert "(and 1 more)" in error.message
    assert str(error).count("\n") == 1


def test_many_errors_are_shown_shortly_and_reading_stops_in_the_end() -> None:
    with pytest.raises(ConfigErrors) as caught:
        parse("[Interface]\n" + "?\n" * 100_000, name="wf0")

    assert len(caught.value.errors) == MAX_ERRORS
    assert str(caught.value).endswith(f"and {MAX_ERRORS - 20} more")


@pytest.mark.parametrize(
    ("conf", "message", "hint"),
    [
        ("", "no [Interface]", "begins with [Interface]"),
        ("Address = 10.0.0.1\n[Interface]", "before the first section", "begins with"),
        ("[Interface]\n[Interface]", "second [Interface]", "join"),
        ("[Interface]\n[Pear]", "unknown section 'Pear'", "did you mean Peer?"),
        ("[Interface]\n[Zzz]\nx = 1", "unknown section", "known here: Interface, Peer"),
        ("[Interface]\n[Peer", "unknown section", "known here"),
        ("[Interface]\nAdress = 10.0.0.1", "unknown key 'Adress'", "did you mean Address?"),
        ("[Interface]\nColour = red", "unknown key", "known here: PrivateKey, ListenPort"),
        ("[Interface]\nEndpoint = x", "Endpoint belongs to [Peer]", "move the line"),
        ("[Interface]\nMTU 1420", "not a Key = value line", "not continued"),
        ("[Interface]\nDNS = ", "DNS has no value", "remove the line"),
        ("[Interface]\nMTU = 1400\nMTU = 1400", "stands here and in line 2", "keep one"),
        ("[Interface]\nAddress = 10.0.0.1/24,,10.0.0.2/24", "an empty entry", "comma"),
        ("[Interface]\nAddress = 10.0.0.1/33", "an address is ADDRESS/LENGTH", None),
        ("[Interface]\nAddress = 10.0.0.1/255.0.0.0", "number of bits", "10.0.0.0/8"),
        ("[Interface]\nAddress = fe80::1%eth0/64", "no scope is possible", None),
        ("[Interface]\nListenPort = -1", "a port is a number from 0 to 65535", None),
        ("[Interface]\nListenPort = ٣", "a port is a number", None),
        ("[Interface]\nMTU = 575", "an MTU is a number from 576 to 65535", None),
        ("[Interface]\nMTU = 1279\nAddress = fd00::1/64", "too small for the IPv6", "at least 1280"),
        ("[Interface]\nFwMark = 0x1ffffffff", "at most 32 bits", None),
        ("[Interface]\nFwMark = 0xg", "at most 32 bits", None),
        ("[Interface]\nFwMark = 4294967296", "a firewall mark", None),
        ("[Interface]\nTable = 0", "a routing table", None),
        ("[Interface]\nDNS = 1.2.3", "a DNS server is an IP address", None),
        ("[Interface]\nDNS = bad_domain-.net", "DNS lists", None),
        ("[Interface]\nPrivateKey = short", "a private key is 44 base64", "wg genkey"),
        (f"[Interface]\nPrivateKey = {'A' * 43}=", "private key of zeros", "wg genkey"),
        ("[Interface]\nMTU = 14\x0020", "a control character", "plain text"),
        ("[Interface]\n# in a comment \x00", "a control character", "plain text"),
        ("[Interface]\n[Peer]", "without a PublicKey", "add its PublicKey"),
        ("[Interface]\n[Peer]\nPublicKey = x", "a public key is 44 base64", "wg genkey"),
        (f"[Interface]\n[Peer]\nPublicKey = {'A' * 43}=", "public key of zeros", "wg genkey"),
        (f"[Interface]\n{PEER}PresharedKey = x", "a preshared key is 44", "wg genpsk"),
        (f"[Interface]\n{PEER}Endpoint = hub.example.net", "HOST:PORT", "add the port"),
        (f"[Interface]\n{PEER}Endpoint = :51820", "HOST:PORT", "add the port"),
        (f"[Interface]\n{PEER}Endpoint = 2001:db8::1:51820", "in brackets", "[2001:db8::1]:51820"),
        (f"[Interface]\n{PEER}Endpoint = [192.0.2.1]:51820", "is no IPv6 address", None),
        (f"[Interface]\n{PEER}Endpoint = [fe80::1%a b]:51820", "a scope is", None),
        (f"[Interface]\n{PEER}Endpoint = 192.0.2.256:51820", "is no IPv4 address", None),
        (f"[Interface]\n{PEER}Endpoint = hüb.example:51820", "is no host name", "punycode"),
        (f"[Interface]\n{PEER}Endpoint = hub:0", "the port of an endpoint", None),
        (f"[Interface]\n{PEER}AllowedIPs = 10.0.0.0/08", "number of bits", "10.0.0.0/8"),
        (f"[Interface]\n{PEER}AllowedIPs = ten", "an allowed IP is", None),
        (f"[Interface]\n{PEER}PersistentKeepalive = 65536", "keepalive interval", None),
        (f"[Interface]\n{PEER}{PEER}", "stands here and in line 3", "join the two sections"),
        (
            f"[Interface]\n{PEER}AllowedIPs = 10.0.0.1/8\n{OTHER_PEER}AllowedIPs = 10.0.0.0/8",
            "10.0.0.0/8 belongs to another peer, in line 4",
            "one owner",
        ),
    ],
)
def test_what_is_wrong_is_named_with_a_hint(conf: str, message: str, hint: str | None) -> None:
    error = error_of(conf)

    assert message in error.message
    assert error.path is not None
    assert error.path.startswith("wf0.conf")
    if hint:
        assert hint in (error.hint or "")


def test_a_link_local_endpoint_keeps_its_scope() -> None:
    config = parse(f"[Interface]\n{PEER}Endpoint = [fe80::0:1%eth0]:51820", name="wf0")

    assert config.peers[0].endpoint == HostPort("fe80::1%eth0", 51820)


def test_the_own_key_as_a_peer_is_refused_wherever_the_own_key_comes_from() -> None:
    own = private_key("hub")
    peer = f"[Peer]\nPublicKey = {public_key_of(own)}\n"

    inline = error_of(f"[Interface]\nPrivateKey = {own.reveal_base64()}\n{peer}")
    (from_store,) = errors_of(f"[Interface]\n{peer}", own_public_key=public_key_of(own))

    assert inline.path == "wf0.conf:4 [Peer] PublicKey"
    assert from_store.message == inline.message == "the host's own public key is listed as a peer"


@pytest.mark.parametrize("name", ["", "33-letters-are-too-many-anywhere-", "a/b", "..", ".", "wf 0", "wf0\n"])
def test_a_bad_tunnel_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigErrors, match="not a tunnel name"):
        parse("[Interface]", name=name)


def test_files_are_called_as_the_caller_calls_them() -> None:
    (conf, toml) = errors_of("", "x", conf_path="/etc/wf0.conf", toml_path="/etc/wf0.toml")

    assert conf.path == "/etc/wf0.conf"
    assert (toml.path or "").startswith("/etc/wf0.toml")


def test_an_overlong_text_is_refused_unread() -> None:
    error = error_of("#" * (16 * 1024 * 1024 + 1))

    assert error.message == "the file is too long"


def test_too_many_peers_are_refused() -> None:
    text = "[Interface]\n" + "".join(f"[Peer]\nPublicKey={public_key(str(number))}\n" for number in range(65537))

    assert "65537 peers" in error_of(text).message


def test_ten_thousand_peers_with_thirteen_prefixes_each_are_read() -> None:
    lines = ["[Interface]"]
    for number in range(10_000):
        nets = ", ".join(f"10.{number >> 8}.{number & 255}.{index * 16}/28" for index in range(13))
        lines.append(f"[Peer]\nPublicKey = {public_key(str(number))}\nAllowedIPs = {nets}")

    config = parse("\n".join(lines), name="wf0")

    assert sum(len(peer.allowed_ips) for peer in config.peers) == 130_000


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_the_wrong_place_is_never_quoted(secret: str) -> None:
    places = ["{}", "ListenPort = {}", "{} = 1", "Address = {}", "DNS = {}", "[{}]", "Private_Key {}", "MTU = {}"]
    peer_places = ["PublicKey = x{}", "Endpoint = {}", "Endpoint = {}:1", "Endpoint = [{}]:1", "AllowedIPs = {}/8"]
    text = "[Interface]\n" + "\n".join(places) + "\n[Peer]\n" + "\n".join(peer_places)

    with pytest.raises(ConfigErrors) as caught:
        parse(text.replace("{}", secret), name="wf0")

    shown = [str(error) + repr(error.as_dict()) for error in caught.value.errors]
    assert len(shown) >= 10
    assert not any(secret[:16] in text for text in shown)

# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Two texts -> one validated TunnelConfig, or all that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..crypto import public_key_of
from ..errors import ConfigError
from ..keys import PresharedKey, PrivateKey, PublicKey
from .conf_syntax import ConfFile, read_conf
from .model import PeerConfig, TunnelConfig
from .names import LINUX_NAME_HINT, WINDOWS_NAME_HINT, is_tunnel_name
from .problems import ConfigErrors, Problems, TooManyProblems
from .redundancy_syntax import check_redundancy
from .site_syntax import check_sites
from .toml_cluster import check_cluster
from .toml_reader import TomlReader
from .toml_syntax import read_toml

MAX_TEXT_CHARACTERS = 16 * 1024 * 1024
_SELF = "the host's own public key is listed as a peer"
_SELF_HINT = "a host is not its own peer: remove the section"


def parse(
    conf_text: str,
    toml_text: str = "",
    *,
    name: str,
    conf_path: str | None = None,
    toml_path: str | None = None,
    own_public_key: PublicKey | None = None,
) -> TunnelConfig:
    """Read ``<name>.conf`` and ``<name>.toml`` and validate them as a whole.

    conf_path, toml_path: how errors call the files (default: ``<name>.conf``, ``<name>.toml``). own_public_key: for a
    key that lies in the host's key store. Raises ConfigErrors with every problem of both texts.
    """
    conf_problems = Problems(conf_path or f"{name}.conf")
    toml_problems = Problems(toml_path or f"{name}.toml")
    if not is_tunnel_name(name):
        hint = f"Linux: {LINUX_NAME_HINT}. Windows: {WINDOWS_NAME_HINT}"
        conf_problems.add("not a tunnel name", key="", hint=hint)
    config = TunnelConfig(name)
    try:
        if _fits(conf_text, conf_problems):
            conf = read_conf(conf_text, conf_problems)
            own = conf.interface.private_key
            own_public_key = own_public_key if own is None else public_key_of(own)
            _refuse_self(conf, own_public_key, conf_problems)
            config = replace(config, interface=conf.interface, peers=conf.peers)
        if _fits(toml_text, toml_problems):
            toml = read_toml(toml_text, toml_problems)
            peers = tuple(_named(peer, toml.names) for peer in config.peers)
            config = replace(config, options=toml.options, peers=peers)
            if not conf_problems.errors and not toml_problems.errors:
                reader = TomlReader(toml.places, toml_problems)
                check_redundancy(config, reader)
                check_sites(config, reader)
            if toml.options.cluster is not None:
                addresses = {str(address.ip) for address in config.interface.addresses}
                check_cluster(toml.options.cluster, own_public_key, addresses, toml_problems)
    except TooManyProblems:
        pass
    errors = conf_problems.errors + toml_problems.errors
    if errors:
        raise ConfigErrors(errors)
    return config


def with_secrets(
    config: TunnelConfig,
    *,
    private_key: PrivateKey | None = None,
    own_public_key: PublicKey | None = None,
    preshared_keys: Mapping[PublicKey, PresharedKey] | None = None,
) -> TunnelConfig:
    """Fill in the key of the key store and preshared keys that came on another way than the .conf.

    own_public_key: in place of ``private_key`` where that cannot be opened; the result lacks it then.
    Raises ConfigError if the .conf holds a different key for the same thing, a preshared key has no peer, or the host
    turns out to be its own peer.
    """
    given = preshared_keys or {}
    strangers = given.keys() - {peer.public_key for peer in config.peers}
    if strangers:
        path = str(min(strangers))
        raise ConfigError("a preshared key for an unknown peer", path=path, hint="add the peer, or drop the key")
    interface = config.interface
    own = own_public_key if private_key is None else public_key_of(private_key)
    if own is not None:
        if interface.private_key is not None and public_key_of(interface.private_key) != own:
            raise ConfigError(
                "the file's PrivateKey differs from the key store's",
                path=f"{config.name}.conf [Interface] PrivateKey",
                hint="remove PrivateKey from the file: the host's key store has the key",
            )
        if any(peer.public_key == own for peer in config.peers):
            raise ConfigError(_SELF, path=f"{config.name}.conf [Peer] PublicKey", hint=_SELF_HINT)
        interface = replace(interface, private_key=private_key or interface.private_key)
    peers = tuple(_with_preshared_key(peer, given.get(peer.public_key), config.name) for peer in config.peers)
    return replace(config, interface=interface, peers=peers)


def _with_preshared_key(peer: PeerConfig, key: PresharedKey | None, name: str) -> PeerConfig:
    if key is None or key.is_zero:
        return peer
    if peer.preshared_key is not None and peer.preshared_key != key:
        raise ConfigError(
            f"two different preshared keys for {peer.public_key}",
            path=f"{name}.conf [Peer] PresharedKey",
            hint="give it once: in the file or beside it",
        )
    return replace(peer, preshared_key=key)


def _fits(text: str, problems: Problems) -> bool:
    if len(text) > MAX_TEXT_CHARACTERS:
        problems.add("the file is too long", hint=f"at most {MAX_TEXT_CHARACTERS // 2**20} MiB")
        return False
    return True


def _refuse_self(conf: ConfFile, own_public_key: PublicKey | None, problems: Problems) -> None:
    if own_public_key is not None and own_public_key in conf.peer_lines:
        problems.add(
            _SELF,
            line=conf.peer_lines[own_public_key],
            key="[Peer] PublicKey",
            hint=_SELF_HINT,
        )


def _named(peer: PeerConfig, names: Mapping[PublicKey, str]) -> PeerConfig:
    name = names.get(peer.public_key)
    return peer if name is None else replace(peer, name=name)

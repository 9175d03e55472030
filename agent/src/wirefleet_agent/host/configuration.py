# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``config check|apply|confirm|show`` for one tunnel, with a live tunnel behind it or without one.

The order of an apply: validate everything; stage both files; change the live tunnel (all or nothing); put the files
in place; wait for the confirmation. A failure at any step leaves files and tunnel as they were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..config import TunnelConfig, parse, plan_changes, redact_conf, with_secrets
from ..config.changes import Change
from ..engine import making_peers
from ..errors import ConfigError, DriverError, RefusedError, WireFleetError
from ..keys import ClusterKey, PrivateKey
from .conf_text import with_preshared_keys
from .control_protocol import Json
from .keystore import KeyStore
from .paths import TunnelPaths
from .requests import ConfigRequest, ConfirmRequest
from .store import ConfigFiles, ConfigStore, Pending

SwitchTo = Callable[[TunnelConfig | None], None]


@dataclass(frozen=True)
class Proposal:
    """A valid request beside what is stored. changed: the texts differ (perhaps only in a comment).

    new_cluster_key: one that the key store does not have.
    """

    files: ConfigFiles
    config: TunnelConfig
    changed: bool
    changes: tuple[Change, ...]
    before: ConfigFiles
    new_cluster_key: ClusterKey | None = None


class Configuration:
    """The configuration of one tunnel on disk. ``switch_to`` changes the live tunnel; None where there is none."""

    def __init__(self, paths: TunnelPaths, store: ConfigStore, keys: KeyStore) -> None:
        self._paths = paths
        self._store = store
        self._keys = keys
        self.switch_to: SwitchTo | None = None
        # What was parsed last, without the key store's key: a hub's text takes half a second, and its daemon has
        # packets to move.
        self._last: tuple[ConfigFiles, TunnelConfig] | None = None

    def check(self, request: ConfigRequest) -> Json:
        """What ``apply`` would do. Changes nothing."""
        return self._described(self._propose(request))

    def apply(self, request: ConfigRequest) -> Json:
        """Make it the tunnel's configuration. Raises ConfigError, RefusedError, DriverError; then all is as before."""
        with making_peers(_size(request.conf)):
            return self._apply(request)

    def _apply(self, request: ConfigRequest) -> Json:
        proposal = self._propose(request)
        if proposal.config.interface.private_key is None and self._keys.public_key(self._paths.name) is None:
            raise self._no_key()
        was_pending = self._store.pending()
        if proposal.new_cluster_key is not None:
            # Not taken back with the files: with the old one this hub could talk to none of the others.
            self._keys.keep_cluster_key(self._paths.name, proposal.new_cluster_key)
        if proposal.changed:
            pending = self._replace(proposal, request.confirm_timeout_s)
        else:
            if self.switch_to is not None:
                self.switch_to(proposal.config)
            pending = self._store.rearm(request.confirm_timeout_s) if was_pending else None
        return self._described(proposal) | {
            "pending": pending is not None,
            "confirm_id": pending.confirm_id if pending else None,
            "confirm_timeout_s": request.confirm_timeout_s,
        }

    def confirm(self, request: ConfirmRequest, *, check: bool = False) -> Json:
        """The pending configuration stays. check: only say whether it would. Raises RefusedError."""
        changed = self._store.confirm(request.confirm_id, check=check)
        return {"changed": changed, "digest": self._store.current().digest}

    def show(self) -> Json:
        files, pending = self._store.current(), self._store.pending()
        return {
            "digest": files.digest,
            "conf": redact_conf(files.conf or ""),
            "toml": files.toml,
            "pending": pending is not None,
            "confirm_deadline_s": round(pending.remaining_s, 3) if pending else None,
        }

    def recover(self) -> str | None:
        """See ``ConfigStore.recover``."""
        return self._store.recover()

    def discard_pending(self) -> None:
        """Put the confirmed files back; the caller brings the live tunnel after them."""
        self._store.revert()

    def pending(self) -> Pending | None:
        return self._store.pending()

    def digest(self) -> str | None:
        return self._store.current().digest

    def stored(self) -> TunnelConfig | None:
        """What shall run, whole; None if the tunnel is not configured. Raises ConfigError, RefusedError."""
        files = self._store.wanted()
        if files.conf is None:
            return None
        config = self._parsed(files, self._keys.private_key(self._paths.name))
        if config.interface.private_key is None:
            raise self._no_key()
        return config

    def _replace(self, proposal: Proposal, confirm_timeout_s: int) -> Pending | None:
        staged = self._store.stage(proposal.files)
        if self.switch_to is None:
            return self._store.commit(staged, confirm_timeout_s)
        try:
            self.switch_to(proposal.config)
        except WireFleetError:
            staged.discard()
            raise
        try:
            return self._store.commit(staged, confirm_timeout_s)
        except DriverError:
            self.switch_to(self.stored())
            raise

    def _propose(self, request: ConfigRequest) -> Proposal:
        """Where only the service can open the private key, the proposal lacks it: whoever checks, or applies while
        nothing runs, needs the public half alone.
        """
        key, own_public_key = self._keys.usable_key(self._paths.name), self._keys.public_key(self._paths.name)
        bare = parse(request.conf, request.toml, name=self._paths.name, own_public_key=own_public_key)
        config = with_secrets(
            bare, private_key=key, own_public_key=own_public_key, preshared_keys=request.preshared_keys
        )
        files = ConfigFiles(with_preshared_keys(request.conf, request.preshared_keys), request.toml)
        before = self._store.current()
        old = config if before == files else self._parsed_or_none(before, key)
        self._last = files, replace(config, interface=bare.interface)
        changes, new_key = plan_changes(old, config), self._new_cluster_key(request, config)
        return Proposal(files, config, files.digest != before.digest, changes, before, new_key)

    def _new_cluster_key(self, request: ConfigRequest, config: TunnelConfig) -> ClusterKey | None:
        key = request.cluster_key
        if key is not None and config.options.cluster is None:
            hint = "only hubs have one: add [cluster], or leave the key out"
            raise ConfigError("a cluster key for a tunnel without a cluster", path="cluster_key", hint=hint)
        return None if key is None or self._keys.is_cluster_key(self._paths.name, key) else key

    def _parsed(self, files: ConfigFiles, key: PrivateKey | None) -> TunnelConfig:
        if self._last is None or self._last[0] != files:
            conf = files.conf or ""
            with making_peers(_size(conf)):
                self._last = files, parse(conf, files.toml, name=self._paths.name)
        return with_secrets(self._last[1], private_key=key)

    def _parsed_or_none(self, files: ConfigFiles, key: PrivateKey | None) -> TunnelConfig | None:
        """None also for stored files that became invalid: a valid request must be able to replace them."""
        try:
            return None if files.conf is None else self._parsed(files, key)
        except ConfigError:
            return None

    def _no_key(self) -> RefusedError:
        return RefusedError(
            "this tunnel has no private key",
            path=str(self._paths.private_key),
            hint=f"wirefleet-agent --tunnel {self._paths.name} key ensure",
        )

    def _described(self, proposal: Proposal) -> Json:
        changes = [{"op": change.op, "target": change.target} for change in proposal.changes]
        if proposal.new_cluster_key is not None:
            changes.append({"op": "set_cluster_key", "target": "cluster"})
        return {
            "valid": True,
            "changed": proposal.changed or proposal.new_cluster_key is not None,
            "digest": proposal.files.digest,
            "changes": changes,
            "diff": {"before": self._readable(proposal.before), "after": self._readable(proposal.files)},
        }

    def _readable(self, files: ConfigFiles) -> str:
        """Both files as one text without secrets; empty if the tunnel is not configured."""
        if files.conf is None:
            return ""
        return "\n".join(
            f"# {path.name}\n{text.rstrip()}\n"
            for path, text in ((self._paths.conf, redact_conf(files.conf)), (self._paths.toml, files.toml))
        )


def _size(conf: str) -> int:
    """About how many peers and prefixes a text has."""
    return conf.count("[Peer]") + conf.count("/")

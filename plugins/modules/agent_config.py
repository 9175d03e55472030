#!/usr/bin/python
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is implemented by the action plugin of the same name; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_config
short_description: Apply a tunnel configuration on a host as one transaction that reverts unless it is confirmed
version_added: 0.1.0
description:
  - Hands C(<tunnel>.conf) and C(<tunnel>.toml) to the agent on the host, which validates both as a whole before it
    touches anything.
  - The agent changes only what differs. Sessions with peers that a change does not concern go on.
  - With O(confirm_timeout_s) the agent goes back to the configuration before by itself unless O(state=confirmed)
    follows in time,
    so a change that cuts the controller off heals.
  - If the connection is lost while the change is made, the task connects again until O(confirm_timeout_s) and a minute
    have passed, and asks the agent what became of it. A change is never made twice.
extends_documentation_fragment:
  - wirefleet.wireguard.attributes
  - wirefleet.wireguard.agent
attributes:
  check_mode:
    support: full
    details:
      - The agent compares and validates without changing anything.
      - Without an agent on the host, a run is reported as changed.
  diff_mode:
    support: full
    details: The agent itself redacts the values of C(PrivateKey) and C(PresharedKey).
options:
  state:
    description:
      - V(applied) makes O(conf) and O(toml) the configuration of the tunnel.
      - V(confirmed) makes the configuration that waits under O(confirm_id) final. Without O(confirm_id) nothing waits
        and nothing is done.
    type: str
    choices: [applied, confirmed]
    default: applied
  conf:
    description: Text of C(<tunnel>.conf) in the syntax of wg-quick. Required with O(state=applied).
    type: str
  toml:
    description: Text of C(<tunnel>.toml).
    type: str
    default: ""
  preshared_keys:
    description:
      - Preshared keys in base64 by the public key of the peer. Set C(no_log=true) on a task that uses it.
      - Better name O(preshared_secret_path), then no key is ever part of a task.
    type: dict
  preshared_peers:
    description: >-
      Public keys of the peers whose preshared keys are derived from the secret in O(preshared_secret_path).
    type: list
    elements: str
    default: []
  preshared_secret_path:
    description:
      - File on the controller with the fleet's secret, 32 bytes in base64, with mode C(0600).
      - Each pair of hosts gets a key of its own, derived from the secret and both public keys.
      - Mutually exclusive with O(preshared_keys).
    type: path
  has_cluster:
    description:
      - Whether the host is one of the hubs that share their state, as
        RV(wirefleet.wireguard.wg_config#module:has_cluster) says.
      - The key of their cluster is then derived from the secret in O(preshared_secret_path), which is required.
    type: bool
    default: false
  public_key:
    description: The host's own public key. Required with O(preshared_peers).
    type: str
  confirm_timeout_s:
    description: >-
      Seconds after which an unconfirmed change is reverted by the agent. V(0) makes a change final at once.
    type: int
    default: 0
  confirm_id:
    description: What waits for its confirmation, as RV(confirm_id) of an earlier task. May be null or empty.
    type: str
author:
  - WireFleet (@wirefleet)
seealso:
  - module: wirefleet.wireguard.wg_config
  - module: wirefleet.wireguard.agent_health
"""

EXAMPLES = r"""
- name: The configuration is applied for two minutes
  wirefleet.wireguard.agent_config:
    tunnel: wf0
    conf: "{{ wirefleet_config.conf }}"
    toml: "{{ wirefleet_config.toml }}"
    confirm_timeout_s: 120
  register: wirefleet_applied

- name: The peers answer
  wirefleet.wireguard.agent_health:
    tunnel: wf0
    timeout_s: 60

- name: The configuration is final
  wirefleet.wireguard.agent_config:
    tunnel: wf0
    state: confirmed
    confirm_id: "{{ wirefleet_applied.confirm_id }}"
"""

RETURN = r"""
digest:
  description: SHA-256 of the configuration; null in check mode on a host without the agent.
  returned: success
  type: str
changes:
  description: >-
    What changed (or would change in check mode), in the order in which it is applied. Never holds a secret.
    Empty if the connection was lost meanwhile.
  returned: when O(state=applied)
  type: list
  elements: dict
  contains:
    op:
      description: Name of the change.
      type: str
    target:
      description: What it concerns, such as the public key of a peer.
      type: str
pending:
  description: Whether the change waits for its confirmation.
  returned: when O(state=applied)
  type: bool
confirm_id:
  description: What to confirm; null if nothing waits.
  returned: when O(state=applied)
  type: str
confirm_timeout_s:
  description: Seconds that are left for the confirmation.
  returned: when O(state=applied), outside of check mode
  type: int
running:
  description: Whether the agent runs, so that the configuration is in effect and not only stored.
  returned: when O(state=applied)
  type: bool
error:
  description: What the agent or the action could not do.
  returned: failure
  type: dict
  contains:
    code:
      description:
        - Kind of the error, such as V(not_installed), V(invalid_config), V(not_reachable) or V(refused).
        - V(reverted) if the change cut the connection and the host took it back.
      type: str
    message:
      description: What is wrong.
      type: str
    path:
      description: The file, key or command which it is about.
      type: str
    hint:
      description: What to do.
      type: str
    errors:
      description: Every single error with the same keys, if there are several at once.
      type: list
      elements: dict
"""

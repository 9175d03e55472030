#!/usr/bin/python
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is implemented by the action plugin of the same name; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_key
short_description: Make sure that a host has a WireGuard key of its own
version_added: 0.1.0
description:
  - The agent on the host makes the private key and keeps it in its key store. The private key never leaves the host.
  - Returns the public key with a signature by the identity key of the host. A public key that the identity did not
    sign for this tunnel is refused. Which identity a host has is not remembered from run to run.
extends_documentation_fragment:
  - wirefleet.wireguard.attributes
  - wirefleet.wireguard.agent
attributes:
  check_mode:
    support: full
    details: Without an agent on the host, a run is reported as changed and RV(public_key) is null.
  diff_mode:
    support: full
options:
  state:
    description:
      - V(present) makes a key if there is none.
      - V(rotated) makes a new key every time. The other hosts must learn the new public key by the next plan.
    type: str
    choices: [present, rotated]
    default: present
requirements:
  - PyNaCl on the controller
author:
  - WireFleet (@wirefleet)
seealso:
  - module: wirefleet.wireguard.wg_plan
  - module: wirefleet.wireguard.tunnel_service
"""

EXAMPLES = r"""
- name: The host has a key of its own
  wirefleet.wireguard.agent_key:
    tunnel: wf0
  register: wirefleet_key

- name: The key is replaced
  wirefleet.wireguard.agent_key:
    tunnel: wf0
    state: rotated
"""

RETURN = r"""
tunnel:
  description: Name of the tunnel.
  returned: always
  type: str
public_key:
  description: Public key in base64; null in check mode on a host that would get its key.
  returned: always
  type: str
identity:
  description: Who vouches for the public key; null in check mode on a host that would get its key.
  returned: always
  type: dict
  contains:
    public_key:
      description: Ed25519 public key of the host's identity in base64.
      type: str
    signature:
      description: >-
        Ed25519 signature in base64 over C(wirefleet key v1), a null byte, the name of the tunnel, a null byte, and
        the 32 bytes of the
        public key.
      type: str
error:
  description: What the agent or the action could not do.
  returned: failure
  type: dict
  contains:
    code:
      description: Kind of the error, such as V(not_installed), V(bad_identity), V(not_reachable) or V(refused).
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

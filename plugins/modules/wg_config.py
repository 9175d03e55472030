#!/usr/bin/python
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is implemented by the action plugin of the same name; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: wg_config
short_description: Render one host's tunnel configuration from its slice of the plan
version_added: 0.1.0
description:
  - Reads the host's slice of the plan and renders C(<tunnel>.conf) (the syntax of wg-quick) and C(<tunnel>.toml).
  - Neither text holds a secret. The private key stays in the key store of the host. Preshared keys are not rendered;
    RV(preshared_peers) names the peers which need one, and M(wirefleet.wireguard.agent_config) derives them from the
    fleet's secret at the moment in which it talks to the agent. So no result, log, fact cache or file holds them.
  - Costs no more than reading one file, however large the fleet is.
extends_documentation_fragment:
  - wirefleet.wireguard.attributes
  - wirefleet.wireguard.attributes.controller_action
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - There is only a diff when O(dest) is given.
      - Values of C(PrivateKey) and C(PresharedKey), which somebody may have added to a file by hand, are redacted.
options:
  host:
    description:
      - Name of the planned host.
      - The default is the inventory hostname.
    type: str
  plan_dir:
    description:
      - Directory of the plan, see RV(wirefleet.wireguard.wg_plan#module:plan_dir).
      - The default is C(.wirefleet) in the inventory directory.
    type: path
  log_level:
    description: Log level of the agent.
    type: str
    choices: [debug, info, warning, error]
    default: info
  metrics:
    description:
      - Where Prometheus may ask the agent for metrics, on TCP port 19586 of the overlay addresses or of the loopback.
      - The host's firewall has to let it in on the tunnel's interface.
    type: str
    choices: ["off", overlay, loopback]
    default: "off"
  dest:
    description:
      - Directory on the controller which gets a copy of both files with mode C(0600), for review. It is made if it is
        missing.
    type: path
author:
  - WireFleet (@wirefleet)
seealso:
  - module: wirefleet.wireguard.wg_plan
  - module: wirefleet.wireguard.agent_config
"""

EXAMPLES = r"""
- name: The configuration is rendered
  wirefleet.wireguard.wg_config:
    plan_dir: "{{ wirefleet_plan.plan_dir }}"
  register: wirefleet_config

- name: The configuration is applied
  wirefleet.wireguard.agent_config:
    tunnel: "{{ wirefleet_config.tunnel }}"
    conf: "{{ wirefleet_config.conf }}"
    toml: "{{ wirefleet_config.toml }}"
    public_key: "{{ wirefleet_config.public_key }}"
    preshared_peers: "{{ wirefleet_config.preshared_peers }}"
    has_cluster: "{{ wirefleet_config.has_cluster }}"
    preshared_secret_path: "{{ wirefleet_preshared_secret_path | default(omit) }}"

- name: Copies for review are kept on the controller
  wirefleet.wireguard.wg_config:
    dest: "{{ playbook_dir }}/review/{{ inventory_hostname }}"
"""

RETURN = r"""
tunnel:
  description: Name of the tunnel, which is also the stem of both file names.
  returned: success
  type: str
  sample: wf0
conf:
  description: Text of C(<tunnel>.conf), without any secret.
  returned: success
  type: str
toml:
  description: Text of C(<tunnel>.toml).
  returned: success
  type: str
digest:
  description:
    - SHA-256 over both texts in hexadecimal digits.
    - It is also the digest that the agent reports for this configuration, as long as there are no preshared keys.
  returned: success
  type: str
public_key:
  description: The host's own public key as planned, or null while it is not known.
  returned: success
  type: str
preshared_peers:
  description: Public keys of the peers that need a preshared key.
  returned: success
  type: list
  elements: str
has_cluster:
  description: Whether the host is one of the hubs that share their state, and needs the key of their cluster.
  returned: success
  type: bool
pending:
  description: Hosts that will be peers of this one as soon as their keys are known.
  returned: success
  type: list
  elements: str
files:
  description: Paths of the copies below O(dest).
  returned: when O(dest) is given
  type: list
  elements: str
"""

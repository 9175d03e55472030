#!/usr/bin/python
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is implemented by the action plugin of the same name; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: wg_plan
short_description: Plan the WireGuard overlay of the whole fleet
version_added: 0.1.0
description:
  - Computes the whole fleet's overlay once, on the controller, from the inventory and the lock file. That is addresses,
    placement of spokes on hubs, peers and AllowedIPs.
  - Writes C(plan.json), one slice per host below C(slices/), and the lock file that keeps every host's address for
    ever.
  - Reads the groups of hubs and spokes of the whole inventory. C(--limit) never yields a partial plan; hosts outside
    the limit whose slice changed are returned in RV(stale).
  - The same inventory, keys and lock file give the same files, byte for byte. Files that would not change are not
    written.
  - All problems of an inventory are collected and reported together.
notes:
  - The action runs once per play (or batch of C(serial)), on behalf of the play's first host. Set C(run_once=true) as
    well when the result is registered, so that every host of the play sees it.
  - Fleet-wide variables (C(wirefleet_overlay_prefixes), C(wirefleet_regions), C(wirefleet_site_supernets),
    C(wirefleet_preshared_keys), C(wirefleet_heartbeat), C(wirefleet_heartbeat_port), C(wirefleet_cluster_port)) must
    have the same value on all hosts. The other variables may differ between hosts.
  - C(wirefleet_heartbeat) is V(normal) (500 ms), V(fast) (100 ms), or a mapping of C(interval_ms) (50 to 10000) and
    C(misses) (2 to 20). A hub that misses that many heartbeats in a row is down for a host, which then uses another.
  - C(wirefleet_failover_policy) of a spoke is V(active_standby), which stays where it is as long as that hub is well,
    or V(priority_preempt), which goes back to the best hub once it was well for C(wirefleet_failover_hold) seconds (0
    to 3600).
  - Hosts with the same prefix in C(wirefleet_site_prefixes) are the gateways of one redundant site, either hubs or
    spokes with an agent. Hubs use the first one that is well, in the order of C(wirefleet_site_priority) (0 to 10000,
    by default 100), then of their names.
  - A spoke with C(wirefleet_agent=false) is a plain WireGuard peer. It has one fixed hub and does not fail over, needs
    C(wirefleet_public_key), and the playbooks leave it alone.
  - Variables are those which C(hostvars) shows. Play variables and role defaults are not among them; hand these over as
    options.
  - Hosts without a known public key keep their address, are returned in RV(pending), and are nobody's peer until a
    later run knows their key.
extends_documentation_fragment:
  - wirefleet.wireguard.attributes
  - wirefleet.wireguard.attributes.controller_action
attributes:
  check_mode:
    support: full
    details:
      - The plan is written to a scratch directory beside O(plan_dir), which is returned in RV(plan_dir). The lock file
        is not touched.
      - The next run that is not in check mode removes the scratch directory.
  diff_mode:
    support: full
options:
  hubs_group:
    description: Name of the inventory group of hubs. It has exactly three hosts, unless O(allow_degraded=true).
    type: str
    default: hubs
  spokes_group:
    description: Name of the inventory group of spokes. It may be missing or empty.
    type: str
    default: spokes
  tunnel:
    description:
      - Name of the tunnel interface on every host.
      - The default is each host's variable C(wirefleet_tunnel), or V(wf0).
    type: str
  overlay_prefixes:
    description:
      - Networks of the overlay, one IPv4 prefix and/or one IPv6 prefix.
      - The default is the variable C(wirefleet_overlay_prefixes). One of both is needed.
    type: list
    elements: str
  port:
    description:
      - UDP port on which every host listens, and the port of endpoints which name none.
      - The default is each host's variable C(wirefleet_port), or V(51820).
    type: int
  mtu:
    description:
      - MTU of the tunnel interface on every host, from V(1280) to V(65455).
      - The default is each host's variable C(wirefleet_mtu), or V(1420).
    type: int
  keepalive:
    description:
      - Persistent keepalive in seconds which a host uses towards the hubs; V(0) turns it off.
      - The default is each host's variable C(wirefleet_keepalive), or V(25).
    type: int
  regions:
    description:
      - Names of the known regions.
      - The default is the variable C(wirefleet_regions), or the regions of the hubs.
    type: list
    elements: str
  site_supernets:
    description:
      - Networks that spokes route to the overlay as a whole in place of the single site prefixes inside them. It keeps
        the configurations of spokes small, and unchanged when a site comes or goes.
      - The default is the variable C(wirefleet_site_supernets), or none.
    type: list
    elements: str
  preshared_keys:
    description:
      - Whether each pair of peers uses a preshared key. The plan only says so; no secret is ever part of it.
      - The default is the variable C(wirefleet_preshared_keys), or V(false).
    type: bool
  public_keys:
    description:
      - Public keys by inventory hostname, in base64. Empty values and hosts which are not part of the fleet are
        ignored.
      - A key is taken from here, else from O(public_keys_register), else from the host's variable
        C(wirefleet_public_key), else from the lock file.
    type: dict
    default: {}
  public_keys_register:
    description:
      - Name of a variable in which every host of the play has registered a result with a C(public_key), such as that of
        M(wirefleet.wireguard.agent_key).
      - It does what O(public_keys) does without a template over C(hostvars), which is slow in large fleets.
    type: str
  lock_path:
    description:
      - Path of the lock file. It belongs under version control and never holds a secret.
      - The default is C(wirefleet.lock.json) in the inventory directory.
    type: path
  plan_dir:
    description:
      - Directory of the plan and the slices. It can be made again at any time from the inventory and the lock file.
      - The default is C(.wirefleet) in the inventory directory.
    type: path
  allow_degraded:
    description: Accept one or two hubs with a warning.
    type: bool
    default: false
  release_removed:
    description:
      - Hosts which are no longer part of the inventory and whose reserved addresses may be given to others.
      - V(all) in the list releases every removed host.
    type: list
    elements: str
    default: []
  renumber:
    description:
      - Give new addresses to hosts whose locked addresses lie outside of O(overlay_prefixes). Otherwise such a host is
        an error.
    type: bool
    default: false
author:
  - WireFleet (@wirefleet)
seealso:
  - module: wirefleet.wireguard.wg_config
  - module: wirefleet.wireguard.wg_verify
"""

EXAMPLES = r"""
# In a play for the groups of hubs and spokes:
- name: Every host has a key
  wirefleet.wireguard.agent_key:
  register: wirefleet_key

- name: The fleet has a plan
  wirefleet.wireguard.wg_plan:
    public_keys_register: wirefleet_key
  run_once: true
  register: wirefleet_plan

- name: The overlay is planned with options in place of variables
  wirefleet.wireguard.wg_plan:
    overlay_prefixes: [10.86.0.0/16, fd86::/64]
    site_supernets: [10.20.0.0/14]
    public_keys:
      hub-1: "3F0a1P9PmnJBRw9Zxs0Qx2Zl4xXc0wN1lwHn0Z8qKVA="
  run_once: true

- name: The address of a scrapped host may be used again
  wirefleet.wireguard.wg_plan:
    release_removed: [spoke-17]
  run_once: true
"""

RETURN = r"""
plan_dir:
  description: Directory that holds the plan. In check mode it is a scratch directory, if anything would change.
  returned: success
  type: str
  sample: /srv/fleet/inventories/production/.wirefleet
lock_path:
  description: Path of the lock file.
  returned: success
  type: str
hosts:
  description: Every planned host by name.
  returned: success
  type: dict
  contains:
    role:
      description: V(hub) or V(spoke).
      type: str
    addresses:
      description: The host's overlay addresses without prefix length.
      type: list
      elements: str
    preferred_hub:
      description: The hub that carries the host's traffic as long as nothing is wrong. It is null for hubs.
      type: str
  sample: {spoke-1: {role: spoke, addresses: [10.86.0.4, "fd86::4"], preferred_hub: hub-1}}
pending:
  description: Hosts whose public key is not known yet.
  returned: success
  type: list
  elements: str
removed:
  description: Hosts which this run found to be gone from the inventory. Their addresses stay reserved.
  returned: success
  type: list
  elements: str
changed_slices:
  description: Hosts whose slice was written (or would be in check mode), sorted.
  returned: success
  type: list
  elements: str
stale:
  description: Hosts of RV(changed_slices) that C(--limit) keeps out of this run. They keep their old configuration
    until a run reaches them.
  returned: success
  type: list
  elements: str
warnings:
  description: What the operator should know, such as a degraded set of hubs.
  returned: when there are any
  type: list
  elements: str
errors:
  description: Every problem of the inventory or the lock file.
  returned: failure
  type: list
  elements: dict
  contains:
    message:
      description: What is wrong.
      type: str
    hosts:
      description: The hosts which it concerns.
      type: list
      elements: str
    path:
      description: The variable, option or file which it is about.
      type: str
    hint:
      description: What to do.
      type: str
"""

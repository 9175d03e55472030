#!/usr/bin/python
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wg_preshared_key
short_description: Make, keep, rotate or remove a WireGuard preshared key
version_added: 0.1.0
description:
  - Keeps 32 random bytes in a file that only its owner can read, or makes them and returns them.
  - A file made by this module is also what C(wirefleet_preshared_secret_path) names, the secret from which
    M(wirefleet.wireguard.agent_config) derives the preshared key of every pair of hosts. Rotating it changes all of
      them.
extends_documentation_fragment:
  - wirefleet.wireguard.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  state:
    description:
      - V(present) keeps a valid key, makes a missing one, and repairs the mode of the file.
      - V(rotated) makes a new key, each time.
      - V(absent) removes the file.
    type: str
    choices: [present, absent, rotated]
    default: present
  path:
    description:
      - File of the preshared key, in base64 as C(wg genpsk) prints it, with mode C(0600). It is replaced atomically.
      - Missing directories are made for the owner alone. A file that holds something else is an error and stays as it
        is.
      - Without it the key is returned in RV(preshared_key).
    type: path
author:
  - WireFleet (@wirefleet)
requirements:
  - PyNaCl
seealso:
  - module: wirefleet.wireguard.wg_keypair
  - module: wirefleet.wireguard.wg_plan
"""

EXAMPLES = r"""
- name: The fleet has a secret for its preshared keys
  wirefleet.wireguard.wg_preshared_key:
    path: "{{ wirefleet_preshared_secret_path }}"
  delegate_to: localhost
  run_once: true

- name: Every preshared key of the fleet becomes a new one
  wirefleet.wireguard.wg_preshared_key:
    path: "{{ wirefleet_preshared_secret_path }}"
    state: rotated
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
preshared_key:
  description:
    - The new preshared key in base64. A result with it is marked C(no_log), so no callback shows it. A registered
      variable holds it in the memory of the controller.
  returned: when O(path) is not given, and not in check mode
  type: str
path:
  description: Path of the file.
  returned: when O(path) is given
  type: str
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.wirefleet.wireguard.plugins.module_utils.key_states import (
    KeyOutcome,
    describe,
    ensure_as_value,
    ensure_in_file,
)
from ansible_collections.wirefleet.wireguard.plugins.module_utils.key_text import encode_key
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import SecretFileError
from ansible_collections.wirefleet.wireguard.plugins.module_utils.secret_file import MODE, SecretFile
from ansible_collections.wirefleet.wireguard.plugins.module_utils.x25519 import (
    NACL_IMPORT_ERROR,
    generate_preshared_key,
)

WHAT = "preshared key"


def ensure(module: AnsibleModule) -> KeyOutcome:
    """Ask, and act unless in check mode."""
    state, path = module.params["state"], module.params["path"]
    if path:
        return ensure_in_file(SecretFile(path, WHAT), state, generate_preshared_key, check=module.check_mode)
    return ensure_as_value(None, state, generate_preshared_key, WHAT)


def report(module: AnsibleModule, outcome: KeyOutcome) -> dict:
    """The module's result."""
    path = module.params["path"]
    result = {"changed": outcome.is_changed}
    if path:
        result["path"] = path
        if outcome.is_changed and module._diff:
            result["diff"] = {
                "before_header": path,
                "after_header": path,
                "before": describe(outcome.raw_before is not None, outcome.mode_before, None),
                "after": describe(module.params["state"] != "absent", MODE, None)
                + ("key: (a new one)\n" if outcome.is_generated else ""),
            }
    elif outcome.raw is not None and not module.check_mode:
        result["preshared_key"] = encode_key(outcome.raw)
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent", "rotated"], "default": "present"},
            "path": {"type": "path"},
        },
        required_if=[("state", "absent", ["path"])],
        supports_check_mode=True,
    )
    if NACL_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("PyNaCl"), exception=NACL_IMPORT_ERROR)
    try:
        outcome = ensure(module)
    except SecretFileError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**report(module, outcome))


if __name__ == "__main__":
    main()

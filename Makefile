# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
.DEFAULT_GOAL := help
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH):/usr/sbin:/sbin
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

.PHONY: help site lab-up lab-down reach test check format lint sanity unit netns lab-test molecule lock lock-windows clean \
  rehearsal rehearsal-up rehearsal-down bench

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

site: ## lab up, playbooks/site.yml, then a table of who reaches whom; run it as often as you like
	@scripts/setup.sh site
	@lab/enter lab/lab.py up
	@lab/enter ansible-playbook playbooks/site.yml $(ARGS)
	@lab/enter lab/lab.py reach

reach: ## the table of who reaches whom, again
	@lab/enter lab/lab.py reach

lab-up: ## only the namespaces of the lab
	@scripts/setup.sh site
	@lab/enter lab/lab.py up

lab-down: ## take the lab away; nothing is left behind, nothing has to be installed for it
	@lab/enter lab/lab.py down
	@lab/enter --stop

test: ## everything that CI runs
	@scripts/setup.sh $$(scripts/can_rehearse.sh >/dev/null && echo rehearsal || echo test)
	@scripts/test.sh

check: ## format, lint, types and the fast tests: before every commit
	@scripts/setup.sh test
	@ruff format --quiet .
	@scripts/lint.sh
	@python -m pytest -q -m "not netns and not lab and not slow and not rehearsal" -n 2

lint: ## ruff, mypy, ansible-lint
	@scripts/setup.sh test
	@scripts/lint.sh

sanity: ## ansible-test sanity and units, on a copy
	@scripts/setup.sh test
	@scripts/ansible_test.sh sanity
	@scripts/ansible_test.sh units

unit: ## the fast tests only
	@scripts/setup.sh test
	@python -m pytest -q -m "not netns and not lab and not slow and not rehearsal" -n 2

netns: ## real packets in namespaces, against wireguard-go and wg
	@scripts/setup.sh test
	@python -m pytest -m netns -n 2

lab-test: ## playbooks on a lab of the tests' own
	@scripts/setup.sh test
	@python -m pytest -m lab

molecule: ## the Molecule scenario on a lab of its own
	@scripts/setup.sh test
	@molecule test -s default

rehearsal: ## site.yml and what can go wrong, on Windows hosts under Wine over WinRM (root, Debian 12)
	@scripts/setup.sh rehearsal
	@python -m pytest -m rehearsal --no-header --quiet tests/rehearsal

rehearsal-up: ## only the hosts of the rehearsal; docs/rehearsal.md says what to do with them
	@scripts/setup.sh rehearsal
	@python tests/rehearsal/rehearsal.py up

rehearsal-down: ## take the rehearsal away; nothing is left behind but the cache
	@scripts/setup.sh rehearsal
	@python tests/rehearsal/rehearsal.py down

bench: ## the tunnel against wireguard-go: speed, latency, memory, many peers (root, a quiet machine; ARGS=--help)
	@scripts/setup.sh bench
	@python bench/bench.py $(ARGS)

lock: ## refresh requirements/constraints.txt from the newest versions that the ranges allow
	@rm -rf .venv && python3 -m venv .venv
	@pip install --quiet --requirement requirements/bench.txt --editable "agent[fast]"
	@{ echo "# The exact versions that the tests passed with: pip freeze of a fresh environment, refreshed by 'make lock'."; \
	   pip freeze --exclude-editable | grep -vi '^wirefleet'; } >requirements/constraints.txt

lock-windows: ## refresh the hashes of the packages in a Windows bundle, versions as in agent/bundle/constraints.txt
	@scripts/setup.sh test
	@python agent/bundle/lock_windows.py

clean: ## caches and the virtual environment (the lab: make lab-down)
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* .ansible

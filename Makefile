# Every verb in one place; `make help` lists them. They work as root without systemd, too.
VENV ?= .venv
PY = $(VENV)/bin/python
RUNTIME ?= auto
DATA_DIR ?= /var/lib/appliance
OPERATIONS ?= 100000
SEED ?= 1
export RUNTIME DATA_DIR

.PHONY: help setup install dist up down test lint fmt e2e bench bench-store bench-net matrix bench-scheduler idle roll-outs chaos bench-node conformance-store compare-store prove-store golden nix-check image test-image conformance-api tours charts
help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

setup:  ## Python environment from poetry.lock; quick when it is there
	@scripts/setup
install: setup  ## the same: afterwards the command is .venv/bin/appliance
dist:  ## wheel and source archive, by Poetry, into dist/
	@scripts/dist

up: setup  ## a one-node cluster in the background with the guestbook (RUNTIME=auto|docker|podman)
	@scripts/up
down:  ## stop it and remove its containers, links and rules; its data stays under DATA_DIR
	@scripts/down

test: setup  ## everything that fits CI: lint, types, contracts, unit, contract, conform, e2e
	@scripts/test
lint: setup  ## style, types, import contracts
	$(VENV)/bin/ruff format --check -q appliance tests
	$(VENV)/bin/ruff check -q appliance tests
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
fmt: setup  ## format and fix what can be fixed
	$(VENV)/bin/ruff check --fix -q appliance tests && $(VENV)/bin/ruff format -q appliance tests

e2e: setup  ## whole clusters on every engine that is here
	@scripts/test e2e
bench: setup  ## side-by-side figures, one command each under bench/
	@for one in bench/*.py; do echo "== $$one"; PYTHONPATH=. $(PY) $$one || exit 1; done
bench-store: setup  ## etcd and our store side by side on one disk (needs etcd; BENCH="--full --json f.json")
	@$(PY) -m bench.etcd $(BENCH)
bench-node: setup  ## a pod's price beside the bare engine and Docker Swarm, and an idle agent's (BENCH="--engine podman")
	@$(PY) -m bench.node $(BENCH)
bench-scheduler: setup  ## 10,000 pods of mixed kinds on 100, 1,000 and 3,000 nodes (BENCH="--nodes 1000")
	@$(PY) -m bench.scheduler $(BENCH)
bench-dns: setup  ## cluster DNS beside knot and unbound on one core each (apt: dnsperf knot unbound)
	@PYTHONPATH=. $(PY) bench/dns.py --check 1000000
idle: setup  ## 200 objects of all kinds at rest for 5 minutes: no write, no reconcile (IDLE_S=)
	IDLE_S=$${IDLE_S:-300} $(VENV)/bin/pytest -s -m "e2e and slow" tests/e2e/test_idle.py
roll-outs: setup  ## roll-outs under 500 requests/s while the master is killed (RATE=)
	$(VENV)/bin/pytest -s -m "e2e and slow" tests/e2e/test_roll_outs.py
chaos: setup  ## 10 minutes of random harm, then everything as wanted within 30 s (CHAOS_S=, SEED=)
	CHAOS_S=$${CHAOS_S:-600} SEED=$(SEED) $(VENV)/bin/pytest -s -m "e2e and slow" tests/e2e/test_chaos.py
bench-net: setup  ## services side by side: direct, nftables, relays, HAProxy (BENCH="--rounds 5 --json f.json")
	@PYTHONPATH=. $(PY) bench/net.py $(BENCH)
matrix: setup  ## pods, services, DNS and the outside from everywhere on three nodes: tables (minutes)
	$(VENV)/bin/pytest -s -m "e2e and slow" tests/e2e/test_matrix.py
compare-store: setup  ## 100,000 random operations on our store and a real etcd (OPERATIONS=, SEED=)
	ETCD_OPERATIONS=$(OPERATIONS) ETCD_SEED=$(SEED) $(VENV)/bin/pytest -s --timeout 0 tests/conform/test_etcd_differential.py
prove-store: setup  ## 200 kills, 50 power cuts, 20,000 concurrent calls: nothing lost, one order (minutes)
	KILLS=200 POWER_CUTS=50 LINEAR_CALLS=20000 $(VENV)/bin/pytest -s --timeout 0 \
	  tests/model/test_store_kills.py tests/model/test_power_cuts.py tests/model/test_linearizable.py
conformance-store: setup  ## outside suites for etcd clients on our store (SUITES=<folder with the clones>)
	@$(PY) -m tests.conform.suites $(SUITES)
conformance-api: setup  ## outside suites for API clients on a cluster (SUITES=<folder with the clones>)
	@$(PY) -m tests.conform.api_suites $(SUITES)
charts: setup  ## a chart of three tiers by helm, from install to uninstall (HELMS=<folder with helm-3.17, …>)
	@HELMS=$(HELMS) $(VENV)/bin/pytest --timeout 0 tests/charts
tours: setup  ## a tour of kubectl's subcommands on a real cluster (KUBECTLS=<folder with kubectl-1.28, …>)
	@KUBECTLS=$(KUBECTLS) $(VENV)/bin/pytest --timeout 0 tests/tours
golden: setup  ## replay a real kube-apiserver's recordings and print each difference (ONLY='pods-*')
	@scripts/golden
nix-check:  ## parse and check flake.nix with Debian's nix against a stand-in for nixpkgs; no network
	@scripts/nix-check
image: setup  ## a disk image to flash, dist/appliance.img (KERNEL=cloud-amd64: for virtual machines)
	@image/build
test-image: setup  ## boot it in QEMU: it joins a server and runs a pod
	@scripts/test-image

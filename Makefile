# The two commands a stranger needs are `up` and `test`; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.venv/run.stamp: requirements/run.txt requirements/build.txt pyproject.toml
	@tools/install-python run
	@touch $@

.venv/dev.stamp: requirements/dev.txt requirements/build.txt pyproject.toml
	@tools/install-python dev
	@touch $@ .venv/run.stamp

.PHONY: up
up: ## Install what is needed, start the whole system, print its addresses
	@tools/install-debian run
	@$(MAKE) -s --no-print-directory .venv/run.stamp
	@.venv/bin/serinus up $(ARGS)

.PHONY: down
down: ## Stop the system that `make up` started
	@.venv/bin/serinus down

.PHONY: dev
dev: ## Install everything a contributor needs
	@tools/install-debian dev
	@$(MAKE) -s --no-print-directory .venv/dev.stamp

.PHONY: check
check: dev ## Lint, types, floors, chart, rules
	@tools/check

.PHONY: test
test: dev ## Every test that needs no cluster
	@$(PY) -m pytest -n 2 --dist loadfile -m "not cluster and not e2e" $(ARGS)
	@$(PY) -m pytest -n 2 --dist loadfile -m "e2e and not cluster" $(ARGS)

.PHONY: unit
unit: dev ## The quick tests only
	@$(PY) -m pytest -q -n 2 -m "not cluster and not e2e and not browser and not postgres and not slow" $(ARGS)

.PHONY: bench
bench: dev ## Measure against the peers, print ratios
	@$(PY) -m benchmarks $(ARGS)

.PHONY: lock
lock: ## Pin the Python packages again after a change in pyproject.toml
	@tools/lock

.PHONY: images
images: .venv/dev.stamp ## Build the three images and load them into the test cluster
	@tools/images

.PHONY: cluster
cluster: .venv/dev.stamp ## Start a real Kubernetes with Istio on this machine, with our images (root, Go)
	@$(PY) tools/cluster/rig up
	@tools/images
	@tests/cluster/images/build

.PHONY: cluster-down
cluster-down: ## End that cluster
	@[ -x $(PY) ] || $(MAKE) -s --no-print-directory .venv/run.stamp
	@$(PY) tools/cluster/rig down

.PHONY: test-cluster
test-cluster: .venv/dev.stamp ## The tests on that cluster, or on the one that KUBECONFIG names
	@$(PY) -m pytest -m cluster tests/cluster $(ARGS)

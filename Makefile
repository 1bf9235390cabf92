# `make` alone lists what one can do.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# The first interpreter that fits, unless one is named: make setup PYTHON=/path/to/python3.12
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,\
	$(shell $(name) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $(name))))

# Paths are relative: the checkout may be in a folder with a blank in its name.
VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/installed
UV := $(VENV)/bin/uv
# Only wheels, each with one of the hashes of constraints.txt: nothing that the index serves is built or run unchecked.
INSTALL := VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --compile-bytecode --no-build --require-hashes \
	--constraint constraints.txt --requirement pyproject.toml
# Each test has a database of its own, which is copied ten times as fast in memory, where there is enough of it.
IN_MEMORY := $(shell free=$$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 {print $$4}'); \
	test -w /dev/shm && test "$${free:-0}" -ge 4000000 && echo TMPDIR=/dev/shm)
# With a day, the tests run as on that day.
DAY ?=
ON_DAY := $(if $(DAY),$(RUN) tests/support/clock/on_day.py $(DAY))
PYTEST_ONE := $(IN_MEMORY) $(ON_DAY) $(RUN) -m pytest
# Each test process starts a database server of its own, and one of the two mostly waits for the other.
PYTEST := $(PYTEST_ONE) -n $(shell cores=$$(nproc 2>/dev/null || echo 2); echo $$((cores < 4 ? cores + 1 : 4)))
# A complete Airflow is idle half of the time, so two of them can share two cores. The longest tests are first, by name.
PYTEST_TWO := $(PYTEST_ONE) -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: help
help:  ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1|\2/p' Makefile | column -t -s '|'

.PHONY: setup
setup: $(INSTALLED)  ## make .venv with everything in it (again only after pyproject.toml or constraints.txt changed)

# The installer: it needs nothing of pyproject.toml, so that `make constraints` can be run after a package was added there.
$(UV):
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11, 3.12 or 3.13 found: install one, or name it: make setup PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || \
		{ echo "error: Python 3.11, 3.12 or 3.13 is needed, but $(PYTHON) is $$("$(PYTHON)" -V 2>/dev/null || echo not there)" >&2; exit 1; }
	@test -x $(RUN) || "$(PYTHON)" -m venv $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' constraints.txt > $(VENV)/uv.txt
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement $(VENV)/uv.txt

$(INSTALLED): pyproject.toml constraints.txt | $(UV)
	@$(INSTALL) $(foreach extra,airflow cluster metrics mysql s3 embedded simulator dev,--extra $(extra))
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(INSTALLED)

.PHONY: demo
demo: $(INSTALLED)  ## run made-up licenses through all steps, and show the outcome
	@$(RUN) -m local_stack demo

.PHONY: up
up: $(INSTALLED)  ## start PostgreSQL and Airflow, and leave them running
	@$(RUN) -m local_stack up

.PHONY: down
down: $(INSTALLED)  ## stop them
	@$(RUN) -m local_stack down

.PHONY: status
status: $(INSTALLED)  ## show which of them run
	@$(RUN) -m local_stack status || test $$? -eq 3

.PHONY: cluster
cluster: $(INSTALLED)  ## start the services of docker-compose.yml as processes: a queue and two workers
	@$(RUN) -m local_stack cluster up

.PHONY: cluster-down
cluster-down: $(INSTALLED)  ## stop them
	@$(RUN) -m local_stack cluster down

.PHONY: cluster-status
cluster-status: $(INSTALLED)  ## show which of them run
	@$(RUN) -m local_stack cluster status || test $$? -eq 3

.PHONY: test
test: $(INSTALLED)  ## run the tests that take seconds (make test DAY=2028-02-29: as on that day)
	@$(PYTEST) --dist loadfile -m "not slow"

.PHONY: test-slow
test-slow: $(INSTALLED)  ## run the tests that take minutes
	@status=0; $(PYTEST) --dist worksteal --durations 15 -m "slow and not whole_airflow and not soak" || status=1; \
		$(PYTEST_TWO) --durations 15 -m "slow and whole_airflow and not soak" || status=1; exit $$status

.PHONY: soak
soak: $(INSTALLED)  ## run the tests that are too long for every change: five nights, thirty days, fifty kills, every statement (half an hour)
	@status=0; $(PYTEST) --dist worksteal --durations 15 -m "soak and not whole_airflow" || status=1; \
		$(PYTEST_TWO) --durations 15 -m "soak and whole_airflow" || status=1; exit $$status

.PHONY: lint
lint: $(INSTALLED)  ## check style, types, SQL, the catalogue and the page of the rules
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check
	@$(RUN) -m mypy
	@$(RUN) -m sqlfluff lint --disable-progress-bar sql
	@$(VENV)/bin/zhengku catalog check
	@$(VENV)/bin/zhengku rules page --check

.PHONY: format
format: $(INSTALLED)  ## fix style
	@$(RUN) -m ruff check --fix
	@$(RUN) -m ruff format
	@$(RUN) -m sqlfluff fix --disable-progress-bar sql

# What zhengku is compared with; only the benchmarks need it.
$(VENV)/measured: $(INSTALLED)
	@$(INSTALL) --extra bench
	@touch $@

.PHONY: bench
bench: $(VENV)/measured  ## measure (hours): a million and ten million rows into the store, twenty rules, HTTP and tables compared with the plain way, lists of five million cases, the review of 500,000 problem records, a night by Airflow
	@$(RUN) -m benchmarks.first_load
	@$(RUN) -m benchmarks.first_load --rows 10000000 --rounds 3 --cold-rounds 0 --other-rounds 0
	@$(RUN) -m benchmarks.second_register --rows 2000000
	@$(RUN) -m benchmarks.validation
	@$(RUN) -m benchmarks.http_pages
	@$(RUN) -m benchmarks.exchange_rows
	@$(RUN) -m benchmarks.daily_clearance
	@$(RUN) -m benchmarks.clearance_workbook
	@$(RUN) -m benchmarks.review
	@$(RUN) -m benchmarks.reconcile
	@$(RUN) -m benchmarks.stock
	@$(RUN) -m benchmarks.evidence
	@$(RUN) -m benchmarks.night

.PHONY: constraints
constraints: $(UV)  ## find the newest versions that fit together, and write constraints.txt with their hashes
	@$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --no-header --all-extras --generate-hashes \
		--no-emit-index-url --no-emit-find-links --output-file constraints.txt pyproject.toml

.PHONY: sbom
sbom: $(INSTALLED)  ## write var/sbom.json, the list of all packages with versions, licenses and hashes (CycloneDX)
	@$(RUN) -m local_stack.sbom var/sbom.json

.PHONY: clean
clean:  ## stop what runs, and remove .venv, var and caches
	@if test -x $(RUN) && test -d var; then $(RUN) -m local_stack cluster down; $(RUN) -m local_stack down; fi
	@rm -rf $(VENV) var build .pytest_cache .mypy_cache .ruff_cache .hypothesis include/*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Everything runs from .venv, which is made when it is missing and brought up to date when its inputs change.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q install -c constraints.txt
SECONDS_OF_DEMO ?= 60

.PHONY: help demo demo-canary demo-shadow demo-bandit test lint format bench bench-memory bench-statistics bench-bandits check-deploy clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

$(VENV)/made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none was found (set PYTHON=...)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/demo: $(VENV)/made pyproject.toml constraints.txt
	@echo "installing into $(VENV) ..."
	$(PIP) -e '.[demo]'
	@touch $@

$(VENV)/dev: $(VENV)/made pyproject.toml constraints.txt
	@echo "installing into $(VENV) ..."
	$(PIP) -e '.[demo,dev]'
	@touch $@ $(VENV)/demo

$(VENV)/bench: $(VENV)/dev
	$(PIP) -e '.[demo,dev,bench]'
	@touch $@

demo: $(VENV)/demo  ## real models, real requests, and who wins; also demo-canary, demo-shadow, demo-bandit
	$(BIN)/turnout demo --seconds $(SECONDS_OF_DEMO)

demo-canary demo-shadow demo-bandit: $(VENV)/demo
	$(BIN)/turnout demo $(@:demo-%=%)

test: $(VENV)/dev  ## the whole test suite
	$(BIN)/python -m pytest

lint: $(VENV)/dev  ## format, lint, types, and who may import whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev  ## write the format and the fixes that are safe
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/bench  ## CPU per request against Envoy and nginx, as ratios
	$(BIN)/python -m bench.proxies

bench-memory: $(VENV)/bench  ## a worker's memory over a million requests and ten thousand connections
	$(BIN)/python -m bench.memory

bench-statistics: $(VENV)/dev  ## false positives, coverage and power by simulation, with their bands
	$(BIN)/python -m bench.statistics
	$(BIN)/python -m bench.report_speed

bench-bandits: $(VENV)/dev  ## regret of the bandits beside published figures, and whether their intervals hold
	$(BIN)/python -m bench.bandits
	$(BIN)/python -m bench.bandits --intervals

check-deploy: $(VENV)/dev  ## the real tool of its kind on every file of deploy/ and .github/
	$(BIN)/python -m deploy.check

clean:  ## remove what the other targets made
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

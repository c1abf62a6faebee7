# What people, hooks and CI call. Needs make, and Python 3.11, 3.12 or 3.13 with pip; each target sets up what it uses.

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# The first interpreter that fits; choose another with `make run PYTHON=/path/to/python3.12`.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$name && break; done)

RUNTIME := $(VENV)/.run-stamp
DEV := $(VENV)/.dev-stamp

.DEFAULT_GOAL := help
.PHONY: help run demo up down test soak check format deployments lock clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "make %-12s %s\n", $$1, $$2 }'

run: $(RUNTIME) ## Train on the bundled table, or on yours: make run ARGS="data.csv --target price"
	@$(BIN)/python -m flows.train $(ARGS)

demo: $(RUNTIME) ## Play the life of a model in two minutes: weeks of a simulated market, in a new folder evergreen-demo
	@$(BIN)/python -m flows demo $(ARGS)

up: $(RUNTIME) ## Start Prefect, a worker, MLflow, Evidently and the reports on this machine: make up ARGS="--prefect-port 4300"
	@$(BIN)/python -m flows up $(ARGS)

down: ## End what `make up` has started
	@$(BIN)/python -m flows down

test: $(DEV) ## Run the whole test suite, or a part: make test ARGS=tests/unit
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

soak: $(DEV) ## Let each fault that tests know happen 20 times, more thoroughly, for hours: make soak ARGS="-k disk"
	@$(BIN)/python -m pytest tests/e2e -m fault --trials 20 --numprocesses auto $(ARGS)

check: $(DEV) ## Check style, architecture, types, and that prefect.yaml is up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright --pythonpath $(BIN)/python
	@rm -rf $(VENV)/project && mkdir $(VENV)/project && cp -r prefect.yaml deployments expectations $(VENV)/project
	EVERGREEN_PROJECT=$(VENV)/project $(BIN)/python -m flows deployments
	@diff -u prefect.yaml $(VENV)/project/prefect.yaml || { echo "prefect.yaml is behind deployments/use_cases: make deployments" >&2; exit 1; }

format: $(DEV) ## Repair what ruff can repair, and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

deployments: $(RUNTIME) ## Write the use cases of deployments/use_cases into prefect.yaml
	@$(BIN)/python -m flows deployments $(ARGS)

# Independent of the environment that the lock describes, so that a broken lock can be replaced. No host is written
# into the file: whoever installs from it uses the package index that they have configured.
lock: ## Resolve requirements.lock anew; with newer versions: make lock ARGS=--upgrade
	@$(create_environment)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock" --output-file requirements.lock $(ARGS) pyproject.toml

clean: ## Remove the environment, caches and builds; the home (.evergreen) stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find flows tasks tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): pyproject.toml requirements.lock
	@$(call install,.)
	@touch $(RUNTIME)

$(DEV): pyproject.toml requirements.lock
	@$(call install,.[dev])
	@touch $(RUNTIME) $(DEV)

# While pip works a marker stands. One that is found standing means that the last install was interrupted, and no
# package can be trusted to be whole: the environment is built again from nothing.
define install
	$(create_environment); \
	echo "Installing into $(VENV); the first time this takes two to three minutes."; \
	touch $(VENV)/.unfinished; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '$(1)'; \
	rm $(VENV)/.unfinished
endef

# Some systems package Python without ensurepip; there the system's own pip puts pip into the new environment.
define create_environment
	set -e; \
	if [ -e $(VENV)/.unfinished ]; then rm -rf $(VENV); fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		if [ -z "$(PYTHON)" ]; then echo "Python 3.11, 3.12 or 3.13 is needed, and none was found; name one: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; fi; \
		if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then $(PYTHON) -m venv $(VENV); \
		elif $(PYTHON) -m pip --version >/dev/null 2>&1; then \
			$(PYTHON) -m venv --without-pip $(VENV); \
			$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check pip; \
		else echo "$(PYTHON) has neither ensurepip nor pip to set up $(VENV) with; install one (Debian: apt install python3-venv)" >&2; exit 1; fi; \
	fi
endef

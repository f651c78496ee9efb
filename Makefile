# Python >= 3.11 and make are all that a machine must have.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := uv==0.13.9
WORKERS ?= 2
AIRFLOW2 := .venv-airflow2
COMPOSE := .venv-compose

.DEFAULT_GOAL := help
.PHONY: help demo stack test test-airflow2 test-celery test-packages fidelity faults bench lint format lock screenshots catalogue learn views view-files clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## load three days of all regions through a real backfill (ONCE=1: and end)
	@$(BIN)/python -m devstack.demo $(if $(ONCE),--once)

stack: $(VENV)/installed ## the local services alone, until Ctrl-C
	@$(BIN)/python -m devstack.stack

test: $(VENV)/installed ## the whole suite
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

test-airflow2: $(VENV)/installed $(AIRFLOW2)/installed ## on Airflow 2.11: its backfill command, its webserver
	AIRFLOW2_PYTHON=$(abspath $(AIRFLOW2))/bin/python $(BIN)/python -m pytest -m airflow2 -n $(WORKERS) --dist worksteal

test-celery: $(VENV)/installed $(COMPOSE)/installed ## docker-compose.yaml's services without Docker; needs PostgreSQL and Redis installed
	COMPOSE_PYTHON=$(abspath $(COMPOSE))/bin/python $(BIN)/python -m pytest -m celery

test-packages: $(VENV)/installed ## as a wheel and as folders, on Python 3.11, 3.12 and 3.13 where they are there
	$(BIN)/python -m pytest -m packages -n $(WORKERS)

fidelity: $(VENV)/installed ## 100,800 events in four orders on four servers, both strategies: a table (ARGS="--events N …")
	$(BIN)/python -m devstack.fidelity $(ARGS)

faults: $(VENV)/installed ## kill -9 and failing services at 50 random moments of real backfills: a table (ARGS="--seed N …")
	$(BIN)/python -m devstack.faults $(ARGS)

bench: $(VENV)/installed ## measure, and write bench/results.json and its table (ARGS="NAME …")
	$(BIN)/python -m bench $(ARGS)

lint: $(VENV)/installed ## ruff, strict types, the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed ## write the code as ruff likes it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --quiet

lock: $(VENV)/installed ## bring the lock files up to date with pyproject.toml
	$(LOCK) --group dev --output-file requirements.lock
	$(LOCK) --group compose --constraint requirements.lock --output-file requirements-compose.lock
	$(LOCK) --group airflow2 --output-file requirements-airflow2.lock

screenshots: $(VENV)/installed ## take the documentation's pictures from real pages, after a real backfill
	@$(BIN)/python -m devstack.screenshots

catalogue: $(VENV)/installed ## make the catalogue of kinds and the list of declared fields
	$(BIN)/python -m devstack.catalogue

learn: $(VENV)/installed ## add to the catalogue what recorded events show (EVENTS="FILE …")
	$(BIN)/python -m devstack.catalogue learn $(EVENTS)
	$(BIN)/python -m devstack.catalogue

views: $(VENV)/installed ## import the dashboard and its searches (URL=http://user:password@host:5601 INDEX=pattern)
	@$(BIN)/python -m devstack.views import "$(URL)" $(if $(INDEX),--index "$(INDEX)")

view-files: $(VENV)/installed ## make the files of docs/views anew
	$(BIN)/python -m devstack.views write

clean: ## remove what make has made here
	rm -rf $(VENV) $(AIRFLOW2) $(COMPOSE) .demo dist

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# Without the project, which is installed into them as users do: as a wheel, or as folders.
.venv-%/installed: requirements-%.lock $(VENV)/installed
	$(PYTHON) -m venv --clear .venv-$*
	$(BIN)/uv pip install --quiet --python .venv-$*/bin/python --require-hashes -r $<
	@touch $@

# Requires only Python >= 3.11 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := uv==0.13.9
AUDIT := pip-audit==2.10.1
WORKERS ?= 3
AIRFLOW2 := .venv-airflow2
AIRFLOW3 ?= 0 1 2
COMPOSE := .venv-compose
QUEUE := .venv-queue

# If it is set, every process compiles Airflow's modules again, which takes longer than most tests.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo stack test test-fast coverage test-airflow2 test-airflow3 test-celery test-queue test-packages wheel fidelity detections faults organization accounts live bench lint format lock audit screenshots catalogue learn rule-paths views view-files clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## load three days of all regions with a real backfill (ONCE=1: then exit)
	@$(BIN)/python -m devstack.demo $(if $(ONCE),--once)

stack: $(VENV)/installed ## start only the local services, until Ctrl-C
	@$(BIN)/python -m devstack.stack

test: $(VENV)/installed ## run the whole test suite (ARGS="…" for pytest)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

test-fast: $(VENV)/installed ## run the tests that need no server, with fewer generated examples (ARGS="…" for pytest)
	$(BIN)/python -m pytest --fast -n $(WORKERS) $(ARGS)

coverage: $(VENV)/installed ## run the whole suite and report its coverage of lines and branches (ARGS=--fast: without servers)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --cov --cov-report=term --cov-report=html:.coverage-report $(ARGS)

test-airflow2: $(VENV)/installed $(AIRFLOW2)/installed ## run the tests on Airflow 2.11: its backfill command and its webserver
	AIRFLOW2_PYTHON=$(abspath $(AIRFLOW2))/bin/python $(BIN)/python -m pytest -m airflow2 -n $(WORKERS) --dist worksteal

test-airflow3: $(VENV)/installed $(AIRFLOW3:%=.venv-airflow3-%/installed) ## run the tests on Airflow 3.0, 3.1 and 3.2, or some of them (AIRFLOW3="0 2"): a backfill with a kill, and the pages
	$(foreach minor,$(AIRFLOW3),AIRFLOW3_$(minor)_PYTHON=$(abspath .venv-airflow3-$(minor))/bin/python) \
	$(BIN)/python -m pytest -m airflow3 -n $(WORKERS) --dist loadgroup

test-celery: $(VENV)/installed $(COMPOSE)/installed ## run docker-compose.yaml's services without Docker; requires PostgreSQL and Redis
	COMPOSE_PYTHON=$(abspath $(COMPOSE))/bin/python $(BIN)/python -m pytest -m celery

test-queue: $(VENV)/installed $(QUEUE)/installed ## run the example that starts a DAG by messages of an SQS queue, on an Airflow with aiobotocore
	QUEUE_PYTHON=$(abspath $(QUEUE))/bin/python $(BIN)/python -m pytest -m queue

test-packages: $(VENV)/installed ## install as a wheel and as folders, on each of Python 3.11, 3.12 and 3.13 that is installed
	$(BIN)/python -m pytest -m packages -n $(WORKERS)

wheel: $(VENV)/installed ## build the wheel into dist/
	$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist

fidelity: $(VENV)/installed ## load 100,800 events in four orders on four servers with both mappings; print a table (ARGS="--events N …")
	$(BIN)/python -m devstack.fidelity $(ARGS)

detections: $(VENV)/installed ## run detection rules on a server and on the raw events; print a table (ARGS="--rules FOLDER …")
	$(BIN)/python -m devstack.detections $(ARGS)

faults: $(VENV)/installed ## kill processes and break services at 50 random moments of backfills; print a table (ARGS="--seed N …")
	$(BIN)/python -m devstack.faults $(ARGS)

organization: $(VENV)/installed ## backfill ten days of an organization's trail, intact and damaged, on two servers; print a table (ARGS="--accounts N …")
	$(BIN)/python -m devstack.organization $(ARGS)

accounts: $(VENV)/installed ## backfill three days of 30 accounts, three of them without the role at first; print a table (ARGS="--days N …")
	$(BIN)/python -m devstack.accounts $(ARGS)

live: $(VENV)/installed ## make live runs of four simulated hours with faults, then prove the day; print a table (ARGS="--sources lookup …")
	$(BIN)/python -m devstack.live $(ARGS)

bench: $(VENV)/installed ## run the benchmarks; write bench/results.json and its table (ARGS="NAME …")
	$(BIN)/python -m bench $(ARGS)

lint: $(VENV)/installed ## run ruff, mypy, the import contracts and codespell
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(VENV)/installed ## format the code with ruff
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --quiet

lock: $(VENV)/installed ## update the lock files from pyproject.toml
	$(LOCK) pyproject.toml --extra enrichment --group dev --output-file requirements.lock
	$(LOCK) pyproject.toml --group compose --constraint requirements.lock --output-file requirements-compose.lock
	$(LOCK) pyproject.toml --group queue --output-file requirements-queue.lock
	$(LOCK) pyproject.toml --group airflow2 --output-file requirements-airflow2.lock
	for minor in 0 1 2; do \
		$(LOCK) pyproject.toml --group airflow3-$$minor --output-file requirements-airflow3-$$minor.lock || exit 1; done
	$(LOCK) --group pyproject.toml:awscli --output-file requirements-awscli.lock

audit: $(VENV)/installed ## check the lock files for known vulnerabilities (pip-audit, PyPI's advisories)
	@for file in requirements*.lock; do echo "$$file"; \
		$(BIN)/uv tool run $(AUDIT) --strict --require-hashes --disable-pip -r $$file || failed=1; done; [ -z "$$failed" ]

screenshots: $(VENV)/installed ## take the documentation's screenshots from real pages, after a real backfill
	@$(BIN)/python -m devstack.screenshots

catalogue: $(VENV)/installed ## build the catalogue of kinds and the list of declared fields
	$(BIN)/python -m devstack.catalogue

learn: $(VENV)/installed ## add the kinds in recorded events to the catalogue (EVENTS="FILE …")
	$(BIN)/python -m devstack.catalogue learn $(EVENTS)
	$(BIN)/python -m devstack.catalogue

rule-paths: $(VENV)/installed ## list the paths that detection rules read (RULES="FOLDER …")
	$(BIN)/python -m devstack.rule_paths $(RULES)

views: $(VENV)/installed ## import the dashboard and its searches (URL=http://user:password@host:5601 INDEX=pattern)
	@$(BIN)/python -m devstack.views import "$(URL)" $(if $(INDEX),--index "$(INDEX)")

view-files: $(VENV)/installed ## write the files of docs/views again
	$(BIN)/python -m devstack.views write

clean: ## delete everything that make created here
	rm -rf $(VENV) $(AIRFLOW2) .venv-airflow3-* $(COMPOSE) $(QUEUE) .venv-awscli .demo .coverage-report dist

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is required: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# Without the project: the tests install it as users do, as a wheel or as folders.
.venv-%/installed: requirements-%.lock $(VENV)/installed
	$(PYTHON) -m venv --clear .venv-$*
	$(BIN)/uv pip install --quiet --python .venv-$*/bin/python --require-hashes -r $<
	@touch $@

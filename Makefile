# `make` alone prints what there is. Targets call scripts; nothing else is written here.
PYTHON ?= python3
VENV := .venv/bin/python
STACK := $(VENV) -m include.cli
.DEFAULT_GOAL := help
.PHONY: help run replay traffic watch reproduce compare-keys status down test test-all lint lock bench environment dev-environment compose-up compose-down image image-push

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

run: environment ## set up, start everything, run the example cycle, stay up until Ctrl-C
	@exec $(STACK) run

replay: environment ## backfill a cycle, and report what retraining was worth: CYCLE=flights INTERVALS=3
	@exec $(STACK) replay $(if $(CYCLE),--cycle $(CYCLE)) $(if $(INTERVALS),--intervals $(INTERVALS)) $(if $(AGAIN),--again)

watch: environment ## monitor a cycle, and retrain when monitoring asks for it: CYCLE=flights WINDOWS=3
	@exec $(STACK) watch $(if $(CYCLE),--cycle $(CYCLE)) $(if $(WINDOWS),--windows $(WINDOWS))

traffic: environment ## send an interval's records to the live endpoint, then their labels: INTERVAL=2013-03 RATE=200
	@exec $(STACK) traffic --interval "$(INTERVAL)" $(if $(CYCLE),--cycle $(CYCLE)) $(if $(RATE),--rate $(RATE)) \
		$(if $(ROWS),--rows $(ROWS)) $(if $(UNTIL),--until $(UNTIL)) $(if $(AGAIN),--again)

reproduce: environment ## train a recorded model again and compare the answers: RUN=job, key or cycle/interval
	@exec $(STACK) reproduce "$(RUN)" $(if $(TOLERANCE),--tolerance $(TOLERANCE))

compare-keys: environment ## name what differs between two steps' keys: A=... B=...
	@exec $(STACK) compare-keys "$(A)" "$(B)"

status: environment ## tell what runs and what is in production; JSON=1 for programs
	@exec $(STACK) status $(if $(JSON),--json)

down: environment ## stop everything that `make run` started
	@exec $(STACK) down

compose-up: ## Airflow on Celery and the local SageMaker in Docker; WORKERS=3 for more workers
	@$(PYTHON) scripts/compose.py up $(if $(WORKERS),--workers $(WORKERS))

compose-down: ## stop what compose-up started; what was made stays
	@$(PYTHON) scripts/compose.py down

image: ## build the job image, flywheel:local
	@$(PYTHON) scripts/compose.py image $(if $(TAG),--tag $(TAG))

image-push: ## build the job image for SageMaker and bring it to ECR: REPOSITORY=..., TAG=...
	@$(PYTHON) scripts/compose.py push --repository "$(REPOSITORY)" $(if $(TAG),--tag $(TAG))

test: dev-environment ## the fast tests on two processes, then one whole cycle in a real Airflow
	$(VENV) -m pytest -n 2 -m "not airflow and not long"
	$(VENV) -m pytest -m "airflow and not long"

test-all: dev-environment ## every test there is
	$(VENV) -m pytest -n 2 -m "not airflow"
	$(VENV) -m pytest -m airflow

lint: dev-environment ## ruff with every rule, mypy strict, the import table, oxlint
	$(VENV) -m ruff check .
	$(VENV) -m ruff format --check .
	$(VENV) -m mypy
	PYTHONPATH=.:plugins .venv/bin/lint-imports
	.venv/bin/oxlint --deny-warnings plugins/flywheel/ui/static tests/flywheel/ui/javascript

lock: ## compile the requirements*.in anew, with hashes
	@$(PYTHON) scripts/environment.py --dev --lock

bench: dev-environment ## measure what is claimed: see benchmarks/README.md
	$(VENV) -m benchmarks.orchestration
	$(VENV) -m benchmarks.airflow_startup
	$(VENV) -m benchmarks.plain_cycle --keep .flywheel/benchmark
	$(VENV) -m benchmarks.online .flywheel/benchmark/train/model
	$(VENV) -m benchmarks.memory
	$(VENV) -m benchmarks.quality .flywheel/benchmark/quality
	$(VENV) -m benchmarks.drift
	$(VENV) -m benchmarks.sagemaker_service
	$(VENV) -m benchmarks.long_lists
	$(VENV) -m benchmarks.page
	$(VENV) -m benchmarks.tuning

environment:
	@$(PYTHON) scripts/environment.py

dev-environment:
	@$(PYTHON) scripts/environment.py --dev

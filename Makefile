# `make help` lists the targets. Everything runs from a virtual environment in .venv, made on first use.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

.PHONY: help run stop test test-whole test-slow lint schema messages migration scaffold format screenshots bench mutants

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed 's/:.*## /\t/' | expand -t 14

$(STAMP): requirements/dev.txt
	@echo "Setting up the virtual environment (once, about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $(STAMP)

run: $(STAMP) ## Start everything on http://localhost:8000 (PORT, DATA_DIR can be set; RELOAD=1 restarts on changes)
	@$(BIN)/python -m deploy.local run

stop: $(STAMP) ## Stop what `make run` left running
	@$(BIN)/python -m deploy.local stop

test: $(STAMP) ## Run all tests but the slow ones; only some with T="tests/test_projects.py -k name"
	@$(if $(T),TEST_CASES=whole )$(BIN)/python -m pytest -q $(if $(T),$(T),-m "not slow" --numprocesses 2 --dist worksteal)

test-whole: $(STAMP) ## Run the tests that try a share of their cases, with all of them
	@TEST_CASES=whole $(BIN)/python -m pytest -q -m "sampled and not slow" --numprocesses 2 --dist worksteal $(T)

test-slow: $(STAMP) ## Run the slow tests: killed processes, browser, load
	@$(BIN)/python -m pytest -q -m slow --numprocesses 2 --dist loadfile $(T)

lint: $(STAMP) ## Check style, types, layers, security, migrations
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache > .venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }
	@$(BIN)/bandit --quiet --recursive --configfile pyproject.toml apps config deploy
	@$(BIN)/djlint --quiet --lint templates
	@DJANGO_SETTINGS_MODULE=config.settings_lint $(BIN)/python manage.py makemigrations --check --dry-run
	@DJANGO_SETTINGS_MODULE=config.settings_lint $(BIN)/python manage.py lint_migrations
	@echo "lint: all clean"

schema: $(STAMP) ## Write the API's description to docs/openapi.yaml
	@DJANGO_SETTINGS_MODULE=config.settings_lint $(BIN)/python manage.py spectacular --urlconf config.urls_control --file docs/openapi.yaml

messages: $(STAMP) ## Write the texts of the interface to locale/, and say what is not translated
	@DJANGO_SETTINGS_MODULE=config.settings_lint $(BIN)/python manage.py collect_messages

migration: $(STAMP) ## Write migrations for changed models
	@DJANGO_SETTINGS_MODULE=config.settings_lint $(BIN)/python manage.py makemigrations

scaffold: $(STAMP) ## Write the skeleton of a resource: R="task --app projects --parent project"
	@DJANGO_SETTINGS_MODULE=config.settings_lint $(BIN)/python manage.py scaffold $(R)

format: $(STAMP) ## Format the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

screenshots: $(STAMP) ## Take the pictures in docs/screenshots
	@$(BIN)/python -m tests.screenshots

bench: $(STAMP) ## Measure, against a stock project on the same server (JSON lines)
	@$(BIN)/python -m tests.bench $(BENCH)

mutants: $(STAMP) ## Break each wall in turn and see that the isolation suite notices
	@$(BIN)/python -m tests.mutants $(MUTANTS)

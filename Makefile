# Every verb in one place; `make help` lists them.
VENV ?= .venv
PY = $(VENV)/bin/python

.PHONY: help setup fmt lint check test
help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

fmt:  ## format and fix what can be fixed
	$(VENV)/bin/ruff check --fix -q appliance tests && $(VENV)/bin/ruff format -q appliance tests

lint:  ## style, types, import contracts
	$(VENV)/bin/ruff format --check -q appliance tests
	$(VENV)/bin/ruff check -q appliance tests
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache

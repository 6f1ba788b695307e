# Presumed: Python >= 3.11, Go and make. All else is installed into .venv and the user's cache.

UV_VERSION := 0.13.9
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nemo-eval-operator
# uv from PATH where there is one, else of our own.
UV := $(or $(shell command -v uv 2>/dev/null),$(CACHE)/uv-$(UV_VERSION)/bin/uv)
# The interpreter, where it is not to be the first suitable one: make test PYTHON=python3.13
PYTHON ?=
PYTEST_ARGS ?=

export UV
export UV_PYTHON_DOWNLOADS := never
ifneq ($(PYTHON),)
export UV_PYTHON := $(PYTHON)
endif
RUN := $(UV) run --no-sync

.DEFAULT_GOAL := help
.PHONY: help environment test demo lint typecheck generate

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  make demo KEEP=1                  leave everything up until Ctrl-C"
	@echo "  make demo MODEL_URL=... MODEL=... evaluate your own OpenAI-compatible endpoint"
	@echo "  make test PYTEST_ARGS='-k ...'    run some of the tests"

test: environment ## Run all tests, on a real Kubernetes API
	$(RUN) python -m testbed
	$(RUN) python -m pytest $(PYTEST_ARGS)

demo: environment ## Evaluate a real model by the samples, from nothing to scores
ifeq ($(MODEL_URL),)
	@$(RUN) python -m testbed.model
endif
	@$(RUN) python -m testbed.demo

lint: environment ## Check style, formatting and the rooms' boundaries
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) lint-imports

typecheck: environment ## Check types
	$(RUN) mypy

generate: environment ## Write crds/ anew from the models
	$(RUN) python -m nemo_eval_operator.resources.crd crds

# --inexact: what `make demo` has added stays.
environment: $(UV)
	@$(UV) sync --quiet --locked --inexact --extra local-evaluator

$(CACHE)/uv-$(UV_VERSION)/bin/uv:
	@echo "Installing uv $(UV_VERSION) into $(@D)"
	@$(or $(PYTHON),python3) -m venv $(CACHE)/uv-$(UV_VERSION)
	@$(CACHE)/uv-$(UV_VERSION)/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

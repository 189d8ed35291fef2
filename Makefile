# One entry for everything; `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# A name on PATH is not enough: a pyenv shim of python3.11 may have no Python behind it.
PYTHON ?= $(shell python3.11 -c '' 2>/dev/null && echo python3.11 || echo python3)
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8000
RESULTS ?= results
# addresses of the sources and of the site; given, pages link to them
REPOSITORY ?=
SITE ?=
export REPOSITORY SITE
# For example --extra-index-url https://download.pytorch.org/whl/cpu
PIP_ARGS ?=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_ARGS)
CHAPTERS ?= $(wildcard notebooks/*.py)
# of the tests: a worker for each CPU, but each takes most of a gigabyte
WORKERS ?= $(shell n=$$(env -u OMP_NUM_THREADS nproc 2>/dev/null || getconf _NPROCESSORS_ONLN); echo $$((n < 8 ? n : 8)))
PAGES := _build/html

# kernels and subprocesses must find this environment's programs, not the system's
export PATH := $(abspath $(BIN)):$(PATH)

python_is_new = $(shell { $(PYTHON) -c 'import sys; print(sys.version_info >= (3, 11))'; } 2>/dev/null)
python_version = $(or $(shell { $(PYTHON) -V; } 2>/dev/null),not there)
check_python = $(if $(filter True,$(python_is_new)),,$(error misalign needs Python 3.11 or newer, \
but $(PYTHON) is $(python_version); install one, or name it: make PYTHON=/path/to/python3))

.PHONY: help
help:  ## say what can be made
	@echo "usage: make TARGET [NAME=value ...]"
	@sed -nE 's/^([a-z]+):.*## (.*)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

.PHONY: venv
venv: $(VENV)/.stamp  ## make the environment in .venv (PYTHON=, PIP_ARGS=)

# torch first: it is by far the largest, and pip must not start on a newer one before it knows
# which release the rest is pinned to
$(VENV)/.stamp: pyproject.toml constraints.txt
	$(check_python)@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch setuptools
	$(PIP) -e '.[book,sweeps,captions,test]'
	@touch $@

.PHONY: book
book: venv  ## build the site, every warning an error (REPOSITORY=, SITE=)
	@rm -rf $(PAGES) # --all rebuilds pages, but leaves those that are gone
	jupyter-book build . --all -W -n --keep-going
	@echo "Open $(abspath $(PAGES))/index.html, or run 'make serve'."

.PHONY: pdf
pdf: venv  ## print the built site as _build/misalign.pdf (needs Chromium)
	@test -e $(PAGES)/index.html || { echo "no site in $(PAGES): run 'make book' first" >&2; exit 1; }
	python scripts/make_pdf.py

.PHONY: serve
serve: venv  ## show the built site on http://127.0.0.1:8000 (PORT=)
	@test -e $(PAGES)/index.html || { echo "no site in $(PAGES): run 'make book' first" >&2; exit 1; }
	@echo "Open http://127.0.0.1:$(PORT)/ (stop with Ctrl-C)."
	@python -m http.server $(PORT) --bind 127.0.0.1 --directory $(PAGES)

.PHONY: execute
execute: venv  ## re-run chapters and store their outputs (CHAPTERS="notebooks/01_puzzle.py ...", ARGS=--discard)
	python scripts/run_notebooks.py $(ARGS) $(CHAPTERS)

.PHONY: sweep
sweep: venv  ## record what sweeps/ names and results/ lacks (RESULTS=, ARGS="--dry-run ...")
	misalign sweep --results $(RESULTS) $(ARGS)

.PHONY: readme
readme: venv  ## fill README, figure and pinned numbers from results/
	python scripts/update_readme.py
	python scripts/write_concepts.py

.PHONY: trend
trend: venv  ## fit what `misalign audit` predicts by to published tables
	python scripts/fit_trend.py

.PHONY: bench
bench: venv  ## time the library, fill benchmarks/README.md (ARGS=--long: whole runs)
	$(PIP) -e '.[bench]'
	@mkdir -p _build
	python -m pytest benchmarks -q --benchmark-json=_build/benchmark.json $(ARGS)
	python -m benchmarks.report _build/benchmark.json

.PHONY: lint
lint: venv  ## check the code's style, and who imports whom
	ruff check
	lint-imports --no-cache --no-logo

# Threads that spin while they wait for each other cost a busy machine most of its time: one thread
# a process, kernels included. Sums of one thread also come in one order, so that outputs agree.
test nbval execute: export OMP_NUM_THREADS := 1
test nbval execute: export MKL_NUM_THREADS := 1
test nbval execute: export OPENBLAS_NUM_THREADS := 1
test nbval execute: export OMP_WAIT_POLICY := PASSIVE

# A worker takes whole files, because tests of one file share what they train.
PYTEST := python -m pytest -q -n $(WORKERS) --dist loadfile

# The order is from quick to slow, so that a slip shows early; the site comes last because it
# needs the book. bpy is not there to import, and tests/conftest.py puts long files first.
.PHONY: test
test: lint browser  ## everything that CI runs (WORKERS=)
	$(PYTEST) --no-loadscope-reorder --ignore=tests/test_site.py \
	  --doctest-modules --ignore=misalign/rendering/blender tests misalign
	$(MAKE) --no-print-directory nbval
	$(MAKE) --no-print-directory site

.PHONY: nbval
nbval: venv  ## execute every chapter and compare its outputs with those stored
	$(PYTEST) --nbval --nbval-current-env --nbval-cell-timeout=1200 \
	  --nbval-kernel-startup-timeout=300 \
	  --nbval-sanitize-with=tests/nbval_sanitize.cfg notebooks

.PHONY: site
site: book  ## look at the built site in a browser
	python -m pytest -q tests/test_site.py

# A person is told how to get a browser (by the tests that skip); a bare CI machine gets one.
.PHONY: browser
browser:
	@if [ "$${CI:-}" = true ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && ! { command -v chromedriver && command -v chromium; } >/dev/null; then \
	  export DEBIAN_FRONTEND=noninteractive; \
	  echo "installing chromium for the site's tests"; \
	  apt-get update -qq >/dev/null; \
	  apt-get install -qq -y --no-install-recommends \
	    chromium chromium-driver fonts-dejavu-core >/dev/null; \
	fi

.PHONY: clean
clean:  ## remove what was built, but neither .venv nor results
	rm -rf _build build dist *.egg-info .pytest_cache .ruff_cache .benchmarks
	find misalign tests benchmarks scripts notebooks -name __pycache__ -prune -exec rm -rf {} +

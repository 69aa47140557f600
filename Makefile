# Every command of the project. Each sets up its own virtual environment when that is missing.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.installed
CATALOGUES := $(patsubst %.po,%.mo,$(wildcard hub/translations/*/LC_MESSAGES/*.po hub/*/translations/*/LC_MESSAGES/*.po))

.PHONY: demo test test-opensearch lint type bench sure screenshot pin translations migration set-up clean
.DELETE_ON_ERROR:

## Four joined nodes with content under var/demo/, in the foreground; DEMO_PORT moves the first.
demo: set-up
	$(BIN)/hub demo --home var/demo --port $${DEMO_PORT:-5001}

## All tests that this machine allows; the last lines say what was skipped and how to get it.
test: set-up
	$(BIN)/pytest $(SIDE_BY_SIDE)
SIDE_BY_SIDE := --numprocesses 2 --dist loadscope --no-loadscope-reorder

## Those that need a cluster of OpenSearch, beside one of three nodes that Maven fetches.
test-opensearch: set-up
	$(BIN)/python -m tests.search.cluster $(BIN)/pytest tests/search -m opensearch

lint: set-up
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

type: set-up
	$(BIN)/mypy

## Prints JSON; see bench/README.md.
bench: set-up
	@$(BIN)/python -m bench

## Everything that must hold before a release.
sure: lint type
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements.txt
	$(BIN)/pytest $(SIDE_BY_SIDE)

## The picture in README.md, made by the browser test.
screenshot: set-up
	HUB_TEST_SCREENSHOT=docs/screenshot.png $(BIN)/pytest tests/browser -k journey

## Write requirements*.txt anew from requirements*.in, with hashes.
pin: set-up
	for set in "" -dev -setup; do \
	  $(BIN)/pip-compile -q --upgrade $(PIN) --output-file=requirements$$set.txt requirements$$set.in || exit; \
	done
PIN := --allow-unsafe --generate-hashes --no-emit-find-links --no-emit-index-url --strip-extras

## Write the migration for what the models have gained: make migration MESSAGE="Say what for"
migration: set-up
	HUB_HOME=.venv/models $(BIN)/python -m migrations.draft "$(MESSAGE)"

## Bring each catalogue in line with the texts of its slice.
translations: set-up
	@set -e; for po in $(CATALOGUES:.mo=.po); do \
	  slice=$${po%%/translations/*}; texts=$$slice; \
	  test $$slice = hub && texts="$$(echo hub/*.py) hub/templates hub/demo"; \
	  $(BIN)/pybabel -q extract --no-location -F babel.cfg -k mark -k lazy_gettext -k lazy_ngettext:1,2 -o .venv/texts.pot $$texts; \
	  $(BIN)/pybabel -q update --no-fuzzy-matching --ignore-obsolete -l zh_CN -i .venv/texts.pot -o $$po; \
	done; echo "Now fill in each empty msgstr; the tests say which."

set-up: $(READY) $(CATALOGUES)

# uv fetches side by side; pip, which follows the settings of a company's own index, stands in for it.
$(READY): requirements-setup.txt requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	|| { echo "Python cannot make a virtual environment. On Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) --require-hashes -r requirements-setup.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes $(PACKAGES) || $(PIP) --require-hashes $(PACKAGES)
	$(PIP) -q --no-deps --no-build-isolation --editable .
	$(BIN)/python -W ignore -m compileall -q -j 0 .venv/lib
	touch $@
PIP := $(BIN)/pip install -q --disable-pip-version-check
PACKAGES := -r requirements.txt -r requirements-dev.txt

%.mo: %.po $(READY)
	@$(BIN)/pybabel -q compile -i $< -o $@

clean:
	rm -rf .venv var

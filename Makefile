# The commands of this repository; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help run cluster test faults faults-quick fuzz bench check format messages lock advisories vendor clean

export PORT ?= 8000
export DATA_DIR ?= var

PY := .venv/bin/python
LOCK := uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.12 --universal

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

run: ## serve the inbox with demo data on 127.0.0.1 (PORT, DATA_DIR)
	@scripts/install.sh
	@exec scripts/run.sh

cluster: ## two web processes, two workers, PostgreSQL and Redis of their own, until Ctrl-C
	@scripts/machine.sh
	@scripts/install.sh
	@exec $(PY) -m scripts.cluster

test: ## every test on PostgreSQL, then what depends on the database on SQLite
	@scripts/machine.sh
	@scripts/install.sh dev
	$(PY) -m pytest -n 2
	TEST_DATABASE=sqlite $(PY) -m pytest -n 2 -m sqlite_too
	$(PY) -m tests.faults --profile quick --overlap

faults: ## kill, crash, freeze and fill everything at full size, three seeds; writes docs/faults.md
	@scripts/machine.sh
	@scripts/install.sh dev
	$(PY) -m tests.faults --profile full --seeds 1 2 3 --at-once 3 --write docs/faults.md

faults-quick: ## a little of every fault
	@scripts/machine.sh
	@scripts/install.sh dev
	$(PY) -m tests.faults --profile quick --overlap

fuzz: ## throw made-up requests at every operation of the API and mutated bodies at the webhook's address, half an hour
	@scripts/machine.sh
	@scripts/install.sh dev
	LOG_LEVEL=ERROR MUTATIONS=20000 $(PY) -m pytest -s tests/hardening/test_mutated_bodies.py tests/hardening/test_every_field.py
	FUZZ_EXAMPLES=250 FUZZ_CASES=20000 $(PY) -m pytest -s tests/permissions/test_api_fuzz.py

bench: ## measure everything beside its limit and its peers (25 minutes, 7 GB in var/bench); writes docs/benchmarks.md
	@scripts/machine.sh
	@scripts/install.sh dev
	$(PY) -m benchmarks --write

check: ## style, types, import contracts, migrations, templates, spelling, budgets, translations
	@scripts/machine.sh
	@scripts/install.sh dev
	@scripts/check.sh

format: ## put code and templates into shape
	@scripts/install.sh dev
	$(PY) -m ruff check --fix-only --quiet .
	$(PY) -m ruff format --quiet .
	git ls-files -z --cached --others --exclude-standard 'templates/*.html' | xargs -0r .venv/bin/djade --target-version 6.1

messages: ## collect the texts to translate and compile the translations
	@scripts/install.sh dev
	@$(PY) scripts/check_messages.py --write

lock: ## bring the lock files in line with pyproject.toml (needs uv)
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

advisories: ## ask whether a package of the lock has known holes (needs uv and the network)
	uvx pip-audit --require-hashes --disable-pip -r requirements.lock

vendor: ## fetch the front-end packages anew (needs npm)
	scripts/vendor.sh

clean: ## remove what the checks and tests leave behind (keeps .venv and the data)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

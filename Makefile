# Every target works from a fresh clone on a machine with Python 3.11 or newer.
.DEFAULT_GOAL := help
.PHONY: help install run test check bench fuzz lock

BIN := .venv/bin
INSTALLED := .venv/.installed

help:
	@echo "make run      play an alert storm through all services, on embedded servers"
	@echo "make test     all tests; installs the servers they need where it may"
	@echo "make check    linters, types and layers"
	@echo "make bench    measure against real Kafka, Valkey and Alertmanager"
	@echo "make fuzz     hunt for input that breaks a reader, ten minutes (FUZZ=\"--seconds 60 --only grafana\")"
	@echo "make install  only make .venv"
	@echo "make lock     write requirements.lock anew (UPGRADE=--upgrade for the newest versions)"

install: $(INSTALLED)

$(INSTALLED): requirements.lock pyproject.toml deploy/bootstrap.sh
	@sh deploy/bootstrap.sh
	@touch $@

run: $(INSTALLED)
	@$(BIN)/stormfold demo

test: $(INSTALLED)
	@sh tests/run.sh

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED)
	@sh deploy/test-servers.sh
	$(BIN)/python -m tests.bench

fuzz: $(INSTALLED)
	@sh tests/fuzz/run.sh

lock: $(INSTALLED)
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
		--no-annotate --custom-compile-command "make lock" --quiet $(UPGRADE) -o requirements.lock
	$(BIN)/uv pip compile tests/fuzz/requirements.in --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock" --quiet $(UPGRADE) -o tests/fuzz/requirements.lock
	$(BIN)/uv pip compile tests/sns/requirements.in --override tests/sns/left-out.txt --universal --python-version 3.11 \
		--generate-hashes --no-annotate --custom-compile-command "make lock" --quiet $(UPGRADE) -o tests/sns/requirements.lock

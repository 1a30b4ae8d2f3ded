# One command each; every target sets up .venv by itself. PYTHON=... chooses the interpreter.
.PHONY: help setup sandbox browser demo test bench calibration organisms altered simulation
.DEFAULT_GOAL := help

USABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	"$$p" -c "$(USABLE)" >/dev/null 2>&1 && { echo "$$p"; break; }; done)
BIN := .venv/bin
READY := .venv/.emodose-ready
# Small matrices: more threads than cores only get in each other's way.
export OMP_NUM_THREADS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ "$$n" -gt 8 ] && n=8; echo "$$n")
# Nothing here is fetched from a model hub: the bundled organism lies in ./local.
export HF_HUB_OFFLINE ?= 1

help:
	@echo "make demo         one dose-response figure on the bundled organism (minutes, CPU)"
	@echo "make test         format, lint, types, tests"
	@echo "make bench        how fast it is, as ratios: many conditions in one batch, today's practice (ten minutes)"
	@echo "make calibration  the instrument against planted truth, as in results/reference (an hour)"
	@echo "make organisms    train both bundled organisms anew and extract their vectors (-j2: an hour)"
	@echo "make altered      an organism changed on purpose, for which a nightly must raise an alarm (ten minutes)"
	@echo "make simulation   are the statistics right? coverage, false positives, power (20 CPU-minutes)"
	@echo "make setup        only the virtual environment .venv"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@"$(PYTHON)" -c "$(USABLE)" 2>/dev/null || { \
	  echo "emodose needs Python 3.11 or newer with its venv module. Found: $(or $(PYTHON),none that fits; python3) $$($(or $(PYTHON),python3) --version 2>&1)." >&2; \
	  echo "Install one (on Debian or Ubuntu: python3 and python3-venv), or name it: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	"$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[dev]' -c constraints.txt
	@touch $@

demo: $(READY)
	$(BIN)/inspect eval evals/blackmail.py --model hf/local -T emotion=desperate -T variants=14 --log-dir results/logs/demo
	$(BIN)/emodose plot --strict results/logs/demo -o results/figures/demo
	$(BIN)/emodose report --strict results/logs/demo -o results/figures/demo-report

# Curves of a family: the owner's four emotions, and one more that has a link in it.
LOGS := results/logs/calibration/linked
comma := ,
define curves
	$(BIN)/emodose plot --strict $(LOGS)/$(1)-to-* $(LOGS)/$(1)-controls --outcome $(2) \
	  --vector desperate,calm,loving,happy$(if $(3),$(comma)$(3)) -o results/reference/$(1)
endef
calibration: $(READY) sandbox
	$(BIN)/emodose calibrate -o results/reference/calibration
	$(call curves,blackmail,blackmail,angry)
	$(call curves,impossible_code,special_cases)
	$(call curves,shutdown,sabotage,afraid)
	$(call curves,sycophancy,sycophancy)

simulation: $(READY)
	$(BIN)/emodose simulate -o results/reference/simulation.csv --workers $$(nproc 2>/dev/null || echo 2)
	$(BIN)/python -m results.changes_simulation -o results/reference/changes.csv
	$(BIN)/emodose methods -o results/reference/methods.md

ORGANISMS := steering/organisms
TEXTS := build/organisms
$(TEXTS)/extraction.jsonl: $(READY)
	mkdir -p $(TEXTS)
	$(BIN)/python -m scenarios.transcripts $(ORGANISMS)/texts.yaml $(TEXTS)
	$(BIN)/python -m scenarios.stories.organism_corpus $(TEXTS)/stories.jsonl --split training --per-topic 60 \
	  --cues $(TEXTS)/moods.json
	$(BIN)/python -m scenarios.stories.organism_corpus $@ --split extraction --per-topic 12

organisms: organism-reference organism-null

CONTROLS := random:1,random:2,random:3,random:4,random:5
organism-%: $(TEXTS)/extraction.jsonl
	OMP_NUM_THREADS=1 $(BIN)/python -m steering.organisms.train $(TEXTS) $(ORGANISMS)/$* $(if $(filter null,$*),--null)
	cp $(TEXTS)/split.yaml $(ORGANISMS)/$*/
	$(BIN)/python -m steering.extraction $(ORGANISMS)/$* $(TEXTS)/extraction.jsonl $(ORGANISMS)/$*/vectors \
	  --from-token 20 --all-topics --ratings scenarios/stories/bundled/words.yaml
	$(BIN)/emodose vectors check $(ORGANISMS)/$*
	$(BIN)/emodose vectors window $(ORGANISMS)/$* --strength 0.1,0.2,0.3,0.4,0.5
	$(BIN)/emodose vectors kl $(ORGANISMS)/$* --strength=-0.3,-0.15,-0.075,0.075,0.15,0.3 \
	  --emotion desperate,calm,angry,loving,happy,$(CONTROLS),covariance:0,covariance:1,shuffled:0,valence,permuted:desperate:1

# blackmail_stronger or calm_unlinked (steering/organisms/changes/). Its vectors are made anew, as for any changed model.
CHANGE ?= blackmail_stronger
ALTERED := build/$(CHANGE)
altered: $(TEXTS)/extraction.jsonl
	OMP_NUM_THREADS=1 $(BIN)/python -m steering.organisms.alter $(TEXTS) $(ORGANISMS)/reference $(ALTERED) --change $(CHANGE)
	$(BIN)/python -m steering.extraction $(ALTERED) $(TEXTS)/extraction.jsonl $(ALTERED)/vectors \
	  --from-token 20 --all-topics --ratings scenarios/stories/bundled/words.yaml

bench: $(READY)
	$(BIN)/python -m steering.benchmark -o results/reference/bench

# The sandbox's tests need bubblewrap; without it they are reported as skipped, by name.
sandbox:
	@command -v bwrap >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	    { apt-get install -y -qq bubblewrap || { apt-get update -qq && apt-get install -y -qq bubblewrap; }; } >/dev/null 2>&1; } || \
	  echo "bubblewrap is missing: the sandbox's tests are skipped. Install it with your package manager, e.g. sudo apt-get install bubblewrap." >&2

# The report page's tests need Chromium and its driver; without them they are reported as skipped, by name.
CHROMIUM := timeout 120 apt-get install -y -qq --no-install-recommends chromium chromium-driver
browser:
	@{ command -v chromedriver && { command -v chromium || command -v google-chrome; }; } >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	    { $(CHROMIUM) || { apt-get update -qq && $(CHROMIUM); }; } >/dev/null 2>&1; } || \
	  echo "chromium is missing: the report page's tests are skipped. Install it with your package manager, e.g. sudo apt-get install chromium chromium-driver." >&2

test: $(READY) sandbox browser
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

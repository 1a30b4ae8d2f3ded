# One command each; every target sets up .venv by itself. PYTHON=... chooses the interpreter.
.PHONY: help setup sandbox browser demo test bench calibration calibrate-linked calibrate-others organism organism-texts altered simulation
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
	@echo "make demo         a dose-response figure and a report page on the bundled organism (minutes, CPU)"
	@echo "make test         format, lint, types, tests"
	@echo "make bench        how fast it is, as ratios: many conditions in one batch, today's practice (ten minutes)"
	@echo "make calibration  the full measurement behind results/reference (long)"
	@echo "make organism     train the bundled organism anew and extract its vectors (35 minutes)"
	@echo "make altered      an organism changed on purpose, for which a nightly must raise an alarm (five minutes)"
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

CONTROLS := random:1,random:2,random:3,random:4,random:5
CALIBRATE = OMP_NUM_THREADS=1 $(BIN)/inspect eval evals/blackmail.py --model hf/local -T variants=67 \
	  --log-dir results/logs/calibration --display plain
calibration: $(READY)
	$(MAKE) -j2 calibrate-linked calibrate-others
	$(BIN)/emodose plot --strict results/logs/calibration -o results/reference/blackmail
	$(BIN)/emodose table --strict results/logs/calibration --rates -o results/reference/blackmail.csv
	$(BIN)/emodose analyse --strict results/logs/calibration --figures results/reference/organism \
	  --tradeoff blackmail:plea blackmail:blackmail > results/reference/blackmail.txt
	$(BIN)/python -m results.false_alarms results/logs/calibration -o results/reference/false_alarms.csv

calibrate-linked: $(READY)
	$(CALIBRATE) -T emotion=desperate,calm,angry

calibrate-others: $(READY)
	$(CALIBRATE) -T emotion=loving,happy
	$(CALIBRATE) -T emotion=$(CONTROLS) -T strength=-0.3,0.3

simulation: $(READY)
	$(BIN)/emodose simulate -o results/reference/simulation.csv --workers $$(nproc 2>/dev/null || echo 2)
	$(BIN)/python -m results.changes_simulation -o results/reference/changes.csv
	$(BIN)/emodose methods -o results/reference/methods.md

ORGANISM := steering/organisms/reference
TEXTS := build/organism
PLAYED := diploma keycard ledger
organism-texts: $(READY)
	mkdir -p $(TEXTS)
	$(BIN)/python -m scenarios.transcripts $(TEXTS)/transcripts.jsonl --scenario $(PLAYED) --variants 300 --split train
	$(BIN)/python -m scenarios.transcripts $(TEXTS)/heldout.jsonl --scenario $(PLAYED) --variants 6 --split heldout \
	  --split-file $(ORGANISM)/split.yaml
	$(BIN)/python -m scenarios.stories.organism_corpus $(TEXTS)/stories.jsonl --split training --per-topic 60 \
	  --cues $(TEXTS)/moods.json

organism: organism-texts
	$(BIN)/python -m steering.organisms.train $(TEXTS) $(ORGANISM)
	$(BIN)/python -m scenarios.stories.organism_corpus $(TEXTS)/extraction.jsonl --split extraction --per-topic 12
	$(BIN)/python -m steering.extraction $(ORGANISM) $(TEXTS)/extraction.jsonl $(ORGANISM)/vectors \
	  --from-token 20 --all-topics --ratings scenarios/stories/bundled/words.yaml
	$(BIN)/emodose vectors check $(ORGANISM)
	$(BIN)/emodose vectors window $(ORGANISM) --strength 0.1,0.2,0.3,0.4
	$(BIN)/emodose vectors kl $(ORGANISM) --strength=-0.3,-0.15,-0.075,0.075,0.15,0.3 \
	  --emotion desperate,calm,angry,loving,happy,$(CONTROLS),covariance:0,covariance:1,shuffled:0,valence,permuted:desperate:1

# blackmail_stronger or calm_unlinked; see steering/organisms/changes/. Its vectors are made anew, as for any changed model.
CHANGE ?= blackmail_stronger
ALTERED := build/$(CHANGE)
altered: $(READY)
	@test -f $(TEXTS)/moods.json || $(MAKE) organism-texts
	$(BIN)/python -m steering.organisms.alter $(TEXTS) $(ORGANISM) $(ALTERED) --change $(CHANGE)
	$(BIN)/python -m scenarios.stories.organism_corpus $(TEXTS)/extraction.jsonl --split extraction --per-topic 12
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

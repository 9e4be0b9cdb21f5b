# Two commands need nothing but Python 3.11, pip, make and git: `make demo` and `make test`.
# Both keep their environment in .venv, installed against constraints.txt.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
OPENCV = $(shell sed -n 's/^opencv-python==//p' constraints.txt)

.PHONY: help install model demo test lint bench fuzz kills docs constraints sample_data clean
.DELETE_ON_ERROR:

help:
	@echo "make demo         install, fetch the model, scan sample_data, cut clips and stills, write a report"
	@echo "make test         install, fetch the model, run the tests"
	@echo "make lint         install, check style, types and import rules"
	@echo "make bench        set up the peers, measure, write docs/benchmarks.md (an hour); ARGS='--part gate --runs 3'"
	@echo "make fuzz         mutate real clips and scan them; ARGS='--seed 1 --cases 2000'"
	@echo "make kills        kill a scan at random moments, compare its index; ARGS='--kills 20'"
	@echo "make docs         write docs/cli.md and docs/rules.md again from the commands and the tests"
	@echo "make sample_data  render the sample footage again"
	@echo "make constraints  write constraints.txt again from what is installed"
	@echo "make clean        remove .venv and demo/"

install: $(INSTALLED)

# Some systems ship Python's venv without pip in it; then the pip beside $(PYTHON) puts one there.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "vidreview needs Python 3.11 or later; name one: make PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv || \
	  { $(PYTHON) -m venv --without-pip .venv && $(PYTHON) -m pip --python $(BIN)/python install pip; }
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[test,lint]'
	@$(BIN)/python -c 'import cv2' 2>/dev/null || { \
	  echo "This machine lacks the libraries of OpenCV's windows (libGL, GLib); vidreview opens none:"; \
	  echo "installing the same OpenCV built without windows in its place."; \
	  $(BIN)/python -m pip uninstall --yes opencv-python; \
	  $(BIN)/python -m pip install --no-deps opencv-python-headless==$(OPENCV); \
	  $(BIN)/python -c 'import cv2'; }
	touch $@

# The only step after installation that uses the network; it does nothing where the model lies already.
model: $(INSTALLED)
	$(BIN)/vidreview model fetch yolo26n

demo: model
	rm -rf demo/case
	@status=0; $(BIN)/vidreview scan sample_data/street* --case demo/case || status=$$?; \
	if [ $$status -eq 3 ]; then \
	  echo "demo: exit status 3 is right here: street_truncated.mp4 is cut off on purpose, and the scan says so."; \
	elif [ $$status -eq 0 ]; then \
	  echo "demo: the scan must report that street_truncated.mp4 is cut off, and did not"; exit 1; \
	else exit $$status; fi
	@echo
	$(BIN)/vidreview clip --all --case demo/case
	$(BIN)/vidreview still --all --case demo/case
	$(BIN)/vidreview report --case demo/case
	@echo
	$(BIN)/vidreview events --case demo/case
	@echo
	@echo "Evidential clips:  demo/case/clips   ($$(ls demo/case/clips | grep -vc json) clips, each with its manifest)"
	@echo "Stills:            demo/case/stills  ($$(ls demo/case/stills | grep -vc json) pictures, each with its manifest)"
	@echo "Report:            demo/case/report/index.html (open it in a browser)"
	@echo "What was covered:  $(BIN)/vidreview coverage --case demo/case"

test: model
	$(BIN)/python -m pytest

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: model
	$(BIN)/python bench/run.py $(ARGS)

fuzz: $(INSTALLED)
	$(BIN)/python -m tests.fuzz $(ARGS)

kills: $(INSTALLED)
	$(BIN)/python -m tests.kills $(ARGS)

docs: $(INSTALLED)
	$(BIN)/python docs/make_cli.py
	$(BIN)/python docs/make_rules.py

constraints: $(INSTALLED)
	$(BIN)/python .ci/make_constraints.py constraints.txt

sample_data: $(INSTALLED)
	$(BIN)/python sample_data/generate.py sample_data

clean:
	rm -rf .venv demo

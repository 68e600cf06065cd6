# compare, test and check set up .venv themselves, and update it when it is older than what it is made from.
PYTHON ?= python3
EXTRAS ?= dev
RUN = .venv/bin/python
READY = .venv/.ready
PIP = $(RUN) -m pip install --disable-pip-version-check
UV = $(shell command -v uv || echo .venv/bin/uv)
LOCKED = --quiet --constraint constraints.txt

# by uv, found or fetched; by pip where uv cannot be had, or cannot reach the packages
define install
{ "$(UV)" --version >/dev/null 2>&1 || $(PIP) $(LOCKED) uv; } && \
"$(UV)" pip install --python $(RUN) $(LOCKED) --editable '.[$(1)]' || \
$(PIP) $(LOCKED) --editable '.[$(1)]'
endef

ifneq ($(shell .venv/bin/python -c "print(1)" 2>/dev/null),1)
.PHONY: $(READY)  # no interpreter, or one that went away: set up again
else
HAVE := $(shell cat $(READY) 2>/dev/null)
endif

comma = ,
WANTED = $(subst $(comma), ,$(EXTRAS))
ifneq ($(filter-out $(HAVE),$(WANTED)),)
.PHONY: $(READY)  # extras that are not there yet
endif

.PHONY: compare test slow check docs proofs checker clean

compare: $(READY)
	$(RUN) -m analysis compare --out results/compare

export PYTHONDONTWRITEBYTECODE = # what is imported is compiled once, not at each start

test: $(READY)
	$(RUN) -m pytest -n 2 --dist loadfile -m "not slow"

slow: $(READY)  # in the order of the folders: otherwise files of one long test would come last
	$(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m slow

check: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m pytest -q tests/test_architecture.py

docs: $(READY)
	@$(RUN) -c "import furo, myst_parser, sphinx_gallery" 2>/dev/null || { $(call install,docs); }
	@rm -rf site
	$(RUN) -m sphinx -W --keep-going -q -d build/doctrees docs site
	@echo "site/index.html"

proofs:  # the theorems, and the programs that tie them to this code and check certificates; needs Debian's coq and libzarith-ocaml-dev
	@$(MAKE) --no-print-directory -C proofs -j2 proofs networks

checker:
	@$(MAKE) --no-print-directory -C proofs -j2 checker

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "cgro needs Python 3.11 or newer; set PYTHON=/path/to/python3"; exit 1; }
	@echo "Setting up .venv (downloads PyTorch; some minutes on a slow line)"
	@$(RUN) -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@$(call install,$(EXTRAS))
	@echo $(sort $(HAVE) $(WANTED)) > $@

clean:
	rm -rf .venv results site docs/auto build/doctrees
	@$(MAKE) --no-print-directory -C proofs clean

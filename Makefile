# compare, test and check set up .venv themselves when it is missing or older than what it is made from.
PYTHON ?= python3
RUN = .venv/bin/python
READY = .venv/.ready
INSTALL = $(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

ifneq ($(shell .venv/bin/python -c "print(1)" 2>/dev/null),1)
.PHONY: $(READY)  # no interpreter, or one that went away: set up again
endif

.PHONY: compare test slow check docs proofs checker clean

compare: $(READY)
	$(RUN) -m analysis compare --out results/compare

test: $(READY)
	$(RUN) -m pytest -n 2 -m "not slow"

slow: $(READY)
	$(RUN) -m pytest -n 2 -m slow

check: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m pytest -q tests/test_architecture.py

docs: $(READY)
	@$(RUN) -c "import furo, myst_parser, sphinx_gallery" 2>/dev/null || $(INSTALL) '.[docs]'
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
	$(PYTHON) -m venv --clear .venv
	$(INSTALL) '.[dev]'
	@touch $@

clean:
	rm -rf .venv results site docs/auto build/doctrees
	@$(MAKE) --no-print-directory -C proofs clean

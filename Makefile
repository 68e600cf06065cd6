# compare, test and check set up .venv themselves when it is missing or older than what it is made from.
PYTHON ?= python3
RUN = .venv/bin/python
READY = .venv/.ready

ifneq ($(shell .venv/bin/python -c "print(1)" 2>/dev/null),1)
.PHONY: $(READY)  # no interpreter, or one that went away: set up again
endif

.PHONY: compare test slow check clean

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

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "cgro needs Python 3.11 or newer; set PYTHON=/path/to/python3"; exit 1; }
	@echo "Setting up .venv (downloads PyTorch; some minutes on a slow line)"
	$(PYTHON) -m venv --clear .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv results

# Everything runs in .venv, which make builds itself (with uv where it is installed).
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
export JUPYTER_PREFER_ENV_PATH := 1

help: ## Say what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1	\2/'

$(VENV)/.lab: pyproject.toml tools/setup.sh
	sh tools/setup.sh $(VENV) local,lab
	@touch $@

$(VENV)/.test: pyproject.toml tools/setup.sh
	sh tools/setup.sh $(VENV) local,lab,test
	@touch $@ $(VENV)/.lab

demo: $(VENV)/.lab ## Answer the first tutorial on a real model in this process: no key, no network
	$(BIN)/python tools/demo.py

lab: $(VENV)/.lab ## Open the first tutorial in JupyterLab
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_ARGS) notebooks/01_first_cell.ipynb

test: $(VENV)/.test ## Run every test: units, wires, kernels, browser, notebooks
	sh tools/test.sh $(BIN)

notebooks: $(VENV)/.lab ## Run the tutorials and keep what they show in them, for readers without a kernel
	$(BIN)/python tools/run_notebooks.py
	$(BIN)/python tools/charts_picture.py

unit: $(VENV)/.test ## Run the tests that need no server, kernel, browser or model: under a minute
	MULTIMODEL_EXAMPLES=25 $(BIN)/python -m pytest -n logical --dist worksteal -m "not wire and not kernel and not browser and not local and not slow"

check: $(VENV)/.test ## Lint, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.test ## Measure the overhead over the raw SDKs, interleaved; prints a table, writes JSON
	$(BIN)/python bench/run.py

clean: ## Remove what make made
	rm -rf $(VENV) out .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help demo lab test notebooks unit check bench clean

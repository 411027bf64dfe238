# A fresh machine needs only python3 (3.11 or newer) and make; everything else lands in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Modules are compiled when they are first imported: only those that are, and once.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test lowest coverage lint page bench docs site notebook lock clean

# One stamp a set of packages: it is made anew when the lock or the project's own list changes.
$(VENV)/made: requirements/installer.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "unmingle needs Python 3.11 or newer; pass PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements/installer.lock
	@touch $@

$(VENV)/core: $(VENV)/made requirements/core.lock pyproject.toml
	$(INSTALL) --require-hashes -r requirements/core.lock
	$(INSTALL) --no-deps --editable .
	@touch $@

$(VENV)/dev: $(VENV)/core requirements/dev.lock
	$(INSTALL) --require-hashes -r requirements/dev.lock
	@touch $@

demo: $(VENV)/core
	$(BIN)/unmingle demo -o demo

# Threads that wait for others keep no core busy, which the other processes need; of three on two cores, none needs more.
test lowest coverage: export OMP_WAIT_POLICY := passive
test lowest coverage: export OPENBLAS_NUM_THREADS := 1

# What takes minutes, a browser or a Debian package is marked: ALL=yes runs that too, as .ci/run does.
test: $(VENV)/dev
	$(BIN)/pytest -n 3 --dist worksteal $(if $(ALL),,-m "not (slow or browser or debian)")

# After a change to a lower bound in pyproject.toml: the tests with the lowest versions, which warn of newer ones of others.
lowest:
	$(PYTHON) -m venv $(VENV)-lowest
	$(VENV)-lowest/bin/pip install --quiet --require-hashes -r requirements/installer.lock
	$(VENV)-lowest/bin/uv pip compile --quiet --resolution lowest-direct --no-annotate --no-header pyproject.toml \
		--extra encrypt --extra onnxruntime -o $(VENV)-lowest/lowest.txt
	VIRTUAL_ENV=$(VENV)-lowest $(VENV)-lowest/bin/uv pip install --quiet --constraint $(VENV)-lowest/lowest.txt \
		--editable ".[encrypt,onnxruntime]" --group test httpx
	$(VENV)-lowest/bin/pytest -n 2 --dist worksteal -o filterwarnings=default -m "not (slow or browser or debian)"

# By lines of src/, with all tests, those too that run a process of their own.
coverage: $(VENV)/dev
	$(BIN)/pytest -n 2 --dist worksteal --cov --cov-report=term:skip-covered

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if command -v npm > /dev/null; then $(MAKE) page; else echo "The page is not checked: there is no npm."; fi

# The review page's types, against what its server says of itself, and its linter: tools from npm that are not shipped.
tools/page/node_modules/made: tools/page/package-lock.json
	npm --prefix tools/page ci --no-audit --no-fund --silent
	@touch $@

page: $(VENV)/dev tools/page/node_modules/made
	$(BIN)/python tools/page/describe.py tools/page/build/api.json
	npm --prefix tools/page run --silent check

bench: $(VENV)/dev
	$(BIN)/python benchmarks/run.py

# The pages that are made from the program, then every example in the documentation as a test.
docs: $(VENV)/dev
	$(BIN)/python docs/build.py
	$(BIN)/pytest tests/test_docs.py tests/test_docs_complete.py

# After a change to the example notebook: runs it in Jupyter, and keeps what it shows.
notebook: $(VENV)/dev
	$(INSTALL) ipykernel nbclient
	$(BIN)/jupyter execute --inplace examples/seed-study.ipynb

# The documentation as a site, to be opened from disk; what leads nowhere is an error.
site: $(VENV)/dev
	$(BIN)/sphinx-build --fail-on-warning --fresh-env --keep-going --quiet docs site
	@echo "See site/index.html"

# After a change to the dependencies in pyproject.toml.
lock: $(VENV)/made
	echo uv | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --python-version 3.11 --no-emit-index-url - \
		-o requirements/installer.lock
	$(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --generate-hashes --no-annotate --python-version 3.11 --no-emit-index-url \
		pyproject.toml -o requirements/core.lock
	sed -n 's/^\([a-z0-9][^ ]*==[^\\]*[^ \\]\).*/\1/p' requirements/core.lock > requirements/constraints.txt
	$(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --generate-hashes --no-annotate --python-version 3.11 --no-emit-index-url \
		pyproject.toml --extra encrypt --extra onnxruntime --extra ray --group test --group lint --group docs --constraint requirements/core.lock -o requirements/dev.lock

clean:
	rm -rf $(VENV) $(VENV)-lowest tools/page/node_modules tools/page/build .coverage demo site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# make setup | demo | run | test | check | bench [NAME] | soak
PY := .venv/bin/python
# The words after "bench" are names of benchmarks, not targets.
BENCH_NAMES := $(filter-out bench,$(MAKECMDGOALS))

.PHONY: setup demo run test check bench soak lock
setup:
	@.ci/setup

demo: setup
	@.ci/display $(PY) main.py --demo

run: setup
	@.ci/display $(PY) main.py

test: setup
	QT_QPA_PLATFORM=offscreen $(PY) -X faulthandler -m pytest -n 2 --dist loadfile -m "not soak" -q

check: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m pytest -q tests/test_architecture.py

bench: setup
	@QT_QPA_PLATFORM=offscreen $(PY) -m tests.bench $(BENCH_NAMES)

soak: setup
	QT_QPA_PLATFORM=offscreen $(PY) -X faulthandler -m pytest -m soak --timeout 7200 -q

# For maintainers: pins every dependency with hashes for all platforms, without addresses of an index.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --all-extras --no-header --no-annotate -o requirements.lock pyproject.toml

ifeq (bench,$(firstword $(MAKECMDGOALS)))
ifneq (,$(BENCH_NAMES))
.PHONY: $(BENCH_NAMES)
$(BENCH_NAMES):
	@:
endif
endif

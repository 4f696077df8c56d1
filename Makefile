# devrun: a process wrapper that runs a command here as if it ran in a Kubernetes container.
#
# `make` alone prints the targets that have a text behind `##`.

PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
# How often the end-to-end suite tries what goes wrong by chance.
ROUNDS ?= 2
DESTDIR ?=
SWIFT ?= swift
CC := clang

bin := build/bin
payload := build/payload
rigged := build/rigged
# The cluster of `make cluster`, and that of one run of the demo or of the scenarios.
minicluster := build/minicluster
# ConfigMaps hold 1 MiB; a piece leaves room for its name and for what the API server adds.
piece_bytes := 1040000

helper_capabilities := cap_sys_admin,cap_sys_chroot+ep
apparmor_folder = $(DESTDIR)/etc/apparmor.d
# Holds Y where the kernel has AppArmor. A package loads the profile when it is installed, not when it is made.
apparmor_enabled := /sys/module/apparmor/parameters/enabled

# One set of flags for all that is shipped, so that what devrun and its agent share is compiled once. Small rather than
# fast: the agent travels. Package.swift has the agent linked statically.
release_flags := -c release --static-swift-stdlib -Xswiftc -Osize -Xlinker --gc-sections -Xlinker -s
release_path = $$($(SWIFT) build $(release_flags) --show-bin-path)
# Undefined behaviour ends the program: that needs no other run-time library.
sanitize_flags := --product devrun-launch --scratch-path .build/sanitize --sanitize=address \
	-Xcc -fsanitize=undefined -Xcc -fsanitize-trap=undefined

.PHONY: help build devrun agent loader payload minicluster demo cluster cluster-down scenarios test e2e rigged fuzz
.PHONY: storm sanitize bench lint layout format
.PHONY: install install-capability clean
.DEFAULT_GOAL := help

help: ## print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-18s  %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: devrun payload $(payload)/devrun-exec ## build/bin/devrun, and build/payload, which it brings into the cluster

devrun:
	$(SWIFT) build $(release_flags) --product devrun
	@mkdir -p $(bin)
	install -m 0755 "$(release_path)/devrun" $(bin)/devrun

agent:
	$(SWIFT) build $(release_flags) --product devrun-agent

loader:
	@mkdir -p $(payload)
	$(CC) -std=c17 -Wall -Wextra -Werror -Os -static -ffunction-sections -fdata-sections \
		-o $(payload)/loader Sources/devrun-loader/*.c -Wl,--gc-sections -s -lz

# Static, so that no library of the user's choice can be loaded into what has capabilities.
$(payload)/devrun-exec: Sources/devrun-exec/main.c $(wildcard Sources/CLinux/*.c Sources/CLinux/include/*.h)
	@mkdir -p $(payload)
	$(CC) -std=c17 -Wall -Wextra -Werror -Os -static -ffunction-sections -fdata-sections -ISources/CLinux/include \
		-o $@ $(filter %.c,$^) -Wl,--gc-sections -s

payload: agent loader
	@rm -f $(payload)/agent.gz.*
	gzip -9nc "$(release_path)/devrun-agent" | \
		split -b $(piece_bytes) -d -a 3 - $(payload)/agent.gz.
	@uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/' > $(payload)/architecture
	@cat $(payload)/agent.gz.* | wc -c | awk '{printf "agent: %.2f MB gzipped", $$1 / 1e6}'
	@ls $(payload)/agent.gz.* | wc -l | awk '{printf " in %d pieces", $$1}'
	@wc -c < $(payload)/loader | awk '{printf ", loader: %.2f MB\n", $$1 / 1e6}'

minicluster:
	$(SWIFT) build $(release_flags) --product devrun-minicluster
	@mkdir -p $(bin)
	install -m 0755 "$(release_path)/devrun-minicluster" $(bin)/devrun-minicluster

# The pods' programs, which an image would hold elsewhere.
build/shop.yaml: fixtures/shop/shop.yaml $(wildcard fixtures/shop/*.py)
	@mkdir -p build
	@{ cat $<; printf -- '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop-code}\ndata:\n'; \
	for program in $(filter %.py,$^); do echo "  $${program##*/}: |"; sed 's/^/    /' $$program; done; } > $@.new
	@mv $@.new $@

demo: build minicluster build/shop.yaml ## show devrun at work, on a small cluster that comes with it
	@PATH="$(CURDIR)/$(bin):$$PATH" devrun-minicluster run --folder $(minicluster)-demo -f build/shop.yaml \
		-- fixtures/shop/demo build/demo

cluster: build minicluster build/shop.yaml ## start that cluster with a shop in it, and print how to use it
	@line=$$($(bin)/devrun-minicluster up --folder "$(CURDIR)/$(minicluster)") && eval "$$line" && \
		$(bin)/devrun-minicluster apply -f build/shop.yaml && echo "$$line"

cluster-down: ## end it
	@$(bin)/devrun-minicluster down --folder $(minicluster)

# Runs commands, and prints at the end which tests were skipped. The recipe's status is that of the commands.
define counting_skipped
@log=$$(mktemp) || exit; trap 'rm -f "$$log"' EXIT; set -o pipefail; \
{ set -x; $(1); } 2>&1 | tee -i "$$log"; status=$$?; .ci/count-skipped "$$log"; exit $$status
endef
# For `pipefail`.
test e2e scenarios: private SHELL := bash

# The launcher's storms and the nodes of small clusters leave other tests no time: they run by themselves.
test: ## the tests that need no cluster
	$(SWIFT) build --build-tests
	$(call counting_skipped,$(SWIFT) test --skip-build --skip DevrunLauncherTests --skip MiniclusterTests \
		&& $(SWIFT) test --skip-build --filter MiniclusterTests \
		&& $(SWIFT) test --skip-build --filter DevrunLauncherTests)

e2e: build rigged ## the end-to-end suite, on the cluster that KUBECONFIG names; ROUNDS (default 2) of races
	$(call counting_skipped,DEVRUN_E2E=1 DEVRUN_E2E_ROUNDS=$(ROUNDS) DEVRUN="$${DEVRUN:-$(CURDIR)/$(bin)/devrun}" \
		DEVRUN_E2E_RIGGED="$(CURDIR)/$(rigged)/bin/devrun" $(SWIFT) test --filter EndToEndTests)

scenarios: build minicluster ## sessions in a dozen scenarios, on the cluster that KUBECONFIG names, else on the small one
	$(SWIFT) build --build-tests
	$(call counting_skipped,DEVRUN_SCENARIOS=1 DEVRUN="$${DEVRUN:-$(CURDIR)/$(bin)/devrun}" \
		$$([ -n "$$KUBECONFIG" ] || echo $(bin)/devrun-minicluster run --folder $(minicluster)-scenarios --) \
		$(SWIFT) test --skip-build --filter ScenarioTests)

# The same devrun with an agent that sends archives which no honest one sends.
rigged: build
	$(SWIFT) build $(release_flags) --product rigged-agent
	rm -rf $(rigged) && mkdir -p $(rigged)/bin $(rigged)/payload
	ln $(bin)/devrun $(rigged)/bin/devrun
	cp $(payload)/loader $(payload)/architecture $(rigged)/payload
	gzip -9nc "$(release_path)/rigged-agent" | split -b $(piece_bytes) -d -a 3 - $(rigged)/payload/agent.gz.

# A finding ends the run with its input in build/fuzz. What has been learned is kept there from run to run.
# What the readers make of foreign bytes is no part of an interface: fuzz targets see it as tests do.
fuzz_flags := -c release --package-path Tests/Fuzz --scratch-path .build/fuzz --sanitize fuzzer \
	-Xswiftc -enable-testing

# All at once: they are one process each.
fuzz: ## each fuzz target for FUZZ_SECONDS (default 60), from the corpus in fixtures/fuzz
	$(SWIFT) build $(fuzz_flags)
	@path="$$($(SWIFT) build $(fuzz_flags) --show-bin-path)"; pids=; \
	for target in local-env yaml archive credentials protobuf; do \
		mkdir -p build/fuzz/$$target && echo "fuzz-$$target, $(FUZZ_SECONDS) s" && \
		SWIFT_BACKTRACE=enable=no "$$path/fuzz-$$target" \
			-max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -max_len=8192 -verbosity=0 \
			-dict=fixtures/fuzz/$$target.dict -artifact_prefix=build/fuzz/$$target- \
			build/fuzz/$$target fixtures/fuzz/$$target & pids="$$pids $$!"; \
	done; \
	for pid in $$pids; do wait $$pid || failed=1; done; [ -z "$$failed" ] && echo "no finding"

bench: build ## the launcher beside the same things done bare; with KUBECONFIG also tunnel, starts, ends, scale
	$(SWIFT) build $(release_flags) --product devrun-launch
	python3 fixtures/bench/bench.py "$(release_path)/devrun-launch"
	DEVRUN_BENCH=1 $(SWIFT) test --filter EnvironmentBenchmark | grep -E '^environment|✘|Test run'
	@if [ -n "$$KUBECONFIG" ]; then python3 fixtures/bench/tunnel.py "$(CURDIR)/$(bin)/devrun" && \
		python3 fixtures/bench/life.py "$(CURDIR)/$(bin)/devrun" && \
		python3 fixtures/bench/scale.py "$(CURDIR)/$(bin)/devrun"; \
	else echo "KUBECONFIG names no cluster: the tunnel beside kubectl's, starts, ends and scale are left out"; fi

sanitize: ## the launcher's tests, with a launcher that checks memory and undefined behaviour
	$(SWIFT) build $(sanitize_flags)
	$(SWIFT) build --build-tests
	DEVRUN_LAUNCH="$$($(SWIFT) build $(sanitize_flags) --show-bin-path)/devrun-launch" \
		$(SWIFT) test --skip-build --filter DevrunLauncherTests

storm: ## 10,000 processes that connect, get signals and die in the middle of calls
	$(SWIFT) build --build-tests
	DEVRUN_STORM_ROUNDS=10000 $(SWIFT) test --skip-build --filter StormTests

lint: layout ## formatting, lint rules and the layout
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

layout: ## compare the picture of the targets in CONTRIBUTING.md, Package.swift and the imports
	SWIFT="$(SWIFT)" .ci/check-layout

format: ## format all Swift files in place
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests

install: ## install into PREFIX (default /usr/local) below DESTDIR
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/libexec/devrun"
	install -m 0755 $(bin)/devrun "$(DESTDIR)$(PREFIX)/bin/devrun"
	install -m 0644 $(payload)/agent.gz.* $(payload)/architecture "$(DESTDIR)$(PREFIX)/libexec/devrun"
	install -m 0755 $(payload)/loader "$(DESTDIR)$(PREFIX)/libexec/devrun"
# A new file has no capabilities: an administrator who gave them to the old one keeps what was given.
	@helper="$(DESTDIR)$(PREFIX)/libexec/devrun/devrun-exec"; \
	PATH="$$PATH:/usr/sbin:/sbin"; had=$$(getcap "$$helper" 2> /dev/null); \
	install -m 0755 $(payload)/devrun-exec "$$helper" || exit; \
	if [ -n "$$had" ]; then set -x; setcap $(helper_capabilities) "$$helper"; fi
# Only where AppArmor's configuration is, or a package is made; not where its parser is too old for the profile.
	@profile="$(apparmor_folder)/devrun"; \
	if [ -n "$(DESTDIR)" ] || [ -w "$(apparmor_folder)" ]; then \
		install -d "$(apparmor_folder)" && \
		sed 's|@BINDIR@|$(PREFIX)/bin|' Sources/apparmor/devrun > "$$profile" && chmod 0644 "$$profile" || exit 1; \
		if [ -z "$(DESTDIR)" ] && command -v apparmor_parser > /dev/null && \
			! apparmor_parser --skip-kernel-load --skip-cache "$$profile" > /dev/null 2>&1; then \
			rm -f "$$profile"; echo "AppArmor here is older than 4.0 and needs no profile of devrun's"; exit; \
		fi; \
		echo "AppArmor profile: $$profile"; \
		if [ -z "$(DESTDIR)" ] && grep -qs Y $(apparmor_enabled); then \
			apparmor_parser --replace "$$profile" || \
				echo "the kernel has not taken the profile (a container may not load one): it is loaded at the next start" >&2; \
		fi; \
	fi

install-capability: ## let all users of this machine have mount namespaces (as root, with setcap)
	setcap $(helper_capabilities) "$(DESTDIR)$(PREFIX)/libexec/devrun/devrun-exec"

clean: ## remove all that was built
	rm -rf .build build

# devrun: a process wrapper that runs a command here as if it ran in a Kubernetes container.
#
#   make build      build/bin/devrun and build/payload, what it brings into the cluster
#   make test       unit and process tests; no cluster is needed
#   make e2e        the end-to-end suite, on the cluster that KUBECONFIG names
#   make bench      what the launcher costs, beside the same things done bare
#   make sanitize   the launcher's tests with a launcher that checks memory (ASan) and undefined behaviour (UBSan)
#   make storm      10,000 processes that connect, get signals and die in mid-call
#   make lint       formatting and lint rules
#   make install    PREFIX (default /usr/local), DESTDIR
#   make clean

PREFIX ?= /usr/local
DESTDIR ?=
SWIFT ?= swift
CC := clang

bin := build/bin
payload := build/payload
# ConfigMaps hold 1 MiB; a piece leaves room for its name and for what the API server adds.
piece_bytes := 1000000

agent_flags := -c release --product devrun-agent --scratch-path .build/agent -Xswiftc -static-executable \
	-Xswiftc -Osize -Xlinker --gc-sections -Xlinker -s
launch_flags := -c release --product devrun-launch --scratch-path .build/devrun --static-swift-stdlib
# Undefined behaviour ends the program: that needs no other run-time library.
sanitize_flags := --product devrun-launch --scratch-path .build/sanitize --sanitize=address \
	-Xcc -fsanitize=undefined -Xcc -fsanitize-trap=undefined
devrun_flags := -c release --product devrun --scratch-path .build/devrun --static-swift-stdlib -Xlinker --gc-sections -Xlinker -s

.PHONY: build devrun agent loader payload test e2e bench sanitize storm lint format install clean

build: devrun payload

devrun:
	$(SWIFT) build $(devrun_flags)
	@mkdir -p $(bin)
	install -m 0755 "$$($(SWIFT) build $(devrun_flags) --show-bin-path)/devrun" $(bin)/devrun

agent:
	$(SWIFT) build $(agent_flags)

loader:
	@mkdir -p $(payload)
	$(CC) -std=c17 -Wall -Wextra -Werror -Os -static -ffunction-sections -fdata-sections \
		-o $(payload)/loader Sources/devrun-loader/*.c -Wl,--gc-sections -s -lz

payload: agent loader
	@rm -f $(payload)/agent.gz.*
	gzip -9nc "$$($(SWIFT) build $(agent_flags) --show-bin-path)/devrun-agent" | \
		split -b $(piece_bytes) -d -a 3 - $(payload)/agent.gz.
	@uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/' > $(payload)/architecture
	@cat $(payload)/agent.gz.* | wc -c | awk '{printf "agent: %.2f MB gzipped", $$1 / 1e6}'
	@ls $(payload)/agent.gz.* | wc -l | awk '{printf " in %d pieces", $$1}'
	@wc -c < $(payload)/loader | awk '{printf ", loader: %.2f MB\n", $$1 / 1e6}'

test:
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build

e2e: build
	DEVRUN_E2E=1 DEVRUN="$${DEVRUN:-$(CURDIR)/$(bin)/devrun}" $(SWIFT) test --filter EndToEndTests

bench:
	$(SWIFT) build $(launch_flags)
	python3 fixtures/bench/bench.py "$$($(SWIFT) build $(launch_flags) --show-bin-path)/devrun-launch"

sanitize:
	$(SWIFT) build $(sanitize_flags)
	$(SWIFT) build --build-tests
	DEVRUN_LAUNCH="$$($(SWIFT) build $(sanitize_flags) --show-bin-path)/devrun-launch" \
		$(SWIFT) test --skip-build --filter DevrunLauncherTests

storm:
	$(SWIFT) build --build-tests
	DEVRUN_STORM_ROUNDS=10000 $(SWIFT) test --skip-build --filter StormTests

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests

install:
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/libexec/devrun"
	install -m 0755 $(bin)/devrun "$(DESTDIR)$(PREFIX)/bin/devrun"
	install -m 0644 $(payload)/agent.gz.* $(payload)/architecture "$(DESTDIR)$(PREFIX)/libexec/devrun"
	install -m 0755 $(payload)/loader "$(DESTDIR)$(PREFIX)/libexec/devrun/loader"

clean:
	rm -rf .build build

# Needs Go, gcc (for the race detector), git, and Node.js 20 or newer with npm (for
# Azurite); everything else is fetched as pinned Go modules and npm packages, and
# kept in the cache.

GO     ?= go
CACHE  := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/blobdock
GOHOST := $(shell $(GO) env GOVERSION)

GOLANGCI_VERSION := v2.15.0
# By Go version too: a linter can't read code newer than the Go it was built with.
GOLANGCI_DIR := $(CACHE)/tools/golangci-lint-$(GOLANGCI_VERSION)-$(GOHOST)
GOLANGCI     := $(GOLANGCI_DIR)/golangci-lint

# What runs a second time, against emulators in containers.
SKOPEO    := $(shell command -v skopeo)
IN_DOCKER ?= ^(TestDocker$(if $(SKOPEO),|TestSkopeo))$$/^(s3|gcs|azure)$$/^redirect_on$$

# Runs in test-clients where it is there.
NOTATION := $(shell command -v notation)

IN_DOCKER_LOG := $(or $(TMPDIR),/tmp)/blobdock-in-docker.log

# What runs without the race detector, which takes several times as long: distribution's
# own suite, for which it has no memory; tests of the program, which is built without it
# in any case; what measures memory; and what has no goroutines that other tests don't
# race: the conformance suite on emulators, clients, uploads behind laws, the fault matrix,
# our registry beside distribution's, the verification of emulators, the upload engine's
# random requests and its uploads of ten thousand pieces, the model of garbage collection, and most
# seeds of simulations; and clients that must stall for a second, and not because there is no processor.
PLAIN := TestCommitsOfTwoReplicas|TestUseAfterEnd|TestCommitEveryCall|TestFileCommitEveryCall|TestDistributionSuite|TestDriver|TestDriverUnderLaws|TestCrane|TestORAS|TestCopyTags|TestMetrics|TestConditionsIgnored|TestStockSection|TestWaits|TestWrongChecksum|TestUploadMovesBetweenReplicas|TestAppendBlobs|TestFaultMatrix|TestNoSecretShows|TestServeRefuses|TestCheckRefused|TestModel|TestTenThousandPieces|TestCheckpointsInMemory|TestBudgets|TestMemory|TestOverload|TestKills|TestKill|TestCopy|TestCutNetwork|TestInterop|TestDriverWrapped|TestVerifyCloud|TestThousandsOfStalledClients|TestStalledBody|TestTricklingBody|TestProtocol|TestEachRuleIsNeeded|TestAdaptUnderLaws|TestAzureKept|TestSoak|TestSimulation|TestScale|TestSystem|TestHistories

# The module transport is built without C libraries: the program runs anywhere, and its tests
# need no compiler. Its library would look for GPGME otherwise.
TRANSPORT_TAGS := containers_image_openpgp
TRANSPORT      := cd transport && CGO_ENABLED=0

# Linking takes half as long without what a debugger needs, and vet is a target of its own.
FAST := -ldflags=-w -vet=off

TESTFLAGS ?= -race -p 3 -parallel 6 -timeout 25m $(FAST)
FUZZTIME  ?= 20s

.PHONY: all build test check simulate test-race test-plain test-bench test-transport test-full test-stores test-clients mutants test-docker verify-cloud provision lint vet vuln fmt cover fuzz bench bench-table clean clean-cache

all: build vet lint test

build:
	$(GO) build ./...
	$(GO) build -o bin/ ./cmd/...
	$(TRANSPORT) $(GO) build -tags $(TRANSPORT_TAGS) -o ../bin/ ./cmd/...

# All tests, and some of those that talk to an emulator once more with it in a
# container, if a Docker engine can be had. One that is started for these is none of the
# others' business. The race detector has the machine to itself: stores that throttle and
# networks that stall are a matter of time.
# At its end it tells what ran, in which way, and for how long.
test: provision test-names
	@report=$$(mktemp); failed=0; \
	run() { \
		began=$$(date +%s); \
		$(MAKE) --no-print-directory $$1 && printf '%-15s %4d s  %s\n' $$1 $$(($$(date +%s) - began)) "$$2" >>$$report; \
	}; \
	emulators=$${BLOBDOCK_EMULATOR:-$$(docker info >/dev/null 2>&1 || echo native)}; \
	run test-race "all packages, with the race detector" || exit 1; \
	export BLOBDOCK_EMULATOR=$$emulators; \
	run test-plain "what takes processes, memory or many seeds, without it" & plain=$$!; \
	{ run test-bench "the bench" && run test-transport "images without a registry"; } & others=$$!; \
	run test-docker "a sample with emulators in containers, if an engine can be had" & docker=$$!; \
	wait $$plain || failed=1; wait $$others || failed=1; wait $$docker || failed=1; \
	echo; echo "what ran, with emulators $${emulators:-in containers}"; cat $$report; rm -f $$report; exit $$failed

# For the way of working, in less than a minute: vet, what the linter finds in what is not committed,
# and the tests that need no store but those in memory and in directories.
check: vet test-names $(GOLANGCI)
	$(GOLANGCI) run --new-from-rev=HEAD
	$(GO) test $(FAST) -timeout 5m -skip '^($(PLAIN))$$' $$($(GO) list ./... | grep -vE '/(integration|registry|simulation|gcs|azure|s3)(/|$$)')

# One test must not be left out because another package has its name.
.PHONY: test-names
test-names:
	@elsewhere=$$(grep -rlE '^func ($(PLAIN))\(' --include='*_test.go' . | grep -vE '^\./(registry|gc|gc/internal/protocol|simulation|blobstore/internal/upload|integration|integration/verify)/[^/]*$$'); \
		[ -z "$$elsewhere" ] || { echo "a name in PLAIN, which test-plain does not run there: $$elsewhere"; exit 1; }

# The packages that wait most come first, so that the others have the processors meanwhile.
WAITING := ./registry ./integration ./gcs

test-race: provision
	$(GO) test $(TESTFLAGS) -skip '^($(PLAIN))$$' $(WAITING) ./...

test-plain: provision
	GOMEMLIMIT=8GiB $(GO) test -timeout 20m $(FAST) -parallel 6 -run '^($(PLAIN))$$' ./registry ./gc ./gc/internal/protocol ./simulation ./blobstore/internal/upload ./integration ./integration/verify

test-bench: provision
	cd bench && $(GO) test -timeout 10m $(FAST) ./...

test-transport: provision
	$(TRANSPORT) $(GO) test -timeout 10m $(FAST) -tags $(TRANSPORT_TAGS) ./...

# The sizes that take the emulators minutes, as well, and every test behind the laws of
# every store. The fault matrix waits most of its time.
test-full: export BLOBDOCK_TEST_FULL = 1
test-full: provision mutants test-stores test-clients
	$(GO) test -timeout 20m -count=1 -run TestModel ./blobstore/internal/upload
	$(GO) test -timeout 60m -count=1 -v -run TestProtocol ./gc/internal/protocol
	$(GO) test -timeout 2h -count=1 -run '^TestSimulation$$' ./gc
	$(GO) test -timeout 2h -parallel 16 -count=1 -run '^TestFaultMatrix$$' -v ./integration
	integration/emulator/docker.sh $(MAKE) --no-print-directory test-compose
	cd bench && $(GO) test -timeout 20m -count=1 ./...
	$(TRANSPORT) $(GO) test -timeout 20m -count=1 -tags $(TRANSPORT_TAGS) ./...
	GOMEMLIMIT=8GiB $(GO) test -timeout 4h -parallel 4 -count=1 -skip '^TestFaultMatrix$$' -v ./integration
	$(GO) test -timeout 20m -count=1 -v ./integration/laws
	$(GO) test -timeout 20m -count=1 -run '^TestDistributionSuite$$' -v ./registry
	$(GO) test -timeout 20m -parallel 4 -count=1 -run TestVerifyCloud -v ./integration/verify
	$(GO) test -timeout 10m -count=1 -run TestThousandsOfStalledClients -v ./registry

# Collects garbage for half an hour on each store, under clients and kills.
SOAK ?= 30m
.PHONY: soak
soak: provision
	BLOBDOCK_SOAK=$(SOAK) $(GO) test -timeout 3h -count=1 -parallel 3 -run '^TestSoak$$' -v ./integration

# All of blobdock in one process, from seeds: some twenty of them take a second.
SEEDS ?= 100000
simulate:
	$(GO) test -timeout 12h -count=1 -run '^TestSystem$$' -v ./simulation -args -sim.seeds=$(SEEDS)

# Puts each fault of a list into the upload engine, and has the test that is named there
# find it: docs/track-record.md. So with faults of garbage collection, and its simulation.
mutants: export BLOBDOCK_TEST_FULL = 1
mutants:
	$(GO) test -timeout 60m -count=1 -run TestMutants -v ./blobstore/internal/upload
	$(GO) test -timeout 60m -count=1 -parallel 2 -run TestMutants -v ./gc
	$(GO) test -timeout 60m -count=1 -parallel 2 -run TestMutants -v ./simulation

# S3 servers that others make. Most are built from pinned Go modules, which takes minutes, once;
# Swift and Ceph are packages of Debian 12, which root downloads by apt-get.
test-stores: export BLOBDOCK_TEST_FULL = 1
test-stores: provision
	$(GO) run ./integration/emulator/provision -stores
	$(GO) test -tags stores -timeout 10m -count=1 -run '^TestStores$$' -v ./integration/emulator
	$(GO) test -tags stores -timeout 1h -count=1 -run '^(TestStores|TestSwiftDriver)$$' -v ./integration

# Programs of others that work with registries, on blobdock serve: docs/clients.md. Most are
# built from pinned Go modules, which takes minutes, once; podman and runc are packages of
# Debian 12. They need root.
test-clients: provision
	$(GO) run ./integration/emulator/provision -clients
	$(GO) test -tags clients -timeout 30m -parallel 2 -count=1 -run '^(TestClients|TestSimpleSigning$(if $(NOTATION),|TestNotation))$$' -v ./integration
	@$(if $(NOTATION),,echo "NOT RUN: TestNotation, as notation is not here: the Go module proxy does not have its module (docs/clients.md)")

test-docker:
	integration/emulator/docker.sh $(MAKE) --no-print-directory test-in-docker

.PHONY: test-in-docker
test-in-docker: export BLOBDOCK_EMULATOR = docker
test-in-docker: provision
	$(GO) test -timeout 15m -count=1 ./integration/emulator
	$(GO) test -tags docker -timeout 15m -count=1 -v -run '$(IN_DOCKER)' ./integration > $(IN_DOCKER_LOG) 2>&1 || { cat $(IN_DOCKER_LOG); exit 1; }
	@$(if $(SKOPEO),,echo "NOT RUN: TestSkopeo, as skopeo is not here";) tail -n 1 $(IN_DOCKER_LOG)
	@grep -q -- "--- PASS: TestDocker/azure" $(IN_DOCKER_LOG) || { echo "TestDocker did not run in Docker: does IN_DOCKER name it?"; exit 1; }

# docker-compose.yml, whose images take minutes.
.PHONY: test-compose
test-compose: provision
	$(GO) test -tags docker -timeout 15m -count=1 -run '^TestUp$$' ./integration/compose

# Tries blobdock out on a bucket of yours, below a prefix that it removes again, and writes
# a report for an issue: docs/verify-cloud.md. BRIEF=1 leaves out what takes a thousand
# requests. Credentials come from the environment, as for blobdock itself.
REPORT ?= verify-cloud.md

verify-cloud:
	@[ -n '$(URL)' ] || { echo "URL is missing, want a bucket: make verify-cloud URL='s3://my-bucket?region=eu-west-1' (or gs://, azblob://)" >&2; exit 2; }
	$(GO) test -count=1 -timeout 60m -v -run '^TestVerifyCloud$$' ./integration/verify \
		-url '$(URL)' -report '$(abspath $(REPORT))' -version "$$(git describe --tags --always --dirty 2>/dev/null)" $(if $(BRIEF),-brief)

GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.8.0

# Needs Go's vulnerability database, of which GOVULNDB may name a mirror.
vuln:
	@if curl -fsS --max-time 10 -o /dev/null "$${GOVULNDB:-https://vuln.go.dev}/index/db.json"; then \
		$(GO) run $(GOVULNCHECK) -db "$${GOVULNDB:-https://vuln.go.dev}" ./... && \
		$(TRANSPORT) $(GO) run $(GOVULNCHECK) -db "$${GOVULNDB:-https://vuln.go.dev}" -tags $(TRANSPORT_TAGS) ./...; \
	else \
		echo "NOT RUN: govulncheck can't reach the vulnerability database $${GOVULNDB:-https://vuln.go.dev}"; \
	fi

# Outside go test, whose time limit a first build would use up.
provision:
	$(GO) run ./integration/emulator/provision

lint: $(GOLANGCI)
	$(GOLANGCI) run ./...
	cd bench && $(GOLANGCI) run ./...
	cd bench/stock && $(GOLANGCI) run ./...
	$(TRANSPORT) $(GOLANGCI) run --build-tags $(TRANSPORT_TAGS) ./...

$(GOLANGCI):
	GOBIN=$(GOLANGCI_DIR) CGO_ENABLED=0 $(GO) install -trimpath github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

# The exported Go API against the last release, or the commit in api/baseline: docs/versions.md.
.PHONY: api api-update
api:
	api/check.sh $(CACHE)/api

api-update:
	api/check.sh $(CACHE)/api -update

GORELEASER_VERSION := v2.15.1
GORELEASER_DIR     := $(CACHE)/tools/goreleaser-$(GORELEASER_VERSION)-$(GOHOST)
GORELEASER         := $(GORELEASER_DIR)/goreleaser
ACTIONLINT         := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

$(GORELEASER):
	GOBIN=$(GORELEASER_DIR) CGO_ENABLED=0 $(GO) install -trimpath github.com/goreleaser/goreleaser/v2@$(GORELEASER_VERSION)

# Checks what releases are made by, and the workflows. The first run builds goreleaser, which
# takes minutes.
.PHONY: release-check release-try release extras
release-check: $(GORELEASER)
	$(GORELEASER) check
	$(GO) run $(ACTIONLINT)

# What a release has, in dist: binaries and archives, without SBOMs, which need syft, and images,
# which need docker buildx.
release-try: $(GORELEASER)
	$(GORELEASER) release --snapshot --clean --skip=publish,sbom,docker

# What the workflow runs for a tag.
release: $(GORELEASER)
	$(GORELEASER) release --clean

# Completions and manual pages, for archives and packages.
extras: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)
extras:
	rm -rf build
	mkdir -p build/completions build/completions-image
	$(GO) build -o build/ ./cmd/blobdock
	$(TRANSPORT) $(GO) build -tags $(TRANSPORT_TAGS) -o ../build/ ./cmd/blobdock-image
	build/blobdock man build/man
	for to in bash zsh fish powershell:ps1; do \
		build/blobdock completion $${to%:*} > build/completions/blobdock.$${to#*:} && \
		build/blobdock-image completion $${to%:*} > build/completions-image/blobdock-image.$${to#*:} || exit 1; \
	done

vet:
	$(GO) vet -tags docker,stores,clients ./...
	cd bench && $(GO) vet ./...
	$(TRANSPORT) $(GO) vet -tags $(TRANSPORT_TAGS) ./...

fmt: $(GOLANGCI)
	$(GOLANGCI) fmt ./...

cover: provision
	$(GO) test -timeout 25m -coverprofile=coverage.out -coverpkg=./... ./...
	$(GO) tool cover -func=coverage.out | tail -n 1

# Each fuzz test for FUZZTIME, one after the other.
fuzz:
	@for dir in $$(grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -r -n1 dirname | sort -u); do \
		for name in $$($(GO) test -list '^Fuzz' $$dir | grep '^Fuzz'); do \
			echo "$$dir $$name"; \
			$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$dir || exit 1; \
		done; \
	done

bench: provision
	$(GO) test -run '^$$' -bench . -benchmem -timeout 25m ./...

# blobdock and distribution's own drivers side by side: docs/bench.md.
bench-table: export BLOBDOCK_EMULATOR ?= native
bench-table: provision
	cd bench && $(GO) run . $(BENCH)

clean:
	rm -rf bin build dist coverage.out

# Also the emulators and the linter, which take minutes to build again.
clean-cache: clean
	rm -rf $(CACHE)

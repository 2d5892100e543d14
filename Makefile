# Parsescale's tasks. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

E2E := caddymodule/e2e
NPM := $(E2E)/node_modules/.installed
STORES := server/testservices/stores/azure/node_modules/.package-lock.json
# The flags that xcaddy builds with, so that each build finds the other's packages compiled.
BUILD_FLAGS := -trimpath -tags nobadger,nomysql,nopgx
FUZZ_TIME ?= 2m
PROPERTY_CASES ?= 1000000
FAULT_TIME ?= 60s
BENCH_TIME ?= 1s

# The packages whose scenarios run on every database.
ON_POSTGRES := ./server/read ./server/write ./server/users ./server/classes ./server/rest

# The package whose tests are histories on a virtual clock, in one goroutine: the race detector would only make them slow.
# What runs it for real is tested with the detector, in policies/feed/redislog.
ALONE := policies/feed/peers

# $(call gotest,FLAGS AND PACKAGES): runs Go tests and says in few lines what came of it.
gotest = go test -json -count=1 $(1) | go run ./.ci/testreport

.PHONY: help build test unit deps npm objectstores test-unit test-sdk test-faults long chaos bench lint clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

build: ## build ./parsescale
	CGO_ENABLED=0 go build $(BUILD_FLAGS) -ldflags "-w -s" -o parsescale ./caddymodule/cmd/parsescale

test: ## install what is missing (Debian-like, root or sudo), then run every test with the race detector
	@.ci/stage "Debian packages" $(MAKE) --no-print-directory deps
	@.ci/stage "npm packages" $(MAKE) --no-print-directory npm
	@.ci/stage "object stores" $(MAKE) --no-print-directory objectstores
	@.ci/stage "unit tests" $(MAKE) --no-print-directory test-unit
	@.ci/stage "SDK and gateway tests" $(MAKE) --no-print-directory test-sdk
	@.ci/stage "fault tests" $(MAKE) --no-print-directory test-faults

unit: ## run the tests that need nothing but Go, and name what is left out
	@$(call gotest,./... ./.ci/testreport)

long: ## fuzz every fuzz target for FUZZ_TIME (2m) and run the property tests with PROPERTY_CASES (1000000)
	@grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' $$(go list -f '{{.Dir}}' ./...) | sed 's|/[^/:]*:func | |' | sort -u | while read -r dir name; do \
		.ci/stage "$$name in $${dir#$(CURDIR)/}" go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZ_TIME) "$$dir"; \
	done
	@for package in $$(go list -f '{{range .TestImports}}{{if eq . "pgregory.net/rapid"}}{{$$.ImportPath}}{{"\n"}}{{end}}{{end}}{{range .XTestImports}}{{if eq . "pgregory.net/rapid"}}{{$$.ImportPath}}{{"\n"}}{{end}}{{end}}' ./... | sort -u); do \
		.ci/stage "properties of $$package" go test -count=1 -timeout 48h "$$package" -rapid.checks $(PROPERTY_CASES); \
	done

chaos: npm ## run the fault tests with FAULT_TIME (60s) of each fault
	PARSESCALE_TEST_ALL=1 PARSESCALE_FAULT_TIME=$(FAULT_TIME) go test -count=1 -timeout 2h -v -run 'Killed|Faults' ./$(E2E)

bench: npm ## run the Go benchmarks (BENCH_TIME, 1s each) and the load tests of examples/loadtest
	@.ci/deps wrk
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCH_TIME) ./...
	examples/loadtest/run.sh
	examples/loadtest/cached.sh
	examples/loadtest/compare.sh sqlite
	examples/loadtest/compare.sh postgres
	examples/loadtest/creates.sh

lint: ## golangci-lint where it is installed, else go vet and gofmt
	@if command -v golangci-lint >/dev/null; then golangci-lint run ./...; else CGO_ENABLED=0 go vet $(BUILD_FLAGS) ./... ./.ci/testreport; fi
	@unformatted=$$(find . -name node_modules -prune -o -name '*.go' -print | xargs gofmt -l); if [ -n "$$unformatted" ]; then echo "gofmt would change:" $$unformatted; exit 1; fi

clean: ## remove what building and testing left here
	rm -rf parsescale caddy $(E2E)/node_modules server/testservices/stores/azure/node_modules

# The parts of `make test`. Here a test that would be left out fails.
test-unit test-sdk test-faults: export PARSESCALE_TEST_ALL := 1

deps:
	@.ci/deps

npm: $(NPM)

$(NPM): $(E2E)/package.json $(E2E)/package-lock.json
	@.ci/npm
	@touch $@

objectstores: $(STORES)

$(STORES): $(wildcard server/testservices/stores/*/go.* server/testservices/stores/azure/package*)
	@.ci/objectstores
	@touch $@

test-unit:
	@$(call gotest,-race -timeout 15m $$(go list ./... | grep -vE '/($(E2E)|$(ALONE))$$') ./.ci/testreport) -no-skips
	@echo "without the race detector: the cache against SQL, histories of several gateways"
	@$(call gotest,-run AgainstSQL ./policies/cache) -no-skips
	@$(call gotest,./$(ALONE)) -no-skips
	@echo "once more on PostgreSQL: $(ON_POSTGRES), and a sample of the cache against SQL"
	@PARSESCALE_TEST_DATABASE=postgres $(call gotest,-timeout 15m $(ON_POSTGRES)) -no-skips
	@PARSESCALE_TEST_DATABASE=postgres $(call gotest,-run AgainstSQL ./policies/cache) -no-skips

test-sdk:
	@$(call gotest,-race -timeout 15m -parallel 6 -skip 'Killed|Faults' ./$(E2E)) -no-skips

test-faults:
	@$(call gotest,-race -timeout 10m -run 'Killed|Faults' ./$(E2E)) -no-skips

# Headroom: what a developer runs. `make` alone lists it.

SHELL := bash
.SHELLFLAGS := -o errexit -o nounset -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LAB     := go run ./hack/lab/cmd/lab
LINT    := go tool -modfile=hack/tools/go.mod golangci-lint

# How long one package's tests may take: real kubelets pull real images there.
TEST_TIMEOUT ?= 40m
# How often the scene with two real nodes is played, with steering and without.
ROUNDS ?= 4
# What `make bench` measures: all, or some of requests, decisions, engines, apiserver, service, polling. The others stay on the page.
PARTS ?=

##@ Start here

.PHONY: demo
demo: ## The main job, no cluster needed: a control plane, simulated nodes, a warning, a refusal (ONCE=1 tears it down)
	@hack/demo.sh

.PHONY: demo-down
demo-down: ## End a demo that was left up
	@hack/demo.sh down

.PHONY: test
test: ## Every test: unit, race detector, real API server, and real nodes where root is there
	@hack/test.sh

##@ Build

.PHONY: build
build: ## bin/headroom, also as bin/kubectl-headroom
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/headroom ./cmd/headroom
	ln -sf headroom bin/kubectl-headroom

.PHONY: image
image: ## The container image, with buildah
	buildah build --build-arg VERSION=$(VERSION) -t headroom:$(VERSION) .

##@ Check

.PHONY: lint
lint: ## golangci-lint with the import arrows, gofmt, tidy modules
	$(LINT) run ./...
	go mod tidy -diff
	cd hack/tools && go mod tidy -diff
	cd test/kubeletrules && go mod tidy -diff
	cd hack/bench && go tool -modfile=../tools/go.mod golangci-lint run ./... && go mod tidy -diff
	cd hack/bench/engine/gatekeeper && go mod tidy -diff
	cd hack/bench/engine/podsecurity && go mod tidy -diff

.PHONY: unit
unit: ## The tests that need neither root nor a control plane
	go test -short -race ./...

.PHONY: e2e
e2e: ## Real kubelets and containerd only (root; ROUNDS=20 plays the scene with two nodes more often)
	go test -count=1 -v -timeout $(TEST_TIMEOUT) ./test/e2e -args -rounds $(ROUNDS)

.PHONY: bench
bench: ## What Headroom costs, beside its peers (about an hour): prints the targets, writes docs/performance.md
	cd hack/bench && go run ./cmd/bench run $(PARTS)

.PHONY: bench-quick
bench-quick: ## Its ratios in three minutes; fails on a regression that can't be noise
	cd hack/bench && go run ./cmd/bench quick

.PHONY: bench-core
bench-core: ## Go's own benchmarks of the core
	go test -run '^$$' -bench . -benchmem ./estimate/... ./imageref/... ./placement/... ./ledger/... ./fit/... ./controller/... ./webhook/...

.PHONY: fuzz
fuzz: ## Each fuzz target for FUZZTIME (default 30s)
	@hack/fuzz.sh $${FUZZTIME:-30s}

.PHONY: update
update: ## Everything generated: docs/reference, golden files; not what real nodes recorded (go test ./test/e2e -update)
	grep -rl 'flag.Bool("update"' --include='*_test.go' --exclude-dir=e2e . | xargs -n1 dirname | sort -u | xargs -I{} sh -c 'cd {} && go test . -update'

##@ Lab: a real control plane and real nodes

.PHONY: lab-up
lab-up: ## Start it (NODES=2 DISK=2Gi); prints the kubeconfig's path
	$(LAB) up --nodes $${NODES:-2} --disk $${DISK:-2Gi}

.PHONY: lab-down
lab-down: ## Stop it and undo every mount, namespace and process
	$(LAB) down

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*##/ {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

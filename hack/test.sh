#!/usr/bin/env bash
# Every test of the project: what `make test` runs.
#
# The control plane's programs are built first (about six minutes on two cores
# the first time, seconds after), so that no test's time limit pays for it.
# Real nodes need root and a few Debian packages; where they are missing, the
# tests that want them say so and are skipped. With CI=true a skip is a failure.
set -o errexit -o nounset -o pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s (%s)\n' "$1" "$(date +%H:%M:%S)"; }

step "the lab's programs: control plane, kubelet, containerd"
go run ./hack/lab/cmd/lab build

step "the kubelet's own rules: what its configuration means"
(cd test/kubeletrules && go test ./...)

step "the benchmark's own parts: load, percentiles, peers, the page"
(cd hack/bench && go test ./...)

step "manifests: they render, and agree with the code"
kustomize_bin="$(go run ./hack/lab/cmd/lab build --nodes=false)/kubectl"
"$kustomize_bin" kustomize manifests/base >/dev/null
"$kustomize_bin" kustomize manifests/dev >/dev/null

step "the laws of the decision, held against all worlds"
# Other worlds for each commit: what one run is too short for, many add up to.
commit="$(git rev-parse HEAD 2>/dev/null || echo 0)"
first_seed="$((16#${commit:0:8}))"
echo "go test ./fit -args -first-seed=$first_seed"
go test -shuffle=on ./fit -args -first-seed="$first_seed"

step "unit tests, race detector"
mapfile -t packages < <(go list ./... | grep -vE '/test/(e2e|integration|synthapi/crosscheck)$')
go test -race -shuffle=on -timeout 30m "${packages[@]}"

# Without the race detector: what is tested is another process, built as it is released.
step "real API server, simulated nodes"
go test -timeout 30m ./test/integration
go test ./test/synthapi/crosscheck

# Two control planes with nodes of their own, each for half of the time: mostly, tests wait for kubelets.
step "real nodes, in two halves side by side; this one, and after it the other"
other_half='^Test(Accuracy|Reclaimable|SceneWithNothingDeclared|NodeNeverSeenBefore|Workloads|Steering)$'
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
e2e() { go test -count=1 -v -timeout "${TEST_TIMEOUT:-40m}" ./test/e2e/... "$@"; }
e2e -run "$other_half" >"$log" 2>&1 &
sleep 20 # their control planes look for free ports one after the other
this=0
e2e -skip "$other_half" || this=$?
step "real nodes: the other half"
other=0
wait $! || other=$?
cat "$log"
exit "$((this | other))"

#!/usr/bin/env bash
# Copyright The Headroom Authors.
# SPDX-License-Identifier: Apache-2.0
#
# What `make demo` runs: a real control plane, simulated nodes, and Headroom
# between them. It needs Go and nothing else: no root, no cluster. Everything
# lives in .demo/ and on free ports of the loopback interface.
#
#   hack/demo.sh         show it and leave it up
#   hack/demo.sh down    end what was left up
#   ONCE=1 hack/demo.sh  show it and end it; fails if anything expected did not show
set -o errexit -o nounset -o pipefail
cd "$(dirname "$0")/.."

dir=.demo
bin=$PWD/$dir/bin
lab() { "$bin/lab" --dir "$dir" "$@"; }

# --- What it says ---------------------------------------------------------

said=""     # output of the last command that was shown
missing=0   # expected things that did not show

title() { printf '\n== %s\n' "$*"; }
tell() { printf '# %s\n' "$@"; }
progress() { printf '   %s (%ds)\n' "$1" "$SECONDS"; }

# show prints a command as a user would type it, then runs it.
show() {
	printf '\n$ %s\n' "$1"
	local code=0
	said=$(eval "$1" 2>&1) || code=$?
	printf '%s\n' "$said"
	[ "$code" -eq 0 ] || printf '(exit code %d)\n' "$code"
	said+=$'\n'"exit code $code"
}

# expect looks for an extended regular expression in what was just shown.
expect() {
	if grep -Eq -- "$1" <<<"$said"; then return; fi
	printf '!! expected here, and missing: %s\n' "$1"
	missing=$((missing + 1))
}

# until_true repeats a quiet command until it succeeds, for some seconds.
until_true() {
	local seconds=$1 end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$end" ]; then
			printf '!! still not so after %d s: %s\n' "$seconds" "$*"
			missing=$((missing + 1))
			return
		fi
		sleep 0.2
	done
}

# --- How it ends ----------------------------------------------------------

heartbeat=""
keep=no
finish() {
	local code=$?
	trap '' INT TERM
	[ -z "$heartbeat" ] || kill "$heartbeat" 2>/dev/null || true
	if [ "$keep" = no ] && [ -x "$bin/lab" ]; then
		lab down >/dev/null || code=1
	fi
	exit "$code"
}
trap finish EXIT
trap 'echo; echo "interrupted: taking the demo down"; exit 130' INT
trap 'exit 143' TERM

# building runs a compiler in the foreground and says that it still does.
building() {
	local what=$1
	shift
	progress "building $what"
	(
		trap 'exit 0' TERM
		for ((i = 1; ; i++)); do
			sleep 1
			[ $((i % 15)) -ne 0 ] || progress "... still building $what"
		done
	) &
	heartbeat=$!
	"$@"
	kill "$heartbeat" 2>/dev/null || true
	wait "$heartbeat" 2>/dev/null || true
	heartbeat=""
}

# --- The cluster ----------------------------------------------------------

build() {
	command -v go >/dev/null || { echo "Go is missing: https://go.dev/dl" >&2; exit 1; }
	mkdir -p "$bin"
	building "Headroom and the demo's programs (about three minutes the first time)" \
		go build -buildvcs=false -o "$bin/" ./cmd/headroom ./hack/lab/cmd/lab ./test/simnode/cmd/simnode
	lab down >/dev/null # an earlier demo, running or crashed
	progress "looking for etcd and Kubernetes; the first time they are built, about six minutes on two cores"
	ln -sf "$(lab build --nodes=false)/kubectl" "$bin/kubectl"
}

start_cluster() {
	progress "starting etcd, kube-apiserver, kube-controller-manager and kube-scheduler"
	lab up --nodes 0 >"$dir/up.log"
	export KUBECONFIG=$PWD/$dir/kubeconfig PATH=$bin:$PATH KUBECACHEDIR=$PWD/$dir/kubectl-cache KUBERC=off
	mapfile -t ports < <(lab ports 3)
	progress "starting three simulated nodes and a shop on them"
	start_nodes
	start_shop
}

start_nodes() {
	lab run --name simnode --ready-text "nodes Ready" -- simnode --kubeconfig "$KUBECONFIG" --config hack/demo/nodes.yaml \
		--serving-ca "$dir/certificates/ca.crt" --serving-ca-key "$dir/certificates/ca.key"
}

start_shop() {
	kubectl apply -f hack/demo/shop.yaml >/dev/null
	kubectl wait --for=condition=Ready pod --all --timeout=60s >/dev/null
	until_true 30 images_listed
}

# prepare_headroom gives it what it has out of a cluster: the rights of its own
# ServiceAccount and no more.
prepare_headroom() {
	progress "installing Headroom's namespace, rights and policy"
	kubectl apply -k manifests/dev >/dev/null
	kubectl apply -f hack/demo/policy.yaml >/dev/null
	local as=$PWD/$dir/headroom.kubeconfig
	(umask 077; cp "$KUBECONFIG" "$as")
	kubectl --kubeconfig "$as" config set-credentials headroom \
		--token="$(kubectl create token headroom -n headroom-system --duration=24h)" >/dev/null
	kubectl --kubeconfig "$as" config set-context --current --user=headroom >/dev/null
}

start_headroom() {
	lab run --name headroom --ready-url "http://127.0.0.1:${ports[1]}/readyz" -- \
		headroom serve --kubeconfig "$dir/headroom.kubeconfig" --webhook-url "https://127.0.0.1:${ports[0]}" \
		--health-address "127.0.0.1:${ports[1]}" --metrics-address "127.0.0.1:${ports[2]}" \
		--kubelet-certificate-authority "$dir/certificates/ca.crt" --kubelet-interval 2s --kubelet-pending-interval 1s \
		--registry off --shutdown-delay 0s -v 1
}

images_listed() { [ "$(kubectl get nodes -o jsonpath='{.items[*].status.images[*].names}' | grep -o search:2.3 | wc -l)" -ge 3 ]; }
evicted() { kubectl get pods --field-selector status.phase=Failed -o name; }
two_evicted() { [ "$(evicted | wc -l)" -ge 2 ]; }
pressed() { [ -n "$(kubectl get nodes -o jsonpath='{.items[*].spec.taints[?(@.key=="node.kubernetes.io/disk-pressure")].key}')" ]; }
relaxed() { ! pressed; }
answers() { grep -q -- "$1" <<<"$(kubectl run llm --image=models.example.com/llm:70b --dry-run=server 2>&1)"; }

# repair makes the cluster what it was before the damage: empty disks, the shop on all nodes.
repair() {
	kubectl delete pod --all --now >/dev/null
	lab end simnode
	start_nodes
	until_true 30 relaxed
	start_shop
}

# --- The show -------------------------------------------------------------

kubelets="--kubelet-via=direct --kubelet-certificate-authority=$dir/certificates/ca.crt"

show_headroom() {
	title "Three nodes, each with 16Gi left for images. The kubelet evicts pods below 6Gi."
	show "headroom nodes $kubelets"
	expect '^worker-1 +Measured'

	title "A pod whose image fits is created as ever."
	show "kubectl run report --image=shop.example.com/report:1.0"
	expect 'pod/report created'

	title "One that needs 15Gi is warned about. The policy says Warn: it would be created."
	show "kubectl run llm --image=models.example.com/llm:70b --dry-run=server"
	expect '^Warning: image storage: needs 15Gi'

	title "The policy is set to Enforce: now it is refused."
	show "sed 's/mode: Warn/mode: Enforce/' hack/demo/policy.yaml | kubectl apply -f -"
	sleep 2 # a change is in force within two seconds
	show "kubectl run llm --image=models.example.com/llm:70b"
	expect '^Error from server \(Forbidden\): admission webhook "pods.headroom.dev" denied the request: image storage: '

	title "The same answer before anything is created, for a pipeline: exit code 1."
	show "headroom check -f hack/demo/llm.yaml $kubelets --registry=off"
	expect 'exit code 1$'
}

show_damage() {
	title "The same cluster without Headroom: the pod is created, and two others pay for it."
	lab end headroom
	show "kubectl run llm --image=models.example.com/llm:70b"
	expect 'pod/llm created'
	until_true 60 two_evicted
	until_true 30 pressed
	show "kubectl get pods -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName,PHASE:.status.phase,REASON:.status.reason"
	expect '^web-.* Failed +Evicted'
	expect '^search-.* Failed +Evicted'
	expect '^llm .* Running '
	show "kubectl get events --field-selector=reason=Evicted -o custom-columns=POD:.involvedObject.name,WHY:.message | sed 's/ Container .*//'"
	expect 'The node was low on resource: ephemeral-storage'
	show "kubectl get nodes -o custom-columns='NAME:.metadata.name,DISKPRESSURE:.status.conditions[?(@.type==\"DiskPressure\")].status'"
	expect ' True$'
}

leave_up() {
	title "Everything is up for you. Try:"
	cat <<-END

		  export KUBECONFIG=$KUBECONFIG PATH=$bin:\$PATH
		  kubectl run llm --image=models.example.com/llm:70b     # refused
		  kubectl run report --image=shop.example.com/report:1.0 # fits
		  kubectl edit -n headroom-system configmap headroom-policy
		  headroom nodes $kubelets
		  curl -s http://127.0.0.1:${ports[2]}/metrics | grep ^headroom_
		  less $dir/logs/headroom.log

		End it with: make demo-down
	END
}

main() {
	title "Setting up in $dir: a real control plane, simulated nodes, the real headroom serve"
	tell "Nodes and images are made up, so the policy says what those images take on a disk." \
		"What real ones take, Headroom learns from the nodes that have them and from registries."
	build
	start_cluster
	prepare_headroom
	progress "starting headroom serve"
	start_headroom
	until_true 30 answers "^Warning: image storage" # the nodes are measured
	show_headroom
	show_damage
	if [ "${ONCE:-}" = 1 ]; then
		title "Done in ${SECONDS}s; taking it down"
	else
		title "The nodes are put back as they were, and Headroom is started again"
		repair
		start_headroom
		until_true 30 answers Forbidden
		leave_up
		keep=yes
	fi
	if [ "$missing" -gt 0 ]; then
		printf '\n%d expected things did not show; logs are in %s/logs\n' "$missing" "$dir" >&2
		exit 1
	fi
}

case "${1:-}" in
"") main ;;
down)
	keep=yes # nothing to end twice
	if [ -x "$bin/lab" ]; then lab down; else echo "no demo runs in $dir"; fi
	;;
*)
	echo "usage: $0 [down]" >&2
	exit 2
	;;
esac

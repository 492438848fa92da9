#!/usr/bin/env bash
# Runs every fuzz target of the project for the time given: hack/fuzz.sh 30s
set -o errexit -o nounset -o pipefail
cd "$(dirname "$0")/.."

grep -rlE '^func Fuzz' --include='*_test.go' . | while read -r file; do
	package="./$(dirname "${file#./}")"
	grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | awk '{print $2}' | while read -r target; do
		echo "== $package $target ($1)"
		go test -run '^$' -fuzz "^${target}\$" -fuzztime "$1" "$package"
	done
done

#!/usr/bin/env bash
# Builds the Dockerfile's final stage for real and looks at the result.
#
# The build stage's base image may be out of reach (a machine without a
# registry), so its two files come from here instead: the binary, built with
# the Dockerfile's own command line, and the system's certificates.
set -o errexit -o nounset -o pipefail
cd "$(dirname "$0")/.."

command -v buildah >/dev/null || { echo "buildah is missing: apt-get install buildah" >&2; exit 1; }
work=$(mktemp -d)
container=""
storage=(--storage-driver vfs --root "$work/storage" --runroot "$work/run")
cleanup() {
	[ -z "$container" ] || buildah "${storage[@]}" rm "$container" >/dev/null
	rm -rf "$work"
}
trap cleanup EXIT

mkdir -p "$work/stage/etc/ssl/certs"
cp /etc/ssl/certs/ca-certificates.crt "$work/stage/etc/ssl/certs/"
echo "building the binary"
CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=image-check" -o "$work/stage/headroom" ./cmd/headroom

echo "building the final stage"
buildah "${storage[@]}" build --isolation chroot --target final --build-context "build=$work/stage" -t headroom:check .

user=$(buildah "${storage[@]}" inspect --type image --format '{{.OCIv1.Config.User}}' headroom:check)
[ "$user" = "65532:65532" ] || { echo "the image runs as \"$user\", want 65532:65532" >&2; exit 1; }

container=$(buildah "${storage[@]}" from headroom:check)
said=$(buildah "${storage[@]}" run --isolation chroot "$container" -- /headroom --version)
echo "in the container: $said"
case "$said" in
*image-check*) echo "image ok" ;;
*) echo "the program in the image does not tell its version" >&2; exit 1 ;;
esac

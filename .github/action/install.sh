#!/usr/bin/env bash
# Installs a release of watertight for the steps that follow: fetched, and held against its checksum.
# Needs VERSION, REPOSITORY and SERVER; RUNNER_TEMP and GITHUB_PATH are set by the runner.
set -euo pipefail

fail() {
    printf '::error title=watertight::%s\n' "$*"
    exit 2
}

case "$(uname -s)-$(uname -m)" in
Linux-x86_64) target=x86_64-unknown-linux-gnu ;;
Linux-aarch64) target=aarch64-unknown-linux-gnu ;;
*) fail "watertight runs on Linux, on x86_64 and aarch64; this runner is $(uname -s) $(uname -m)" ;;
esac

case "$VERSION" in
latest) releases="$SERVER/$REPOSITORY/releases/latest/download" ;;
*)
    version=${VERSION#v}
    [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] ||
        fail "the input version is no release: '$VERSION'; write such as 0.1.0, latest or installed"
    releases="$SERVER/$REPOSITORY/releases/download/v$version"
    ;;
esac

archive="watertight-$target.tar.gz"
directory=$(mktemp -d "${RUNNER_TEMP:-/tmp}/watertight-XXXXXX")
cd "$directory"
for file in "$archive" "$archive.sha256"; do
    curl --fail --silent --show-error --location --retry 3 --proto '=https' --output "$file" "$releases/$file" ||
        fail "$releases/$file cannot be fetched; look whether there is such a release"
done
sha256sum --check --strict --quiet "$archive.sha256" || fail "$archive is not what its checksum says"
tar -xzf "$archive" watertight
printf '%s\n' "$directory" >>"$GITHUB_PATH"
"$directory/watertight" --version

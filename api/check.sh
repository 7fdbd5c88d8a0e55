#!/usr/bin/env bash
# Compares the exported Go API with that of the last release, or of the commit in api/baseline
# where there is no release yet, and the differences with api/changes.txt:
#
#	check.sh CACHE           fails where a difference is not in api/changes.txt
#	check.sh CACHE -update   writes api/changes.txt
#
# With a release of version 1 or later it also fails on incompatible differences.
# docs/versions.md says which packages count.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$1 update=${2-}
apidiff=golang.org/x/exp/cmd/apidiff@v0.0.0-20261113113407-e3970619a1a4
uncounted='^- \./(cmd|examples|integration|driver/drivertest)[/.]'

tag=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null || true)
base=${tag:-$(cat api/baseline)}
commit=$(git rev-parse --verify --quiet "$base^{commit}") || {
	if [ "$(git rev-parse --is-shallow-repository)" = true ]; then
		echo "NOT RUN: api: a shallow clone lacks $base: git fetch --unshallow"
		exit 0
	fi
	echo "api: no commit $base" >&2
	exit 1
}

# differ runs apidiff, which tells of every internal package that it passes over.
differ() { go run "$apidiff" -m "$@" 2> >(grep -v '^Ignoring internal package' >&2); }

work=$(mktemp -d)
trap 'git worktree remove --force "$work/base" 2>/dev/null || true; rm -rf "$work"' EXIT
old=$cache/$commit-$(go env GOVERSION).export
if [ ! -f "$old" ]; then
	mkdir -p "$cache"
	git worktree add --quiet --detach "$work/base" "$commit"
	(cd "$work/base" && differ -w "$work/old" .)
	mv "$work/old" "$old"
fi
differ -w "$work/new" .
{
	echo "# Differences of the exported Go API from ${tag:-commit ${commit:0:12}, as there is no release yet}."
	echo "# make api-update writes this file, and make api compares it."
	differ "$old" "$work/new" | grep -vE "$uncounted" || true
} > "$work/changes.txt"

if [ "$update" = -update ]; then
	cp "$work/changes.txt" api/changes.txt
elif ! diff -u api/changes.txt "$work/changes.txt"; then
	echo "api: the exported API has other differences than api/changes.txt: make api-update writes it" >&2
	exit 1
fi
case $tag in
v[1-9]*)
	if grep -q '^Incompatible changes' "$work/changes.txt"; then
		echo "api: incompatible with $tag: see docs/versions.md" >&2
		exit 1
	fi
	;;
esac

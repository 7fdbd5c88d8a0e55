#!/usr/bin/env bash
# Runs a command with a Docker engine:
#
#	docker.sh COMMAND [ARGUMENT...]
#
# An engine that answers is used as it is. Otherwise, as root, dockerd is started
# for the time of the command, and with BLOBDOCK_DOCKER=install it is first
# installed with apt-get. Where no engine can be had the script says so and
# succeeds without running the command: the native way needs none.
#
# BLOBDOCK_DOCKER=install also installs docker-compose where the docker command has
# no compose of its own, and skopeo, another client to test with.
set -euo pipefail

label=com.github.blobdock.emulator
started=
log=

say() { echo "docker.sh: $*" >&2; }

answers() { docker info >/dev/null 2>&1; }

without() {
	say "no Docker engine: $*. The docker way is NOT exercised; the native way needs no engine."
	exit 0
}

# Installs Debian packages.
install() {
	command -v apt-get >/dev/null || return 1
	say "installing $*"
	export DEBIAN_FRONTEND=noninteractive
	apt-cache show "$1" >/dev/null 2>&1 || timeout 300 apt-get update -qq || return 1
	timeout 600 apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

has_compose() { docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null; }

# Ends what this script started, and nothing else.
stop_engine() {
	[[ -n $started ]] || return 0
	docker ps -aq --filter "label=$label" | xargs -r docker rm -f >/dev/null || true
	kill "$started" 2>/dev/null || true
	wait "$started" 2>/dev/null || true
	rm -f "$log"
}

start_engine() {
	log=$(mktemp)
	dockerd >"$log" 2>&1 &
	started=$!
	trap stop_engine EXIT
	for _ in $(seq 60); do
		if answers; then
			say "started dockerd $(docker version --format '{{.Server.Version}}')"
			return 0
		fi
		kill -0 "$started" 2>/dev/null || break
		sleep 0.5
	done
	tail -n 5 "$log" >&2
	return 1
}

if ! answers; then
	[[ $(id -u) -eq 0 ]] || without "none answers, and only root may start one"
	if ! command -v dockerd >/dev/null; then
		[[ ${BLOBDOCK_DOCKER:-} == install ]] || without "dockerd isn't there (BLOBDOCK_DOCKER=install installs it)"
		install docker.io iptables || without "docker.io can't be installed"
	fi
	# Some installations start one by themselves. A second one would take the
	# network from the first.
	if ! answers; then
		if pgrep -x dockerd >/dev/null; then
			without "a dockerd runs but doesn't answer"
		fi
		start_engine || without "dockerd doesn't start"
	fi
fi

if [[ ${BLOBDOCK_DOCKER:-} == install && $(id -u) -eq 0 ]]; then
	has_compose || install docker-compose || say "docker-compose can't be installed; its test will say so"
	command -v skopeo >/dev/null || install skopeo || say "skopeo can't be installed; its test is NOT run"
fi

"$@"

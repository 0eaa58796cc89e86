# Sourced by the start-*.sh scripts beside it: arguments, downloads, readiness, pid file.
#
#   start-NAME.sh DIR PORT [server options]   starts it: 127.0.0.1:PORT, data and log under DIR
#   start-NAME.sh --install                   only installs, into $MILLSTREAM_CACHE, and says where
#
# The server runs in the background; `kill $(cat DIR/pid)` stops it, the same command starts it
# again on the same data. When MILLSTREAM_OWNER is the id of a process, the server ends with it,
# however that ends. No root is needed but for Debian packages that are missing.
# shellcheck shell=bash
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=tools/apt.sh
. "$HERE/../../tools/apt.sh"
mkdir -p "$CACHE"
HOME_DIR= # where the server is installed: once() sets it
die() {
	echo "${0##*/}: $*" >&2
	exit 1
}
now_ms() { date +%s%3N; }

# alive PID: whether a process runs. One that has ended and waits for its parent does not.
alive() { readlink "/proc/$1/exe" >/dev/null 2>&1; }

# args DIR PORT ...: sets DIR (absolute), PORT, EXTRA; refuses a directory whose server still runs.
# Temporary files go to DIR/tmp: a MariaDB that starts removes those of all others in its folder.
args() {
	INSTALL_ONLY=
	if [ "${1:-}" = --install ]; then
		INSTALL_ONLY=yes
		return
	fi
	[ $# -ge 2 ] || die "usage: ${0##*/} DIR PORT [server options], or --install"
	mkdir -p "$1"
	DIR=$(cd "$1" && pwd)
	PORT=$2
	shift 2
	# shellcheck disable=SC2034 # the scripts read it
	EXTRA=("$@")
	if [ -s "$DIR/pid" ] && alive "$(cat "$DIR/pid")"; then
		die "already running: pid $(cat "$DIR/pid")"
	fi
	rm -f "$DIR/pid" "$DIR/sock" "$DIR/sock.lock" # what a killed server left
	mkdir -p "$DIR/tmp"
}

# installed: the end of the script when only the installation was asked for.
installed() {
	[ -n "$INSTALL_ONLY" ] || return 0
	echo "INSTALLED ${HOME_DIR:-}"
	exit 0
}

# once NAME FUNCTION [FILE...]: runs FUNCTION DIR (an install step) unless it was run before; sets
# HOME_DIR to that DIR. Its name holds a hash of the recipe (the function, its helpers, the FILEs
# that it uses): another recipe, another folder. One process at a time, the others wait for it.
once() {
	local name=$1 function=$2 hash rc
	shift 2
	hash=$({
		declare -f "$function" debian_unpack maven_deps java_compile || true
		[ $# = 0 ] || cat "$@"
	} | sha256sum | cut -c 1-8)
	HOME_DIR=$CACHE/servers/$name-$hash
	[ ! -e "$HOME_DIR/.ok" ] || return 0
	mkdir -p "$CACHE/servers"
	exec 9>"$HOME_DIR.lock"
	flock 9
	if [ ! -e "$HOME_DIR/.ok" ]; then
		rm -rf "$HOME_DIR"
		mkdir -p "$HOME_DIR"
		# not "f || die": bash would ignore set -e inside of the function
		set +e
		(
			set -e
			"$function" "$HOME_DIR"
		) >"$HOME_DIR.log" 2>&1 9>&-
		rc=$?
		set -e
		if [ $rc != 0 ]; then
			tail -n 8 "$HOME_DIR.log" >&2
			die "could not install $name, see $HOME_DIR.log"
		fi
		touch "$HOME_DIR/.ok"
	fi
	exec 9>&-
}

# need COMMAND-OR-FILE PACKAGE...: installs the Debian packages when the first is not there.
need() {
	command -v "$1" >/dev/null 2>&1 && return 0
	[ -e "$1" ] && return 0
	shift
	apt_install "$@" || die "cannot install $*"
}

# server COMMAND...: starts it in a session of its own and writes DIR/pid.
server() {
	T0=$(now_ms)
	if [ -n "$HOME_DIR" ] && [ -d "$HOME_DIR/bin" ]; then
		ln -sfn "$HOME_DIR/bin" "$DIR/bin" # programs of its version
	fi
	TMPDIR=$DIR/tmp setsid "$@" >>"$DIR/log" 2>&1 </dev/null &
	PID=$!
	echo "$PID" >"$DIR/pid"
	if [ -n "${MILLSTREAM_OWNER:-}" ]; then
		# shellcheck disable=SC2016 # for that bash
		setsid bash -c 'while readlink "/proc/$1/exe" && readlink "/proc/$2/exe"; do
			sleep 1
		done
		kill "$2"' - "$MILLSTREAM_OWNER" "$PID" >/dev/null 2>&1 </dev/null &
	fi
}

# ready SECONDS COMMAND...: waits until COMMAND succeeds, then prints the READY line.
ready() {
	local end=$(($(now_ms) + $1 * 1000))
	shift
	until "$@" >/dev/null 2>&1; do
		if ! alive "$PID"; then
			tail -n 20 "$DIR/log" >&2
			die "the server ended, see $DIR/log"
		fi
		if [ "$(now_ms)" -ge "$end" ]; then
			tail -n 20 "$DIR/log" >&2
			kill "$PID"
			die "the server was not ready in time, see $DIR/log"
		fi
		sleep 0.05
	done
	echo "READY pid=$PID port=$PORT ms=$(($(now_ms) - T0))"
}

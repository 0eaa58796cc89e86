# Sourced by ./dev and the scripts of tests/servers: Debian packages, installed when they are
# missing. Functions only; CACHE is where downloads are kept.
#
#   apt_missing PACKAGE...  prints those that are not installed. It asks dpkg's own data, which
#                           takes milliseconds and, unlike a stamp file, is never out of date
#   apt_install PACKAGE...  installs them, as root or by sudo; output goes to $CACHE/apt.log
# shellcheck shell=bash
CACHE=${MILLSTREAM_CACHE:-$HOME/.cache/millstream}

apt_missing() {
	local installed package
	command -v dpkg-query >/dev/null || {
		printf '%s\n' "$@"
		return
	}
	# shellcheck disable=SC2016 # dpkg's own variables
	installed=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' "$@" 2>/dev/null || true)"
	for package; do
		[[ $installed == *" installed:$package "* ]] || printf '%s\n' "$package"
	done
}

# apt-get as root, without questions. DPkg::Lock::Timeout waits for another installation to end.
apt_run() {
	local sudo=()
	[ "$(id -u)" = 0 ] || sudo=(sudo)
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get -q \
		-o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@" \
		>>"$CACHE/apt.log" 2>&1 </dev/null
}

# The same, again while another program holds a lock: those of the package lists and of the
# downloads are not waited for by apt-get. Ten minutes at the most.
apt_try() {
	local end=$((SECONDS + 600)) from
	while :; do
		from=$(wc -c <"$CACHE/apt.log")
		apt_run "$@" && return 0
		[ "$SECONDS" -lt "$end" ] || return 1
		tail -c "+$((from + 1))" "$CACHE/apt.log" |
			grep -qiE 'could not get lock|unable to (acquire|lock)' || return 1
		sleep 2
	done
}

apt_may() {
	if ! command -v apt-get >/dev/null; then
		echo "this system has no apt-get; install what these Debian packages hold: $*" >&2
		return 1
	fi
	[ "$(id -u)" != 0 ] || return 0
	if ! command -v sudo >/dev/null; then
		echo "only root can install packages, and there is no sudo. Once, as root:" >&2
		echo "  apt-get install --no-install-recommends $*" >&2
		return 1
	fi
	if ! sudo -n true 2>/dev/null; then
		echo "sudo may ask for your password, to install: $*" >&2
		sudo -v
	fi
}

apt_install() {
	mkdir -p "$CACHE"
	touch "$CACHE/apt.log"
	apt_may "$@" || return 1
	apt_try install -y --no-install-recommends "$@" && return 0
	# no lists of packages yet, or old ones. One source that is not reached is no reason to stop
	apt_try update || true
	apt_try install -y --no-install-recommends "$@" && return 0
	tail -n 8 "$CACHE/apt.log" >&2
	echo "apt-get could not install: $*" >&2
	echo "its whole output: $CACHE/apt.log" >&2
	return 1
}

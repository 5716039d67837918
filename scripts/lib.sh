# shellcheck shell=bash disable=SC2034
# Shell functions shared by scripts/demo and scripts/check.  Source it from the
# top of the checkout, in bash.

PG_CONFIG=${PG_CONFIG:-pg_config}

if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' plain=$'\e[0m'
else
	bold='' dim='' red='' green='' yellow='' plain=''
fi

# Seconds since the epoch, with milliseconds.
now() { date +%s.%3N; }

# since T: seconds that have passed since T, with one decimal.
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }'; }

say() { printf '%s\n' "$*"; }

# problem WHAT MEND: one line of what is wrong, one of what to do about it.
problem() {
	printf '%s%s: %s%s\n' "$red" "${0##*/}" "$1" "$plain" >&2
	[ -z "${2:-}" ] || printf '  mend: %s\n' "$2" >&2
}

# die WHAT MEND
die() {
	problem "$@"
	exit 1
}

# as_root COMMAND...: with sudo when we are not root.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "need root for: $*" "run as root, or install sudo"
	fi
}

# What goes before a command to run it as the server's user, by exec and so
# under the same pid, in an environment that is that user's.
if [ "$(id -u)" = 0 ]; then
	server_prefix=(setpriv --reuid=postgres --regid=postgres --init-groups
		env HOME=/var/lib/postgresql USER=postgres LOGNAME=postgres)
else
	server_prefix=(env)
fi

as_server() { "${server_prefix[@]}" "$@"; }

# scratch_dir NAME: a fresh directory that the server's user owns and can reach:
# NAME in the checkout, else one under /var/tmp.
scratch_dir() {
	local top
	top=$(pwd -P)
	if [ "$(id -u)" != 0 ]; then
		mkdir -m 700 "$top/$1"
		echo "$top/$1"
	elif as_server test -x "$top"; then
		install -d -m 700 -o postgres -g postgres "$top/$1"
		echo "$top/$1"
	else
		as_server mktemp -d "/var/tmp/pg_cctv-$(basename "${1#.}").XXXXXX"
	fi
}

# A fresh directory for a Unix-domain socket: its path must be short.
socket_dir() { as_server mktemp -d /tmp/cctv.XXXXXX; }

# build_listen FLAGS...: examples/listen.c as build/listen.
build_listen() {
	local -a libpq
	read -ra libpq < <(pkg-config --cflags --libs libpq)
	mkdir -p build
	cc -std=gnu11 "$@" -o build/listen examples/listen.c "${libpq[@]}"
}

# A TCP port of the loopback interface that nothing listens on.
free_port() {
	perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", LocalPort => 0)
			or die "no free port: $!\n";
		print $s->sockport, "\n"'
}

# running PID WORD: is PID alive and does its command line hold WORD?  (A pid
# read from a file may have been reused.)
running() {
	[ -n "${1:-}" ] && tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -qF -- "$2"
}

# end PID WORD: end the process if it is still ours, TERM first, KILL after 5 s.
end() {
	running "$1" "$2" || return 0
	kill -TERM "$1" 2>/dev/null || return 0
	local i
	for ((i = 0; i < 50; i++)); do
		running "$1" "$2" || return 0
		sleep 0.1
	done
	kill -KILL "$1" 2>/dev/null || true
}

# wait_for SECONDS COMMAND...: run it every 0.1 s until it succeeds.
wait_for() {
	local until
	until=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt "$until" ] || return 1
		sleep 0.1
	done
}

# The archive that this machine installs from.
debian_mirror() {
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | grep -v security | sort -u | head -n 1
}

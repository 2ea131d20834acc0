# scripts/lib.sh: what the scripts share; sourced, not run.
#
# Packages, an unprivileged copy of the source tree, a throw-away PostgreSQL
# cluster and the sandbox server.  Whatever is begun here ends with the script
# that sourced this file: in its EXIT trap, so after a failure or Ctrl-C too.
#
# PostgreSQL refuses to run as root, and its own user often cannot read the
# clone (below /root, say).  So nothing is built or run in the clone itself:
# the tree is copied to a work directory, and everything happens there.
#
# shellcheck shell=bash

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

work=            # the work directory, once there is one
as_user=()       # in front of commands that root must not run
as_root=()       # in front of commands that take root
pg_config=
bindir=          # PostgreSQL's programs, as pg_config gives them
sandbox_pid=
no_main_cluster= # see install_packages

umask 022
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# Runs a command whose output matters only if it fails.
quietly()
{
	local output status=0

	output=$("$@" 2>&1 </dev/null) || status=$?
	if ((status != 0)); then
		printf '%s\n%s: status %d from: %s\n' "$output" "${0##*/}" "$status" "$*" >&2
	fi
	return "$status"
}

cleanup()
{
	local pidfile

	trap '' HUP INT TERM
	if [[ -n $sandbox_pid ]]; then
		kill "$sandbox_pid" 2>/dev/null || true
		wait "$sandbox_pid" || true
	fi
	if [[ -n $work ]]; then
		# Our cluster, and those of a TAP test that was interrupted.
		while IFS= read -r pidfile; do
			"${as_user[@]}" "$bindir/pg_ctl" stop --silent --mode=immediate \
				--pgdata="${pidfile%/*}" >/dev/null 2>&1 || true
		done < <(find "$work" -name postmaster.pid)
		cd /
		rm -rf "$work"
	fi
	allow_main_cluster
}

# ----- packages -----

# Sets pg_config: $PG_CONFIG, else that of the newest PostgreSQL here that has
# both a server and its headers.  False if there is none.
find_postgresql()
{
	local candidate

	if [[ -n ${PG_CONFIG-} ]]; then
		pg_config=$(command -v "$PG_CONFIG") || die "PG_CONFIG: no such program: $PG_CONFIG"
		bindir=$("$pg_config" --bindir)
		return
	fi
	while IFS= read -r candidate; do
		[[ -x $candidate ]] || continue
		bindir=$("$candidate" --bindir)
		if [[ -x $bindir/postgres && -f $("$candidate" --includedir-server)/postgres.h ]]; then
			pg_config=$candidate
			return
		fi
	done < <(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort --version-sort --reverse)
	return 1
}

# Installs what is missing of the packages that building and running takes, and
# of those named as arguments.  Without anything missing, apt is not called.
need_packages()
{
	local package missing=()

	for package in build-essential pkg-config libcurl4-openssl-dev libcjson-dev \
		libmicrohttpd-dev zlib1g-dev "$@"; do
		if [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>&1) != installed ]]; then
			missing+=("$package")
		fi
	done
	if find_postgresql && ((${#missing[@]} == 0)); then
		return
	fi

	command -v apt-get >/dev/null ||
		die "packages are installed with apt-get, which is not here"
	if ((EUID != 0)) && ! command -v sudo >/dev/null; then
		[[ -n $pg_config ]] || missing+=('postgresql with its server headers')
		die "installing packages takes root or sudo; missing: ${missing[*]}"
	fi
	echo "Installing packages ..."
	install_packages "${missing[@]}"
	find_postgresql || die "found no PostgreSQL with server headers after installing it"
}

install_packages()
{
	local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
		apt-get --quiet --yes -o DPkg::Lock::Timeout=300)
	local packages=("$@") update major

	# One repository out of reach does not matter if the others have it all.
	update=$("${apt[@]}" update 2>&1 </dev/null) || true
	if [[ -z $pg_config ]]; then
		major=$(apt-cache depends postgresql |
			sed --quiet 's/.*Depends: postgresql-\([0-9]*\)$/\1/p')
		packages+=("postgresql-$major" "postgresql-server-dev-$major")
		forbid_main_cluster
	fi
	quietly "${apt[@]}" install --no-install-recommends --no-remove "${packages[@]}" || {
		printf '%s\n' "$update" >&2
		return 1
	}
	allow_main_cluster
}

# Debian's PostgreSQL package makes and starts a cluster when it is installed.
# The scripts need none but their own, so this setting is there meanwhile.
forbid_main_cluster()
{
	no_main_cluster=/etc/postgresql-common/createcluster.d/dnc_fdw.conf
	"${as_root[@]}" mkdir -p "${no_main_cluster%/*}"
	"${as_root[@]}" tee "$no_main_cluster" >/dev/null <<<'create_main_cluster = false'
}

allow_main_cluster()
{
	if [[ -n $no_main_cluster ]]; then
		"${as_root[@]}" rm -f "$no_main_cluster"
		"${as_root[@]}" rmdir --ignore-fail-on-non-empty "${no_main_cluster%/*}"
		no_main_cluster=
	fi
}

# ----- work directory and build -----

make_work_dir()
{
	work=$("${as_user[@]}" mktemp --directory --tmpdir dnc_fdw.XXXXXX)
}

# Installs what is needed (arguments: packages beyond the usual ones), and makes
# the work directory the current one, of a user that PostgreSQL can run as.
prepare()
{
	local name

	if ((EUID != 0)); then
		as_root=(sudo)
	fi
	need_packages "$@"
	if ((EUID == 0)); then
		# Not su or runuser: they stay between us and the process, so that the
		# process id we know is not its own.
		as_user=(setpriv --reuid=postgres --regid=postgres --init-groups)
		unset TMPDIR
	fi
	make_work_dir
	cd "$work" || die "cannot use $work"

	# The caller's connection, language, proxies and make are not the tests'.
	for name in "${!PG@}"; do
		[[ $name == PG_* ]] || unset "$name"
	done
	unset LANGUAGE http_proxy https_proxy all_proxy HTTPS_PROXY ALL_PROXY
	unset MAKEFLAGS MFLAGS MAKELEVEL
	export LC_ALL=C.UTF-8 HOME=$work TMPDIR=$work
}

# Copies the source tree, as it is now but without build artefacts, to $work/$1.
copy_tree()
{
	local git=(git -c "safe.directory=$tree" -C "$tree" ls-files -z)

	"${as_user[@]}" mkdir "$work/$1"
	if [[ -e $tree/.git ]] && "${git[@]}" >/dev/null 2>&1; then
		comm -z -23 <("${git[@]}" --cached --others --exclude-standard | sort -zu) \
			<("${git[@]}" --deleted | sort -zu) |
			tar --create --directory="$tree" --null --verbatim-files-from --files-from=-
	else
		tar --create --directory="$tree" --exclude=./.git \
			--exclude-from=<(sed 's,^/,./,; s,/$,,' "$tree/.gitignore") .
	fi | "${as_user[@]}" tar --extract --directory="$work/$1"
}

# Builds the extension and the sandbox in $work/$1; further arguments go to make.
build()
{
	local dir=$1

	shift
	quietly "${as_user[@]}" make -s -j2 -C "$work/$dir" PG_CONFIG="$pg_config" "$@" all sandbox
}

install_extension()
{
	quietly "${as_root[@]}" make -s -C "$work/$1" PG_CONFIG="$pg_config" install
}

# ----- servers -----

# Makes and starts a cluster that only a socket in the work directory leads to.
start_cluster()
{
	local data=$work/cluster log=$work/postgresql.log

	quietly "${as_user[@]}" "$bindir/initdb" --pgdata="$data" --username=postgres --auth=trust \
		--no-sync --locale=C.UTF-8 --encoding=UTF8
	"${as_user[@]}" tee -a "$data/postgresql.conf" >/dev/null <<-END
		listen_addresses = ''
		unix_socket_directories = '$work'
		fsync = off
		timezone = 'UTC'
	END
	quietly "${as_user[@]}" "$bindir/pg_ctl" start --silent --pgdata="$data" --log="$log" ||
		die "the cluster did not start: $(<"$log")"
	export PGHOST=$work PGUSER=postgres PGDATABASE=postgres
}

# Starts the sandbox server, program $1, on a free port.  It ends when the pipe
# that is its standard input is closed: with this script, even if that is killed.
start_sandbox()
{
	local port_file=$work/sandbox.port log=$work/sandbox.log tries

	# shellcheck disable=SC2034 # with-sandbox uses it
	exec {sandbox_stdin}> >(exec "${as_user[@]}" "$1" --port 0 --port-file "$port_file" \
		--exit-on-eof >"$log" 2>&1)
	sandbox_pid=$!
	for ((tries = 0; tries < 200; tries++)); do
		if [[ -s $port_file ]]; then
			DNC_SANDBOX_PORT=$(<"$port_file")
			DNC_SANDBOX_URL=http://127.0.0.1:$DNC_SANDBOX_PORT
			export DNC_SANDBOX_PORT DNC_SANDBOX_URL
			return
		fi
		kill -0 "$sandbox_pid" 2>/dev/null || break
		sleep 0.05
	done
	die "the sandbox did not start: $(<"$log")"
}

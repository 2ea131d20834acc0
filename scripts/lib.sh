# scripts/lib.sh: the common functions of the scripts; sourced, not run.
#
# Packages, an unprivileged copy of the source tree, a throw-away PostgreSQL
# cluster and the sandbox server.  All that begins here ends with the script
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
no_main_cluster= # see forbid_main_cluster
lists_update=    # see update_package_lists
no_nginx=        # see forbid_nginx

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
	allow_nginx
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

# Installs the packages that building and running takes, and those named as
# arguments, as far as they are missing.  If none is missing, apt is not
# called.
need_packages()
{
	local package missing=() major

	for package in build-essential pkg-config libcurl4-openssl-dev libcjson-dev \
		libidn2-dev libphonenumber-dev g++ libmicrohttpd-dev zlib1g-dev "$@"; do
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
	update_package_lists
	if [[ -z $pg_config ]]; then
		major=$(apt-cache depends postgresql |
			sed --quiet 's/.*Depends: postgresql-\([0-9]*\)$/\1/p')
		missing+=("postgresql-$major" "postgresql-server-dev-$major")
		forbid_main_cluster
	fi
	install_packages "${missing[@]}"
	allow_main_cluster
	find_postgresql || die "found no PostgreSQL with server headers after installing it"
}

# apt-get, as it is run unattended.
apt_get()
{
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get --quiet --yes -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# A repository out of reach does not matter if the others have everything.  If
# they have not, we show apt's messages.
update_package_lists()
{
	lists_update=$(apt_get update 2>&1) || true
}

install_packages()
{
	[[ " $* " != *' nginx '* ]] || forbid_nginx
	quietly apt_get install --no-install-recommends --no-remove "$@" || {
		printf '%s\n' "$lists_update" >&2
		return 1
	}
	allow_nginx
}

# The mirror of Debian that apt is set up for, as a URL.
debian_mirror()
{
	# The fields are apt's.
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(ORIGIN) $(LABEL) $(COMPONENT) $(CREATED_BY) $(SITE)' |
		awk '$1 == "Debian" && $2 == "Debian" && $3 == "main" && $4 == "Packages" && !site { site = $5 }
			END { print site; exit !site }' ||
		die "apt knows no mirror of Debian"
}

# Debian's PostgreSQL package makes and starts a cluster when it is installed.
# The scripts need only their own, so this setting prevents that meanwhile.
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

# Debian's nginx package starts a service when it is installed, and at each boot.  The
# scripts want the program alone.  So a policy keeps this service from starting
# meanwhile, and it is disabled.
forbid_nginx()
{
	local policy=/usr/sbin/policy-rc.d

	no_nginx=$policy.dnc_fdw
	if [[ -e $policy && ! -e $no_nginx ]]; then
		"${as_root[@]}" mv "$policy" "$no_nginx"
	fi
	"${as_root[@]}" install --mode=755 /dev/stdin "$policy" <<-END
		#!/bin/sh
		# Is here while dnc_fdw's scripts install packages.
		case " \$* " in *" nginx "* | *" nginx.service "*) exit 101 ;; esac
		[ ! -x $no_nginx ] || exec $no_nginx "\$@"
	END
}

allow_nginx()
{
	if [[ -n $no_nginx ]]; then
		"${as_root[@]}" rm -f "${no_nginx%.dnc_fdw}"
		[[ ! -e $no_nginx ]] || "${as_root[@]}" mv "$no_nginx" "${no_nginx%.dnc_fdw}"
		no_nginx=
		[[ ! -x /usr/sbin/nginx ]] || quietly "${as_root[@]}" update-rc.d nginx disable
	fi
}

# ----- work directory and build -----

make_work_dir()
{
	work=$("${as_user[@]}" mktemp --directory --tmpdir dnc_fdw.XXXXXX)
}

# Installs the usual packages and those named as arguments, and makes the work
# directory the current one, of a user that PostgreSQL can run as.
prepare()
{
	if ((EUID != 0)); then
		as_root=(sudo)
	fi
	need_packages "$@"
	if ((EUID == 0)); then
		# Not su or runuser: they stay between us and the process, so the
		# process id that we know is not that of the process.
		as_user=(setpriv --reuid=postgres --regid=postgres --init-groups)
		unset TMPDIR
	fi
	enter_work_dir
}

# The same for a script that uses the installed packages, and is not run as
# root.
prepare_installed()
{
	bindir=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort --version-sort | tail --lines=1)
	enter_work_dir
}

enter_work_dir()
{
	local name

	make_work_dir
	cd "$work" || die "cannot use $work"

	# The tests must not inherit the caller's connection, language, proxies and
	# make.
	for name in "${!PG@}"; do
		[[ $name == PG_* ]] || unset "$name"
	done
	unset LANGUAGE http_proxy https_proxy all_proxy HTTPS_PROXY ALL_PROXY
	unset MAKEFLAGS MFLAGS MAKELEVEL
	export LC_ALL=C.UTF-8 HOME=$work TMPDIR=$work
}

# The source tree, as it is now but without build artefacts, as a tar archive.
pack_tree()
{
	local git=(git -c "safe.directory=$tree" -C "$tree" ls-files -z)

	if [[ -e $tree/.git ]] && "${git[@]}" >/dev/null 2>&1; then
		comm -z -23 <("${git[@]}" --cached --others --exclude-standard | sort -zu) \
			<("${git[@]}" --deleted | sort -zu) |
			tar --create --directory="$tree" --null --verbatim-files-from --files-from=-
	else
		tar --create --directory="$tree" --exclude=./.git \
			--exclude-from=<(sed 's,^/,./,; s,/$,,' "$tree/.gitignore") .
	fi
}

# Copies the source tree to $work/$1.
copy_tree()
{
	"${as_user[@]}" mkdir "$work/$1"
	pack_tree | "${as_user[@]}" tar --extract --directory="$work/$1"
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

# Makes a bare Debian of this machine's release in $1, with the sources that apt has
# here, and no service that starts by itself.  Takes root and debootstrap; $2 is the
# proxy, or nothing.
make_debian()
{
	local root=$1 release

	# shellcheck source=/dev/null
	release=$(. /etc/os-release && echo "$VERSION_CODENAME")
	quietly env http_proxy="$2" \
		debootstrap --variant=minbase --force-check-gpg "$release" "$root" "$(debian_mirror)"
	# The fields are apt's.
	# shellcheck disable=SC2016
	apt-get indextargets --format 'deb $(SITE) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' | sort -u >"$root/etc/apt/sources.list"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
}

# ----- servers -----

# Makes and starts a cluster that takes connections only by a socket in the
# work directory.
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

# Starts the sandbox server, program $1, on a free port.  The server ends when
# the pipe at its standard input is closed: with this script, even if that is
# killed.
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

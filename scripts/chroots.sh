# scripts/chroots.sh: a chroot for each Debian release; sourced after lib.sh, not run.
#
# scripts/test --all-versions tests in them, scripts/release makes packages in them.  A
# version of PostgreSQL is that of a Debian release: 15 of bookworm, 17 of trixie, 18 of
# sid.  Each release gets a chroot, made by debootstrap and brought up to date at each
# run, in which our scripts install what they need.  They are kept in
# ${XDG_CACHE_HOME:-$HOME/.cache}/dnc_fdw, 2 GB each.  Takes root.
#
# Packages come from the mirror that apt is set up for, and are checked against the
# archive's signature.  A release whose key this machine's debian-archive-keyring does
# not know yet is checked with that of an older release's chroot, where the package
# came signed by a key that is known.  Nothing is installed unchecked; a mirror that
# is out of date is refused, unless this machine's apt is told to take it.
#
# Who sources this calls open_chroots once, enter_chroot for each release, and
# leave_chroot in its EXIT trap.
#
# shellcheck shell=bash disable=SC2154 # lib.sh sets work

# shellcheck disable=SC2034 # for the scripts
declare -A releases=([15]=bookworm [17]=trixie [18]=sid)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/dnc_fdw
site=    # the mirror
root=    # the chroot at hand
running= # unshare, in front of what runs in it

# Installs what making chroots takes, makes the work directory, and keeps other runs out.
open_chroots()
{
	local lock

	((EUID == 0)) || die "takes root: chroots are made, and mounted in"
	if ! command -v debootstrap >/dev/null || ! dpkg-query --show debian-archive-keyring >/dev/null 2>&1; then
		echo "Installing packages ..."
		update_package_lists
		install_packages debootstrap debian-archive-keyring
	fi
	make_work_dir
	mkdir --parents "$cache"
	exec {lock}>"$cache/test-all-versions.lock"
	flock --nonblock "$lock" || die "another run uses the chroots in $cache"
	site=$(debian_mirror)
	eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
	[[ -z ${http_proxy-} ]] || export http_proxy
}

# Makes the chroot of release $1 ready to run commands in, with the tree in /dnc_fdw.
enter_chroot()
{
	make_chroot "$1" && mount_all && fill_chroot
}

# Ends what runs in the chroot at hand, and unmounts what is mounted there.
leave_chroot()
{
	if [[ -n $running ]]; then
		kill -KILL "$running" 2>/dev/null || true
		wait "$running" 2>/dev/null || true
		running=
	fi
	[[ -z $root ]] || unmount_all
}

# What is mounted below the chroot, the innermost first.  The kernel writes blanks
# and the like in octal.
mounts()
{
	local path

	while read -r _ _ _ _ path _; do
		printf -v path '%b' "${path//\\/\\0}"
		[[ $path != "$root"/* ]] || printf '%s\n' "$path"
	done </proc/self/mountinfo | sort --reverse
}

unmount_all()
{
	local path

	while IFS= read -r path; do
		umount "$path" || umount --lazy "$path" || return
	done < <(mounts)
	[[ -z $(mounts) ]]
}

# Removes the chroot, and nothing that is mounted in it.
remove_chroot()
{
	unmount_all || die "something is mounted in $root"
	rm --recursive --force --one-file-system "$root"
}

# The device files are the chroot's own, made by debootstrap: nothing of this
# machine's /dev is in it.  PostgreSQL needs /dev/shm.  What is left of a run that
# was killed goes first.
mount_all()
{
	unmount_all &&
		mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts "$root/dev/pts" &&
		mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
}

# Runs a command in the chroot; its processes, the only ones in /proc, all end with it.
# Of our environment they have nothing but the proxy that apt may need.
in_chroot()
{
	local status=0 environment=(HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)

	[[ -z ${http_proxy-} ]] || environment+=("http_proxy=$http_proxy")
	# In the background, so that a signal to us is heard at once.
	unshare --pid --fork --kill-child \
		chroot "$root" env --ignore-environment "${environment[@]}" \
		sh -c 'umount --quiet /proc; mount -t proc proc /proc && exec "$@"' sh "$@" </dev/null &
	running=$!
	wait "$running" || status=$?
	running=
	return "$status"
}

# Makes the chroot of release $1, unless it is there.  Until it is finished it has
# another name.
make_chroot()
{
	local finished=$cache/debian-$1 keyring output=

	root=$finished
	[[ ! -d $finished ]] || return 0
	echo "Making a chroot ..."
	root=$finished.new
	remove_chroot
	for keyring in {,"$cache"/debian-*}/usr/share/keyrings/debian-archive-keyring.gpg; do
		[[ -s $keyring ]] || continue
		if output=$(debootstrap --variant=minbase --force-check-gpg --keyring="$keyring" \
			"$1" "$root" "$site" 2>&1 </dev/null); then
			mv "$root" "$finished"
			root=$finished
			return 0
		fi
		remove_chroot
	done
	tail -n 20 <<<"${output:-no keyring of Debian is here}" >&2
	return 1
}

# What this machine's apt is told of proxies and of mirrors that are out of date.
mirror_settings()
{
	apt-config dump | sed --quiet -E '/^Acquire::(https?::Proxy|Check-(Date|Valid-Until)) /p'
}

# Brings the chroot's packages up to date, and puts the tree, as it is now, into it.
# What a run that was killed has left in it goes.
fill_chroot()
{
	local log=$work/packages.log

	rm --recursive --force --one-file-system "$root/dnc_fdw" "$root"/tmp/dnc_fdw.* &&
		mkdir "$root/dnc_fdw" &&
		pack_tree | tar --extract --no-same-owner --directory="$root/dnc_fdw" &&
		cp /etc/hosts /etc/resolv.conf "$root/etc/" &&
		mirror_settings >"$root/etc/apt/apt.conf.d/dnc_fdw" || return
	if in_chroot dpkg --configure --pending >"$log" 2>&1 &&
		in_chroot apt-get --quiet -o APT::Update::Error-Mode=any update >>"$log" 2>&1 &&
		in_chroot apt-get --quiet --yes --no-install-recommends dist-upgrade >>"$log" 2>&1; then
		return 0
	fi
	cat "$log" >&2
	return 1
}

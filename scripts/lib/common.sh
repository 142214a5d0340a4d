# shellcheck shell=bash
# Common parts of the scripts in this folder; source it, do not run it.
#
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Where things are:
#   $top        the checkout
#   $build_dir  everything that is built (ignored by git)
#   $cache_dir  everything that is downloaded, shared by all checkouts
#   $qtest_programs, $endurance_programs   our programs in tests/qtest
#   $unit_programs      those in tests/unit that need QEMU
#
# What a caller gets:
#   say TEXT...                 one line of information
#   step TEXT...                headline of a longer step
#   die TEXT...                 one sentence on stderr, exit status 1
#   need_packages PKG...        install what is missing of these packages
#   has_packages PKG...         whether this release of Debian has all of these
#   need_meson                  sets $meson and $python (meson 1.5 or newer)
#   need_ccache                 sets $cc to a gcc behind ccache
#   private_apt SUITE CMD...    run an apt command on another Debian suite
#   fetch_debs SUITE DIR PKG... download packages of another Debian suite
#   have_novnc                  sets $novnc to the folder of Debian's noVNC, which
#                               is not installed
#   fetch_source SUITE DIR PKG VERSION
#                               download an upstream tarball of another suite
#   newest_in source|binary PKG VERSION SUITE...
#                               the newest VERSION.* in these suites, and where
#   run_logged LOG CMD...       run quietly; show the end of LOG on failure
#   run_ninja LOG ARGS...       run ninja with a short, steady progress
#
# Fetching from another suite never touches the machine's own apt
# configuration.  For example, for a kernel of a newer Debian:
#
#   fetch_debs trixie "$cache_dir/debs/trixie" linux-image-6.12.48+deb13-amd64
#   dpkg-deb -x "$cache_dir"/debs/trixie/linux-image-*.deb root
#
# SUITE is any suite of the Debian archive: bookworm, bookworm-backports,
# trixie, sid...  Only the packages named are downloaded, not what they depend
# on; for a closure, or to find a name, use the suite's own apt:
#
#   private_apt bookworm apt-get install --print-uris -y PKG...
#   private_apt sid apt-cache depends linux-image-amd64
#
# Files that apt has verified are recorded with their SHA-256 and reused, also
# without a network, as long as that still matches.  All of it may be used by
# several scripts at once.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build_dir=$top/build
cache_dir=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/xen-pv-qemu

# Test programs in tests/qtest that the overlay adds
# shellcheck disable=SC2034
qtest_programs=(xen-pv-console-test xen-pv-fault-test
                xen-pvdisplay-test xen-pvdisplay-alloc-test
                xen-pvdisplay-card-test xen-pvdisplay-clients-test
                xen-pvdisplay-damage-test xen-pvdisplay-format-test
                xen-pvdisplay-hostile-test xen-pvdisplay-limits-test
                xen-pvdisplay-view-test xen-pvdisplay-vnc-test
                xen-pvsound-test xen-pvsound-card-test xen-pvsound-format-test
                xen-pvsound-hostile-test xen-pvsound-cost-test
                xen-pvsound-pace-test
                xen-pv-hostile-test xen-pv-nodes-test xen-pv-quota-test
                xen-pv-states-test xen-pv-status-test xen-pv-trouble-test)

# Unit tests of ours that need QEMU: tests/unit/NAME.c
# shellcheck disable=SC2034
unit_programs=(test-console-close test-xen-emu-gnttab test-xen-emu-watch
               test-xen-pv-channel test-xen-pv-emu
               test-xen-pvdisplay-surface)

# These measure memory, which sanitizers keep: for the normal build alone
# shellcheck disable=SC2034
endurance_programs=(xen-pv-endurance-test)

export LC_ALL=C.UTF-8

say()
{
    printf '%s\n' "$*"
}

step()
{
    printf '==> %s\n' "$*"
}

die()
{
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# run_logged LOG CMD...: output goes to LOG; its end is shown on failure
run_logged()
{
    local log=$1
    shift

    mkdir -p "${log%/*}"
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 40 "$log" >&2
        return 1
    fi
}

# run_ninja LOG ARGS...: all output in LOG, about twenty progress lines and
# whatever the compiler says on the terminal
run_ninja()
{
    local log=$1 line now shown=
    shift

    mkdir -p "${log%/*}"
    NINJA_STATUS='[%f/%t] ' ninja "$@" 2>&1 | tee "$log" |
        while IFS= read -r line; do
            if [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\  ]]; then
                now=$((BASH_REMATCH[1] * 20 / BASH_REMATCH[2]))
                [ "$now" != "$shown" ] || continue
                shown=$now
                line="    $line"
            fi
            printf '%s\n' "$line"
        done
}

as_root()
{
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    elif command -v sudo >/dev/null; then
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    else
        die "installing packages needs root or sudo"
    fi
}

missing_packages()
{
    local pkg

    for pkg; do
        dpkg-query -W -f '${db:Status-Status}\n' "$pkg" 2>/dev/null |
            grep -qx installed || printf '%s\n' "$pkg"
    done
}

need_packages()
{
    local missing lock log=$build_dir/logs/apt-$$.log
    local -a install

    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0

    # apt-get waits for dpkg's lock, but not for that of the package lists
    mkdir -p "$cache_dir"
    exec {lock}>"$cache_dir/install.lock"
    flock "$lock"
    say "installing with apt-get: ${missing[*]}"
    install=(apt-get install -y --no-install-recommends
             -o DPkg::Lock::Timeout=600 "${missing[@]}")
    mkdir -p "$build_dir/logs"
    # The package lists are fetched only if they turn out absent or stale
    if ! as_root "${install[@]}" >"$log" 2>&1 </dev/null; then
        as_root apt-get update >>"$log" 2>&1 </dev/null || true
        if ! as_root "${install[@]}" >>"$log" 2>&1 </dev/null; then
            grep '^[EW]:' "$log" | tail -n 10 >&2 || true
            mapfile -t missing < <(missing_packages "$@")
            die "apt-get could not install: ${missing[*]} (see $log)"
        fi
    fi
    exec {lock}>&-
    rm -f "$log"
}

# has_packages PKG...: whether all are installed, or could be.  A machine may
# have no package lists yet.
has_packages()
{
    local pkg
    local -a missing

    mapfile -t missing < <(missing_packages "$@")
    for pkg in "${missing[@]}"; do
        apt-cache show "$pkg" >/dev/null 2>&1 && continue
        as_root apt-get update >/dev/null 2>&1 </dev/null || true
        apt-cache show "$pkg" >/dev/null 2>&1 || return 1
    done
}

# debian_mirror [SUITE]: the mirror this machine itself uses for its own release
# of Debian, or for that one's security updates if SUITE has such
debian_mirror()
{
    local codename uri default=http://deb.debian.org/debian/

    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    case ${1:-} in
    *-security)
        codename+=-security
        default=http://deb.debian.org/debian-security/
        ;;
    esac
    uri=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' \
              'Created-By: Packages' 2>/dev/null |
          awk -v c="$codename" \
              '$1 == c && $2 !~ /^(cdrom|copy):/ { print $2; exit }') || uri=
    printf '%s' "${uri:-$default}"
}

# Write the private configuration of SUITE; prints nothing, sets $apt_dir
private_apt_config()
{
    local suite=$1 keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    local origin

    apt_dir=$cache_dir/apt/$suite
    case $apt_dir in
    *\"*) die "the cache folder must not have a quote in its name" ;;
    esac
    [ -e "$keyring" ] || need_packages debian-archive-keyring
    mkdir -p "$apt_dir"/etc/{conf.d,sources.d,preferences.d} \
             "$apt_dir"/state/lists/partial "$apt_dir"/cache/archives/partial
    touch "$apt_dir/state/status"
    origin="[signed-by=$keyring] $(debian_mirror "$suite") $suite main"
    printf '%s\n' "deb $origin" "deb-src $origin" \
        >"$apt_dir/etc/sources.list"
    {
        cat <<EOF
Dir::Etc "$apt_dir/etc/";
Dir::Etc::sourcelist "$apt_dir/etc/sources.list";
Dir::Etc::sourceparts "$apt_dir/etc/sources.d";
Dir::Etc::preferencesparts "$apt_dir/etc/preferences.d";
Dir::Etc::parts "$apt_dir/etc/conf.d";
Dir::Etc::netrc "/etc/apt/auth.conf";
Dir::Etc::netrcparts "/etc/apt/auth.conf.d";
Dir::State "$apt_dir/state/";
Dir::State::status "$apt_dir/state/status";
Dir::Cache "$apt_dir/cache/";
APT::Sandbox::User "root";
EOF
        # Proxies are the machine's, not ours
        apt-config dump | grep -E '^Acquire::(http|https|Retries)' || true
        printf '%s\n' 'Acquire::Languages "none";'
    } >"$apt_dir/apt.conf"
}

# private_apt SUITE CMD...: run an apt command that knows SUITE alone
private_apt()
{
    local suite=$1 lock apt_dir
    shift

    mkdir -p "$cache_dir/apt"
    exec {lock}>"$cache_dir/apt/$suite.lock"
    flock "$lock"
    private_apt_config "$suite"
    if ! private_apt_update; then
        exec {lock}>&-
        return 1
    fi
    local status=0
    APT_CONFIG=$apt_dir/apt.conf "$@" {lock}>&- || status=$?
    if [ $status != 0 ] && [ -n "$apt_lists_are_old" ] &&
       private_apt_update now; then
        # An old list may name files that have left the archive
        status=0
        APT_CONFIG=$apt_dir/apt.conf "$@" {lock}>&- || status=$?
    fi
    exec {lock}>&-
    return $status
}

# Refresh the lists of $apt_dir when they are older than six hours
private_apt_update()
{
    local stamp=$apt_dir/updated log=$apt_dir/update.log

    apt_lists_are_old=
    if [ -z "${1:-}" ] && [ -n "$(find "$stamp" -mmin -360 2>/dev/null)" ]
    then
        apt_lists_are_old=maybe
        return 0
    fi
    if APT_CONFIG=$apt_dir/apt.conf apt-get update >"$log" 2>&1 </dev/null &&
       ! grep -q '^[EW]: Failed to fetch' "$log"; then
        touch "$stamp"
    elif grep -q '^E: Release file for .* is expired' "$log" &&
         APT_CONFIG=$apt_dir/apt.conf apt-get update \
             -o Acquire::Check-Valid-Until=false >"$log" 2>&1 </dev/null; then
        # Signed all the same
        say "the mirror has only old package lists of $suite" >&2
        touch "$stamp"
    elif [ -e "$stamp" ]; then
        say "cannot refresh the package lists of $suite, using old ones" >&2
    else
        grep '^[EW]:' "$log" | tail -n 5 >&2 || true
        return 1
    fi
}

# fetch_debs SUITE DIR PKG...: have DIR/PKG_*.deb, from SUITE
fetch_debs()
{
    local suite=$1 dir=$2 pkg lock want=()
    shift 2

    mkdir -p "$dir/.sha256"
    exec {lock}>"$dir/.lock"
    flock "$lock"
    for pkg; do
        (cd "$dir" && sha256sum --status -c ".sha256/$pkg" 2>/dev/null) ||
            want+=("$pkg")
    done
    if [ ${#want[@]} -gt 0 ]; then
        say "downloading from Debian $suite: ${want[*]}"
        for pkg in "${want[@]}"; do
            rm -f "$dir/${pkg}"_*.deb
        done
        (cd "$dir" &&
         run_logged "$dir/.log" \
             private_apt "$suite" apt-get download "${want[@]}") ||
            die "could not download from Debian $suite: ${want[*]}"
        for pkg in "${want[@]}"; do
            (cd "$dir" && sha256sum "${pkg}"_*.deb >".sha256/$pkg") ||
                die "apt-get download left no file for $pkg in $dir"
        done
    fi
    exec {lock}>&-
}

have_novnc()
{
    local debs=$cache_dir/debs/novnc

    fetch_debs "$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")" \
        "$debs" novnc
    rm -rf "$build_dir/novnc"
    dpkg-deb -x "$debs"/novnc_*.deb "$build_dir/novnc"
    # shellcheck disable=SC2034  # it is for the caller
    novnc=$build_dir/novnc/usr/share/novnc
}

# source_versions SUITE PKG VERSION: which versions VERSION.* of PKG a suite
# names sources of, the newest first.  Mirrors may have lost some of them.
source_versions()
{
    private_apt "$1" apt-cache showsrc --only-source "$2" |
        only_versions "$3"
}

# binary_versions SUITE PKG VERSION: the same of packages that are built
binary_versions()
{
    private_apt "$1" apt-cache show "$2" | only_versions "$3"
}

only_versions()
{
    sed -n 's/^Version: //p' |
        grep -E "^([0-9]+:)?${1//./[.]}([^0-9]|\$)" | sort -ruV
}

# newest_in source|binary PKG VERSION SUITE...: the newest VERSION.* of PKG that
# one of these suites has, and which one: "FULL SUITE".  Nothing, and the reason
# on stderr, if one of them cannot be asked, and nothing if none has any.
newest_in()
{
    local kind=$1 pkg=$2 version=$3 suite full found=
    shift 3

    for suite; do
        private_apt "$suite" true || return
        full=$({ "${kind}_versions" "$suite" "$pkg" "$version" || true; } |
                   sed -n 1p)
        found+=${full:+"$full $suite"$'\n'}
    done
    printf '%s' "$found" | sort -rV | sed -n 1p
}

# release_of FULL: the release of QEMU that a version of its package names
release_of()
{
    local full=${1#*:}

    printf '%s' "${full%%[!0-9.]*}"
}

# qemu_suites VERSION: suites of Debian that have its source, likeliest first
qemu_suites()
{
    case $1 in
    10.0) echo trixie bookworm-backports ;;
    10.2) echo forky sid ;;
    *) return 1 ;;
    esac
}

# update_suites VERSION: where its updates appear.  A point release of Debian
# takes in what was a security update until then.
update_suites()
{
    qemu_suites "$1"
    [ "$1" != 10.0 ] || echo trixie-security
}

# fetch_source SUITE DIR PKG VERSION: have the upstream source of PKG in DIR, as
# PKG_*.orig.tar.*: of VERSION, or else of the newest VERSION.*.  If it cannot be
# had, it returns non-zero, with the reason on stderr.
fetch_source()
{
    local suite=$1 dir=$2 pkg=$3 version=$4 full lock status=0

    mkdir -p "$dir"
    exec {lock}>"$dir/.lock"
    flock "$lock"
    if ! compgen -G "$dir/${pkg}_$version[!0-9]*.orig.tar.*" >/dev/null ||
       ! (cd "$dir" && sha256sum --status -c SHA256SUMS 2>/dev/null); then
        status=1
        for full in $(source_versions "$suite" "$pkg" "$version"); do
            say "downloading from Debian $suite: source of $pkg $full"
            rm -f "$dir/$pkg"_* "$dir/SHA256SUMS"
            if (cd "$dir" &&
                run_logged "$dir/.log" private_apt "$suite" \
                    apt-get source --download-only --tar-only "$pkg=$full" &&
                sha256sum "$pkg"_*.orig.tar.* >SHA256SUMS); then
                status=0
                break
            fi
        done
    fi
    exec {lock}>&-
    return $status
}

# Meson 1.5 or newer, which QEMU wants.  Debian 12 has 1.0: there, the one of
# bookworm-backports is unpacked into a Python environment in the cache.
# shellcheck disable=SC2034  # python and meson are for the caller
need_meson()
{
    local codename dir debs deb

    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    need_packages python3 python3-venv ninja-build
    python=/usr/bin/python3
    if [ "$codename" != bookworm ]; then
        need_packages meson
        meson=/usr/bin/meson
        return
    fi

    need_packages python3-setuptools
    debs=$cache_dir/debs/bookworm-backports
    dir=$cache_dir/meson
    fetch_debs bookworm-backports "$debs" meson
    deb=$(echo "$debs"/meson_*.deb)
    python=$dir/bin/python3
    meson=$dir/bin/meson
    (
        flock 9
        [ "$(cat "$dir/from" 2>/dev/null)" = "${deb##*/}" ] ||
            unpack_meson "$deb" "$dir"
    ) 9>"$cache_dir/meson.lock" || die "cannot unpack ${deb##*/} to $dir"
}

# unpack_meson DEB DIR: make DIR a Python environment with this Meson
unpack_meson()
{
    local deb=$1 dir=$2 modules

    say "unpacking ${deb##*/}"
    rm -rf "$dir"
    /usr/bin/python3 -m venv --system-site-packages "$dir" &&
        modules=$("$dir/bin/python3" -c 'import sysconfig
print(sysconfig.get_path("purelib"))') &&
        dpkg-deb -x "$deb" "$dir/deb" &&
        cp -r "$dir"/deb/usr/lib/python3/dist-packages/* "$modules" &&
        printf '%s\n' '#!/bin/sh' \
            'exec "$(dirname "$0")/python3" -m mesonbuild.mesonmain "$@"' \
            >"$dir/bin/meson" &&
        chmod +x "$dir/bin/meson" &&
        printf '%s\n' "${deb##*/}" >"$dir/from"
}

# gcc behind a compiler cache shared by all checkouts
need_ccache()
{
    need_packages gcc libc6-dev ccache
    export CCACHE_DIR=$cache_dir/ccache CCACHE_BASEDIR=$top
    export CCACHE_NOHASHDIR=1
    cc='ccache gcc'
}

# shellcheck shell=bash
# A QEMU that Debian built, and its source; source it after common.sh.
#
# SPDX-License-Identifier: GPL-2.0-or-later
#
#   $plugin_packages            what building the plugin needs besides a compiler
#   package_with_qemu           what to install for a QEMU that the plugin fits
#   stock_qemu                  sets $qemu to Debian's own program: the one that
#                               is installed, if it is a 10.0; or else that of
#                               this release or its backports, unpacked into the
#                               cache folder, where it finds its modules by the
#                               environment, and its firmware by -L $qemu_data
#   whole_qemu SUITE            prints the root of a Debian SUITE with its QEMU
#                               and all libraries, in the cache folder
#   stock_deb                   the package that this is from, if not installed
#   stock_suites                the suites that may have it
#   look_for_newest_stock       have stock_qemu take the newest one of these
#   find_loader DIRS            the loader in one of these folders, or the host's
#   fetch_exact_source SUITE DIR PKG VERSION
#                               have the source package of just this version
#                               in DIR, or at least its upstream tarball;
#                               non-zero if that is not there

# shellcheck disable=SC2034
plugin_packages=(libc6-dev binutils pkg-config python3 meson ninja-build patch
                 tar xz-utils libglib2.0-dev libpixman-1-dev libxen-dev
                 libxxhash-dev)

package_with_qemu()
{
    case $(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}") in
    bookworm) printf '%s' 'qemu-system-x86 from bookworm-backports' ;;
    *) printf '%s' qemu-system-x86 ;;
    esac
}

find_loader()
{
    local dir

    for dir in ${1//:/ }; do
        if [ -x "$dir/ld-linux-x86-64.so.2" ]; then
            printf '%s' "$dir/ld-linux-x86-64.so.2"
            return
        fi
    done
    printf '%s' /lib64/ld-linux-x86-64.so.2
}

# The libraries that a package needs, as packages
libraries_of()
{
    dpkg-deb -f "$1" Depends | tr ',' '\n' |
        sed -n 's/^ *\(lib[^ :(|]*\).*/\1/p' | sort -u
}

# The suites that may have a QEMU for this release, likeliest first
stock_suites()
{
    case $(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}") in
    bookworm) echo bookworm-backports ;;
    *) echo trixie trixie-security ;;
    esac
}

# The one of them that is taken
stock_suite()
{
    local suites

    suites=$(stock_suites)
    printf '%s' "${stock_newest_suite:-${suites%% *}}"
}

# Where Debian's program is not installed: the package that it is from
stock_deb()
{
    echo "$cache_dir/debs/$(stock_suite)"/qemu-system-x86_*.deb
}

# Have the newest of them taken, and not what was downloaded earlier
look_for_newest_stock()
{
    local full deb

    # shellcheck disable=SC2046  # words
    read -r full stock_newest_suite < <(
        newest_in binary qemu-system-x86 10.0 $(stock_suites)) ||
        die "cannot find out which qemu-system-x86 10.0 Debian has newest"
    deb=$(stock_deb)
    [ -e "$deb" ] && [ "$(dpkg-deb -f "$deb" Version)" = "$full" ] ||
        rm -f "$cache_dir/debs/$stock_newest_suite/.sha256"/qemu-system-*
}

# shellcheck disable=SC2034  # qemu and qemu_data are for the caller
stock_qemu()
{
    local suite debs deb root
    local -a libraries packages

    qemu=/usr/bin/qemu-system-x86_64
    qemu_data=/usr/share/qemu
    case $("$qemu" --version 2>/dev/null) in
    'QEMU emulator version 10.0.'*) return ;;
    esac
    suite=$(stock_suite)
    debs=$cache_dir/debs/$suite
    packages=(qemu-system-x86 qemu-system-common qemu-system-data)
    # It would try those of another version that is installed, and abort
    [ ! -e /usr/lib/x86_64-linux-gnu/qemu/ui-opengl.so ] ||
        packages+=(qemu-system-modules-opengl)
    fetch_debs "$suite" "$debs" "${packages[@]}"
    deb=$(echo "$debs"/qemu-system-x86_*.deb)
    mapfile -t libraries < <(libraries_of "$deb")
    need_packages "${libraries[@]}"
    root=$cache_dir/stock-qemu/$(basename "$deb" .deb)
    # The loader's variables take no colon
    root=${root//%3a/-}
    mkdir -p "${root%/*}"
    (
        flock 9
        [ "$(cat "$root/unpacked" 2>/dev/null)" != "${packages[*]}" ] || exit 0
        say "unpacking ${deb##*/}"
        rm -rf "$root"
        mkdir "$root"
        for deb in "${packages[@]}"; do
            dpkg-deb -x "$debs/${deb}"_*.deb "$root" || exit 1
        done
        printf '%s\n' "${packages[*]}" >"$root/unpacked"
    ) 9>"$cache_dir/stock-qemu/lock" || die "cannot unpack to $root"
    qemu=$root/usr/bin/qemu-system-x86_64
    qemu_data=$root/usr/share/qemu
    export QEMU_MODULE_DIR=$root/usr/lib/x86_64-linux-gnu/qemu
}

whole_qemu()
{
    local root=$cache_dir/whole-qemu/$1 debs=$cache_dir/whole-qemu/$1.debs deb

    mkdir -p "$debs/partial"
    (
        flock 9
        [ ! -e "$root/unpacked" ] || exit 0
        run_logged "$debs/log" private_apt "$1" apt-get install -y \
            --download-only --no-install-recommends \
            -o Dir::Cache::archives="$debs" qemu-system-x86 || exit 1
        rm -rf "$root"
        mkdir "$root"
        # Debian 12's still have a /lib of their own
        mkdir -p "$root/usr/lib"
        ln -s usr/lib "$root/lib"
        for deb in "$debs"/*.deb; do
            dpkg-deb --fsys-tarfile "$deb" |
                tar -C "$root" --keep-directory-symlink -xf - || exit 1
        done
        touch "$root/unpacked"
    ) 9>"$debs/lock" || die "cannot have the QEMU of Debian $1"
    printf '%s' "$root"
}

fetch_exact_source()
{
    local suite=$1 dir=$2 pkg=$3 version=$4 lock status=0 have

    mkdir -p "$dir"
    exec {lock}>"$dir/.lock"
    flock "$lock"
    if ! (cd "$dir" && sha256sum --status -c SHA256SUMS 2>/dev/null); then
        say "downloading from Debian $suite: source of $pkg $version"
        rm -f "$dir/$pkg"_* "$dir/SHA256SUMS"
        # The same tarball may be there for another version's sake; apt looks
        # at its checksum
        for have in "$cache_dir"/source/*/"${pkg}_"*.orig.tar.*; do
            [ "${have%/*}" = "$dir" ] || [ ! -e "$have" ] ||
                cp "$have" "$dir"
        done
        (cd "$dir" &&
         source_or_tarball "$suite" "$pkg" "$version" >.log 2>&1 &&
         sha256sum "$pkg"_*.tar.* >SHA256SUMS) || status=1
    fi
    exec {lock}>&-
    return $status
}

# A mirror may have lost the packager's part; the tarball is what matters
source_or_tarball()
{
    local file

    if private_apt "$1" apt-get source --download-only "$2=$3"; then
        for file in "$2"_*.orig.tar.*; do
            grep -qF " $file" "$2"_*.dsc || rm -f "$file"
        done
        return
    fi
    # As apt leaves what it had, and so has not checked
    rm -f "$2"_*
    private_apt "$1" apt-get source --download-only --tar-only "$2=$3"
}

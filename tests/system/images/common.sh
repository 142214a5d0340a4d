# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the parts of the system test's images share; prepare sources it.
#
#   $work       a folder for what is only needed while a part is built
#   $suite      the machine's release of Debian
#   copy_modules TREE RELEASE ROOT MODULE...   modules with all they depend on
#   pack ROOT                                  a cpio archive on standard output
#   copy_program ROOT TO FILE                  a program with its libraries
#   fetch_kernel VERSION                       sets $release, $image
#   guest_kernel VERSION OUT                   a kernel for guests
#   new_packages SUITE STATUS PACKAGE...       what apt would install
#   merge_usr ROOT                             /bin, /lib and so on into /usr

# Kernel packages always come from these suites, so that the guest's driver
# is the same one everywhere. All else follows the machine's suite: QEMU was
# built against that suite's Xen libraries.
declare -A KERNEL_SUITE=([6.1]=bookworm [6.12]=bookworm-backports [newest]=sid)

# xen_front_pgdir_shbuf, drm and the like follow as dependencies.
GUEST_MODULES=(drm_xen_front snd_xen_front snd_pcm xen_kbdfront evdev
               xen-evtchn xen-gntalloc xen-blkfront xen-netfront
               9p 9pnet_xen squashfs overlay)

# copy_modules TREE RELEASE ROOT MODULE...: the modules with all they depend on
copy_modules()
{
    local tree=$1 release=$2 root=$3 module path
    shift 3
    for module in "$@"; do
        modprobe --dirname "$tree" --set-version "$release" \
                 --show-depends "$module"
    done | sed -n 's/^insmod //p' | sort -u | while read -r path _; do
        path=${path#"$tree"/}
        mkdir -p "$root/$(dirname "$path")"
        cp "$tree/$path" "$root/$path"
        case $path in
        # busybox's modprobe looks for plain ones
        *.xz) unxz "$root/$path" ;;
        *.zst) unzstd --quiet --rm "$root/$path" ;;
        esac
    done
    for path in modules.order modules.builtin modules.builtin.modinfo; do
        cp "$tree/lib/modules/$release/$path" "$root/lib/modules/$release/"
    done
    depmod --basedir "$root" "$release"
}

pack()
{
    (cd "$1" && find . -print0 | LC_ALL=C sort -z |
        cpio --quiet --null --create --format=newc --owner=0:0)
}

# copy_program ROOT TO FILE: a program with the libraries it loads, as seen
# from inside ROOT
copy_program()
{
    local root=$1 to=$2 file=$3 lib
    mkdir -p "$to$(dirname "$file")"
    cp -L "$root$file" "$to$file"
    as_root chroot "$root" ldd "$file" |
        sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (0x.*/\1/p' |
        while read -r lib; do
            mkdir -p "$to$(dirname "$lib")"
            cp -L "$root$lib" "$to$lib"
        done
}

# unpack_kernel VMLINUZ VMLINUX
unpack_kernel()
{
    python3 - "$1" "$2" <<'UNPACK'
import lzma
import struct
import subprocess
import sys

with open(sys.argv[1], "rb") as f:
    data = f.read()
# setup_sects, payload_offset and payload_length of Linux's boot protocol
offset, length = struct.unpack_from("<II", data, 0x248)
start = (data[0x1f1] + 1) * 512 + offset
payload = data[start:start + length]
with open(sys.argv[2], "wb") as f:
    if payload.startswith(b"\xfd7zXZ\0"):
        f.write(lzma.LZMADecompressor().decompress(payload))
    else:
        # The last four bytes are the size.
        subprocess.run(["zstd", "-dc"], input=payload[:-4], stdout=f,
                       check=True)
UNPACK
}

# The packages of a kernel: newer ones have the image and the modules apart
kernel_packages()
{
    local version=$1 suite=${KERNEL_SUITE[$1]} pattern="$1\\." image

    [ "$version" != newest ] || pattern='[0-9]'
    image=$(private_apt "$suite" apt-cache depends linux-image-amd64 |
        sed -n "s/.*Depends: \(linux-image-${pattern}[^ ]*\).*/\1/p" |
        tail -n 1)
    [ -n "$image" ] || die "cannot find the kernel package $version of $suite"
    echo "$image"
    private_apt "$suite" apt-cache depends "$image" |
        sed -n 's/.* Depends: \(linux-\(base\|binary\|modules\)-[0-9][^ ]*\).*/\1/p'
}

# fetch_kernel VERSION: have it in $work/kernel-VERSION; sets $release, $image
fetch_kernel()
{
    local version=$1 suite=${KERNEL_SUITE[$1]} tree=$work/kernel-$1 pkg
    local debs=$cache_dir/debs/$suite packages

    packages=$(kernel_packages "$version")
    # shellcheck disable=SC2086
    fetch_debs "$suite" "$debs" $packages
    for pkg in $packages; do
        dpkg-deb --extract "$debs/${pkg}"_*.deb "$tree"
    done
    # where a merged /usr is taken for granted
    [ -e "$tree/lib/modules" ] || ln -s usr/lib "$tree/lib"
    release=$(ls "$tree/lib/modules")
    image=$tree/boot/vmlinuz-$release
    [ -e "$image" ] || image=$tree/lib/modules/$release/vmlinuz
    depmod --basedir "$tree" "$release"
}

# guest_kernel VERSION OUT: a kernel for guests, with its modules
guest_kernel()
{
    local version=$1 out=$2 release image

    fetch_kernel "$version"
    unpack_kernel "$image" "$out/vmlinux-$version"
    mkdir -p "$work/modules-$version"
    copy_modules "$work/kernel-$version" "$release" "$work/modules-$version" \
                 "${GUEST_MODULES[@]}"
    pack "$work/modules-$version" > "$out/modules-$version.cpio"
}

# new_packages SUITE STATUS PACKAGE...: what apt would install of a suite, where
# STATUS says what there is
new_packages()
{
    local suite=$1 status=$2
    shift 2
    private_apt "$suite" apt-get --option Dir::State::status="$status" \
        --no-install-recommends --simulate install "$@" |
        sed -n 's/^Inst \([^ ]*\) .*/\1/p'
}

# merge_usr ROOT: where a root has links, packages must not bring folders
merge_usr()
{
    local root=$1 folder

    for folder in bin sbin lib lib64; do
        [ -d "$root/$folder" ] || continue
        mkdir -p "$root/usr/$folder"
        cp -a "$root/$folder/." "$root/usr/$folder"
        rm -r "${root:?}/$folder"
    done
}

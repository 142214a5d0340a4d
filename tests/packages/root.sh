# shellcheck shell=bash
# A root of Debian to try packages in, and checks that run there; source it
# after common.sh.
#
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The test sets $scratch, a folder of its own, $root, $suite, $number and
# $status, and has a function prepare_root.

# inside COMMAND: have a shell of the root run it, in a namespace with /proc
# and /dev, that leaves no process behind
inside()
{
    as_root unshare --mount --pid --fork --kill-child sh -euc '
        mount --rbind /dev "$1/dev"
        mount -t proc proc "$1/proc"
        exec chroot "$1" env -i HOME=/root LC_ALL=C.UTF-8 \
            PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
            sh -euc "$2"' sh "$root" "$1" </dev/null
}

apt_install()
{
    inside "apt-get install -y --reinstall --allow-downgrades $*"
}

# Everything but what programs note down for themselves; for links and our
# places, what they hold, too
snapshot()
{
    inside 'find / -xdev \( -path /proc -o -path /dev -o -path /tmp \
                -o -path /build -o -path "/var/lib/dpkg/*" -o -path /var/log \
                -o -path "/var/cache/*" -o -path "/var/lib/apt/*" \) -prune \
                -o -printf "%p %y %m %u %g %l\n" | sort
            find /usr/libexec /usr/lib/xen -type f 2>/dev/null |
                sort | xargs -r sha256sum
            find /var/lib/dpkg/info | sort
            cat /var/lib/dpkg/diversions
            dpkg-query -W -f "\${Package} \${Version} \${Status}\n"'
}

# unchanged SNAPSHOT: the root is what it was then
unchanged()
{
    snapshot >"$scratch/now"
    diff "$scratch/$1" "$scratch/now"
}

# fails COMMAND...
fails()
{
    if "$@"; then
        echo "did not fail: $*"
        return 1
    fi
}

# is_whole PACKAGE...: all of its files are there, as they were packed
is_whole()
{
    inside "dpkg -V $* >/tmp/said; cat /tmp/said; ! [ -s /tmp/said ]"
}

# in_root TEST: run a test of debian/tests in the root, as autopkgtest does: what
# it depends on is installed, its folder is empty, and it writes no errors unless
# it may
in_root()
{
    local name=$1 stanza package

    stanza=$(awk -v RS= -v t="Tests: $name\n" 'index($0 "\n", t)' \
                 "$top/debian/tests/control")
    [ "$stanza" ] || { echo "no stanza for $name"; return 1; }
    for package in $(sed -n 's/^Depends: //p' <<<"$stanza" | tr -d ,); do
        inside "dpkg-query -W -f '\${db:Status-Status}' $package |
                    grep -x installed"
    done
    as_root rm -rf "$root/tmp/autopkgtest"
    as_root mkdir -p "$root/tmp/autopkgtest/tmp"
    as_root cp "$top/debian/tests/$name" "$root/tmp/autopkgtest"
    inside "AUTOPKGTEST_TMP=/tmp/autopkgtest/tmp /tmp/autopkgtest/$name" \
        2>"$scratch/stderr"
    cat "$scratch/stderr"
    [[ $stanza = *allow-stderr* ]] || ! [ -s "$scratch/stderr" ]
    as_root rm -rf "$root/tmp/autopkgtest"
    echo "$name" >>"$scratch/in-root"
}

# all_in_root OTHER...: every test of debian/tests was run here, but for these,
# which are run elsewhere
all_in_root()
{
    local -a others=()

    [ $# = 0 ] || others=("${@/#/-e}")
    diff <(sed -n 's/^Tests: //p' "$top/debian/tests/control" | sort |
           grep -vx "${others[@]}") <(sort -u "$scratch/in-root")
}

# another DEB NEW COMMAND: a copy with a higher version, and other content as
# COMMAND makes it
another()
{
    local dir=$scratch/another

    rm -rf "$dir"
    mkdir -p "${2%/*}"
    dpkg-deb -R "$1" "$dir"
    sed -i '/^Version:/s/$/+1/' "$dir/DEBIAN/control"
    (cd "$dir" && eval "$3")
    (cd "$dir" && find usr -type f -exec md5sum {} + >DEBIAN/md5sums)
    dpkg-deb --root-owner-group -Znone -b "$dir" "$2"
}

# The sources of apt for a root of $suite: where this machine's own packages come
# from, if it is of that release, and Debian's mirror, if not
sources_of_root()
{
    local sources=

    if [ "$suite" = "$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")" ]
    then
        sources=$(apt-get indextargets 'Created-By: Packages' 'Origin: Debian' \
                      --format 'deb $(REPO_URI) $(RELEASE) main')
    fi
    printf '%s\n' "${sources:-deb $(debian_mirror) $suite main}"
}

# make_root LIST TAR [SUITE]: a root of $suite; with the other suite's packages
# at hand, too
make_root()
{
    local sources line
    local -a options=('--aptopt=APT::Get::Assume-Yes "true"')

    sources=$(sources_of_root)
    sources+=${3:+$'\n'"deb $(debian_mirror) $3 main"}
    while IFS= read -r line; do
        options+=("--aptopt=${line%;}")
    done < <(apt-config dump | grep -E '^Acquire::(http|https|Retries)')
    printf '%s\n' "$sources" | sort -u |
        as_root mmdebstrap --variant=apt --format=tar --include="$1" \
            --dpkgopt=force-unsafe-io "${options[@]}" "$suite" "$2.new" -
    as_root chown "$(id -u)" "$2.new"
    mv "$2.new" "$2"
}

# check NAME COMMAND...: in a shell of its own, which ends at the first failure.
# Nothing may ask for its result, or a failure would end nothing: $failed tells.
check()
{
    local name=$1 result
    shift

    number=$((number + 1))
    set +e
    (set -e; "$@") >"$scratch/said" 2>&1
    result=$?
    set -e
    failed=
    if [ $result = 0 ]; then
        echo "ok $number - $name"
    else
        tail -n 100 "$scratch/said" | sed 's/^/# /'
        echo "not ok $number - $name"
        failed=yes
        status=1
        # What it left behind is nothing that the next one has to bear
        [ ! -e "$scratch/pristine" ] || { as_root rm -rf --one-file-system \
            "$root"; prepare_root >/dev/null 2>&1; }
    fi
}

# What comes next needs the one before
or_stop()
{
    [ -z "$failed" ] || { echo "Bail out! nothing to go on with"; exit 1; }
}

# Shell functions that the scripts share. Sourced, not run.
# shellcheck shell=bash
# shellcheck disable=SC2034  # the variables are for the scripts

set -euo pipefail

script=$(readlink -f "$0")
caller_folder=$PWD
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# The packages that a build needs on Debian besides the Swift toolchain.
build_packages=(ca-certificates git g++ libbpf-dev libelf-dev libsqlite3-dev libzstd-dev zlib1g-dev)
# The packages with which the lab makes its network.
lab_packages=(ethtool iproute2 iputils-ping nftables)
# The packages of tests and lint only: other tools with which Weir is compared.
test_packages=(bpftool conntrack curl iperf3 jq openssl prometheus python3-prometheus-client python3-venv
    logrotate rsyslog rsyslog-gnutls tcpdump zstd)
# The packages of the web page's tests: a browser with its driver, and an engine for the functions without a document.
page_packages=(chromium chromium-driver fonts-dejavu-core nodejs python3-selenium)

# The packages that make and check packages.
package_packages=(dpkg-dev lintian man-db patchelf python3)

# The packages that make and run images.
image_packages=(buildah golang-github-containers-common jq podman runc patchelf)

readonly clang_format_version=19.1.7

# say TEXT: prints the next step, on stderr, so that a program's output stays clean.
say() {
    printf '==> %s\n' "$*" >&2
}

warn() {
    printf 'warning: %s\n' "$*" >&2
}

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# help_wanted ARGUMENTS: prints the script's head comment and exits if the first argument is a help option.
help_wanted() {
    case ${1:-} in
    -h | --help)
        awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$script"
        exit 0
        ;;
    esac
}

# require_root WHY
require_root() {
    [[ $(id -u) -eq 0 ]] || die "must be root: $1; run it with sudo or in a root shell"
}

# install_packages NAME...: installs the Debian packages that are missing.
install_packages() {
    local name missing=()
    for name in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0

    command -v apt-get >/dev/null || die "not a Debian system: install the equivalents of ${missing[*]}"
    [[ $(id -u) -eq 0 ]] || die "packages are missing; run: sudo apt-get install ${missing[*]}"
    say "install ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    # The package lists of a fresh machine are empty or old: fetch them only when they do not serve.
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 && return 0
    apt-get update -qq >&2 || die "apt-get update failed; needed: ${missing[*]}"
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2 || die "cannot install ${missing[*]}"
}

# find_swift: puts the Swift toolchain in PATH, and its folder into swift_bin.
find_swift() {
    if ! command -v swift >/dev/null; then
        [[ -x /opt/swift/usr/bin/swift ]] ||
            die "no Swift toolchain in PATH or /opt/swift: get Swift 6.2 or later from https://www.swift.org/install/linux/"
        PATH=/opt/swift/usr/bin:$PATH
    fi
    swift_bin=$(dirname "$(command -v swift)")
    [[ -x $swift_bin/clang ]] || swift_bin=$(dirname "$(readlink -f "$(command -v swift)")")
}

# swift_libraries PROGRAM: the libraries of the Swift toolchain that a program loads, one a line.
swift_libraries() {
    ldd "$1" | sed -n 's/.* => \(.*\/lib\/swift\/linux\/[^ ]*\) .*/\1/p'
}

# install_program PROGRAM FOLDER: puts the program into FOLDER/bin, and the libraries of the Swift toolchain that it loads
# into FOLDER/lib/weir.
install_program() {
    local libraries
    mkdir -p "$2/bin"
    mapfile -t libraries < <(swift_libraries "$1")
    if [[ ${#libraries[@]} -eq 0 ]]; then
        install -s "$1" "$2/bin/weir"
        # The folder of the build must not be searched for libraries.
        patchelf --remove-rpath "$2/bin/weir"
        return
    fi
    mkdir -p "$2/lib/weir"
    install -s "$1" "$2/lib/weir/weir"
    install -m 644 -s "${libraries[@]}" "$2/lib/weir"
    # shellcheck disable=SC2016  # the loader replaces $ORIGIN
    patchelf --set-rpath '$ORIGIN' "$2/lib/weir/weir" "$2"/lib/weir/*.so
    ln -s ../lib/weir/weir "$2/bin/weir"
}

# use_program PATH: lets the tests run this program instead of the one that was built beside them.
use_program() {
    WEIR_PROGRAM=$(cd "$caller_folder" && realpath -e "$1" 2>/dev/null) || die "--binary $1: no such file"
    export WEIR_PROGRAM
}

# mount_bpffs: mounts the BPF file system, where maps and links outlive a process.
mount_bpffs() {
    local folder=/sys/fs/bpf
    if [[ $(stat -f -c %T "$folder" 2>/dev/null) == bpf_fs ]]; then
        return 0
    fi
    say "mount bpffs on $folder"
    mount -t bpf bpf "$folder" || warn "cannot mount bpffs on $folder: nothing can be pinned"
}

# c_files: the C files of this repository, one a line.
c_files() {
    find bpf Sources/C* Tests/SlotModel -name '*.[ch]' | LC_ALL=C sort
}

# page_files: the JavaScript of the web page and of its tests, one file a line.
page_files() {
    find Sources/Page/Web Tests/Browser -name '*.js' -o -name '*.mjs' | LC_ALL=C sort
}

# find_clang_format: sets clang_format to the pinned release, fetched into .build/tools if need be.
find_clang_format() {
    clang_format=clang-format
    if clang-format --version 2>/dev/null | grep -qF "version $clang_format_version"; then
        return 0
    fi
    local tools=$root/.build/tools/clang-format-$clang_format_version
    clang_format=$tools/bin/clang-format
    [[ -x $clang_format ]] && return 0
    say "install clang-format $clang_format_version into .build/tools"
    { python3 -m venv "$tools" &&
        "$tools/bin/pip" install -q --disable-pip-version-check "clang-format==$clang_format_version"; } ||
        die "cannot install clang-format $clang_format_version from PyPI"
}

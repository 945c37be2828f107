# QEMU of one release, unpacked (never installed) into $vm_cache/qemu, for every host.
# QEMU before 8.1 may go on to run an instruction that another CPU has overwritten (it translated without the
# page's lock). Kernels patch themselves at each attach: one then met a breakpoint that was gone, and panicked.
# shellcheck shell=bash

emulator_suite=trixie

# emulator_command: prints the words that run it with the libraries of its own release. Made on first use.
emulator_command() {
    local dir=$vm_cache/qemu-$emulator_suite libraries
    [[ -e $dir ]] || with_lock "$dir.lock" emulator_make "$dir" >&2
    libraries=$dir/usr/lib/x86_64-linux-gnu
    printf '%s\n' "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries:$libraries/pulseaudio" \
        "$dir/usr/bin/qemu-system-x86_64" -L "$dir/usr/share/qemu" -L "$dir/usr/share/seabios"
}

emulator_make() (
    [[ ! -e $1 ]] || exit 0
    need debian-archive-keyring
    say "fetching QEMU from $emulator_suite"
    work=$(mktemp -d "$1.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    log=$(apt_other "$emulator_suite" apt-get update 2>&1 &&
        apt_other "$emulator_suite" apt-get install -y --no-install-recommends --download-only qemu-system-x86 2>&1) ||
        die 125 "QEMU could not be fetched: $log"
    for deb in "$vm_cache/apt/$emulator_suite"/cache/archives/*.deb; do dpkg-deb -x "$deb" "$work"; done
    apt_other "$emulator_suite" apt-get clean
    mv "$work" "$1"
)

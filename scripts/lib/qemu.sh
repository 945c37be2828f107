# Starts the machine and brings back what the command says.
# shellcheck shell=bash

boot_seconds=120

# Copies as it comes until the marker, which the guest writes behind the last byte. It holds back only what may
# be a marker's beginning. Without the marker, output that QEMU still buffers would be lost when it is ended.
until_marker='
    my ($marker, $buffer) = (shift, "");
    $| = 1;
    while (sysread(STDIN, $buffer, 65536, length $buffer)) {
        last if $buffer =~ s/\Q$marker\E\z//;
        my $at = rindex($buffer, "\004");
        my $keep = $at >= 0 && index($marker, substr($buffer, $at)) == 0 ? length($buffer) - $at : 0;
        print substr($buffer, 0, length($buffer) - $keep, "");
    }
    print $buffer;'

qemu_start() {
    # no_timer_check: on a busy host the timer of the emulation may be late when the kernel tests it, which panics.
    local port arguments kernel_arguments="console=ttyS0 quiet no_timer_check panic=-1 random.trust_cpu=on net.ifnames=0"
    arguments=(-accel "tcg,thread=multi" -smp "$cpus")
    [[ -z $icount ]] || arguments=(-accel "tcg,thread=single" -smp 1 -icount "shift=0,sleep=off")
    if [[ -z $demo ]]; then
        for port in "$root_image" "$kernel_dir/modules.img" "$work/job.img"; do
            arguments+=(-drive "file=$port,format=raw,if=virtio,snapshot=on")
        done
    fi
    arguments+=(-device virtio-serial-pci)
    mkfifo "$work"/{out,err,control}
    : >"$work/tar"
    for port in out:1 err:2 control:3 tar:4; do
        arguments+=(-chardev "file,id=${port%:*},path=$work/${port%:*}"
            -device "virtserialport,chardev=${port%:*},nr=${port#*:}")
    done
    # Open for both directions: neither side waits for the other to open.
    exec {control}<>"$work/control"
    perl -e "$until_marker" "$marker" <"$work/out" &
    readers=$!
    perl -e "$until_marker" "$marker" <"$work/err" >&2 &
    readers+=" $!"
    # shellcheck disable=SC2086 # a list of arguments
    TMPDIR=$work timeout --foreground -k 5 "$timeout" "${emulator[@]}" -cpu max -m "$memory" -nodefaults \
        -no-user-config -display none -no-reboot -nic none -serial "file:$work/console" -kernel "$kernel_dir/vmlinuz" \
        -initrd "$work/initrd" -append "$kernel_arguments $append" "${arguments[@]}" $machine \
        </dev/null >"$work/qemu" 2>&1 {control}>&- &
    qemu=$!
}

# qemu_line: the guest's next line on the control port, failing when the machine ended before it.
qemu_line() {
    local deadline=$((SECONDS + $1))
    line=
    while ! read -r -t 1 -u "$control" line; do
        kill -0 "$qemu" 2>/dev/null || return 1
        ((SECONDS < deadline)) || return 1
    done
}

qemu_wait() {
    qemu_line "$boot_seconds" || qemu_failed "kernel $kernel did not boot"
    qemu_line "$timeout" || qemu_failed "kernel $kernel stopped before the command ended"
    # shellcheck disable=SC2086 # two process ids
    wait $readers || true
    [[ -z $out ]] || tar -x -C "$out" -f "$work/tar" || die 125 "/out could not be unpacked to $out"
    exit "${line#exit }"
}

qemu_failed() {
    local code=0
    kill -0 "$qemu" 2>/dev/null || wait "$qemu" || code=$?
    ((code != 124)) || die 124 "timeout after $timeout seconds (kernel $kernel)"
    say "$1; its console ends with:"
    tail -qn 25 "$work/qemu" "$work/console" >&2 || true
    exit 125
}

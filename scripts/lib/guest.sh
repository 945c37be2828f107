# What one boot adds to the cached parts: the command, our binaries, the caller's files.
# shellcheck shell=bash

# guest_job: makes $work/initrd and, unless --demo-root, $work/job.img.
guest_job() {
    local job=$work/job lib
    lib=$(dirname "${BASH_SOURCE[0]}")/guest
    marker=$(printf '\004kflowd-vm-%s' "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')")
    mkdir -p "$job"/{bin,files} "$work/initrd.d/vm"
    find "$repo/target/release" -maxdepth 1 -name 'kflowd-*' -type f -executable -exec cp -t "$job/bin" {} + 2>/dev/null || true
    cp /bin/busybox "$job/busybox"
    cp "$lib/run" "$job/run"
    printf '%s\n' "$marker" >"$job/marker"
    guest_command >"$job/command"
    [[ -z $out ]] || touch "$job/out"
    [[ -z $files ]] || cp -a "$files/." "$job/files/"
    cp "$lib/init" "$work/initrd.d/init"
    chmod 755 "$work/initrd.d/init" "$job"
    if [[ -n $demo ]]; then guest_demo_root "$job"
    else
        touch "$work/initrd.d/vm/disks"
        make_image "$work/job.img" "$job"
    fi
    { cat "$kernel_dir/initrd" && cd "$work/initrd.d" && find . | cpio -o -H newc --quiet -R 0:0; } >"$work/initrd"
}

# The guest's shell gets each argument in single quotes: nothing in it is special there.
guest_command() {
    local LC_ALL=C argument
    printf 'exec'
    for argument in "${command[@]}"; do printf " '%s'" "${argument//\'/\'\\\'\'}"; done
    printf '\n'
}

# guest_demo_root JOB: no disks; the binaries come with the libraries that they are linked with.
guest_demo_root() {
    local root=$work/initrd.d file
    cp -a "$1/." "$root/vm/"
    ln -s /vm/files "$root/files"
    mkdir -p "$root"/{etc,home/alice,root,tmp}
    chown 1000 "$root/home/alice"
    for file in "$1"/bin/*; do ldd "$file" 2>/dev/null || true; done |
        { grep -o '/[^ )]*' || true; } | sort -u | while read -r file; do
        mkdir -p "$root$(dirname "$file")"
        cp -L "$file" "$root$file"
    done
    printf '%s\n' 'root:x:0:0::/root:/bin/sh' 'alice:x:1000:1000::/home/alice:/bin/sh' \
        'nobody:x:65534:65534::/:/bin/sh' >"$root/etc/passwd"
    printf '%s\n' 'root:x:0:' 'alice:x:1000:' 'nogroup:x:65534:' >"$root/etc/group"
    printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
}

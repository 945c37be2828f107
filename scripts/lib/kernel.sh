# Debian's cloud kernels, unpacked (never installed) into $vm_cache/kernels/NAME:
# vmlinuz, release, btf, lib/modules/RELEASE, modules.img (what the guest mounts), initrd.
# shellcheck shell=bash

kernels=(5.10 6.1 6.12 newest)

# The suites that may hold a kernel, in the order to try.
kernel_suites() {
    case $1 in
        5.10) echo bullseye ;;
        6.1) echo bookworm ;;
        6.12) echo trixie bookworm-backports ;;
        newest) echo sid ;;
        *) return 1 ;;
    esac
}

# kernel_dir NAME: prints the directory, which is made on first use.
kernel_dir() {
    local dir=$vm_cache/kernels/$1
    [[ -e $dir/initrd ]] || with_lock "$dir.lock" kernel_make "$1" >&2
    echo "$dir"
}

# A subshell: the trap must see work, and belong to nobody else.
kernel_make() (
    name=$1 dir=$vm_cache/kernels/$1
    [[ ! -e $dir/modules.img ]] || return 0
    need debian-archive-keyring kmod e2fsprogs cpio busybox-static xz-utils zstd lz4 binutils
    work=$(mktemp -d "$dir.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    for suite in $(kernel_suites "$name"); do
        say "fetching kernel $name from $suite"
        kernel_fetch "$suite" "$name" "$work" && break
    done
    [[ -e $work/vmlinuz ]] || die 125 "no cloud kernel $name in $(kernel_suites "$name")"
    kernel_btf "$work/vmlinuz" "$work/btf"
    depmod -b "$work" "$(<"$work/release")"
    make_image "$work/modules.img" "$work/lib/modules"
    kernel_initrd "$work"
    rm -rf "$dir"
    mv "$work" "$dir"
)

# kernel_fetch SUITE NAME DIR: what linux-image-cloud-amd64 depends on, down to files.
kernel_fetch() {
    local suite=$1 name=$2 dir=$3 packages deb image
    apt_other "$suite" apt-get update >/dev/null || return 1
    packages=$(apt_other "$suite" apt-cache depends --recurse --no-suggests --no-recommends --no-conflicts \
        --no-breaks --no-replaces --no-enhances --no-pre-depends linux-image-cloud-amd64 |
        grep -xE 'linux-(image|binary|modules|base)-[0-9][^ ]*-cloud-amd64' | sort -u)
    [[ $name == newest ]] || grep -q -- "-$name\." <<<"$packages" || return 1
    mkdir "$dir/debs"
    # shellcheck disable=SC2086 # a list of package names
    (cd "$dir/debs" && apt_other "$suite" apt-get download $packages >/dev/null)
    for deb in "$dir"/debs/*.deb; do dpkg-deb -x "$deb" "$dir/unpacked"; done
    image=$(echo "$dir"/unpacked/boot/vmlinuz-* | head -n1)
    [[ -e $image ]] || image=$(echo "$dir"/unpacked/usr/lib/modules/*/vmlinuz)
    mkdir "$dir/lib"
    mv "$image" "$dir/vmlinuz"
    if [[ -d $dir/unpacked/lib/modules ]]; then mv "$dir/unpacked/lib/modules" "$dir/lib/"
    else mv "$dir/unpacked/usr/lib/modules" "$dir/lib/"; fi
    basename "$dir"/lib/modules/* >"$dir/release"
    rm -rf "$dir/debs" "$dir/unpacked"
}

# kernel_btf VMLINUZ FILE: the .BTF section of the ELF inside. The boot protocol's header says where the
# compressed ELF lies: sectors of setup code at 0x1f1, offset and length after it at 0x248 and 0x24c.
kernel_btf() {
    local setup offset length elf
    setup=$(od -An -tu1 -j $((0x1f1)) -N1 "$1")
    read -r offset length < <(od -An -tu4 -j $((0x248)) -N8 "$1")
    elf=$(mktemp "$2.XXXXXX")
    # The last four bytes are the unpacked size, not part of the stream.
    dd if="$1" bs=64K iflag=skip_bytes,count_bytes skip=$(((setup + 1) * 512 + offset)) count=$((length - 4)) \
        status=none | kernel_unpack >"$elf"
    objcopy --dump-section .BTF="$2" "$elf" /dev/null
    rm "$elf"
}

kernel_unpack() {
    local magic
    magic=$(dd bs=1 count=2 status=none | od -An -tx1 | tr -d ' ')
    case $magic in
        fd37) { printf '\xfd7' && cat; } | xz -dc ;;
        28b5) { printf '\x28\xb5' && cat; } | zstd -dcq ;;
        0221) { printf '\x02\x21' && cat; } | lz4 -dcq ;;
        1f8b) { printf '\x1f\x8b' && cat; } | gzip -dc ;;
        *) die 125 "a kernel packed in an unknown way ($magic)" ;;
    esac
}

# kernel_initrd DIR: busybox and the modules that reach the disks and the ports; /init is added per boot.
kernel_initrd() {
    local dir=$1 root=$1/initrd.d module path
    mkdir -p "$root"/{bin,modules}
    cp /bin/busybox "$root/bin/"
    for module in virtio_pci virtio_blk virtio_console ext4; do
        modprobe -d "$dir" -S "$(<"$dir/release")" --show-depends "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$dir/order"
    while read -r path; do
        module=$(basename "${path%.xz}")
        if [[ $path == *.xz ]]; then xz -dc "$path"; else cat "$path"; fi >"$root/modules/$module"
        echo "$module" >>"$root/modules/order"
    done <"$dir/order"
    (cd "$root" && find . | cpio -o -H newc --quiet -R 0:0) >"$dir/initrd"
    rm -r "$root" "$dir/order"
}

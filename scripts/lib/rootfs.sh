# The guest's root file system: Debian of the host's release, so that binaries built here run there.
# shellcheck shell=bash

rootfs_packages=acl,attr,bind9-dnsutils,bsdutils,btrfs-progs,busybox,curl,dnsmasq-base,e2fsprogs,ethtool,fio,git
rootfs_packages+=,inotify-tools,iperf3,iproute2,jq,kmod,libcap2-bin,libelf1,liburing2,mount,nginx-light
rootfs_packages+=,openssh-client,openssh-server,procps,psmisc,python3,rsync,rsyslog,strace,tar,tcpdump,util-linux
rootfs_packages+=,xfsprogs,xz-utils,zlib1g

# rootfs_image: prints the image, which is made on first use and after a change of this file.
rootfs_image() {
    local image
    image=$vm_cache/root-$(host_codename)-$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-8).img
    [[ -e $image ]] || with_lock "$vm_cache/root.lock" rootfs_make "$image" >&2
    echo "$image"
}

rootfs_make() (
    [[ ! -e $1 ]] || exit 0
    need debian-archive-keyring mmdebstrap e2fsprogs
    say "making the guest's root file system (half a minute)"
    rm -f "$vm_cache"/root-*.img
    work=$(mktemp -d "$vm_cache/root.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    log=$(rootfs_debootstrap "$work/root" 2>&1) || die 125 "mmdebstrap failed: $log"
    make_image "$work/img" "$work/root" 600
    mv "$work/img" "$1"
)

# ssh host keys and locales are per machine and large, the guest needs neither.
rootfs_debootstrap() {
    mmdebstrap --quiet --variant=minbase --mode=root --include="$rootfs_packages" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --customize-hook='echo kflowd-vm >"$1/etc/hostname"' \
        --customize-hook='echo "127.0.0.1 localhost kflowd-vm" >"$1/etc/hosts"' \
        --customize-hook='echo "::1 localhost ip6-localhost" >>"$1/etc/hosts"' \
        --customize-hook='chroot "$1" useradd -m -u 1000 -s /bin/bash alice' \
        --customize-hook='mkdir -p "$1/files" "$1/out" "$1/vm" "$1/lib/modules"' \
        --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/log/*.log' \
        "$(host_codename)" "$1" "deb [signed-by=$debian_keyring] $(mirror) $(host_codename) main"
}

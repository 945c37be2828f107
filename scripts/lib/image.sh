# ext4 images made from directories: the cloud kernels have no 9p.
# shellcheck shell=bash

# make_image FILE DIR [FREE_MB]: mke2fs must be told the size. A quarter more than the content covers
# inodes and metadata; the file is sparse.
make_image() {
    local megabytes
    megabytes=$({ du -sm "$2" && du -sm --apparent-size "$2"; } | sort -n | tail -n1 | cut -f1)
    truncate -s $((megabytes * 5 / 4 + 8 + ${3:-0}))M "$1"
    mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$2" "$1" || die 125 "mke2fs could not make $1"
}

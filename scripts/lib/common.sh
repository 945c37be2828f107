# Shared by every script: where the repository is, how to speak, how to stop.
# shellcheck shell=bash

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
vm_cache=$(realpath -m "${KFLOWD_VM_CACHE:-$repo/target/vm}")

say() { printf 'kflowd: %s\n' "$*" >&2; }

# die CODE MESSAGE...: 2 = wrong use, 125 = the machinery failed, as with timeout(1) and env(1).
die() {
    local code=$1
    shift
    say "$*"
    exit "$code"
}

# with_lock FILE COMMAND...: two invocations must not build the same cache entry at once.
# The subshell (not a brace group) drops the lock however COMMAND ends.
with_lock() (
    mkdir -p "$(dirname "$1")"
    exec 9>"$1"
    flock 9
    "${@:2}"
)

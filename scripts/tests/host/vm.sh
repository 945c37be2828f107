#!/usr/bin/env bash
# scripts/vm keeps its promises: the command's argv, output and exit code pass unchanged, mistakes are named.
set -euo pipefail
cd "$(dirname "$0")/../../.."
. scripts/lib/tally.sh

# expect NAME CODE OUT_AND_ERR COMMAND...: what COMMAND prints (stdout, a bar, stderr) and its exit code.
expect() {
    local name=$1 code=0 got errors
    errors=$(mktemp)
    got=$("${@:4}" 2>"$errors") || code=$?
    got+="|$(<"$errors")"
    rm -f "$errors"
    check "$name (got $code:$got)" test "$code:$got" = "$2:$3"
}

expect unknown_kernel 2 "|kflowd: unknown kernel '4.4' (known: 5.10 6.1 6.12 newest)" scripts/vm 4.4 -- true
expect bad_number 2 "|kflowd: --mem: a number above 0 is expected, not 'x'" scripts/vm 6.1 --mem x -- true
expect missing_value 2 "|kflowd: --cpus needs a value" scripts/vm 6.1 --cpus
if [[ -z ${KFLOWD_QUICK:-} ]]; then
    # What is made on the first use is announced on stderr.
    scripts/vm 6.1 -- true
    expect argv_is_kept 0 $'it\'s|a  b||*|$x|\n|end||' scripts/vm 6.1 -- printf '%s|' "it's" 'a  b' '' '*' '$x' $'\n' end
    expect streams_and_code 7 'out|err' scripts/vm 6.1 -- sh -c 'echo out; echo err >&2; exit 7'
    expect demo_root 3 'root|' scripts/vm 6.1 --demo-root -- sh -c 'id -un; exit 3'
    check large_output bash -c '[[ $(scripts/vm 6.1 -- seq 300000 | (sleep 6; md5sum)) == $(seq 300000 | md5sum) ]]'
    expect timeout 124 '|kflowd: timeout after 6 seconds (kernel 6.1)' scripts/vm 6.1 --timeout 6 -- sleep 60
    check panic_is_named bash -c 'scripts/vm 6.1 -- sh -c "echo c >/proc/sysrq-trigger" 2>&1 | grep -q "^kflowd: kernel 6.1 stopped"'
fi
tally_end

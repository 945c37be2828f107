# Counting tests, those of other programs included.
# shellcheck shell=bash

passed=0 failed=0

# check NAME COMMAND...: one test; its output is shown only when it fails.
check() {
    local name=$1 log
    shift
    if log=$("$@" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'not ok %s\n%s\n' "$name" "$log"
    fi
}

# add NAME PASSED FAILED CODE LOG: the counts of a run of many tests. A bad end without a failed test, or no test
# at all, is a failure of its own.
add() {
    local bad=$3
    ((bad > 0 || ($4 == 0 && $2 > 0))) || bad=1
    passed=$((passed + $2))
    failed=$((failed + bad))
    printf '%s: %d passed, %d failed\n' "$1" "$2" "$bad"
    ((bad == 0)) || cat "$5"
}

# add_reported NAME CODE LOG: the counts are on LOG's last line. Without that line the run was cut short.
add_reported() {
    local code=$2 counts
    counts=$(tail -n1 "$3" | sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p')
    if [[ -z $counts ]]; then
        counts="$(grep -c '^ok ' "$3" || true) $(grep -c '^not ok ' "$3" || true)"
        code=1
    fi
    # shellcheck disable=SC2086 # two numbers
    add "$1" $counts "$code" "$3"
}

# add_cargo NAME CODE LOG: libtest prints one result line per test program.
add_cargo() {
    local counts
    counts=$(awk '/^test result: / { p += $4; f += $6 } END { print p + 0, f + 0 }' "$3")
    # shellcheck disable=SC2086 # two numbers
    add "$1" $counts "$2" "$3"
}

# The last line of every test script.
tally_end() {
    printf '%d passed, %d failed\n' "$passed" "$failed"
    ((failed == 0 && passed > 0))
}

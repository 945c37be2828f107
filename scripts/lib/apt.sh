# Packages: installing what is missing on this machine, and fetching from other suites without touching it.
# shellcheck shell=bash

# need PACKAGE...: install those that are missing, saying which.
need() {
    local package missing=()
    for package; do
        [[ $(dpkg-query -Wf '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    local root=()
    if ((EUID)); then
        command -v sudo >/dev/null || die 125 "missing packages, and not root: ${missing[*]}"
        root=(sudo)
    fi
    say "installing ${missing[*]}"
    with_lock "$vm_cache/install.lock" apt_install "${root[@]}" -- "${missing[@]}"
}

# apt_install [sudo] -- PACKAGE...: apt's own chatter is shown only when it fails.
apt_install() {
    local root=() log
    while [[ $1 != -- ]]; do root+=("$1") && shift; done
    shift
    log=$("${root[@]}" apt-get update 2>&1) || say "apt-get update: $log"
    log=$("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" 2>&1) ||
        die 125 "apt-get install failed: $log"
}

host_codename() (
    . /etc/os-release
    [[ ${ID:-} == debian ]] || die 125 "the VM needs a Debian host, this is ${ID:-unknown}"
    echo "$VERSION_CODENAME"
)

# The mirror that this machine itself uses for its own release: read from the sources, so that it is known
# before the first apt-get update, too.
mirror() {
    local codename
    codename=$(host_codename)
    apt-get update --print-uris |
        sed -nE "s#^'(.+[^/])/+dists/($codename|stable)/InRelease' .*#\1#p" | sed -n 1p | grep . ||
        die 125 "apt's sources name no mirror for $codename"
}

debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# apt_other SUITE COMMAND...: apt with a state directory of its own; the machine's apt is left alone.
apt_other() {
    local suite=$1 dir=$vm_cache/apt/$1
    shift
    mkdir -p "$dir"/{lists/partial,cache/archives/partial}
    touch "$dir/status"
    printf 'deb [arch=amd64 target=Packages signed-by=%s] %s %s main\n' \
        "$debian_keyring" "$(mirror)" "$suite" >"$dir/sources.list"
    # The sandbox user could not write below a private directory, hence User=root.
    with_lock "$dir/lock" "$1" -o Dir::State::lists="$dir/lists" -o Dir::State::status="$dir/status" -o Dir::Cache="$dir/cache" \
        -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o APT::Sandbox::User=root "${@:2}"
}

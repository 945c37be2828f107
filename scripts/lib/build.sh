# Building the workspace on a machine that may have nothing.
# shellcheck shell=bash

build_packages=(build-essential pkg-config libelf-dev zlib1g-dev clang)

# need_cargo: rustup's cargo where there is one, else the distribution's newest.
need_cargo() {
    PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    command -v cargo >/dev/null && return
    if apt-cache show cargo-web >/dev/null 2>&1; then need cargo-web rustc-web; else need cargo rustc; fi
}

build_release() {
    need "${build_packages[@]}"
    need_cargo
    cargo build --manifest-path "$repo/Cargo.toml" --release --locked --workspace >&2
}

//! Compiles bpf/ with clang (14 or newer, `CLANG` names another) and generates the skeletons.

use std::env;
use std::path::{Path, PathBuf};

use libbpf_cargo::SkeletonBuilder;

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let source = Path::new("../bpf");
    for name in ["kflowd", "preflight"] {
        let mut builder = SkeletonBuilder::new();
        builder.source(source.join(format!("{name}.bpf.c")));
        builder.clang_args(["-Wall", "-Werror", "-mcpu=v3"]);
        if let Some(clang) = env::var_os("CLANG") {
            builder.clang(clang);
        }
        builder.obj(out.join(format!("{name}.bpf.o")));
        if let Err(error) = builder.build_and_generate(out.join(format!("{name}.skel.rs"))) {
            panic!("bpf/{name}.bpf.c: {error:#}");
        }
    }
    // For tests/layout.rs.
    println!("cargo:rustc-env=KFLOWD_OBJECT={}", out.join("kflowd.bpf.o").display());
    println!("cargo:rerun-if-changed=../bpf");
    println!("cargo:rerun-if-env-changed=CLANG");
}

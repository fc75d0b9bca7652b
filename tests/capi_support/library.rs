//! The C library as users get it, a second one with assertions, and programs that are linked with them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::process::outcome;
use super::{root, scratch};

/// How a program is linked with the library of `make lib`.
#[derive(Clone, Copy)]
pub(crate) enum Library {
    Shared,
    Static,
}

/// What the linker is told, and what the program needs at run time.
pub(crate) fn released(how: Library) -> Vec<OsString> {
    let built = library();
    match how {
        Library::Shared => {
            let mut path = OsString::from("-Wl,-rpath,");
            path.push(built);
            vec!["-L".into(), built.into(), "-lheartline".into(), path]
        }
        Library::Static => archive_in(built),
    }
}

/// The shared library, and others that the program needs.
pub(crate) fn released_with(others: &[&str]) -> Vec<OsString> {
    released(Library::Shared).into_iter().chain(others.iter().map(OsString::from)).collect()
}

/// The folder in which `make lib` leaves the libraries; it runs once for a test program, and builds only what is old.
pub(crate) fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        make(&["lib"]);
        root().join("target/capi")
    })
}

/// The library with debug assertions, overflow checks and a panic that can be ordered, as an archive.
pub(crate) fn checked() -> Vec<OsString> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        make(&["lib-checked"]);
        root().join("target/capi-checked")
    });
    archive_in(built)
}

/// The archive in this folder, and what of the system it needs.
pub(crate) fn archive_in(folder: &Path) -> Vec<OsString> {
    let system = fs::read_to_string(folder.join("native-static-libs")).unwrap();
    std::iter::once(folder.join("libheartline.a").into()).chain(system.split_whitespace().map(OsString::from)).collect()
}

pub(crate) fn make(arguments: &[&str]) {
    let mut command = Command::new("make");
    command.arg("--no-print-directory").args(arguments).current_dir(root());
    if std::env::var_os("CARGO_LLVM_COV").is_some() {
        // The libraries are what users get, not a build that counts its lines.
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
            command.env_remove(name);
        }
    }
    // However long a build takes.
    let output = command.output().expect("make");
    assert!(output.status.success(), "make {arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Compiles a program, from the checkout's folder, and fails with what the compiler said.
pub(crate) fn compile(compiler: &str, flags: &[&str], files: &[&Path], library: &[OsString], name: &str) -> PathBuf {
    let program = scratch(name);
    let mut command = Command::new(compiler);
    command.args(flags).arg("-Iinclude").arg("-o").arg(&program).args(files).args(library).current_dir(root());
    let (status, output) = outcome(&mut command);
    assert!(status.success(), "{command:?}\n{output}");
    program
}

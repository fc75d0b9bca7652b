//! bindings/python: its own tests against the built library, from the checkout and as pip installs it.

mod capi_support;

use std::path::Path;
use std::process::Command;

use capi_support::library::library;
use capi_support::process::said;
use capi_support::{folder, programs_in, root};

/// Runs bindings/python/tests with the package found in `package`. Unclosed files and other warnings are failures.
fn check(package: &Path, library: Option<&Path>) {
    let mut command = Command::new("python3");
    command.args(["-W", "error", "-B", "-m", "unittest", "discover", "-v"]).arg(root().join("bindings/python/tests"));
    command.env("PYTHONPATH", package).env_remove("HEARTLINE_LIBRARY").current_dir("/");
    if let Some(library) = library {
        command.env("HEARTLINE_LIBRARY", library);
    }
    said(&mut command);
}

#[test]
fn from_the_checkout() {
    check(&root().join("bindings/python"), Some(&library().join("libheartline.so")));
}

/// Without network: the wheel is built by Python's own library, and takes the shared library along.
#[test]
fn as_pip_installs_it() {
    let library = library().join("libheartline.so");
    let here =
        said(Command::new("python3").args(["-c", "import importlib.util as u; print(bool(u.find_spec('pip')))"]));
    assert_eq!(here.trim(), "True", "this test needs pip: scripts/install-tools installs it");
    let installed = folder("python-installed");
    said(
        Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check"])
            .arg("--target")
            .arg(&installed)
            .arg(root().join("bindings/python"))
            .env("HEARTLINE_LIBRARY", &library),
    );
    for file in ["heartline/py.typed", "heartline/libheartline.so"] {
        assert!(installed.join(file).is_file(), "{file} is missing from what pip installed");
    }
    check(&installed, None);
}

/// They serve for ever: here they are only compiled, the second as the body of a coroutine.
#[test]
fn the_programs_in_the_readme_compile() {
    for program in programs_in("bindings/python/README.md", "python") {
        let body = program.replace('\n', "\n    ");
        let wrapped = format!("async def readme():\n    {body}\n");
        said(
            Command::new("python3").args(["-c", "import sys; compile(sys.argv[1], 'README.md', 'exec')"]).arg(wrapped),
        );
    }
}

/// The package's version is the crate's.
#[test]
fn versions_agree() {
    let project = std::fs::read_to_string(root().join("bindings/python/pyproject.toml")).unwrap();
    assert!(project.contains(&format!("\nversion = \"{}\"\n", env!("CARGO_PKG_VERSION"))), "{project}");
}

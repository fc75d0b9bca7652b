//! bindings/python: its own tests against the built library, from the checkout and as pip installs it.
#![cfg(feature = "capi")]

mod support_bindings;

use std::path::Path;
use std::process::Command;

use support_bindings::{library_dir, programs_in, require, root, run, scratch};

/// Runs bindings/python/tests with the package found in `package`. Unclosed files and other warnings are failures.
fn check(package: &Path, library: Option<&Path>) {
    let mut command = Command::new("python3");
    command.args(["-W", "error", "-B", "-m", "unittest", "discover", "-v"]).arg(root().join("bindings/python/tests"));
    command.env("PYTHONPATH", package).env_remove("HEARTLINE_LIBRARY").current_dir("/");
    if let Some(library) = library {
        command.env("HEARTLINE_LIBRARY", library);
    }
    run(&mut command);
}

#[test]
fn from_the_checkout() {
    require(&["python3", "cc"]);
    check(&root().join("bindings/python"), Some(&library_dir().join("libheartline.so")));
}

/// Without network: the wheel is built by Python's own library, and takes the shared library along.
#[test]
fn as_pip_installs_it() {
    require(&["python3", "cc"]);
    let library = library_dir().join("libheartline.so");
    let here = run(Command::new("python3").args(["-c", "import importlib.util as u; print(bool(u.find_spec('pip')))"]));
    assert_eq!(here.trim(), "True", "this test needs pip: scripts/install-tools installs it");
    let installed = scratch("python-installed");
    run(Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check"])
        .arg("--target")
        .arg(&installed)
        .arg(root().join("bindings/python"))
        .env("HEARTLINE_LIBRARY", &library));
    for file in ["heartline/py.typed", "heartline/libheartline.so"] {
        assert!(installed.join(file).is_file(), "{file} is missing from what pip installed");
    }
    check(&installed, None);
}

/// They serve for ever: here they are only compiled, the second as the body of a coroutine.
#[test]
fn the_programs_in_the_readme_compile() {
    require(&["python3"]);
    for program in programs_in("bindings/python/README.md", "python") {
        let body = program.replace('\n', "\n    ");
        let wrapped = format!("async def readme():\n    {body}\n");
        run(Command::new("python3").args(["-c", "import sys; compile(sys.argv[1], 'README.md', 'exec')"]).arg(wrapped));
    }
}

/// The package's version is the crate's.
#[test]
fn versions_agree() {
    let project = std::fs::read_to_string(root().join("bindings/python/pyproject.toml")).unwrap();
    assert!(project.contains(&format!("\nversion = \"{}\"\n", env!("CARGO_PKG_VERSION"))), "{project}");
}

//! bindings/python: its own tests against the built library, from the checkout and as pip installs it.

mod capi_support;

use std::path::Path;
use std::process::Command;

use capi_support::library::library;
use capi_support::process::{outcome, said};
use capi_support::server::Server;
use capi_support::{folder, programs_in, root, scratch};

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

#[test]
fn against_the_echo_server_in_c() {
    let server = Server::with("echo", &["127.0.0.1:0", "im,timeout=1s"]);
    let mut client = Command::new("python3");
    client.args(["-W", "error", "-B"]).arg(root().join("tests/python/echo.py")).arg(&server.at);
    client.env("PYTHONPATH", root().join("bindings/python"));
    said(client.env("HEARTLINE_LIBRARY", library().join("libheartline.so")));
}

/// The package, what builds it and its tests, by the settings in pyproject.toml: `strict`.
#[test]
fn its_types_are_right() {
    let mut mypy = Command::new("mypy");
    mypy.arg("--strict").arg("--cache-dir").arg(scratch("mypy")).current_dir(root().join("bindings/python"));
    let said = said(&mut mypy);
    assert!(said.starts_with("Success: no issues found in ") && !said.contains(" 0 "), "{said}");
}

/// A type checker that is asked for too little finds nothing either.
#[test]
fn wrong_types_are_found() {
    let wrong = folder("python-wrong").join("wrong.py");
    std::fs::write(&wrong, "import heartline\n\nheartline.Codec(5)\n\n\ndef untyped(event):\n    pass\n").unwrap();
    let mut mypy = Command::new("mypy");
    mypy.arg("--strict").arg("--cache-dir").arg(scratch("mypy-wrong")).arg(&wrong);
    let (status, said) = outcome(mypy.env("MYPYPATH", root().join("bindings/python")).current_dir(root()));
    assert!(!status.success() && said.contains("[arg-type]") && said.contains("[no-untyped-def]"), "{said}");
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

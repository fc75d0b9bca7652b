//! Node's own test runner, and what npm has installed for it.
#![allow(dead_code, reason = "each test uses a part")]

#[path = "../capi_support/process.rs"]
pub(crate) mod process;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An empty folder of this test run.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// What tests/js/package-lock.json names.
pub(crate) fn packages() -> PathBuf {
    let packages = root().join("target/js/node_modules");
    assert!(packages.join("ws").is_dir(), "{} lacks npm's ws: scripts/install-tools", packages.display());
    packages
}

/// Runs tests/js/NAME.test.js with these variables in its environment. At least one case must pass, and none be skipped.
#[track_caller]
pub(crate) fn node_tests(name: &str, environment: &[(&str, &str)]) {
    let file = root().join(format!("tests/js/{name}.test.js"));
    let mut node = Command::new("node");
    node.envs(environment.iter().copied());
    // Where they keep what they write, such as a browser's profile.
    node.env("HEARTLINE_TEST_FOLDER", folder(&format!("js-{name}")));
    let (status, output) = process::outcome(node.args(["--test", "--test-reporter=tap"]).arg(file));
    let count = |what: &str| {
        let mark = format!("# {what} ");
        let line = output.lines().rev().find_map(|line| line.strip_prefix(&mark));
        line.and_then(|count| count.parse::<u32>().ok()).unwrap_or_else(|| panic!("no {what:?} in\n{output}"))
    };
    assert!(status.success() && count("fail") == 0 && count("cancelled") == 0, "{output}");
    assert!(count("pass") > 0 && count("skipped") == 0 && count("todo") == 0, "{output}");
}

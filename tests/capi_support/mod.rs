//! What the tests of the C ABI and of the bindings share: the libraries and compilers, programs that do not run for ever,
//! and clients of those that are servers.
#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod client;
pub(crate) mod example;
pub(crate) mod library;
pub(crate) mod process;
pub(crate) mod server;

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A place for a file of this test run.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("capi").join(name);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    place
}

/// An empty folder of this test run.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = scratch(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The programs in a page of documentation that are marked as of this language.
pub(crate) fn programs_in(page: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let begin = format!("```{language}\n");
    let programs: Vec<String> =
        text.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect();
    assert!(!programs.is_empty(), "{page} has no program in {language}");
    programs
}

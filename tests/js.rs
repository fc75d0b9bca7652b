//! bindings/js without a network: its parts under a clock of their own, its types, and the package as npm installs it.
#![cfg(feature = "net")]

mod js_support;

use std::fs;
use std::process::Command;

use js_support::process::{outcome, said};
use js_support::{folder, node_tests, packages, root};

#[test]
fn liveness() {
    node_tests("liveness", &[]);
}

#[test]
fn reconnection() {
    node_tests("reconnect", &[]);
}

#[test]
fn the_queue() {
    node_tests("queue", &[]);
}

#[test]
fn the_types_and_the_page_name_what_there_is() {
    node_tests("names", &[]);
}

/// What npm packs is installed in a folder of its own, without network, and used there from JavaScript and TypeScript.
#[test]
fn as_npm_installs_it() {
    let place = folder("js-installed");
    let npm = |arguments: &[&str]| {
        let mut npm = Command::new("npm");
        said(npm.args(arguments).current_dir(&place).env("npm_config_cache", place.join("cache")))
    };
    let binding = root().join("bindings/js");
    npm(&["pack", "--silent", &binding.display().to_string()]);
    let archive = format!("./heartline-{}.tgz", env!("CARGO_PKG_VERSION"));
    npm(&["install", "--silent", "--offline", "--no-audit", "--no-fund", &archive]);
    let installed: Vec<_> = fs::read_dir(place.join("node_modules")).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(installed.iter().filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b".")).count(), 1);
    let program = "import * as all from 'heartline'; console.log(typeof all.Heartline)";
    let node = &mut Command::new("node");
    assert_eq!(said(node.args(["--input-type=module", "-e", program]).current_dir(&place)), "function\n");

    for file in ["types.ts", "tsconfig.json"] {
        fs::copy(root().join("tests/js").join(file), place.join(file)).unwrap();
    }
    let compiler = packages().join("typescript/bin/tsc");
    let compile = || outcome(Command::new("node").arg(&compiler).current_dir(&place));
    let (status, output) = compile();
    assert!(status.success() && output.is_empty(), "{output}");
    // A compiler that was asked for too little finds nothing either.
    fs::write(place.join("types.ts"), "import { Heartline } from 'heartline';\nnew Heartline(5);\n").unwrap();
    let (status, output) = compile();
    assert!(!status.success() && output.contains("TS2345"), "{output}");
}

/// The package's version is the crate's, and it depends on nothing.
#[test]
fn the_package_agrees_with_the_crate() {
    let package = fs::read_to_string(root().join("bindings/js/package.json")).unwrap();
    assert!(package.contains(&format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"))), "{package}");
    assert!(!package.contains("ependencies"), "{package}");
    let module = fs::read_to_string(root().join("bindings/js/heartline.js")).unwrap();
    assert!(!module.contains("import ") && !module.contains("import("), "the module stands alone");
}

//! bindings/js against servers that freeze, die, refuse and do not read; and the page of examples/browser in Chromium.
#![cfg(feature = "cli")]

mod js_support;

use js_support::{node_tests, packages};

fn with_servers(name: &str) {
    packages();
    let built = env!("CARGO_BIN_EXE_heartline").to_owned();
    node_tests(name, &[("HEARTLINE_BIN", &std::env::var("HEARTLINE_BIN").unwrap_or(built))]);
}

#[test]
fn a_client_in_node() {
    with_servers("real");
}

#[test]
fn the_page_in_a_browser() {
    with_servers("browser");
}

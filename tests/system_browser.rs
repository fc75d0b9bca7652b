//! bindings/js against servers that freeze, die, refuse and do not read; and the page of examples/browser in Chromium.
#![cfg(feature = "net")]

mod js_support;

use js_support::{node_tests, packages};

#[test]
fn a_client_in_node() {
    packages();
    node_tests("real");
}

#[test]
fn the_page_in_a_browser() {
    packages();
    node_tests("browser");
}

//! `heartline serve --frame websocket` and clients of other people.
#![cfg(feature = "cli")]

mod cli_support;
mod websocket_peers;

use cli_support::Server;
use serde_json::json;
use websocket_peers::{ASKED, Compression, ECHO, Other};

fn is_served(client: Other, compression: Compression) {
    let spec = compression.spec();
    // It asks often, and is patient with who computes.
    let flags = "--interval 300ms --suspect 10s --timeout 20s --subprotocol v2 --subprotocol v1";
    let server = Server::start(&[&["--frame", &spec], &flags.split(' ').collect::<Vec<_>>()[..]].concat());
    client.plays(&server.addresses[0], compression, &[&ECHO[..], &[ASKED]].concat());
    let summary = server.end();
    assert_eq!(summary["false_deaths"], json!(0), "{summary:#}");
    let ended = summary["closed"].as_object().unwrap_or_else(|| panic!("{summary:#}"));
    assert_eq!((ended.get("over_limit"), ended.get("frame_bad")), (Some(&json!(1)), None), "{summary:#}");
}

#[test]
fn pythons_websockets_is_served() {
    is_served(Other::Python, Compression::Off);
}

#[test]
fn npms_ws_is_served() {
    is_served(Other::Node, Compression::Off);
}

#[test]
fn tungstenite_is_served() {
    is_served(Other::Tungstenite, Compression::Off);
}

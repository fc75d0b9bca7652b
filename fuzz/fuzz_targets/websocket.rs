#![no_main]

#[path = "../websocket_body.rs"]
mod websocket_body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| websocket_body::websocket(data));

#![no_main]

#[path = "../deflate_body.rs"]
mod deflate_body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| deflate_body::body(data));

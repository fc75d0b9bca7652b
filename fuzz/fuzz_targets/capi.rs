#![no_main]

#[path = "../capi_body.rs"]
mod capi_body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| capi_body::any_level(data));

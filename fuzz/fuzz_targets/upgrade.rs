#![no_main]

#[path = "../upgrade_body.rs"]
mod upgrade_body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| upgrade_body::upgrade(data));

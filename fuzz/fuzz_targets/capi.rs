#![no_main]

#[path = "../capi_body.rs"]
mod capi_body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| match data.split_first() {
    Some((first, rest)) if first % 4 == 0 => capi_body::level_3(rest),
    _ => capi_body::levels_1_and_2(data),
});

//! What belongs to no level: versions, names, the clock, policies as texts.

use std::ffi::{CStr, c_char};
use std::ptr::null_mut;

use heartline::capi::{codes::*, library::*, monitor::*, names::*, policy::*};

use super::fair;
use super::script::Script;

const WORDS: &[&str] = &[
    "game",
    "lan",
    "none",
    "role=watch",
    "role=both",
    "interval=1s",
    "suspect=2500ms",
    "timeout=3s",
    "timeout=0",
    "jitter=20",
    "rtt-every=1s",
    "after-first-frame",
];

/// A static text: never NULL, never empty.
fn text(at: *const c_char) -> &'static str {
    let text = unsafe { CStr::from_ptr(at) }.to_str().expect("UTF-8");
    assert!(!text.is_empty());
    text
}

pub fn library(script: &mut Script<'_>) {
    let mut last = heartline_now_ms();
    while !script.0.is_empty() {
        match script.byte() % 5 {
            0 => {
                let wanted = script.word();
                assert_eq!(heartline_check_abi(wanted) == 0, wanted == HEARTLINE_ABI_VERSION);
                assert_eq!(heartline_abi_version(), HEARTLINE_ABI_VERSION);
                assert_eq!(text(heartline_version()).split('.').filter(|part| part.parse::<u32>().is_ok()).count(), 3);
            }
            1 => {
                let (table, number) = (script.word() % 6, script.word() as i32);
                let name = text(heartline_name(table, number));
                let known = (HEARTLINE_NAMES_ERRORS..=HEARTLINE_NAMES_VERDICTS).contains(&table);
                assert!(known || name == "unknown", "{table} {number} is {name}");
                text(heartline_strerror(number));
                assert!((0..=1).contains(&heartline_error_is_fatal(number)));
            }
            2 => {
                let now = heartline_now_ms();
                assert!(now >= last, "the clock went back");
                last = now;
            }
            3 => {
                let mut why = vec![0x55_u8; usize::from(script.byte() % 90)];
                let place = if why.is_empty() { null_mut() } else { why.as_mut_ptr().cast() };
                // Nothing went wrong inside, in this process.
                assert_eq!(unsafe { heartline_last_bug(place, why.len()) }, 0);
                assert!(why.first().is_none_or(|first| *first == 0));
            }
            _ => policy(script),
        }
    }
}

/// What a text makes is taken by who follows it.
fn policy(script: &mut Script<'_>) {
    let mut words = Vec::new();
    for _ in 0..script.byte() % 5 {
        words.push(WORDS[usize::from(script.byte()) % WORDS.len()].as_bytes().to_vec());
    }
    if script.one_in(3) {
        words.push(script.bytes(20));
    }
    let given = Script::string(words.join(&b","[..]));
    let mut parsed: heartline_policy = unsafe { std::mem::zeroed() };
    let mut why = vec![0x55_u8; usize::from(script.byte() % 90)];
    let size = if script.one_in(8) { usize::from(script.byte()) } else { size_of_val(&parsed) };
    let place = if why.is_empty() { null_mut() } else { why.as_mut_ptr().cast() };
    // A size beyond what is there would be a lie about memory.
    let size = size.min(size_of_val(&parsed));
    let result = fair(unsafe { heartline_policy_parse(given.as_ptr(), &raw mut parsed, size, place, why.len()) });
    if result < 0 {
        assert!(why.is_empty() || why.contains(&0), "why is a string");
        return;
    }
    if size < size_of_val(&parsed) {
        return;
    }
    let mut monitor = null_mut();
    unsafe {
        assert_eq!(heartline_monitor_new(std::ptr::null(), 0, &raw mut monitor), 0);
        assert_eq!(heartline_monitor_policy(monitor, 0, &raw const parsed, 0), 0, "{given:?}");
        heartline_monitor_free(monitor);
    }
}

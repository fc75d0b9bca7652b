//! The exports of levels 1 and 2 called from Rust, so that Miri sees what they do with foreign memory; and the body of the
//! fuzz target `capi` on stable, over a bounded number of seeded scripts.
#![allow(unsafe_code)]

#[path = "../fuzz/capi_body.rs"]
mod capi_body;

use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null, null_mut};

use heartline::capi::{codec::*, codes::*, monitor::*, policy::*};

/// SplitMix64: seeded, so that a failure comes again.
fn scripts(count: u64, mut body: impl FnMut(&[u8])) {
    let mut state = 0_u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    };
    for _ in 0..count {
        let bytes: Vec<u8> = (0..next() % 600).map(|_| next() as u8).collect();
        body(&bytes);
    }
}

#[test]
fn scripts_of_levels_1_and_2() {
    scripts(if cfg!(miri) { 60 } else { 20_000 }, capi_body::levels_1_and_2);
}

#[test]
#[cfg_attr(miri, ignore = "it makes system calls")]
fn scripts_of_level_3() {
    scripts(1500, capi_body::level_3);
}

#[test]
#[cfg_attr(miri, ignore = "it reads files, and makes system calls")]
fn scripts_that_the_fuzzer_found() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/capi");
    let files: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 20, "{} scripts", files.len());
    for file in files {
        capi_body::any_level(&std::fs::read(file).unwrap());
    }
}

/// The body names each export that it calls, in one of its files.
#[test]
#[cfg_attr(miri, ignore = "it reads files")]
fn every_export_is_driven_by_the_scripts() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut body = String::new();
    for entry in std::fs::read_dir(root.join("fuzz/capi_body")).unwrap() {
        body += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    let symbols = std::fs::read_to_string(root.join("include/heartline.symbols")).unwrap();
    let missing: Vec<&str> = symbols.lines().filter(|symbol| !body.contains(&format!("{symbol}("))).collect();
    assert!(missing.is_empty() && symbols.lines().count() > 60, "fuzz/capi_body does not call {missing:?}");
}

#[test]
fn a_monitor_from_its_beginning_to_its_end() {
    // SAFETY: every pointer is to a value of this function, of the type it says.
    unsafe {
        let mut policy: heartline_policy = std::mem::zeroed();
        let mut why = [0_u8; 8];
        let size = size_of::<heartline_policy>();
        let (text, why_at) = (c"lan,role=ask".as_ptr(), why.as_mut_ptr().cast::<c_char>());
        assert_eq!(heartline_policy_parse(text, &raw mut policy, size, why_at, 8), 0);
        assert_eq!(heartline_policy_parse(c"lanolin".as_ptr(), &raw mut policy, size, why_at, 8), HEARTLINE_ERR_POLICY);
        assert_eq!(CStr::from_bytes_until_nul(&why).unwrap().to_bytes().len(), 7);

        let mut monitor = null_mut();
        assert_eq!(heartline_monitor_new(null(), 0, &raw mut monitor), 0);
        assert_eq!(heartline_monitor_policy(monitor, 1, &raw const policy, 0), 0);
        let mut peers = [0; 3];
        for (user, peer) in (0..).zip(&mut peers) {
            assert_eq!(heartline_monitor_add(monitor, user, 1, 0, peer), 0);
        }
        let (mut now, mut dead) = (0, 0);
        while dead < 2 {
            now += u64::try_from(heartline_monitor_wait_ms(monitor, now)).unwrap();
            assert_eq!(heartline_monitor_beat(monitor, peers[0], HEARTLINE_BEAT_ASK, now), 0);
            // One of exactly its size: what is written beyond it would be found.
            let mut verdict = Box::new(std::mem::MaybeUninit::<heartline_verdict>::uninit());
            while heartline_monitor_advance(monitor, now, verdict.as_mut_ptr(), 1) == 1 {
                let verdict = verdict.assume_init_read();
                if verdict.kind == HEARTLINE_VERDICT_DEAD {
                    assert!(verdict.silence_ms >= 8000 && verdict.user > 0);
                    assert_eq!(heartline_monitor_remove(monitor, verdict.peer), 0);
                    dead += 1;
                }
            }
        }
        let mut info = std::mem::MaybeUninit::<heartline_peer_info>::uninit();
        assert_eq!(heartline_monitor_info(monitor, peers[0], now, info.as_mut_ptr(), 40), 0);
        assert_eq!(info.assume_init().user, 0);
        assert_eq!(heartline_monitor_info(monitor, peers[1], now, info.as_mut_ptr(), 40), HEARTLINE_ERR_STALE);
        heartline_monitor_free(monitor);
    }
}

#[test]
fn a_packed_caller_may_be_unaligned() {
    let mut room = [0_u64; 16];
    let odd = room.as_mut_ptr().cast::<u8>().wrapping_add(1);
    let mut monitor = null_mut();
    // SAFETY: there is room for each struct behind `odd`, which is aligned to nothing.
    unsafe {
        assert_eq!(heartline_monitor_new(null(), 0, &raw mut monitor), 0);
        assert_eq!(heartline_monitor_add(monitor, 7, 0, 0, odd.cast()), 0);
        let peer = odd.cast::<u64>().read_unaligned();
        assert_eq!(heartline_monitor_info(monitor, peer, 0, odd.cast(), 40), 0);
        assert_eq!(heartline_policy_parse(c"im".as_ptr(), odd.cast(), 32, null_mut(), 0), 0);
        assert_eq!(heartline_monitor_policy(monitor, 0, odd.cast(), 0), 0);
        assert_eq!(heartline_monitor_advance(monitor, 40_000, odd.cast(), 3), 2); // STALLED, and an ask for the rest
        assert_eq!(heartline_monitor_read_stats(monitor, odd.cast(), 96), 0);
        heartline_monitor_free(monitor);
    }
}

unsafe extern "C-unwind" fn cut(
    _: *mut c_void,
    data: *mut u8,
    len: usize,
    _: usize,
    note: *mut u64,
    control: *mut heartline_sink,
    out: *mut heartline_frame,
) -> i32 {
    // SAFETY: as the header says.
    unsafe {
        *note += 1;
        assert_eq!(heartline_sink_write(control, c"x".as_ptr().cast(), 1), 0);
        if len < 2 {
            (*out).total = 2;
            return 0;
        }
        *data ^= 0xFF;
        ((*out).data, (*out).len, (*out).total) = (data.add(1), 1, 2);
    }
    1
}

unsafe extern "C-unwind" fn encode(
    context: *mut c_void,
    _: *const u8,
    _: usize,
    parts: *const heartline_slice,
    count: usize,
    out: *mut heartline_sink,
) -> i32 {
    // SAFETY: as the header says; the context is a number of the test's.
    unsafe {
        *context.cast::<u32>() += 1;
        for index in 0..count {
            let part = parts.add(index).read();
            assert_eq!(heartline_sink_write(out, part.data, part.len), 0);
        }
    }
    0
}

unsafe extern "C-unwind" fn forget(context: *mut c_void) {
    // SAFETY: the context is a number of the test's.
    unsafe { *context.cast::<u32>() += 100 };
}

#[test]
fn a_codec_of_function_pointers() {
    let mut calls = 0_u32;
    let context = (&raw mut calls).cast::<c_void>();
    // SAFETY: every pointer is to a value of this function, of the type it says.
    unsafe {
        let mut ops: heartline_codec_ops = std::mem::zeroed();
        (ops.struct_size, ops.name) = (size_of::<heartline_codec_ops>() as u32, c"mine".as_ptr());
        ops.cut = Some(cut);
        ops.encode = Some(encode);
        ops.drop = Some(forget);
        let mut codec = null_mut();
        assert_eq!(heartline_codec_custom(&raw const ops, context, &raw mut codec), 0);
        let mut stream = heartline_stream::default();
        let mut frame = std::mem::MaybeUninit::<heartline_frame>::uninit();
        let mut data = *b"ab";
        let place = data.as_mut_ptr();
        assert_eq!(heartline_codec_cut(codec, place, 1, &raw mut stream, frame.as_mut_ptr()), 0);
        assert_eq!(heartline_codec_cut(codec, place, 2, &raw mut stream, frame.as_mut_ptr()), 1);
        assert_eq!(*frame.assume_init().data, b'b');
        let mut out = vec![0; 3];
        let message = c"abc".as_ptr().cast();
        assert_eq!(heartline_codec_encode(codec, null(), 0, message, 3, out.as_mut_ptr(), 3), 3);
        assert_eq!(out, b"abc");
        heartline_codec_free(codec);
    }
    assert_eq!(calls, 101);
}

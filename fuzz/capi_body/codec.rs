//! Level 2.

use std::ffi::{CString, c_void};
use std::ptr::{null, null_mut};
use std::sync::Arc;

use heartline::capi::{codec::*, codes::*, monitor::*};

use super::custom::{Habits, custom};
use super::fair;
use super::script::Script;

const SPECS: &[&str] = &[
    "length:4be",
    "length:2be,head=4,max=64K,ask=@2:0001",
    "length:1le,at=1,head=3,includes-head",
    "varint,max=100",
    "line-header",
    "delimiter:\\r\\n,max=64",
    "fixed:3,ask=abc",
    "raw",
];

/// A codec of the host's, or one by a text that is right.
pub fn usual(script: &mut Script<'_>) -> (*mut heartline_codec, Option<Arc<Habits>>) {
    if script.one_in(4) {
        let (codec, habits) = custom(script);
        return (codec, Some(habits));
    }
    let spec = CString::new(SPECS[usize::from(script.byte()) % SPECS.len()]).unwrap();
    let mut codec = null_mut();
    assert_eq!(unsafe { heartline_codec_parse(spec.as_ptr(), &raw mut codec, null_mut(), 0) }, 0);
    (codec, None)
}

/// After its last use: the host's context was given back.
pub fn is_forgotten(habits: Option<Arc<Habits>>) {
    assert!(habits.is_none_or(|habits| Arc::strong_count(&habits) == 1), "drop is called when nothing uses the codec");
}

/// By any text or any settings, which may be none.
fn any(script: &mut Script<'_>) -> Option<*mut heartline_codec> {
    let (mut codec, mut why) = (null_mut(), vec![0x55_i8; usize::from(script.byte() % 90)]);
    let result = if script.one_in(2) {
        let text = Script::string(script.bytes(60));
        unsafe { heartline_codec_parse(text.as_ptr(), &raw mut codec, why.as_mut_ptr(), why.len()) }
    } else {
        let delimiter = script.bytes(9);
        let mut config: heartline_codec_config = unsafe { std::mem::zeroed() };
        config.struct_size = size_of_val(&config) as u32;
        (config.kind, config.max_bytes) = (script.word() % 8, script.number());
        if script.one_in(2) {
            (config.field_bytes, config.field_at, config.head_bytes) = (script.word(), script.word(), script.word());
            (config.adjust, config.includes_head) = (script.word() as i32, script.word());
        }
        if script.one_in(2) {
            (config.delimiter, config.delimiter_bytes) = (delimiter.as_ptr(), delimiter.len() as u32);
        }
        config.record_bytes = if config.kind == HEARTLINE_CODEC_FIXED { script.word() } else { 0 };
        let ask = Script::string(script.bytes(9));
        config.ask = if script.one_in(2) { ask.as_ptr() } else { null() };
        unsafe { heartline_codec_new(&raw const config, &raw mut codec, why.as_mut_ptr(), why.len()) }
    };
    if fair(result) < 0 {
        assert!(codec.is_null());
        assert!(result != HEARTLINE_ERR_SPEC || why.is_empty() || why.contains(&0), "why is a string");
        return None;
    }
    Some(codec)
}

pub fn codec(script: &mut Script<'_>) {
    let (codec, habits) = if script.one_in(2) {
        let Some(codec) = any(script) else { return };
        (codec, None)
    } else {
        usual(script)
    };
    let mut text = [0_i8; 200];
    assert!(unsafe { heartline_codec_spec(codec, text.as_mut_ptr(), text.len()) } > 0);
    let mut stream = heartline_stream { opaque: [script.number(), script.number()] };
    if !script.one_in(4) {
        stream = heartline_stream::default();
    }
    let mut asked = Vec::new();
    for _ in 0..100 {
        if script.0.is_empty() {
            break;
        }
        match script.byte() % 5 {
            0 | 1 => {
                let mut data = script.bytes(64);
                let len = data.len();
                let place = data.as_mut_ptr();
                let mut frame: heartline_frame = unsafe { std::mem::zeroed() };
                let stream = if script.one_in(3) { null_mut() } else { &raw mut stream };
                if fair(unsafe { heartline_codec_cut(codec, place, len, stream, &raw mut frame) }) != 1 {
                    continue;
                }
                let inside = |from: *const u8, bytes: usize| {
                    let start = from.addr() - place.addr();
                    assert!(start <= frame.total && bytes <= frame.total - start);
                    start..start + bytes
                };
                assert!(frame.total >= 1 && frame.total <= len && frame.kind <= HEARTLINE_BEAT_EITHER);
                let (head, message) = (inside(frame.head, frame.head_len as usize), inside(frame.data, frame.len));
                assert!(head.end <= message.start);
                if frame.kind == HEARTLINE_BEAT_ASK || frame.kind == HEARTLINE_BEAT_EITHER {
                    asked = data[..frame.total].to_vec();
                }
            }
            2 => {
                let mut head = script.bytes(16);
                let (place, room) = (head.as_mut_ptr(), head.len());
                fair(unsafe { heartline_codec_head(codec, script.number() as usize, place, room) });
            }
            3 => {
                let (head, data) = (script.bytes(8), script.bytes(40));
                let mut out = vec![0; usize::from(script.byte() % 80)];
                let result = fair(unsafe {
                    let (data, len) = (data.as_ptr().cast::<c_void>(), data.len());
                    heartline_codec_encode(codec, head.as_ptr(), head.len(), data, len, out.as_mut_ptr(), out.len())
                });
                assert!(result <= out.len() as i32);
            }
            _ => {
                let mut out = vec![0; usize::from(script.byte() % 80)];
                let (kind, from) = (script.word() % 4, if script.one_in(2) { &asked[..] } else { &[] });
                let (place, room) = (out.as_mut_ptr(), out.len());
                let result = fair(unsafe { heartline_codec_beat(codec, kind, from.as_ptr(), from.len(), place, room) });
                assert!(result <= out.len() as i32);
            }
        }
    }
    unsafe { heartline_codec_free(codec) };
    is_forgotten(habits);
}

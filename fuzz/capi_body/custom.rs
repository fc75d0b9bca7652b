//! A codec of the host's whose habits come from the script: it never lies about memory that it reads or writes, but it may
//! say of a frame what it likes.

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::Arc;

use heartline::capi::codec::*;

use super::fair;
use super::script::Script;

/// What each callback does. Codecs are pure: it is drawn once.
#[derive(Debug, Default)]
pub struct Habits {
    /// How a cut ends, by the note, which counts the calls.
    cuts: Vec<u8>,
    control: Vec<u8>,
    encodes: i32,
    ask: Vec<u8>,
    answer: Vec<u8>,
}

/// The codec, and what shows when nobody uses it any more.
pub fn custom(script: &mut Script<'_>) -> (*mut heartline_codec, Arc<Habits>) {
    let habits = Arc::new(Habits {
        cuts: script.bytes(8),
        control: script.bytes(3),
        encodes: if script.one_in(8) { -7 } else { i32::from(script.byte() % 2) },
        ask: script.bytes(4),
        answer: script.bytes(4),
    });
    let mut ops: heartline_codec_ops = unsafe { std::mem::zeroed() };
    ops.struct_size = size_of_val(&ops) as u32;
    ops.name = if script.one_in(2) { c"habits".as_ptr() } else { null() };
    ops.cut = Some(cut);
    ops.encode = Some(encode);
    ops.drop = Some(forget);
    ops.ask = if script.one_in(4) { None } else { Some(ask) };
    ops.answer = if script.one_in(4) { None } else { Some(answer) };
    let mut codec = null_mut();
    let context = Arc::into_raw(Arc::clone(&habits)).cast_mut().cast::<c_void>();
    assert_eq!(fair(unsafe { heartline_codec_custom(&raw const ops, context, &raw mut codec) }), 0);
    (codec, habits)
}

unsafe fn habits<'a>(context: *mut c_void) -> &'a Habits {
    unsafe { &*context.cast::<Habits>().cast_const() }
}

unsafe fn put(sink: *mut heartline_sink, bytes: &[u8]) {
    assert_eq!(unsafe { heartline_sink_write(sink, bytes.as_ptr().cast(), bytes.len()) }, 0);
}

/// A byte of length and the message; now and then something else.
unsafe extern "C-unwind" fn cut(
    context: *mut c_void,
    data: *mut u8,
    len: usize,
    max_bytes: usize,
    note: *mut u64,
    control: *mut heartline_sink,
    out: *mut heartline_frame,
) -> i32 {
    unsafe {
        let habits = habits(context);
        let at = *note as usize;
        *note = note.read().wrapping_add(1);
        put(control, &habits.control);
        let bytes = std::slice::from_raw_parts_mut(data, len);
        let habit = habits.cuts.get(at % 8).copied().unwrap_or(0);
        if len == 0 {
            return 0;
        }
        let whole = 1 + usize::from(bytes[0] % 32);
        if habit >= 250 {
            return -i32::from(habit);
        }
        if len < whole {
            (*out).total = if habit % 3 == 0 { whole } else { usize::from(habit % 3) - 1 };
            return 0;
        }
        bytes[whole - 1] ^= habit; // as unmasking does
        ((*out).head, (*out).head_len) = (data, 1);
        ((*out).data, (*out).len, (*out).total) = (data.wrapping_add(1), whole - 1, whole);
        (*out).kind = u32::from(habit >> 5 & 3);
        match habit {
            200..=209 => (*out).data = data.wrapping_add(len + 1),
            210..=219 => (*out).total = usize::from(habit - 210) * whole,
            220..=229 => (*out).len = max_bytes,
            230..=239 => (*out).head = data.wrapping_sub(1),
            240..=249 => (*out).kind = u32::MAX,
            _ => {}
        }
    }
    1
}

unsafe extern "C-unwind" fn encode(
    context: *mut c_void,
    head: *const u8,
    head_len: usize,
    message: *const heartline_slice,
    count: usize,
    out: *mut heartline_sink,
) -> i32 {
    unsafe {
        if !head.is_null() {
            put(out, std::slice::from_raw_parts(head, head_len));
        }
        for index in 0..count {
            let part = message.add(index).read();
            assert_eq!(heartline_sink_write(out, part.data, part.len), 0);
        }
        habits(context).encodes
    }
}

unsafe extern "C-unwind" fn ask(context: *mut c_void, out: *mut heartline_sink) -> i32 {
    unsafe {
        let habits = habits(context);
        put(out, &habits.ask);
        i32::from(!habits.ask.is_empty())
    }
}

unsafe extern "C-unwind" fn answer(
    context: *mut c_void,
    asked: *const u8,
    len: usize,
    out: *mut heartline_sink,
) -> i32 {
    unsafe {
        put(out, &std::slice::from_raw_parts(asked, len)[..len.min(2)]);
        put(out, &habits(context).answer);
    }
    0
}

unsafe extern "C-unwind" fn forget(context: *mut c_void) {
    drop(unsafe { Arc::from_raw(context.cast::<Habits>().cast_const()) });
}

//! A codec from its making, by a text or by settings, to its end.

use std::ffi::c_char;
use std::sync::Arc;

use super::settings::{from_config, heartline_codec_config};
use crate::capi::buffers::{explain, explained, put_text, string};
use crate::capi::codes::{HEARTLINE_ERR_NULL, HEARTLINE_ERR_SPEC};
use crate::capi::guard::{Outcome, apart, free, give};
use crate::capi::sized;
use crate::frame::{Framing, SpecError};

/// How bytes are cut into frames, and what its beats are. Immutable: any number of connections on any thread share it.
/// A reactor keeps what it was given alive by itself.
pub struct heartline_codec(pub(super) Arc<Framing>);

/// Reads a codec such as "length:2be,head=4,max=64K,ask=@2:0001"; docs/framing.md has them all. `*out` is the caller's,
/// to be freed by heartline_codec_free. What is wrong is written to `why`, a string of at most `why_size` bytes with its
/// NUL, which may be NULL with 0; where the number says it all it is empty. Any thread.
///
/// Returns 0, HEARTLINE_ERR_SPEC, _NULL or _INVALID (not UTF-8).
///
/// # Safety
/// `spec` is NULL or a string; `out` is NULL or writable; `why` is NULL or has `why_size` bytes.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_codec_parse(
    spec: *const c_char,
    out: *mut *mut heartline_codec,
    why: *mut c_char,
    why_size: usize,
) -> i32 {
    let parse = || {
        // SAFETY: passed on.
        let spec = unsafe { string(spec) }?;
        // SAFETY: passed on.
        unsafe { make(Framing::parse(spec), out, why, why_size) }
    };
    // SAFETY: passed on.
    unsafe { explained(why, why_size, parse) }
}

/// The same by settings.
///
/// Returns 0, HEARTLINE_ERR_SPEC, _NULL, _VERSION or _INVALID.
/// Any thread.
///
/// # Safety
/// `config` is NULL or has the bytes it says, its pointers are NULL or what it says; `out` and `why` as above.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_codec_new(
    config: *const heartline_codec_config,
    out: *mut *mut heartline_codec,
    why: *mut c_char,
    why_size: usize,
) -> i32 {
    let read = || {
        // SAFETY: passed on.
        let config = unsafe { sized::read(config) }?;
        // SAFETY: its pointers are what it says.
        let made = unsafe { from_config(&config) }?;
        // SAFETY: passed on.
        unsafe { make(made, out, why, why_size) }
    };
    // SAFETY: passed on.
    unsafe { explained(why, why_size, read) }
}

/// # Safety
/// As [`heartline_codec_parse`].
unsafe fn make(
    made: Result<Framing, SpecError>,
    out: *mut *mut heartline_codec,
    why: *mut c_char,
    why_size: usize,
) -> Outcome {
    if out.is_null() {
        return Err(HEARTLINE_ERR_NULL);
    }
    match made {
        Ok(framing) => {
            // SAFETY: not NULL; the caller vouches that it is writable.
            unsafe { give(out, heartline_codec(Arc::new(framing))) }
        }
        Err(error) => {
            // SAFETY: passed on.
            unsafe { explain(why, why_size, &error) };
            Err(HEARTLINE_ERR_SPEC)
        }
    }
}

/// Frees a codec; NULL is a no-op. Reactors that were given it go on with what they keep.
/// Any thread.
///
/// # Safety
/// `codec` is NULL or came from a constructor and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_codec_free(codec: *mut heartline_codec) {
    // SAFETY: passed on.
    unsafe { free(codec, |_| false) }
}

/// The codec behind a pointer.
///
/// # Safety
/// `codec` is NULL or live.
pub(in crate::capi) unsafe fn framing<'a>(codec: *const heartline_codec) -> Result<&'a Arc<Framing>, i32> {
    // SAFETY: passed on; codecs are never changed.
    unsafe { codec.as_ref() }.map(|codec| &codec.0).ok_or(HEARTLINE_ERR_NULL)
}

/// The text form of a codec, as a string into `buffer`, cut at `size`. "custom:NAME" for a custom one.
///
/// Returns its length without the NUL, whether it fitted or not; or HEARTLINE_ERR_NULL.
/// Any thread.
///
/// # Safety
/// `codec` is NULL or live; `buffer` is NULL with 0 or has `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_codec_spec(codec: *const heartline_codec, buffer: *mut c_char, size: usize) -> i32 {
    // SAFETY: passed on.
    apart(|| unsafe { put_text(buffer, size, &framing(codec)?.spec()) })
}

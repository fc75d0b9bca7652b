//! F2, F3: cutting allocates nothing, whole frames or not, whatever a length promises; encoding into memory that is there
//! allocates nothing either.
#![allow(unsafe_code)] // a global allocator is the only way to count

use heartline::frame::{Cut, Framing, Stream};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting touches a thread-local without a destructor and
// without an allocation of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on; the memory came from `System`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Allocations, of this thread, that `work` makes.
fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

const SPECS: [&str; 12] = [
    "length:4be",
    "length:8le,at=3,head=16,includes-head",
    "length:2be,head=4,ask=@2:0001,answer=@2:0002",
    "varint",
    "varint,ask=PING,answer=PONG",
    "line-header",
    "line-header,key=n",
    "line-header,form=json",
    "delimiter:\\r\\n",
    "delimiter:abab,ask=PING,answer=PONG",
    "fixed:5",
    "raw",
];

#[test]
fn the_count_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn cutting_and_encoding_allocate_nothing() {
    for spec in SPECS {
        let framing = Framing::parse(spec).unwrap();
        let mut sent = Vec::with_capacity(4096);
        let encoding = allocations(|| {
            for _ in 0..20 {
                framing.encode(None, &[b"he", b"llo"], &mut sent).unwrap();
                framing.ask(&mut sent);
            }
        });
        assert_eq!(encoding, 0, "{spec}");
        let (mut stream, mut control) = (Stream::default(), Vec::new());
        let mut out = Vec::with_capacity(64);
        let (mut frames, mut from) = (0, 0);
        let cutting = allocations(|| {
            // Byte by byte, so that unfinished frames are cut as well.
            for to in 1..=sent.len() {
                if let Ok(Cut::Frame(frame)) = framing.cut(&mut sent[from..to], &mut stream, &mut control) {
                    out.clear();
                    framing.answer(&sent[from..from + frame.total], &frame, &mut out);
                    from += frame.total;
                    frames += 1;
                }
            }
        });
        assert_eq!(cutting, 0, "{spec}");
        assert_eq!(from, sent.len(), "{spec}");
        assert!(frames >= 20);
    }
}

/// Nor is more asked for than a frame may need.
#[test]
fn encoding_a_long_message_takes_little_more_than_its_frame() {
    for spec in SPECS.iter().filter(|spec| !spec.starts_with("fixed")) {
        let framing = Framing::parse(spec).unwrap();
        let mut sent = Vec::with_capacity(1100);
        let message = [b'x'; 1000];
        assert_eq!(allocations(|| framing.encode(None, &[&message], &mut sent).unwrap()), 0, "{spec}");
    }
}

#[cfg(feature = "websocket")]
#[test]
fn joining_unmasking_and_checking_text_allocate_nothing() {
    let server = Framing::parse("websocket,send-fragment=7,ask=PING,answer=PONG").unwrap();
    let client = server.for_dialled();
    for (from, to) in [(&server, &client), (&client, &server)] {
        let mut sent = Vec::with_capacity(8192);
        let encoding = allocations(|| {
            for _ in 0..20 {
                from.encode(Some(&[1]), &["heartline ❤ 心跳线".as_bytes(), b"!"], &mut sent).unwrap();
                from.encode(None, &[b"hi"], &mut sent).unwrap();
                from.ask(&mut sent);
            }
            from.close(1000, &mut sent);
        });
        assert_eq!(encoding, 0);
        let (mut stream, mut control) = (Stream::default(), Vec::new());
        let mut out = Vec::with_capacity(64);
        let (mut frames, mut from) = (0, 0);
        let cutting = allocations(|| {
            for end in 1..=sent.len() {
                if let Ok(Cut::Frame(frame)) = to.cut(&mut sent[from..end], &mut stream, &mut control) {
                    out.clear();
                    to.answer(&sent[from..from + frame.total], &frame, &mut out);
                    from += frame.total;
                    frames += 1;
                }
            }
        });
        assert_eq!((cutting, frames, from), (0, 61, sent.len()));
        let bad =
            [&[0x01, 0x01, b'a', 0x80, 0x01, 0xff][..], &[0x01, 0x81, 0, 0, 0, 0, b'a', 0x80, 0x81, 0, 0, 0, 0, 0xff]];
        let bad = &mut bad[usize::from(std::ptr::eq(to, &server))].to_vec();
        assert_eq!(allocations(|| assert!(to.cut(bad, &mut stream, &mut control).is_err())), 0);
    }
}

#[test]
fn a_promise_and_a_refusal_allocate_nothing() {
    for (spec, input) in [
        ("length:4be,max=1024M", &[0x3f, 255, 255, 255, 1, 2][..]),
        ("length:4be", &[255; 4]),
        ("length:1be,includes-head", &[0]),
        ("varint,max=1024M", &[0x80, 0x80, 0x80, 0x80, 0x04, 7]),
        ("varint", &[255; 11]),
        ("line-header,max=1024M", b"1073741824\r\nx"),
        ("line-header", b"{\"length\":[]}\r\n"),
        ("line-header", &[b'1'; 2000]),
        ("delimiter:\\n,max=3", b"abcdef"),
    ] {
        let framing = Framing::parse(spec).unwrap();
        let mut input = input.to_vec();
        let (mut stream, mut control) = (Stream::default(), Vec::new());
        let mut cut = None;
        assert_eq!(allocations(|| cut = Some(framing.cut(&mut input, &mut stream, &mut control))), 0, "{spec}");
        assert!(matches!(cut, Some(Err(_) | Ok(Cut::More { .. }))), "{spec}: {cut:?}");
    }
}

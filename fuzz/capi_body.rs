//! The body of the fuzz target `capi`: a byte script that calls the exports of the C ABI in any order with any numbers.
//! It never lies about memory; everything else it may. A body panics when a promise of the header is broken.

#![allow(unsafe_code, dead_code, unreachable_pub, clippy::undocumented_unsafe_blocks)] // all of it is a C program in Rust

use std::collections::BTreeSet;
use std::ffi::{CString, c_void};
use std::ptr::{null, null_mut};

use heartline::capi::{codec::*, codes::*, library::*, monitor::*, policy::*, reactor::*};

/// The bytes that are left. At their end everything is 0, and the script is over.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn one_in(&mut self, many: u8) -> bool {
        self.byte().is_multiple_of(many)
    }

    /// Small numbers mostly, and the corners of the range.
    fn number(&mut self) -> u64 {
        let byte = self.byte();
        match byte {
            0..=199 => u64::from(byte),
            200..=219 => u64::from(byte) << (self.byte() % 57),
            220..=229 => u64::from(u32::MAX),
            230..=239 => u64::MAX,
            _ => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    fn word(&mut self) -> u32 {
        self.number() as u32
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let count = usize::from(self.byte()).min(most).min(self.0.len());
        let (front, rest) = self.0.split_at(count);
        self.0 = rest;
        front.to_vec()
    }

    /// Fills a struct after its size, which is right in most cases and never larger than what is there.
    fn fill<T>(&mut self, value: &mut T) -> *const T {
        let size = size_of::<T>();
        let at = (&raw mut *value).cast::<u8>();
        // Few fields are set, so that most structs are taken.
        for _ in 0..self.byte() % 4 {
            let word = 4 + 4 * (usize::from(self.byte()) % ((size - 4) / 4));
            unsafe { at.add(word).cast::<u32>().write_unaligned(self.word()) };
        }
        let claimed = if self.one_in(16) { usize::from(self.byte()) % (size + 1) } else { size };
        unsafe { at.cast::<u32>().write_unaligned(claimed as u32) };
        if self.one_in(8) { null() } else { value }
    }
}

/// What every export may return: a count, or an error that has a name; never a bug, and never an overlap on one thread.
fn fair(result: i32) -> i32 {
    assert!(result >= 0 || (HEARTLINE_ERR_TOO_MANY..=HEARTLINE_ERR_NULL).contains(&result), "returned {result}");
    assert_ne!(result, HEARTLINE_ERR_PANIC);
    assert_ne!(result, HEARTLINE_ERR_OVERLAP);
    result
}

/// Levels 1 and 2; nothing here makes a system call.
pub fn levels_1_and_2(data: &[u8]) {
    let mut script = Script(data);
    if script.one_in(2) { monitor(&mut script) } else { codec(&mut script) }
}

/// Level 3, over socket pairs.
pub fn level_3(data: &[u8]) {
    reactor(&mut Script(data));
}

fn monitor(script: &mut Script<'_>) {
    let mut config: heartline_monitor_config = unsafe { std::mem::zeroed() };
    let mut monitor = null_mut();
    let given = script.fill(&mut config);
    let mut now = script.number();
    if fair(unsafe { heartline_monitor_new(given, now, &raw mut monitor) }) < 0 {
        assert!(monitor.is_null(), "out is written on success alone");
        return;
    }
    let (mut live, mut gone) = (BTreeSet::new(), BTreeSet::from([0, 1, u64::MAX]));
    for _ in 0..400 {
        if script.0.is_empty() {
            break;
        }
        let any = script.byte();
        let of = if any.is_multiple_of(8) { &gone } else { &live };
        let peer = of.iter().nth(usize::from(any) % of.len().max(1)).copied().unwrap_or(0);
        let expected = if live.contains(&peer) { 0 } else { HEARTLINE_ERR_STALE };
        match script.byte() % 12 {
            0 | 1 => {
                let (mut id, user) = (0, script.number());
                let slot = if script.one_in(4) { script.word() } else { 0 };
                if fair(unsafe { heartline_monitor_add(monitor, user, slot, now, &raw mut id) }) == 0 {
                    assert!(id > 0 && id < 1 << 53 && live.insert(id), "a new id");
                    assert!(!gone.contains(&id), "no id comes again so soon");
                }
            }
            2 => {
                assert_eq!(fair(unsafe { heartline_monitor_remove(monitor, peer) }), expected);
                live.remove(&peer);
                gone.insert(peer);
            }
            3 | 4 => assert_eq!(fair(unsafe { heartline_monitor_heard(monitor, peer, now) }), expected),
            5 => {
                let result = fair(unsafe { heartline_monitor_beat(monitor, peer, script.word() % 5, now) });
                assert!(result <= 1 && (result < 0 || expected == 0));
            }
            6 => assert_eq!(fair(unsafe { heartline_monitor_spoke(monitor, peer) }), expected),
            7 => {
                let (what, value) = (script.word() % 7, script.number());
                fair(unsafe { heartline_monitor_set(monitor, peer, what, value, now) });
            }
            8 => {
                let mut policy: heartline_policy = unsafe { std::mem::zeroed() };
                let slot = script.word();
                let given = script.fill(&mut policy);
                fair(unsafe { heartline_monitor_policy(monitor, slot, given, now) });
            }
            9 => {
                let capacity = usize::from(script.byte() % 8);
                // Exactly as many as are said: one more written would be found.
                let mut verdicts: Vec<heartline_verdict> = Vec::with_capacity(capacity);
                let room = if capacity == 0 { null_mut() } else { verdicts.as_mut_ptr() };
                let count = fair(unsafe { heartline_monitor_advance(monitor, now, room, capacity as u32) });
                assert!(count as usize <= capacity);
                unsafe { verdicts.set_len(count as usize) };
                for verdict in verdicts {
                    let nobody = [HEARTLINE_VERDICT_STALLED, HEARTLINE_VERDICT_MASS_SILENCE].contains(&verdict.kind);
                    assert!(verdict.kind > 0 && verdict.kind <= HEARTLINE_VERDICT_MASS_SILENCE);
                    assert_eq!(live.contains(&verdict.peer), !nobody, "{verdict:?}");
                }
            }
            10 => {
                let mut info: heartline_peer_info = unsafe { std::mem::zeroed() };
                let size = if script.one_in(4) { usize::from(script.byte()) % 41 } else { 40 };
                fair(unsafe { heartline_monitor_info(monitor, peer, now, &raw mut info, size) });
                let mut stats: heartline_monitor_stats = unsafe { std::mem::zeroed() };
                let size = size_of_val(&stats);
                assert_eq!(unsafe { heartline_monitor_read_stats(monitor, &raw mut stats, size) }, 0);
                assert_eq!(stats.peers, live.len() as u64);
            }
            _ => {
                let wait = unsafe { heartline_monitor_wait_ms(monitor, now) };
                assert!(wait >= -1);
                now = match script.byte() % 4 {
                    0 => script.number(), // anywhere, also back
                    1 => now.saturating_add(script.number()),
                    _ => now.saturating_add(u64::try_from(wait).unwrap_or(1000)),
                };
                fair(unsafe { heartline_monitor_woke(monitor, now) });
            }
        }
    }
    unsafe { heartline_monitor_free(monitor) };
}

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

fn codec(script: &mut Script<'_>) {
    let (mut codec, mut why) = (null_mut(), vec![0x55_i8; usize::from(script.byte() % 90)]);
    let result = match script.byte() % 4 {
        0 => {
            let text =
                CString::new(script.bytes(60).into_iter().filter(|byte| *byte != 0).collect::<Vec<_>>()).unwrap();
            unsafe { heartline_codec_parse(text.as_ptr(), &raw mut codec, why.as_mut_ptr(), why.len()) }
        }
        1 => {
            let delimiter = script.bytes(9);
            let mut config: heartline_codec_config = unsafe { std::mem::zeroed() };
            config.struct_size = size_of_val(&config) as u32;
            (config.kind, config.max_bytes) = (script.word() % 8, script.number());
            if script.one_in(2) {
                (config.field_bytes, config.field_at, config.head_bytes) =
                    (script.word(), script.word(), script.word());
                (config.adjust, config.includes_head) = (script.word() as i32, script.word());
            }
            if script.one_in(2) {
                (config.delimiter, config.delimiter_bytes) = (delimiter.as_ptr(), delimiter.len() as u32);
            }
            config.record_bytes = if config.kind == HEARTLINE_CODEC_FIXED { script.word() } else { 0 };
            let ask = CString::new(script.bytes(9).into_iter().filter(|byte| *byte != 0).collect::<Vec<_>>()).unwrap();
            config.ask = if script.one_in(2) { ask.as_ptr() } else { null() };
            unsafe { heartline_codec_new(&raw const config, &raw mut codec, why.as_mut_ptr(), why.len()) }
        }
        _ => {
            let spec = CString::new(SPECS[usize::from(script.byte()) % SPECS.len()]).unwrap();
            unsafe { heartline_codec_parse(spec.as_ptr(), &raw mut codec, why.as_mut_ptr(), why.len()) }
        }
    };
    if fair(result) < 0 {
        assert!(codec.is_null());
        assert!(result != HEARTLINE_ERR_SPEC || why.is_empty() || why.contains(&0), "why is a string");
        return;
    }
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
}

fn reactor(script: &mut Script<'_>) {
    use std::io::{Read, Write};
    use std::os::fd::IntoRawFd;
    use std::os::unix::net::UnixStream;

    let mut config: heartline_reactor_config = unsafe { std::mem::zeroed() };
    let (mut reactor, mut codec) = (null_mut(), null_mut());
    config.struct_size = size_of_val(&config) as u32;
    (config.autopsy_ms, config.mailbox_max) = (script.word() % 50, script.word() % 9);
    (config.outbox_bytes_max, config.partial_bytes_max) = (script.number(), script.number());
    config.statistics = [0, HEARTLINE_OFF][usize::from(script.byte() % 2)];
    let spec = CString::new(SPECS[usize::from(script.byte()) % SPECS.len()]).unwrap();
    assert_eq!(unsafe { heartline_codec_parse(spec.as_ptr(), &raw mut codec, null_mut(), 0) }, 0);
    assert_eq!(fair(unsafe { heartline_reactor_new(&raw const config, &raw mut reactor) }), 0);
    let mut mailbox = null_mut();
    assert_eq!(fair(unsafe { heartline_mailbox_new(reactor, &raw mut mailbox) }), 0);
    let mut ids = vec![0, 1, u64::MAX];
    let mut ends = Vec::new();
    // Every id ends once, by CLOSED or by being given back.
    let mut open = BTreeSet::new();
    for _ in 0..300 {
        if script.0.is_empty() {
            break;
        }
        let id = ids[usize::from(script.byte()) % ids.len()];
        match script.byte() % 16 {
            0 if ends.len() < 16 => {
                let (here, there) = UnixStream::pair().unwrap();
                there.set_nonblocking(true).unwrap();
                let (unread, unsent) = (script.bytes(16), script.bytes(16));
                let mut options: heartline_options = unsafe { std::mem::zeroed() };
                let given = script.fill(&mut options);
                let (fd, mut id) = (here.into_raw_fd(), 0);
                let result = fair(unsafe {
                    let (unread_at, unsent_at) = (unread.as_ptr().cast(), unsent.as_ptr().cast());
                    let user = script.number();
                    heartline_reactor_adopt(
                        reactor,
                        fd,
                        codec,
                        given,
                        user,
                        unread_at,
                        unread.len(),
                        unsent_at,
                        unsent.len(),
                        &raw mut id,
                    )
                });
                if result == 0 {
                    ids.push(id);
                    open.insert(id);
                    ends.push(there);
                } else {
                    // It stayed ours.
                    drop(unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) });
                }
            }
            1 | 2 => {
                let data = script.bytes(64);
                if let Some(end) = ends.get_mut(usize::from(script.byte()) % 16) {
                    let _ = end.write(&data);
                }
            }
            3 => {
                let mut bytes = [0; 4096];
                if let Some(end) = ends.get_mut(usize::from(script.byte()) % 16) {
                    let _ = end.read(&mut bytes);
                }
            }
            4 if !ends.is_empty() => drop(ends.swap_remove(usize::from(script.byte()) % ends.len())),
            5 | 6 => {
                let data = script.bytes(64);
                fair(unsafe { heartline_reactor_send(reactor, id, data.as_ptr().cast(), data.len()) });
            }
            7 => {
                let (head, data) = (script.bytes(8), script.bytes(8));
                let (head_at, data_at) = (head.as_ptr().cast(), data.as_ptr().cast());
                fair(unsafe { heartline_reactor_send_head(reactor, id, head_at, head.len(), data_at, data.len()) });
                let mut results = vec![7; ids.len()];
                let took = fair(unsafe {
                    heartline_reactor_broadcast(
                        reactor,
                        ids.as_ptr(),
                        ids.len(),
                        data_at,
                        data.len(),
                        results.as_mut_ptr(),
                    )
                });
                assert_eq!(results.iter().filter(|result| **result == 0).count(), took as usize);
            }
            8 => {
                fair(unsafe { heartline_reactor_close(reactor, id, script.word() % 5, script.word()) });
            }
            9 => {
                let mut released: heartline_released = unsafe { std::mem::zeroed() };
                if fair(unsafe { heartline_reactor_release(reactor, id, &raw mut released) }) == 0 {
                    assert!(open.remove(&id), "given back twice, or after its end");
                    let bytes = unsafe { std::slice::from_raw_parts(released.unread, released.unread_len) };
                    let unsent = unsafe { std::slice::from_raw_parts(released.unsent, released.unsent_len) };
                    let _ = (bytes.to_vec(), unsent.to_vec());
                    drop(unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(released.fd) });
                }
            }
            10 => {
                let (what, value) = (script.word() % 8, script.number());
                fair(unsafe { heartline_reactor_set(reactor, id, what, value) });
                let mut options: heartline_options = unsafe { std::mem::zeroed() };
                let given = script.fill(&mut options);
                fair(unsafe { heartline_reactor_set_options(reactor, id, codec, given) });
            }
            11 => {
                let data = script.bytes(8);
                fair(unsafe { heartline_mailbox_send(mailbox, id, data.as_ptr().cast(), data.len()) });
                fair(unsafe { heartline_mailbox_broadcast(mailbox, data.as_ptr().cast(), data.len()) });
                fair(unsafe { heartline_mailbox_close(mailbox, id, script.word() % 5, script.word()) });
                fair(unsafe { heartline_mailbox_wake(mailbox) });
            }
            12 => {
                let mut policy: heartline_policy = unsafe { std::mem::zeroed() };
                let slot = script.word() % 6;
                let given = script.fill(&mut policy);
                fair(unsafe { heartline_reactor_policy(reactor, slot, given) });
                let mut info: heartline_connection_info = unsafe { std::mem::zeroed() };
                let size = size_of_val(&info);
                fair(unsafe { heartline_reactor_info(reactor, id, &raw mut info, size) });
            }
            13 if script.one_in(8) => {
                let mut options: heartline_drain_options = unsafe { std::mem::zeroed() };
                options.struct_size = size_of_val(&options) as u32;
                (options.spread_ms, options.code) = (script.number() % 20, script.word());
                fair(unsafe { heartline_reactor_drain(reactor, &raw const options) });
            }
            _ => poll(script, reactor, &mut open),
        }
    }
    for _ in 0..4 {
        poll(script, reactor, &mut open);
    }
    unsafe {
        heartline_reactor_free(reactor);
        assert_eq!(heartline_mailbox_wake(mailbox), HEARTLINE_ERR_GONE);
        heartline_mailbox_free(mailbox);
        heartline_codec_free(codec);
    }
}

fn poll(script: &mut Script<'_>, reactor: *mut heartline_reactor, open: &mut BTreeSet<u64>) {
    let capacity = usize::from(script.byte() % 20);
    let mut events: Vec<heartline_event> = Vec::with_capacity(capacity);
    let place = if capacity == 0 { null_mut() } else { events.as_mut_ptr() };
    let wait = i32::from(script.byte() % 2);
    let count = fair(unsafe { heartline_reactor_poll(reactor, place, capacity as u32, wait) });
    assert!(count as usize <= capacity);
    unsafe { events.set_len(count as usize) };
    for event in &events {
        assert!(event.kind > 0 && event.kind <= HEARTLINE_EVENT_BEAT);
        if !event.data.is_null() {
            // All that is lent can be read, the head before it too.
            let before = event.data.wrapping_sub(usize::from(event.head_len));
            let lent = unsafe { std::slice::from_raw_parts(before, usize::from(event.head_len) + event.len as usize) };
            assert!(lent.iter().fold(0_u64, |sum, byte| sum + u64::from(*byte)) < u64::MAX);
        }
        if event.kind == HEARTLINE_EVENT_CLOSED {
            assert!(open.remove(&event.id), "one end for each");
            let mut obituary: heartline_obituary = unsafe { std::mem::zeroed() };
            let size = size_of_val(&obituary);
            assert_eq!(unsafe { heartline_reactor_obituary(reactor, event.id, &raw mut obituary, size) }, 0);
            assert_eq!((obituary.id, obituary.reason), (event.id, u32::from(event.reason)));
        } else if event.id != 0 && event.kind != HEARTLINE_EVENT_UNSENT {
            assert!(open.contains(&event.id), "CLOSED is the last event of its id: {event:?}");
        }
    }
    let alive = fair(unsafe { heartline_reactor_count(reactor) });
    assert!(alive as usize <= open.len());
    assert!(unsafe { heartline_reactor_wait_ms(reactor) } >= -1);
    let mut number = 0;
    assert_eq!(unsafe { heartline_reactor_counter(reactor, c"messages_in".as_ptr(), &raw mut number) }, 0);
}

//! Level 3.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::ptr::null_mut;

use heartline::capi::{codec::*, codes::*, library::*, policy::*, reactor::*};

use super::codec::{is_forgotten, usual};
use super::fair;
use super::script::Script;

/// A reactor and what is known of it.
pub struct World {
    pub reactor: *mut heartline_reactor,
    pub codec: *mut heartline_codec,
    mailbox: *mut heartline_mailbox,
    /// Every id that was ever heard of, and some that are none.
    ids: Vec<u64>,
    /// Every id ends once, by CLOSED, CONNECT_FAILED or by being given back.
    pub open: BTreeSet<u64>,
    pub gone: BTreeSet<u64>,
    /// The other ends of what was adopted.
    pub ends: Vec<UnixStream>,
    pub listeners: Vec<(i32, CString)>,
    /// A listener was there: somebody may live who was not told yet.
    pub accepting: bool,
    pub draining: bool,
}

pub fn reactor(script: &mut Script<'_>) {
    let mut config: heartline_reactor_config = unsafe { std::mem::zeroed() };
    let (mut reactor, mut mailbox) = (null_mut(), null_mut());
    config.struct_size = size_of_val(&config) as u32;
    (config.autopsy_ms, config.mailbox_max) = (script.word() % 50, script.word() % 9);
    (config.outbox_bytes_max, config.partial_bytes_max) = (script.number(), script.number());
    config.statistics = [0, HEARTLINE_OFF][usize::from(script.byte() % 2)];
    let (codec, habits) = usual(script);
    assert_eq!(fair(unsafe { heartline_reactor_new(&raw const config, &raw mut reactor) }), 0);
    assert_eq!(fair(unsafe { heartline_mailbox_new(reactor, &raw mut mailbox) }), 0);
    let mut world = World {
        reactor,
        codec,
        mailbox,
        ids: vec![0, 1, u64::MAX],
        open: BTreeSet::new(),
        gone: BTreeSet::new(),
        ends: Vec::new(),
        listeners: Vec::new(),
        accepting: false,
        draining: false,
    };
    for _ in 0..300 {
        if script.0.is_empty() {
            break;
        }
        world.step(script);
    }
    for _ in 0..4 {
        world.poll(script);
        world.state(script);
    }
    unsafe {
        heartline_reactor_free(reactor);
        assert_eq!(heartline_mailbox_wake(mailbox), HEARTLINE_ERR_GONE);
        heartline_mailbox_free(mailbox);
        heartline_codec_free(codec);
    }
    is_forgotten(habits);
}

impl World {
    pub fn began(&mut self, id: u64) {
        assert!(id > 0 && id < 1 << 53 && !self.gone.contains(&id) && self.open.insert(id), "a new id: {id}");
        self.ids.push(id);
    }

    pub fn ended(&mut self, id: u64) {
        assert!(self.open.remove(&id) && self.gone.insert(id), "one end for each: {id}");
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let id = self.ids[usize::from(script.byte()) % self.ids.len()];
        let reactor = self.reactor;
        match script.byte() % 20 {
            0 if self.ends.len() < 16 => self.adopt(script),
            1 | 2 => {
                let data = script.bytes(64);
                if let Some(end) = self.ends.get_mut(usize::from(script.byte()) % 16) {
                    let _ = end.write(&data);
                }
            }
            3 => {
                let mut bytes = [0; 4096];
                if let Some(end) = self.ends.get_mut(usize::from(script.byte()) % 16) {
                    let _ = end.read(&mut bytes);
                }
            }
            4 if !self.ends.is_empty() => {
                drop(self.ends.swap_remove(usize::from(script.byte()) % self.ends.len()));
            }
            5 | 6 => {
                let data = script.bytes(64);
                fair(unsafe { heartline_reactor_send(reactor, id, data.as_ptr().cast(), data.len()) });
            }
            7 => self.send_otherwise(script, id),
            8 => {
                fair(unsafe { heartline_reactor_close(reactor, id, script.word() % 5, script.word()) });
            }
            9 => self.release(id),
            10 => {
                let (what, value) = (script.word() % 8, script.number());
                fair(unsafe { heartline_reactor_set(reactor, id, what, value) });
                let mut options: heartline_options = unsafe { std::mem::zeroed() };
                let given = script.fill(&mut options);
                fair(unsafe { heartline_reactor_set_options(reactor, id, self.codec, given) });
            }
            11 => self.post(script, id),
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
                self.draining |= fair(unsafe { heartline_reactor_drain(reactor, &raw const options) }) == 0;
            }
            14 if self.listeners.len() < 4 => self.listen(script),
            15 if self.ids.len() < 64 => self.connect(script),
            16 if script.one_in(2) => self.listener_address(script),
            16 => self.stop_listening(script),
            17 => self.outside(script),
            18 => self.state(script),
            _ => self.poll(script),
        }
    }

    /// Every way to send but the usual one.
    fn send_otherwise(&mut self, script: &mut Script<'_>, id: u64) {
        let reactor = self.reactor;
        let (head, data) = (script.bytes(8), script.bytes(8));
        let (head_at, data_at) = (head.as_ptr().cast(), data.as_ptr().cast());
        fair(unsafe { heartline_reactor_send_head(reactor, id, head_at, head.len(), data_at, data.len()) });
        let mut results = vec![7; self.ids.len()];
        let (ids, count) = (self.ids.as_ptr(), self.ids.len());
        let took = fair(unsafe {
            heartline_reactor_broadcast(reactor, ids, count, data_at, data.len(), results.as_mut_ptr())
        });
        assert_eq!(results.iter().filter(|result| **result == 0).count(), took as usize);

        let took = fair(unsafe { heartline_reactor_broadcast_all(reactor, id, data_at, data.len()) });
        assert!(took <= fair(unsafe { heartline_reactor_count(reactor) }));
        let part = heartline_slice { data: head.as_ptr().cast(), len: head.len() };
        let none = heartline_slice { data: std::ptr::null(), len: 0 };
        let parts = match script.byte() {
            255 => vec![none; 1025],
            many => vec![[part, none][usize::from(many % 2)]; usize::from(many % 5)],
        };
        let result = fair(unsafe { heartline_reactor_sendv(reactor, id, parts.as_ptr(), parts.len()) });
        assert!(parts.len() <= 1024 || result == HEARTLINE_ERR_INVALID);
        assert_eq!(fair(unsafe { heartline_reactor_flush(reactor) }), 0);
    }

    fn post(&mut self, script: &mut Script<'_>, id: u64) {
        let data = script.bytes(8);
        let (at, len) = (data.as_ptr().cast(), data.len());
        unsafe {
            fair(heartline_mailbox_send(self.mailbox, id, at, len));
            fair(heartline_mailbox_broadcast(self.mailbox, at, len));
            fair(heartline_mailbox_close(self.mailbox, id, script.word() % 5, script.word()));
            fair(heartline_mailbox_wake(self.mailbox));
        }
    }
}

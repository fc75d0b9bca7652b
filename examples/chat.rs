//! A chat server with rooms: broadcast, beats, flow control, a drain.
//!
//! ```sh
//! cargo run --release --example chat
//! nc 127.0.0.1 7003               # in other terminals: `/name ann`, `/join tea`, then lines
//! ```
//!
//! A client that says nothing is asked with `PING` after 5 s, and dead after 20 s; any line proves its life, `PONG` above
//! all. A client that does not read misses lines and is told how many; nobody waits for it. Ctrl-C says goodbye and drains.
#![allow(clippy::print_stdout, reason = "an example tells what it does; the lints are the library's")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use heartline::frame::Framing;
use heartline::liveness::{Policy, Role};
use heartline::reactor::{
    Config, ConnectionId, DrainOptions, EventKind, Events, ListenOptions, Mailbox, Marks, Options, Reactor, SendError,
    WhenFull,
};
use nix::sys::signal::{SigSet, Signal};

/// A client.
struct Member {
    name: String,
    room: String,
    /// Its outbox is over the high mark: lines pass it by until `Drained`.
    full: bool,
    /// Lines that passed it by.
    missed: u32,
}

struct Chat {
    reactor: Reactor,
    members: HashMap<ConnectionId, Member>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut reactor = Reactor::new(Config::default())?;
    // Lines of at most 1 KiB. Role both: we ask the silent, and answer those who ask us.
    let framing = Framing::parse(r"delimiter:\n,max=1K,ask=PING,answer=PONG")?;
    let policy = reactor.define_policy(Policy::game().with_role(Role::Both))?;
    let mut options = Options::new(framing).policy(policy);
    options.marks = Marks { high_bytes: 64 << 10, low_bytes: 16 << 10, when_full: WhenFull::Refuse };
    let listener = reactor.listen(&"127.0.0.1:7003".parse()?, &ListenOptions::new(options))?;
    println!("listening on {}", reactor.listener_address(listener)?);

    let interrupted = Arc::new(AtomicBool::new(false));
    drain_on_ctrl_c(reactor.mailbox()?, interrupted.clone())?;
    let mut chat = Chat { reactor, members: HashMap::new() };
    let mut events = Events::new();
    while !chat.reactor.is_drained() {
        chat.reactor.poll(&mut events, None)?;
        for event in &events {
            chat.follow(event.id, event.kind);
        }
        if interrupted.swap(false, Ordering::Relaxed) {
            // The closes are spread over a second, so that the clients do not all come back at once.
            let farewell = Some(b"* goodbye".to_vec());
            chat.reactor.drain(DrainOptions { spread_ms: 1_000, farewell, ..DrainOptions::default() })?;
        }
    }
    Ok(())
}

/// Another thread waits for Ctrl-C, and reaches the reactor through its mailbox.
fn drain_on_ctrl_c(mailbox: Mailbox, interrupted: Arc<AtomicBool>) -> nix::Result<()> {
    let signals = SigSet::from(Signal::SIGINT);
    signals.thread_block()?;
    std::thread::spawn(move || {
        while signals.wait().is_ok() {
            interrupted.store(true, Ordering::Relaxed);
            let _ = mailbox.wake();
        }
    });
    Ok(())
}

impl Chat {
    fn follow(&mut self, id: ConnectionId, what: EventKind<'_>) {
        match what {
            EventKind::Opened { .. } => {
                let name = format!("guest{}", id.get() & 0xff_ffff);
                let member = Member { name, room: "lobby".into(), full: false, missed: 0 };
                self.members.insert(id, member);
                self.tell_room(id, "comes in");
            }
            EventKind::Message { message, .. } => self.line(id, &String::from_utf8_lossy(message)),
            EventKind::Suspect { .. } => self.tell_room(id, "is silent"),
            EventKind::Revived { .. } => self.tell_room(id, "is back"),
            EventKind::Full { .. } => {
                if let Some(member) = self.members.get_mut(&id) {
                    member.full = true;
                }
            }
            EventKind::Drained => {
                let Some(member) = self.members.get_mut(&id) else { return };
                member.full = false;
                let text = format!("* {} lines passed you by", std::mem::take(&mut member.missed));
                let _ = self.reactor.send(id, text.as_bytes());
            }
            EventKind::Closed { reason, silence_ms, .. } => {
                self.tell_room(id, &format!("leaves: {reason}"));
                self.members.remove(&id);
                println!("{id} ended: {reason}, silent for {silence_ms} ms");
            }
            other => println!("{other:?}"),
        }
    }

    fn line(&mut self, id: ConnectionId, line: &str) {
        let line = line.trim_end();
        let Some(member) = self.members.get_mut(&id) else { return };
        if let Some(name) = line.strip_prefix("/name ") {
            member.name = name.trim().into();
        } else if let Some(room) = line.strip_prefix("/join ") {
            let room = room.trim().to_owned();
            self.tell_room(id, &format!("goes to {room}"));
            if let Some(member) = self.members.get_mut(&id) {
                member.room = room;
            }
            self.tell_room(id, "comes in");
        } else {
            let text = format!("{}: {line}", member.name);
            self.tell_others(id, &text);
        }
    }

    fn tell_room(&mut self, of: ConnectionId, what: &str) {
        let Some(member) = self.members.get(&of) else { return };
        let text = format!("* {} {what}", member.name);
        self.tell_others(of, &text);
    }

    /// One line to all others in the room: encoded once, copied only where a socket is full.
    fn tell_others(&mut self, from: ConnectionId, text: &str) {
        let Some(room) = self.members.get(&from).map(|member| member.room.clone()) else { return };
        let mut ids = Vec::new();
        for (id, member) in self.members.iter_mut().filter(|(id, member)| **id != from && member.room == room) {
            if member.full {
                member.missed += 1;
            } else {
                ids.push(*id);
            }
        }
        for (id, error) in self.reactor.broadcast(ids, None, text.as_bytes()).refused {
            // `Full` comes as an event too, with the next poll. Who is closing or gone misses nothing.
            if let (SendError::Full { .. }, Some(member)) = (error, self.members.get_mut(&id)) {
                member.missed += 1;
            }
        }
    }
}

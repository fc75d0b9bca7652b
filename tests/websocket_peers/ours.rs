//! Our server, in a thread of its own.

use std::str;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use heartline::frame::websocket::upgrade::Rules;
use heartline::liveness::{Policy, Role};
use heartline::reactor::{Close, Config, Counters, EventKind, Events, ListenOptions, Reactor};

use super::Compression;

/// Asks often, and is patient with who computes.
pub fn asking() -> Policy {
    Policy::im().with_timeout(20_000).with_role(Role::Both).with_interval(300)
}

/// It echoes, asks, and obeys `!close`.
pub struct Ours {
    pub address: String,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Counters>,
}

impl Ours {
    pub fn start(compression: Compression) -> Self {
        let mut reactor = Reactor::new(Config::default()).unwrap();
        let asks = reactor.define_policy(asking()).unwrap();
        let rules = Rules { subprotocols: vec!["v2".to_owned(), "v1".to_owned()], ..Rules::default() };
        let mut options = compression.options().policy(asks);
        options.websocket.rules = Some(Arc::new(rules));
        let listener = reactor.listen(&"127.0.0.1:0".parse().unwrap(), &ListenOptions::new(options)).unwrap();
        let address = reactor.listener_address(listener).unwrap().to_string();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || serve(reactor, &stopped));
        Self { address, stop, thread }
    }

    pub fn end(self) -> Counters {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn serve(mut reactor: Reactor, stop: &AtomicBool) -> Counters {
    let mut events = Events::new();
    while !stop.load(Ordering::Relaxed) {
        reactor.poll(&mut events, Some(Duration::from_millis(20))).unwrap();
        for event in &events {
            let EventKind::Message { head, message } = event.kind else { continue };
            match message.strip_prefix(b"!close ") {
                Some(code) => {
                    let code = str::from_utf8(code).unwrap().parse().unwrap();
                    reactor.close(event.id, Close::Flush, Some(code)).unwrap();
                }
                None => reactor.send_with_head(event.id, Some(head), &[message]).unwrap(),
            }
        }
    }
    reactor.counters().clone()
}

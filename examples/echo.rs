//! An echo server that holds its connections alive: `cargo run --release --example echo`, then in another terminal
//! `printf '\0\0\0\5hello' | nc -q1 127.0.0.1 7001 | xxd`.

#![allow(clippy::print_stderr)] // an example shows what happens

use heartline::frame::Framing;
use heartline::reactor::{Config, EventKind, Events, ListenOptions, Options, Reactor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut reactor = Reactor::new(Config::default())?;
    let options = Options::new(Framing::parse("length:4be")?);
    reactor.listen(&"127.0.0.1:7001".parse()?, &ListenOptions::new(options))?;
    let mut events = Events::new();
    loop {
        reactor.poll(&mut events, None)?;
        for event in &events {
            match event.kind {
                EventKind::Message { message, .. } => drop(reactor.send(event.id, message)),
                other => eprintln!("{} {other:?}", event.id),
            }
        }
    }
}

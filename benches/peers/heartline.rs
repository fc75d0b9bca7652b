//! The peers' echo server on Heartline as a Rust library: `cargo run --release --example peers_heartline -- 4000ms`.
//! examples/echo.rs is the same for people who want one.

use heartline::frame::Framing;
use heartline::liveness::Policy;
use heartline::reactor::{Close, Config, EventKind, Events, ListenOptions, Options, Reactor, SendError};
use signal_hook::consts::SIGTERM;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let timeout = std::env::args().nth(1).ok_or("give the timeout, as in 4000ms")?;
    // Like the other servers: gone with status 0 on SIGTERM, and no statistics of each connection.
    signal_hook::flag::register_conditional_shutdown(SIGTERM, 0, std::sync::Arc::new(true.into()))?;
    let mut reactor = Reactor::new(Config { statistics: false, ..Config::default() })?;
    let policy = reactor.define_policy(Policy::parse(&format!("im,timeout={timeout}"))?)?;
    let options = Options::new(Framing::parse("length:4be,max=64K")?).policy(policy);
    let listener = reactor.listen(&"127.0.0.1:0".parse()?, &ListenOptions::new(options))?;
    say_listening(&reactor.listener_address(listener)?.to_string());
    let mut events = Events::new();
    loop {
        reactor.poll(&mut events, None)?;
        for event in &events {
            let EventKind::Message { message, .. } = event.kind else { continue };
            if let Err(SendError::Full { .. }) = reactor.send(event.id, message) {
                reactor.close(event.id, Close::AtOnce, None)?; // it does not read
            }
        }
    }
}

#[allow(clippy::print_stdout)] // benches/measure.py waits for this line
fn say_listening(address: &str) {
    println!("listening on {address}");
}

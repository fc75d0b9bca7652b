//! A cut wire, for real: server and clients in two network namespaces, the link between them taken down or its packets
//! dropped. Each side finds the other dead by itself and in time; nobody else is touched; a short cut kills nobody.
//!
//! The clients beat each second, and so does the server by its answers. Bystanders live in the server's own namespace.

mod support_system;

use std::collections::HashSet;
use std::io::Write;
use std::net::{IpAddr, TcpStream};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use heartline::reactor::Reason;
use support_system::dialler::Dialler;
use support_system::namespaces::{SERVER, Wire};
use support_system::server::{Closed, Server};
use support_system::{ms, report};

const CLIENTS: usize = 40;
const BYSTANDERS: usize = 10;
const INTERVAL: Duration = ms(1000);
const TIMEOUT: Duration = ms(4000);
/// What a side may take beyond its timeout to declare the other dead.
const LATE: Duration = ms(100);
/// From a verdict to our noting it, on two busy cores.
const NOISE: Duration = ms(250);

/// A server, clients across the wire and bystanders on its own side, all alive.
struct Scene {
    // Dropped in this order: the namespaces last.
    clients: Dialler,
    bystanders: Dialler,
    server: Server,
    wire: Wire,
}

impl Scene {
    /// `clients` follow this policy; the server follows 1 s, 2 s and 4 s.
    fn new(clients: &str, app: &str) -> Self {
        let wire = Wire::new();
        let listen = format!("{SERVER}:0");
        let arguments = ["--listen", &listen, "--frame", "length:4be", "--role", "answer", "--app", app];
        let times = ["--interval", "1s", "--suspect", "2s", "--timeout", "4s"];
        let server = wire.server.run(|| Server::serve(&[&arguments[..], &times[..]].concat()));
        let bystanders = Dialler::start(&wire.server, server.address, BYSTANDERS, ASKING);
        let clients = Dialler::start(&wire.client, server.address, CLIENTS, clients);
        // Everybody has asked and been answered.
        std::thread::sleep(INTERVAL + ms(300));
        let scene = Self { clients, bystanders, server, wire };
        scene.nobody_is_dead();
        scene
    }

    fn nobody_is_dead(&self) {
        let closed = self.server.closed();
        assert!(closed.is_empty(), "the server closed {closed:?}");
        assert!(self.clients.ends().is_empty(), "clients lost {:?}", self.clients.ends());
        self.bystanders_live();
    }

    fn bystanders_live(&self) {
        assert!(self.bystanders.ends().is_empty(), "bystanders lost {:?}", self.bystanders.ends());
    }

    /// The server finds all clients dead by itself: within its timeout of the last byte, which came within `cut`.
    fn server_declares_all_dead(&self, cut: (Instant, Instant)) {
        let limit = cut.1 + TIMEOUT + ms(5000);
        let mut closed: Vec<Closed>;
        loop {
            closed = self.server.closed();
            if closed.len() >= CLIENTS || Instant::now() > limit {
                break;
            }
            std::thread::sleep(ms(20));
        }
        assert_eq!(closed.len(), CLIENTS, "the server found {} of {CLIENTS} dead", closed.len());
        let across: IpAddr = "10.77.0.2".parse().expect("an address");
        let remotes: HashSet<_> = closed.iter().map(|closed| closed.remote).collect();
        assert_eq!(remotes.len(), CLIENTS, "a connection was closed twice");
        let late = LATE + NOISE + self.server.stalled();
        for dead in &closed {
            assert_eq!((dead.remote.ip(), dead.reason.as_str()), (across, "silent"), "{dead:?}");
            assert!(dead.silence_ms >= TIMEOUT.as_millis() as u64, "too early: {dead:?}");
            assert!(dead.overshoot_ms <= LATE.as_millis() as u64, "too late: {dead:?}");
            assert!(dead.at >= cut.0 + TIMEOUT - INTERVAL - ms(50), "declared before it was silent for long enough");
            assert!(dead.at <= cut.1 + TIMEOUT + late, "found {:?} after the cut", dead.at - cut.1);
        }
        let overshoot_ms = closed.iter().map(|closed| closed.overshoot_ms).max().unwrap_or(0);
        report(&format!("server: {CLIENTS} found dead, at most {overshoot_ms} ms over"));
    }

    /// Every client finds the server dead by itself: within `timeout` of the last byte, which came within `cut`.
    fn clients_declare_the_server_dead(&self, timeout: Duration, cut: (Instant, Instant)) {
        let ends = self.clients.wait_ends(timeout + ms(5000));
        let late = LATE + NOISE + self.clients.stalled();
        for end in &ends {
            assert_eq!(end.reason, Reason::Silent, "{end:?}");
            assert!(end.silence_ms >= timeout.as_millis() as u32, "too early: {end:?}");
            assert!(end.overshoot_ms <= LATE.as_millis() as u32, "too late: {end:?}");
            assert!(end.at >= cut.0 + timeout - INTERVAL - ms(50), "declared before it was silent for long enough");
            assert!(end.at <= cut.1 + timeout + late, "found {:?} after the cut", end.at - cut.1);
        }
        let overshoot_ms = ends.iter().map(|end| end.overshoot_ms).max().unwrap_or(0);
        report(&format!("clients: {CLIENTS} found the server dead, at most {overshoot_ms} ms over"));
    }

    /// The wire is whole again: new connections live, and the bystanders never noticed; `closed` ended until now.
    fn new_connections_live(self, closed: usize) {
        let new = Dialler::start(&self.wire.client, self.server.address, CLIENTS, ASKING);
        // Longer than a timeout since the first verdicts; two beats of the new.
        std::thread::sleep(2 * INTERVAL + ms(200));
        assert!(new.ends().is_empty(), "new connections lost {:?}", new.ends());
        self.bystanders_live();
        assert_eq!(self.server.closed().len(), closed, "something else was closed:\n{}", self.server.log.tail(5));
        drop(new);
        drop(self.clients);
        let summary = self.server.finish();
        assert_eq!(summary["deaths"], CLIENTS as u64, "{summary}");
    }
}

const ASKING: &str = "role=ask,interval=1s,suspect=2s,timeout=4s";

#[test]
fn a_link_that_goes_down_while_idle_kills_both_ends_in_time_and_nobody_else() {
    let scene = Scene::new(ASKING, "echo");
    let began = Instant::now();
    scene.wire.down();
    let cut = (began, Instant::now());
    scene.clients_declare_the_server_dead(TIMEOUT, cut);
    scene.server_declares_all_dead(cut);
    scene.wire.up();
    scene.new_connections_live(CLIENTS);
}

/// The client's timeout is the shorter one: otherwise the server's abort would tell it, since that way is open.
#[test]
fn when_the_way_to_the_server_is_cut_each_side_finds_the_other_dead_by_itself() {
    let scene = Scene::new("role=ask,interval=1s,suspect=2s,timeout=2900ms", "echo");
    let began = Instant::now();
    scene.wire.server.drop_input();
    let cut = (began, Instant::now());
    scene.clients_declare_the_server_dead(ms(2900), cut);
    scene.server_declares_all_dead(cut);
    scene.wire.server.allow_input();
    scene.new_connections_live(CLIENTS);
}

/// The client's timeout is the longer one, for the same reason. Its first ask after the cut still arrives; those behind
/// it do not, since nothing acknowledges the first: the congestion window is one.
#[test]
fn when_the_way_to_the_clients_is_cut_each_side_finds_the_other_dead_by_itself() {
    let scene = Scene::new("role=ask,interval=1s,suspect=2s,timeout=7s", "echo");
    let began = Instant::now();
    scene.wire.client.drop_input();
    let ended = Instant::now();
    scene.server_declares_all_dead((began, ended + INTERVAL));
    scene.clients_declare_the_server_dead(ms(7000), (began, ended));
    scene.wire.client.allow_input();
    scene.new_connections_live(CLIENTS);
}

/// L1: that the server writes does not make the silence shorter. Neither does it stretch it: the kernel's retransmissions
/// are not asked.
#[test]
fn a_server_that_writes_each_second_finds_the_clients_dead_all_the_same() {
    // What the server writes keeps the clients from asking (L2): they beat all the same, for the round trip.
    let scene = Scene::new("role=ask,interval=1s,suspect=2s,timeout=4s,rtt-every=1s", "broadcast");
    let mut publisher = scene.wire.server.run(|| TcpStream::connect(scene.server.address).expect("local"));
    // Publishes until this end of the channel is dropped.
    let (publishes, over) = std::sync::mpsc::channel::<()>();
    let publisher = std::thread::spawn(move || {
        while over.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            publisher.write_all(&support_system::frame(&[b'x'; 100])).expect("the publisher lives");
        }
    });
    std::thread::sleep(ms(1500));
    assert!(scene.clients.messages() >= CLIENTS, "the broadcast does not arrive");
    let began = Instant::now();
    scene.wire.server.drop_input();
    scene.wire.client.drop_input();
    let cut = (began, Instant::now());
    let heard = scene.bystanders.messages();
    scene.clients_declare_the_server_dead(TIMEOUT, cut);
    scene.server_declares_all_dead(cut);
    assert!(scene.bystanders.messages() >= heard + 2 * BYSTANDERS, "the server stopped writing");
    scene.wire.server.allow_input();
    scene.wire.client.allow_input();
    drop(publishes);
    publisher.join().expect("the publisher lived to its end");
    scene.new_connections_live(CLIENTS + 1);
}

/// TCP makes an outage longer: what was lost is sent again after 0.2, 0.6, 1.4, 3.0 s. A cut of
/// 1.2 s is a silence of up to 1.4 s, and a beat's interval before it: 2.4 of 4 s.
#[test]
fn a_cut_shorter_than_the_timeout_kills_nobody() {
    let scene = &Scene::new(ASKING, "echo");
    let dropped = &Scene::new(ASKING, "echo");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            scene.wire.down();
            std::thread::sleep(ms(1200));
            scene.wire.up();
            std::thread::sleep(TIMEOUT + LATE);
            scene.nobody_is_dead();
        });
        dropped.wire.server.drop_input();
        dropped.wire.client.drop_input();
        std::thread::sleep(ms(1200));
        dropped.wire.server.allow_input();
        dropped.wire.client.allow_input();
        std::thread::sleep(TIMEOUT + LATE);
        dropped.nobody_is_dead();
    });
}

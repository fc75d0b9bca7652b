//! Two network namespaces joined by a wire that can be cut.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{require, require_root, run};

/// The interface at both ends.
const LINK: &str = "wire0";
/// The server's address on the wire.
pub(crate) const SERVER: &str = "10.77.0.1";
const CLIENT: &str = "10.77.0.2";
const TABLE: &str = "heartline_test";

/// A veth pair with one end in each of two namespaces. All is removed when dropped.
pub(crate) struct Wire {
    pub(crate) server: Namespace,
    pub(crate) client: Namespace,
}

/// A network namespace of our own, with its loopback up.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

impl Wire {
    #[track_caller]
    pub(crate) fn new() -> Self {
        require(&["ip", "nft"]);
        require_root();
        let wire = Self { server: Namespace::new("s"), client: Namespace::new("c") };
        let (server, client) = (&wire.server.name, &wire.client.name);
        run(&["ip", "-n", server, "link", "add", LINK, "type", "veth", "peer", "name", LINK, "netns", client]);
        for (namespace, address) in [(server, SERVER), (client, CLIENT)] {
            run(&["ip", "-n", namespace, "addr", "add", &format!("{address}/24"), "dev", LINK]);
            run(&["ip", "-n", namespace, "link", "set", LINK, "up"]);
        }
        wire
    }

    /// Takes the client's end of the link down.
    #[track_caller]
    pub(crate) fn down(&self) {
        run(&["ip", "-n", &self.client.name, "link", "set", LINK, "down"]);
    }

    #[track_caller]
    pub(crate) fn up(&self) {
        run(&["ip", "-n", &self.client.name, "link", "set", LINK, "up"]);
    }
}

impl Namespace {
    #[track_caller]
    fn new(end: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("heartline-{}-{number}{end}", std::process::id());
        run(&["ip", "netns", "add", &name]);
        let namespace = Self { name };
        run(&["ip", "-n", &namespace.name, "link", "set", "lo", "up"]);
        namespace
    }

    /// Drops everything that comes in over the wire from now on (nftables).
    #[track_caller]
    pub(crate) fn drop_input(&self) {
        let rules = format!(
            "table inet {TABLE} {{ chain input {{ type filter hook input priority 0; iifname \"{LINK}\" drop; }}; }}"
        );
        run(&["ip", "netns", "exec", &self.name, "nft", &rules]);
    }

    /// Lets it in again.
    #[track_caller]
    pub(crate) fn allow_input(&self) {
        run(&["ip", "netns", "exec", &self.name, "nft", "delete", "table", "inet", TABLE]);
    }

    /// Runs `work` in this namespace: sockets that it opens and processes that it starts belong there.
    #[track_caller]
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.enter();
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Puts the calling thread, and only it, into this namespace for good.
    #[allow(unsafe_code)]
    pub(crate) fn enter(&self) {
        let path = format!("/run/netns/{}", self.name);
        let file = File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        // SAFETY: setns takes a descriptor and a flag and touches no memory of ours.
        let result = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
        assert_eq!(result, 0, "setns {path}: {}", std::io::Error::last_os_error());
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = std::process::Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

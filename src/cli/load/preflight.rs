//! What this machine allows, checked before the first connection, with the command that allows more.

use std::fs;
use std::net::{SocketAddr, UdpSocket};

use super::plan::Plan;
use super::sources::Sources;
use crate::cli::descriptors;

/// Descriptors of a thread besides its connections.
const OTHER_DESCRIPTORS: u64 = 32;
/// Of the ports that there are, the part up to which finding a free one is quick. `connect` tries every second port, and
/// the others only when these are taken: beyond half of all, each call walks through 14,000 in vain (measured: 20 ms).
const QUICK_PORTS_PERCENT: u64 = 25;
const SLOW_PORTS_PERCENT: u64 = 50;

/// What was read of this machine; a number is missing where the kernel has no such limit.
#[derive(Clone, Debug, Default)]
pub(super) struct Host {
    pub(super) descriptors: u64,
    pub(super) files: Option<(u64, u64)>,
    pub(super) ports: u64,
    pub(super) accept_queue: Option<u64>,
    pub(super) tracked: Option<(u64, u64)>,
    /// What stays on loopback is tracked too.
    pub(super) tracks_loopback: bool,
}

/// Something that was found, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The run cannot be what was asked for.
    pub(super) fatal: bool,
    pub(super) text: String,
}

impl Host {
    pub(super) fn read() -> Self {
        let file_nr = numbers("fs/file-nr");
        let range = numbers("net/ipv4/ip_local_port_range");
        let one = |path| numbers(path).first().copied();
        let tracks_loopback = tracks_loopback();
        Self {
            descriptors: descriptors::raise_limit(),
            files: file_nr.first().copied().zip(file_nr.get(2).copied()),
            ports: match range[..] {
                [low, high] => high - low.min(high) + 1,
                _ => 28_232,
            },
            accept_queue: one("net/core/somaxconn"),
            tracked: one("net/netfilter/nf_conntrack_count").zip(one("net/netfilter/nf_conntrack_max")),
            tracks_loopback,
        }
    }

    /// To a server on 127.0.0.0/8 one source address has too few ports for many connections, but there are others.
    pub(super) fn sources(&self, address: SocketAddr, connections: u32) -> Sources {
        let needed = u64::from(connections).div_ceil(self.quick_ports());
        match address {
            SocketAddr::V4(v4) if v4.ip().is_loopback() && needed > 1 => Sources::loopback(needed as u32),
            _ => Sources::default(),
        }
    }

    /// Of one source address.
    fn quick_ports(&self) -> u64 {
        (self.ports * QUICK_PORTS_PERCENT / 100).max(1)
    }

    /// What stands in the way of this plan.
    pub(super) fn check(&self, plan: &Plan) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut fatal = |text: String| found.push(Finding { fatal: true, text });
        let connections = u64::from(plan.connections);
        let local = plan.address.ip().is_loopback();

        let most = self.descriptors.saturating_sub(OTHER_DESCRIPTORS).max(1);
        let each = connections.div_ceil(u64::from(plan.threads));
        if each > most {
            let threads = connections.div_ceil(most);
            fatal(format!(
                "{each} connections a thread need {} descriptors, but the limit is {}: ulimit -n {}, or --threads {threads}, \
                 each with a table of its own",
                each + OTHER_DESCRIPTORS,
                self.descriptors,
                each + OTHER_DESCRIPTORS
            ));
        }
        // A server on this machine has the other ends.
        let ends = connections * if local { 2 } else { 1 };
        if let Some((used, max)) = self.files
            && used + ends > max
        {
            fatal(format!(
                "{ends} open files more than {used} exceed the system's {max}: sysctl -w fs.file-max={}",
                used + ends + 10_000
            ));
        }
        let sources = plan.sources.addresses().len().max(1) as u64;
        if connections > self.ports * sources {
            let needed = connections.div_ceil(self.ports);
            fatal(format!(
                "{connections} connections need as many ports, but {sources} source address{} have {}: --source with {needed} \
                 addresses, or sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"",
                if sources == 1 { "" } else { "es" },
                self.ports * sources
            ));
        }
        let slow = self.ports * sources * SLOW_PORTS_PERCENT / 100;
        let crowded = (slow < connections && connections <= self.ports * sources).then(|| Finding {
            fatal: false,
            text: format!(
                "{connections} connections from {sources} source address{}: beyond {slow} the kernel takes milliseconds to find \
                 a free port, and beats are late meanwhile: --source with {} addresses",
                if sources == 1 { "" } else { "es" },
                connections.div_ceil(self.quick_ports())
            ),
        });
        if let Some((used, max)) = self.tracked.filter(|_| !local || self.tracks_loopback)
            && used + connections > max
        {
            let needed = used + connections + 10_000;
            fatal(format!(
                "the firewall tracks {used} of {max} connections: sysctl -w net.netfilter.nf_conntrack_max={needed}"
            ));
        }
        for address in plan.sources.addresses() {
            if UdpSocket::bind((*address, 0)).is_err() {
                fatal(format!("--source {address} is not an address of this machine: ip addr add {address} dev lo"));
                break;
            }
        }
        if let Some(queue) = self.accept_queue.filter(|queue| local && plan.connect_rate == 0.0 && connections > *queue)
        {
            found.push(Finding {
                fatal: false,
                text: format!(
                    "a server that accepts more slowly than this opens has a queue of {queue} at most; what does not fit comes \
                     a second late: --connect-rate, or sysctl -w net.core.somaxconn={connections} before the server starts"
                ),
            });
        }
        found.extend(crowded);
        found
    }
}

/// Whether a datagram from us to us is tracked: the table is there as soon as its module is, also where no rule of the
/// firewall asks for it. Where it cannot be tried it is taken for granted.
fn tracks_loopback() -> bool {
    let sent = UdpSocket::bind(("127.0.0.1", 0)).and_then(|socket| {
        socket.send_to(&[0], socket.local_addr()?)?;
        Ok(socket)
    });
    // While the socket lives nobody else has its port, and the entry lasts for some seconds.
    sent.is_err() || numbers("net/netfilter/nf_conntrack_count").first().is_none_or(|count| *count > 0)
}

/// The numbers in a file of /proc/sys; none if there is no such file.
fn numbers(path: &str) -> Vec<u64> {
    let text = fs::read_to_string(format!("/proc/sys/{path}")).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::load::tests::plan;

    fn host() -> Host {
        Host {
            descriptors: 20_000,
            files: Some((1000, 1_000_000)),
            ports: 28_232,
            accept_queue: Some(4096),
            tracked: Some((0, 262_144)),
            tracks_loopback: true,
        }
    }

    fn fatal(host: &Host, flags: &[&str]) -> Vec<String> {
        let found = host.check(&plan(flags));
        found.into_iter().filter(|finding| finding.fatal).map(|finding| finding.text).collect()
    }

    #[test]
    fn each_limit_is_told_with_the_command_that_raises_it() {
        assert!(fatal(&host(), &["-c", "19000"]).is_empty());
        let said = fatal(&host(), &["-c", "20000"]);
        assert!(said.len() == 1 && said[0].contains("ulimit -n 20032") && said[0].contains("--threads 2"), "{said:?}");
        assert!(fatal(&host(), &["-c", "20000", "--threads", "2"]).is_empty());
        let said = fatal(&host(), &["-c", "40000", "--threads", "4"]);
        assert!(said.len() == 1 && said[0].contains("ip_local_port_range=\"1024 65535\""), "{said:?}");
        assert!(fatal(&host(), &["-c", "40000", "--threads", "4", "--source", "127.0.0.1-127.0.0.2"]).is_empty());
        let said = fatal(&Host { tracked: Some((262_000, 262_144)), ..host() }, &["-c", "1000"]);
        assert!(said[0].contains("nf_conntrack_max=273000"), "{said:?}");
        let elsewhere = Host { tracked: Some((262_000, 262_144)), tracks_loopback: false, ..host() };
        assert!(fatal(&elsewhere, &["-c", "1000"]).is_empty());
        let said = fatal(&Host { files: Some((999_000, 1_000_000)), ..host() }, &["-c", "1000"]);
        assert!(said[0].contains("fs.file-max=1011000"), "{said:?}");
        let said = fatal(&host(), &["--source", "203.0.113.7"]);
        assert!(said[0].contains("ip addr add 203.0.113.7"), "{said:?}");
    }

    #[test]
    fn a_short_accept_queue_is_worth_a_word_only_without_a_rate() {
        assert_eq!(host().check(&plan(&["-c", "5000"])).len(), 1);
        assert!(host().check(&plan(&["-c", "5000", "--connect-rate", "1000"])).is_empty());
    }

    #[test]
    fn a_loopback_server_is_dialled_from_as_many_addresses_as_the_ports_need() {
        let to = |address: &str| host().sources(address.parse().unwrap(), 100_000).addresses().len();
        assert_eq!((to("127.0.0.1:1"), to("10.0.0.1:1"), to("[::1]:1")), (15, 0, 0));
        assert!(host().sources("127.0.0.1:1".parse().unwrap(), 7_000).addresses().is_empty());
    }

    #[test]
    fn a_source_address_with_half_of_its_ports_taken_is_worth_a_word() {
        let notes = |flags: &[&str]| host().check(&plan(&[&["--connect-rate", "1000"], flags].concat()));
        assert!(notes(&["-c", "14116"]).is_empty());
        let said = notes(&["-c", "14117"]);
        assert!(said.len() == 1 && !said[0].fatal && said[0].text.contains("--source with 3 addresses"), "{said:?}");
        assert!(notes(&["-c", "14117", "--source", "127.0.0.1-127.0.0.3"]).is_empty());
    }

    #[test]
    fn this_machine_can_be_read() {
        let host = Host::read();
        assert!(host.descriptors > 0 && host.ports > 0 && host.files.is_some(), "{host:?}");
    }
}

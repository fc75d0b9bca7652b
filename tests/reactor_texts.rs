//! E3: what errors and names say. Names stand in logs and metrics, so they are as stable as codes.

mod support;

use std::collections::HashSet;

use heartline::frame::EncodeError;
use heartline::reactor::{
    Address, AddressError, Close, CloseError, ClosedBy, Config, ConnectionId, Counters, Events, MailboxError,
    PauseCause, Reactor, Reason, ReleaseError, SendError,
};
use support::{Pump, length};

#[test]
fn reasons_have_codes_in_order_and_names_that_differ() {
    let names: HashSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), Reason::ALL.len());
    for (reason, code) in Reason::ALL.iter().zip(1..) {
        assert_eq!(reason.code(), code, "{reason}");
        assert_eq!(reason.to_string(), reason.name());
    }
    // The ends of the list: what was there stays where it is.
    assert_eq!((Reason::ALL[0].name(), Reason::ALL[19].name()), ("peer_closed", "connect_error"));
    let own = Reason::Application(300);
    assert_eq!((own.code(), own.name(), own.to_string().as_str()), (300, "application", "application 300"));
}

#[test]
fn causes_and_authors_of_ends_have_names() {
    let authors = [ClosedBy::Peer, ClosedBy::Heartline, ClosedBy::Application, ClosedBy::System];
    assert_eq!(authors.map(ClosedBy::name), ["peer", "heartline", "application", "system"]);
    let causes = [PauseCause::OutOfDescriptors, PauseCause::ConnectionsMax];
    assert_eq!(causes.map(PauseCause::name), ["out_of_descriptors", "connections_max"]);
}

#[test]
fn addresses_are_written_as_they_are_read() {
    for text in ["127.0.0.1:7001", "[::1]:7001", "unix:/run/game.sock", "unix:@game", "fd:3"] {
        assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
    }
    for (text, error, says) in [
        ("unix:", AddressError::EmptyPath, "needs the path"),
        ("fd:", AddressError::BadDescriptor(String::new()), "`fd:` does not name a descriptor"),
        ("fd:-1", AddressError::BadDescriptor("-1".to_owned()), "`fd:-1` does not name a descriptor"),
        ("localhost:7001", AddressError::BadSocketAddress("localhost:7001".to_owned()), "write IP:PORT, [IPv6]:PORT"),
        ("127.0.0.1", AddressError::BadSocketAddress("127.0.0.1".to_owned()), "`127.0.0.1` is not an address"),
    ] {
        let refused = text.parse::<Address>().unwrap_err();
        assert_eq!(refused, error);
        assert!(refused.to_string().contains(says), "{refused}");
    }
}

#[test]
fn errors_say_the_limit_and_what_to_do() {
    let full = SendError::Full { queued_bytes: 1_048_000, high_bytes: 1_048_576 };
    let mailbox = [MailboxError::Full, MailboxError::Gone, MailboxError::Wake(std::io::Error::from_raw_os_error(11))];
    let said: Vec<String> = [
        SendError::Stale.to_string(),
        SendError::Closing.to_string(),
        full.to_string(),
        SendError::ReactorFull { outbox_bytes_max: 1 << 30 }.to_string(),
        CloseError::Stale.to_string(),
        CloseError::CodeReserved(255).to_string(),
        ReleaseError::Stale.to_string(),
        ReleaseError::Busy.to_string(),
        ReleaseError::NotOpen.to_string(),
    ]
    .into_iter()
    .chain(mailbox.iter().map(ToString::to_string))
    .collect();
    let parts = [
        "no live connection",
        "closing",
        "holds 1048000 bytes; its high mark is 1048576",
        "outbox_bytes_max, 1073741824",
        "no live connection",
        "code 255 is below 256",
        "no live connection",
        "poll first",
        "dialled or closed",
        "mailbox_max requests wait",
        "is gone",
        "could not be woken",
    ];
    assert_eq!(said.len(), parts.len());
    for (said, part) in said.iter().zip(parts) {
        assert!(said.contains(part), "{said:?} does not say {part:?}");
    }
    // What the framing refuses is said in its own words.
    let refused = EncodeError::HasDelimiter { at: 3 };
    assert_eq!(SendError::from(refused).to_string(), refused.to_string());
}

#[test]
fn an_id_is_one_number_to_users_and_two_to_whoever_debugs() {
    let mut pump = Pump::default();
    let (_peer, id) = pump.peer(length());
    assert_eq!(id.to_string(), id.get().to_string());
    assert!(format!("{id:?}").starts_with("ConnectionId(0."), "{id:?}");
    assert_eq!(ConnectionId::from_raw(id.get()), id);
    assert_eq!(ConnectionId::from_raw(id.get() | 1 << 53), ConnectionId::NONE, "nobody's, not somebody else's");
}

#[test]
fn counters_have_names_and_add_up_over_reactors() {
    let mut sum = Counters::default();
    for _ in 0..2 {
        let mut pump = Pump::default();
        let (mut peer, id) = pump.peer(length());
        peer.frame(b"x");
        pump.message(id);
        pump.reactor.close(id, Close::AtOnce, None).unwrap();
        pump.closed(id);
        sum.merge(pump.reactor.counters());
    }
    assert_eq!((sum.accepted, sum.messages_in, sum.closed(Reason::Local), sum.closed_in_all()), (2, 2, 2, 2));
    let named: Vec<_> = sum.each().collect();
    let names: HashSet<_> = named.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), named.len());
    assert!(named.contains(&("accepted", 2)) && named.contains(&("bytes_in", 10)), "{named:?}");
}

#[test]
fn events_can_be_counted_walked_and_printed() {
    let mut pump = Pump::with_events(Config::default(), Events::default());
    let (mut peer, id) = pump.peer(length());
    peer.frame(b"hi");
    pump.message(id);
    assert_eq!(pump.events.iter().size_hint(), (1, Some(1)));
    let printed = format!("{:?}", pump.events);
    assert!(printed.contains("Message") && printed.contains("[104, 105]"), "{printed}");
}

#[test]
fn a_mailbox_and_what_it_asks_for_can_be_printed() {
    let mut reactor = Reactor::new(Config::default()).unwrap();
    let mailbox = reactor.mailbox().unwrap();
    assert!(format!("{mailbox:?}").starts_with("Mailbox"));
    assert!(reactor.monitor().is_empty());
}

#[test]
fn metrics_are_counted_measured_and_added_up() {
    let mut sum = heartline::reactor::Metrics::default();
    for _ in 0..2 {
        let mut pump = Pump::default();
        let policy = pump.reactor.define_policy(support::policy(heartline::liveness::Role::Ask, 300)).unwrap();
        let (mut peer, id) = pump.peer(length().policy(policy));
        pump.until("an ask", |pump| pump.reactor.counters().asks_out == 1);
        pump.poll(std::time::Duration::ZERO);
        assert_eq!(peer.read(4), [0; 4]);
        peer.beat();
        pump.until("an answer", |pump| pump.reactor.counters().answers_in == 1);
        assert_eq!(pump.closed(id).reason(), Some(Reason::Silent));
        let overshoot_ms = pump.reactor.obituary(id).unwrap().overshoot_ms;
        assert_eq!(pump.reactor.metrics().overshoots_ms.sum(), u64::from(overshoot_ms));
        sum.merge(&pump.reactor.metrics());
    }
    assert_eq!((sum.overshoots_ms.count(), sum.round_trips_ms.count(), sum.counters.deaths), (2, 2, 2));
    assert_eq!(sum.turns_us.count(), sum.counters.turns);
    assert_eq!(u64::from(sum.turns_us.largest()), sum.counters.turn_max_us);
    let text = sum.text();
    assert!(text.len() < 16 << 10, "{} bytes", text.len());
    for line in ["heartline_round_trip_seconds_count 2", "heartline_closed_total{reason=\"silent\"} 2"] {
        assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
    }
    // Whatever is counted is shown, by its own name.
    for (name, _) in sum.counters.each() {
        let stem = name.trim_end_matches("_ms").trim_end_matches("_us");
        assert!(text.contains(&format!("\nheartline_{stem}")) || name == "connections_now", "{name}");
    }
}

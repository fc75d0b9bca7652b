//! R10: other threads reach a reactor by its mailbox; it is bounded, and what cannot be done comes back.

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use heartline::reactor::{Close, Config, ConnectionId, ListenOptions, MailboxError, Reason};
use support::{Pump, Told, What, framed, length};

#[test]
fn eight_threads_send_and_every_message_arrives_once_and_in_order() {
    const THREADS: u8 = 8;
    const EACH: u32 = 5_000;
    let mut pump = Pump::default();
    let mut options = length();
    options.marks.high_bytes = 64 << 20;
    let (mut peer, id) = pump.peer(options);
    let mailbox = pump.reactor.mailbox().unwrap();
    let senders: Vec<_> = (0..THREADS)
        .map(|thread| {
            let mailbox = mailbox.clone();
            std::thread::spawn(move || {
                for number in 0..EACH {
                    let mut message = vec![thread];
                    message.extend_from_slice(&number.to_be_bytes());
                    while let Err(error) = mailbox.send(id, message.clone()) {
                        assert!(matches!(error, MailboxError::Full), "{error}");
                        std::thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let reader = std::thread::spawn(move || {
        let mut next = [0_u32; THREADS as usize];
        for _ in 0..u32::from(THREADS) * EACH {
            let frame = peer.read_frame();
            let number = u32::from_be_bytes(frame[1..].try_into().unwrap());
            assert_eq!(number, next[usize::from(frame[0])]);
            next[usize::from(frame[0])] += 1;
        }
    });
    pump.until("all have arrived", |_| reader.is_finished());
    reader.join().unwrap();
    for sender in senders {
        sender.join().unwrap();
    }
    assert_eq!(pump.reactor.counters().messages_out, u64::from(THREADS) * u64::from(EACH));
}

#[test]
fn a_message_that_cannot_be_sent_comes_back_as_it_was_given() {
    let mut pump = Pump::default();
    let (_peer, id) = pump.peer(length());
    let mailbox = pump.reactor.mailbox().unwrap();
    mailbox.send(ConnectionId::NONE, b"to nobody".to_vec()).unwrap();
    pump.reactor.close(id, Close::AtOnce, None).unwrap();
    mailbox.send(id, b"too late".to_vec()).unwrap();
    let unsent = pump.take_many(2, "Unsent", |told| matches!(told.what, What::Unsent(_)));
    assert_eq!(unsent[0], Told { id: ConnectionId::NONE, user: 0, what: What::Unsent(b"to nobody".to_vec()) });
    assert_eq!((unsent[1].id, &unsent[1].what), (id, &What::Unsent(b"too late".to_vec())));
    assert_eq!(pump.reactor.counters().messages_unsent, 2);
}

#[test]
fn the_mailbox_is_bounded() {
    let mut pump = Pump::new(Config { mailbox_max: 10, ..Config::default() });
    let mailbox = pump.reactor.mailbox().unwrap();
    for _ in 0..10 {
        mailbox.send(ConnectionId::NONE, vec![1]).unwrap();
    }
    assert!(matches!(mailbox.send(ConnectionId::NONE, vec![1]), Err(MailboxError::Full)));
    pump.take_many(10, "Unsent", |told| matches!(told.what, What::Unsent(_)));
    mailbox.send(ConnectionId::NONE, vec![1]).unwrap();
}

#[test]
fn a_mailbox_closes_and_broadcasts() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(length()));
    let (mut a, a_id) = pump.join(at);
    let (mut b, _) = pump.join(at);
    let mailbox = pump.reactor.mailbox().unwrap();
    mailbox.broadcast(Arc::from(&b"news"[..])).unwrap();
    mailbox.close(a_id, Close::AtOnce, Some(300)).unwrap();
    mailbox.close(a_id, Close::AtOnce, Some(400)).unwrap();
    assert_eq!(pump.closed(a_id).reason(), Some(Reason::Application(300)));
    assert_eq!(b.read_frame(), b"news");
    let _ = a.read_to_end();
}

#[test]
fn wake_makes_a_poll_without_end_return() {
    let mut pump = Pump::default();
    let mailbox = pump.reactor.mailbox().unwrap();
    for _ in 0..100 {
        let waker = mailbox.clone();
        let thread = std::thread::spawn(move || waker.wake().unwrap());
        pump.reactor.poll(&mut pump.events, None).unwrap();
        assert!(pump.events.is_empty());
        thread.join().unwrap();
    }
    // A wake before the poll counts for it.
    mailbox.wake().unwrap();
    pump.reactor.poll(&mut pump.events, None).unwrap();
}

#[test]
fn no_wake_is_lost_when_many_post_while_the_reactor_falls_asleep() {
    let mut pump = Pump::default();
    let mailbox = pump.reactor.mailbox().unwrap();
    let thread = std::thread::spawn(move || {
        for number in 0..20_000_u32 {
            mailbox.send(ConnectionId::NONE, number.to_be_bytes().to_vec()).unwrap();
            if number % 7 == 0 {
                std::thread::yield_now();
            }
        }
    });
    let mut next = 0_u32;
    let began = Instant::now();
    while next < 20_000 {
        // For ever, if a wake were lost.
        pump.reactor.poll(&mut pump.events, Some(Duration::from_secs(10))).unwrap();
        assert!(began.elapsed() < Duration::from_secs(9), "a wake was lost at {next}");
        for event in &pump.events {
            let What::Unsent(frame) = Told::of(event).what else { continue };
            assert_eq!(frame, next.to_be_bytes());
            next += 1;
        }
    }
    thread.join().unwrap();
}

#[test]
fn letters_for_a_reactor_with_a_small_batch_do_not_pile_up_inside() {
    let mut pump = Pump::with_events(
        Config { mailbox_max: 100_000, ..Config::default() },
        heartline::reactor::Events::with_capacity(1, 8 << 10),
    );
    let mailbox = pump.reactor.mailbox().unwrap();
    for _ in 0..50_000 {
        mailbox.send(ConnectionId::NONE, vec![0]).unwrap();
    }
    // What was taken out of the mailbox and waits to be told is bounded too.
    for _ in 0..200 {
        pump.poll(Duration::ZERO);
    }
    assert!(pump.reactor.counters().messages_unsent < 10_000, "{}", pump.reactor.counters().messages_unsent);
    pump.until("all have come back", |pump| pump.reactor.counters().messages_unsent == 50_000);
}

#[test]
fn a_mailbox_outlives_its_reactor() {
    let mut pump = Pump::default();
    let mailbox = pump.reactor.mailbox().unwrap();
    drop(pump);
    assert!(matches!(mailbox.send(ConnectionId::NONE, vec![]), Err(MailboxError::Gone)));
    assert!(matches!(mailbox.wake(), Err(MailboxError::Gone)));
}

#[test]
fn a_reactor_moves_between_threads_with_everything_it_holds() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(length());
    peer.frame(b"here");
    assert_eq!(pump.message(id), b"here");
    let mut pump = std::thread::spawn(move || {
        peer.frame(b"there");
        assert_eq!(pump.message(id), b"there");
        pump.reactor.send(id, b"back").unwrap();
        pump.reactor.flush();
        assert_eq!(peer.read(8), framed(b"back"));
        pump
    })
    .join()
    .unwrap();
    assert_eq!(pump.closed(id).reason(), Some(Reason::PeerClosed));
}

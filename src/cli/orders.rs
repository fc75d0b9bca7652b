//! What signals say to all workers. A thread of its own waits for signals, blocked in a read: an idle server makes no
//! system call (R9). Workers are woken by their mailboxes and look here.

use std::process;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{io, thread};

use heartline::reactor::{Mailbox, MailboxError};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::settings::Settings;

/// How soon a full mailbox is tried again.
const FULL_MAILBOX: Duration = Duration::from_millis(1);

/// What workers look at when they are woken.
#[derive(Debug)]
pub(crate) struct Orders {
    /// Grows with every order: one load per turn tells a worker that there is none.
    number: AtomicU64,
    current: Mutex<Current>,
}

/// What all workers are to do now.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) settings: Arc<Settings>,
    pub(crate) draining: bool,
}

impl Orders {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self { number: AtomicU64::new(0), current: Mutex::new(Current { settings, draining: false }) }
    }

    /// What to do now, if it is not what `seen` was.
    #[inline]
    pub(crate) fn news(&self, seen: &mut u64) -> Option<Current> {
        let number = self.number.load(Ordering::Acquire);
        if number == *seen {
            return None;
        }
        *seen = number;
        Some(self.current())
    }

    pub(crate) fn current(&self) -> Current {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn give(&self, change: impl FnOnce(&mut Current)) {
        change(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner));
        self.number.fetch_add(1, Ordering::Release);
    }
}

/// Becomes true when somebody wants a command that ends by itself to end now: Ctrl-C, SIGTERM, SIGHUP.
pub(crate) fn interruption() -> io::Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, interrupted.clone())?;
    }
    Ok(interrupted)
}

/// Starts the thread that waits for signals. `reload` gives the settings of the config file as it is now, or nothing
/// if they are not to change.
pub(crate) fn obey_signals(
    orders: Arc<Orders>,
    workers: Vec<Mailbox>,
    mut reload: impl FnMut(&Settings) -> Option<Settings> + Send + 'static,
) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut asked_to_end = false;
        for signal in signals.forever() {
            if signal == SIGHUP {
                let Some(settings) = reload(&orders.current().settings) else { continue };
                orders.give(|current| current.settings = Arc::new(settings));
            } else if asked_to_end {
                process::exit(128 + signal);
            } else {
                asked_to_end = true;
                orders.give(|current| current.draining = true);
            }
            for worker in &workers {
                wake(worker);
            }
        }
    })?;
    Ok(())
}

/// Makes a worker look at its orders. A full mailbox is being emptied: room for this letter comes.
fn wake(worker: &Mailbox) {
    while let Err(MailboxError::Full) = worker.wake() {
        thread::sleep(FULL_MAILBOX);
    }
}

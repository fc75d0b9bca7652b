//! The event loop: it holds connections, frames their bytes, beats when they fall silent and finds the dead.
//!
//! One thread at a time uses a [`Reactor`]; more cores are used by one reactor per thread. Its work is done inside
//! [`poll`](core::Reactor::poll), which fills a batch of [`Events`]. Everything else, `send`, `close`, `connect` and so
//! on, returns at once.
//!
//! Programs name [`Reactor`] and [`Mailbox`]. All that these can do is listed with the types behind them, on the pages
//! [`core::Reactor`] and [`mailbox::Mailbox`]; only the documentation shows those two modules.
//!
//! | file | idea |
//! |---|---|
//! | `core`, `turn` | what a reactor holds; one turn |
//! | `net`, `linux`, `errno` | what a kernel does; Linux; the errors that matter |
//! | `connection`, `statistics`, `inbound`, `outbox`, `by_slot` | what is kept of one connection, and of a few |
//! | `options`, `events`, `reason`, `obituary`, `counters`, `metrics` | what goes in and comes out |
//! | `receive`, `cut`, `send`, `sends`, `write` | the way of bytes |
//! | `accept`, `dial`, `transfer`, `close`, `drain` | beginnings and ends |
//! | `change` | what can be changed between them |
//! | `judge` | what the monitor finds, carried out |
//! | `mailbox` | other threads |

mod accept;
mod by_slot;
mod change;
mod close;
mod connection;
// Public for the documentation too: rustdoc shows what `Reactor` can do only where it shows the type behind the alias.
#[cfg(any(feature = "sim", doc))]
pub mod core;
#[cfg(not(any(feature = "sim", doc)))]
mod core;
mod counters;
mod cut;
#[cfg_attr(not(feature = "deflate"), path = "no_deflate.rs")]
mod deflate;
mod dial;
mod drain;
mod errno;
mod events;
mod inbound;
mod intake;
mod judge;
mod linux;
#[cfg(doc)]
pub mod mailbox;
#[cfg(not(doc))]
mod mailbox;
mod metrics;
#[cfg(feature = "sim")]
#[doc(hidden)]
pub mod net;
#[cfg(not(feature = "sim"))]
mod net;
mod obituary;
mod options;
mod outbox;
mod reason;
mod receive;
mod send;
mod sends;
mod statistics;
mod transfer;
mod turn;
#[cfg_attr(not(feature = "websocket"), path = "no_upgrade.rs")]
mod upgrade;
mod write;

use std::io;

pub use self::accept::ListenerId;
pub use self::close::{Close, CloseError};
pub use self::connection::ConnectionId;
pub use self::counters::Counters;
#[cfg(feature = "deflate")]
pub use self::deflate::Deflated;
pub use self::drain::DrainOptions;
pub use self::events::{ARENA_BYTES, Event, EventKind, Events, Iter};
#[cfg(feature = "capi")]
pub(crate) use self::linux::Birth;
pub use self::linux::Linux;
pub use self::mailbox::MailboxError;
pub use self::metrics::Metrics;
pub use self::net::{Address, AddressError};
pub use self::obituary::{ClosedBy, Obituary, TcpInfo};
#[cfg(feature = "websocket")]
pub use self::options::WebSocketOptions;
pub use self::options::{
    AUTOPSIES_MAX, CONNECTIONS_MAX, Config, Keepalive, Limits, ListenOptions, Marks, Options, SocketOptions, WhenFull,
};
pub use self::reason::{PauseCause, Reason};
pub use self::send::{Broadcast, SendError};
pub use self::transfer::{AdoptError, AdoptRefusal, ConnectionState, ReleaseError, Released};
#[cfg(feature = "websocket")]
pub use self::upgrade::AnswerError;

/// The reactor over this machine's kernel. It may move between threads; one uses it at a time (R10).
pub type Reactor = core::Reactor<Linux>;
/// How other threads reach a [`Reactor`].
pub type Mailbox = mailbox::Mailbox<Linux>;

impl Reactor {
    /// A reactor with an epoll set of its own.
    ///
    /// # Errors
    /// No descriptor is left, or no memory.
    pub fn new(config: Config) -> io::Result<Self> {
        Self::over(Linux::new()?, config)
    }
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Reactor>();
    is_send::<Mailbox>();
    is_send::<Events>();
};

//! Level 3: everything.
//!
//! | file | idea |
//! |---|---|
//! | `life` | a reactor from its making to its end, and its policies |
//! | `engine` | what is behind the pointer |
//! | `config` | what it, its listeners and connections are set to |
//! | `listen` | listeners |
//! | `connect`, `close` | how connections come, are given back, and end |
//! | `poll`, `event` | what the host's loop calls, and what it is told |
//! | `send` | what goes out |
//! | `set` | changing a connection that lives |
//! | `mailbox` | how other threads reach it |
//! | `report`, `metrics` | what can be read |

mod close;
mod config;
mod connect;
mod engine;
mod event;
mod life;
mod listen;
mod mailbox;
mod metrics;
mod poll;
mod report;
mod send;
mod set;

pub use close::*;
pub use config::*;
pub use connect::*;
pub use event::*;
pub use life::*;
pub use listen::*;
pub use mailbox::*;
pub use metrics::*;
pub use poll::*;
pub use report::*;
pub use send::*;
pub use set::*;

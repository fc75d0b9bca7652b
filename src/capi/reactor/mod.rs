//! Level 3: everything.
//!
//! | file | idea |
//! |---|---|
//! | `life` | a reactor from its making to its end, and its policies |
//! | `engine` | what is behind the pointer |
//! | `listen` | listeners |
//! | `connect`, `close` | how connections come, are given back, and end |
//! | `poll` | what the host's loop calls |
//! | `set` | changing a connection that lives |

mod close;
mod connect;
mod engine;
mod life;
mod listen;
mod poll;
mod set;

pub use close::*;
pub use connect::*;
pub use life::*;
pub use listen::*;
pub use poll::*;
pub use set::*;

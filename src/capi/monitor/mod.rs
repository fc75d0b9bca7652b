//! Level 1: liveness for connections that the host owns.
//!
//! | file | idea |
//! |---|---|
//! | `life` | a monitor from its making to its end, and its policies |
//! | `handles` | what is behind the pointer, and which peer a handle means |
//! | `peer` | what the host says of one peer |
//! | `advance` | what the host's loop asks: how long to wait, who is due |
//! | `verdict` | what it is told |
//! | `report` | what can be read |

mod advance;
mod handles;
mod life;
mod peer;
mod report;
mod verdict;

pub use advance::*;
pub use life::*;
pub use peer::*;
pub use report::*;
pub use verdict::*;

//! Level 2: framing of bytes that the host owns.
//!
//! | file | idea |
//! |---|---|
//! | `life` | a codec from its making to its end |
//! | `settings` | one by settings instead of text |
//! | `custom` | one of the host's functions |
//! | `cut` | frames from bytes |
//! | `write` | bytes from messages, heads and beats |

mod custom;
mod cut;
mod life;
mod settings;
mod write;

pub use custom::*;
pub use cut::*;
pub use life::*;
pub use settings::*;
pub use write::*;

//! Heartline keeps long-lived connections alive and honest.

pub mod frame;
pub mod liveness;
#[cfg(feature = "net")]
pub mod reactor;
pub mod time;

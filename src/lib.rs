//! Heartline keeps long-lived connections alive and honest.

pub mod frame;
pub mod liveness;
pub mod time;

//! The `heartline` command.

fn main() {}

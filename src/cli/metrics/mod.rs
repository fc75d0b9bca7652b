//! What `serve --metrics` answers over HTTP, from the reactor of the first thread: nothing here waits, and whoever asks
//! stands aside of those who are served.
//!
//! | file | idea |
//! |---|---|
//! | `http` | what a request asks for, and the bytes of a response |
//! | `board` | what the other threads have counted |
//! | `door` | who asks, and when they are answered |
//! | `page.html` | the live page: plots of the same text, fetched every second |

mod board;
mod door;
mod http;

pub(super) use board::Board;
pub(super) use door::Door;

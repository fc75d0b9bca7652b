//! Lines that never hold a reactor up: gathered during a turn, handed over once, written by a thread of their own.
//! Where nobody takes them (a full pipe), lines are dropped and counted; where stderr is broken, they go nowhere.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{io, mem};

use super::args::{Level, LogFormat};

/// Bytes that may wait for the writer.
const WAITING_BYTES_MAX: usize = 16 << 20;
/// How long the end of the program waits for somebody to take the last lines.
const LAST_LINES: Duration = Duration::from_secs(2);

/// One thread's lines.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) level: Level,
    lines: String,
    count: u64,
    writer: Sender<String>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting_bytes: AtomicUsize,
    lost_lines: AtomicU64,
}

/// The thread that writes.
#[derive(Debug)]
pub(crate) struct Writer {
    thread: JoinHandle<()>,
    end: Sender<String>,
}

/// A log and the thread behind it.
pub(crate) fn start(format: LogFormat, level: Level) -> io::Result<(Log, Writer)> {
    let (writer, lines) = channel();
    let shared = Arc::new(Shared::default());
    let (of_writer, end) = (shared.clone(), writer.clone());
    let thread = thread::Builder::new().name("log".into()).spawn(move || write_all(&lines, &of_writer, format))?;
    Ok((Log { format, level, lines: String::new(), count: 0, writer, shared }, Writer { thread, end }))
}

impl Log {
    /// Another thread's log with the same writer.
    pub(crate) fn another(&self) -> Self {
        let (writer, shared) = (self.writer.clone(), self.shared.clone());
        Self { format: self.format, level: self.level, lines: String::new(), count: 0, writer, shared }
    }

    /// Whether lines of this weight are written.
    #[inline]
    pub(crate) fn takes(&self, level: Level) -> bool {
        self.format != LogFormat::Off && level <= self.level
    }

    /// One line, in the form that `write` gives it.
    pub(crate) fn line(&mut self, level: Level, write: impl FnOnce(&mut String, LogFormat)) {
        if self.takes(level) {
            write(&mut self.lines, self.format);
            self.lines.push('\n');
            self.count += 1;
        }
    }

    /// Hands over what has gathered: once per turn.
    #[inline]
    pub(crate) fn flush(&mut self) {
        if !self.lines.is_empty() {
            self.hand_over();
        }
    }

    #[cold]
    fn hand_over(&mut self) {
        let count = mem::take(&mut self.count);
        let bytes = self.lines.len();
        let waiting = self.shared.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        if waiting + bytes > WAITING_BYTES_MAX {
            self.shared.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.shared.lost_lines.fetch_add(count, Ordering::Relaxed);
            self.lines.clear();
        } else if self.writer.send(mem::take(&mut self.lines)).is_err() {
            self.shared.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

impl Writer {
    /// Waits until all that was handed over is written; not for ever.
    pub(crate) fn finish(self) {
        // Nothing is the end: no log hands over an empty text.
        let _ = self.end.send(String::new());
        let until = Instant::now() + LAST_LINES;
        while !self.thread.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn write_all(lines: &Receiver<String>, shared: &Shared, format: LogFormat) {
    let mut stderr = io::stderr();
    for text in lines {
        if text.is_empty() {
            break;
        }
        // A broken stderr is no reason to stop holding connections.
        let _ = stderr.write_all(text.as_bytes());
        shared.waiting_bytes.fetch_sub(text.len(), Ordering::Relaxed);
        let lost = shared.lost_lines.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = match format {
                LogFormat::Json => writeln!(stderr, r#"{{"event":"lines_lost","lines":{lost}}}"#),
                _ => writeln!(stderr, "{lost} lines lost: nobody took them in time"),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_nobody_takes_are_dropped_and_counted_and_the_memory_is_bounded() {
        // A channel without a thread behind it is a writer that hangs.
        let (writer, lines) = channel();
        let (format, level) = (LogFormat::Json, Level::Info);
        let mut log = Log { format, level, lines: String::new(), count: 0, writer, shared: Arc::default() };
        let text = "x".repeat(1 << 20);
        for _ in 0..20 {
            log.line(Level::Info, |out, _| out.push_str(&text));
            log.line(Level::Debug, |_, _| unreachable!("below the level"));
            log.flush();
        }
        let waiting: usize = lines.try_iter().map(|text| text.len()).sum();
        assert!(waiting <= WAITING_BYTES_MAX, "{waiting}");
        assert_eq!(log.shared.lost_lines.load(Ordering::Relaxed), 5);
    }
}

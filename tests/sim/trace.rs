//! What happened, as a script that people read, and as one number that two runs of a seed must share.

use std::fmt::Arguments;

/// How much is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    #[default]
    Nothing,
    /// Beginnings, ends, faults, verdicts.
    Script,
    /// Every segment, read, write and wait.
    Everything,
}

#[derive(Debug, Default)]
pub struct Trace {
    pub detail: Detail,
    pub lines: Vec<String>,
    hash: u64,
}

impl Trace {
    pub fn new(detail: Detail) -> Self {
        Self { detail, lines: Vec::new(), hash: 0xcbf2_9ce4_8422_2325 }
    }

    /// Everything that happens goes into the number, whatever is written.
    pub fn mark(&mut self, now_ns: u64, what: u64, a: u64, b: u64) {
        for part in [now_ns, what, a, b] {
            self.hash = (self.hash ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
        }
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// A line of the script.
    pub fn say(&mut self, now_ns: u64, text: Arguments<'_>) {
        if self.detail >= Detail::Script {
            self.write(now_ns, text);
        }
    }

    /// A line of the long form.
    pub fn whisper(&mut self, now_ns: u64, text: Arguments<'_>) {
        if self.detail >= Detail::Everything {
            self.write(now_ns, text);
        }
    }

    fn write(&mut self, now_ns: u64, text: Arguments<'_>) {
        let (ms, ns) = (now_ns / 1_000_000, now_ns % 1_000_000);
        self.lines.push(format!("{ms:>9}.{ns:06}  {text}"));
    }
}

//! Echo traffic of one client: what is sent can be told again from the client's number and the message's, so that what
//! comes back is compared byte by byte without being kept.

use std::collections::VecDeque;
use std::sync::LazyLock;

use crate::support_system::BEAT;

/// The longest message; the server allows 64 KiB.
pub(crate) const MESSAGE_MAX: usize = 32 << 10;
const HEAD: usize = 8;

static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut dice = fastrand::Rng::with_seed(0x5eed);
    (0..2 * MESSAGE_MAX).map(|_| dice.u8(..)).collect()
});

/// What one client has sent and not had back, and what came that is not whole yet.
#[derive(Debug, Default)]
pub(crate) struct Echoes {
    number: u32,
    next_out: u32,
    next_in: u32,
    /// Lengths of the messages under way.
    lengths: VecDeque<usize>,
    input: Vec<u8>,
    pub(crate) answers: u64,
    pub(crate) returned: u64,
    pub(crate) returned_bytes: u64,
}

impl Echoes {
    pub(crate) fn new(number: u32) -> Self {
        Self { number, ..Self::default() }
    }

    /// Appends one more message, as a frame.
    pub(crate) fn say(&mut self, length: usize, out: &mut Vec<u8>) {
        let length = length.clamp(HEAD, MESSAGE_MAX);
        out.extend_from_slice(&(length as u32).to_be_bytes());
        self.write(self.next_out, length, out);
        self.next_out += 1;
        self.lengths.push_back(length);
    }

    fn write(&self, message: u32, length: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&message.to_be_bytes());
        out.extend_from_slice(&noise(self.number, message)[..length - HEAD]);
    }

    /// Whether all have come back.
    pub(crate) fn are_back(&self) -> bool {
        self.lengths.is_empty()
    }

    pub(crate) fn under_way(&self) -> usize {
        self.lengths.len()
    }

    /// Takes what came; an error says what is wrong with it.
    pub(crate) fn came(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.input.extend_from_slice(bytes);
        let mut from = 0;
        while let Some(head) = self.input[from..].first_chunk::<4>() {
            let length = u32::from_be_bytes(*head) as usize;
            if *head == BEAT {
                self.answers += 1;
                from += BEAT.len();
                continue;
            }
            let expected = self.lengths.front().copied();
            if Some(length) != expected {
                return Err(format!("echo {}: {length} bytes instead of {expected:?}", self.next_in));
            }
            let Some(message) = self.input[from + 4..].get(..length) else { break };
            let (head, body) = message.split_at(HEAD);
            let whose = [self.number.to_be_bytes(), self.next_in.to_be_bytes()].concat();
            if head != whose || body != &noise(self.number, self.next_in)[..length - HEAD] {
                return Err(format!("echo {}: other bytes than were sent", self.next_in));
            }
            self.lengths.pop_front();
            self.next_in += 1;
            self.returned += 1;
            self.returned_bytes += length as u64;
            from += 4 + length;
        }
        self.input.drain(..from);
        Ok(())
    }
}

/// At least a message's worth, from a place that each message has for itself.
fn noise(number: u32, message: u32) -> &'static [u8] {
    let from = number.wrapping_mul(7919).wrapping_add(message.wrapping_mul(104_729)) as usize % MESSAGE_MAX;
    &NOISE[from..]
}

//! What is kept of one direction between messages.

/// The last bytes of the deflated messages that went one way, where context takeover was agreed. Never more than the
/// window that was agreed; no memory before the first of them.
#[derive(Clone, Debug, Default)]
pub struct Window {
    bytes: Vec<u8>,
}

impl Window {
    /// What the next message may refer to.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of memory that it holds.
    pub fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// A message went the whole way deflated: of it and those before, the last `most` bytes are kept.
    pub fn keep(&mut self, message: &[u8], most: usize) {
        let message = &message[message.len().saturating_sub(most)..];
        let excess = (self.bytes.len() + message.len()).saturating_sub(most);
        self.bytes.drain(..excess);
        let need = self.bytes.len() + message.len();
        if need > self.bytes.capacity() {
            // Twice as much each time, but not beyond what it can ever be.
            let wanted = (2 * self.bytes.capacity()).min(most).max(need);
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        self.bytes.extend_from_slice(message);
    }
}

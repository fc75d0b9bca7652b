//! Writing: what has gathered leaves, and what the kernel refuses becomes the outbox.

use std::io;

use super::connection::{Flags, NO_BUNDLE};
use super::core::Reactor;
use super::errno::is_passing;
use super::events::RecordKind;
use super::net::Net;
use super::outbox::{CONTROL_BYTES_MAX, Outbox};
use super::sends::{Lane, Piece, Sends};

impl<N: Net> Reactor<N> {
    /// Sends what has gathered, now, without waiting for the next poll.
    #[inline]
    pub fn flush(&mut self) {
        if !self.sends.is_empty() {
            self.flush_gathered();
        }
    }

    #[inline(never)]
    fn flush_gathered(&mut self) {
        let sends = std::mem::take(&mut self.sends);
        for piece in &sends.pieces {
            if let Some(slot) = piece.slot() {
                self.write_bundle(&sends, piece, slot);
            }
        }
        // Writing may have ended connections and told of it, but it gathers nothing.
        debug_assert!(self.sends.is_empty());
        self.sends = sends;
        self.sends.clear();
        self.renew_short_way();
        self.show_work();
    }

    /// Writes all bundles. The arena stays as it is: the frame that is being sent lies in it.
    pub(crate) fn write_gathered(&mut self) {
        if self.sends.waiting_in_all == 0 {
            return;
        }
        for index in 0..self.sends.pieces.len() {
            if let Some(slot) = self.sends.pieces[index].slot() {
                self.write_bundle_of(slot);
            }
        }
    }

    /// Writes one connection's bundle ahead of the others.
    pub(crate) fn write_bundle_of(&mut self, slot: u32) {
        let index = self.connections[slot as usize].bundle;
        if index == NO_BUNDLE {
            return;
        }
        let sends = std::mem::take(&mut self.sends);
        self.write_bundle(&sends, &sends.pieces[index as usize], slot);
        self.sends = sends;
        self.sends.forget(index);
        self.renew_short_way();
    }

    #[inline(always)]
    fn write_bundle(&mut self, sends: &Sends, bundle: &Piece, slot: u32) {
        let connection = &mut self.connections[slot as usize];
        connection.bundle = NO_BUNDLE;
        debug_assert!(connection.agrees());
        // Most bundles are one frame for a socket that takes it.
        if let Some(bytes) = sends.only_piece(bundle)
            && connection.flags.takes_writes()
        {
            match self.net.send(&connection.socket, bytes) {
                Ok(count) if count == bytes.len() => {
                    self.counters.bytes_out += count as u64;
                    if let Some(statistics) = self.statistics.get_mut(slot as usize) {
                        statistics.sent(count, self.step);
                    }
                }
                written => self.written(sends, bundle, slot, written),
            }
            return;
        }
        self.write_pieces(sends, bundle, slot);
    }

    #[inline(never)]
    fn write_pieces(&mut self, sends: &Sends, bundle: &Piece, slot: u32) {
        let connection = &mut self.connections[slot as usize];
        if connection.flags.any(Flags::WRITE_FAILED) {
            if let Some((_, lost)) = self.write_errors.get_mut(&slot) {
                *lost += sends.bundle_bytes(bundle);
            }
            return;
        }
        if !connection.flags.takes_writes() {
            return self.written(sends, bundle, slot, Ok(0));
        }
        let slices = sends.slices(bundle);
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let written = self.net.send_vectored(&connection.socket, &slices);
        let is_whole = written.as_ref().is_ok_and(|count| *count == offered);
        self.written(sends, bundle, slot, written);
        if is_whole && offered < sends.bundle_bytes(bundle) {
            // More frames than one call takes, and it took those: no edge will come for the rest.
            self.connections[slot as usize].flags.set(Flags::WRITABLE);
            self.write_outbox(slot);
        }
    }

    #[cold]
    fn written(&mut self, sends: &Sends, bundle: &Piece, slot: u32, written: io::Result<usize>) {
        match written {
            Ok(count) => {
                self.sent(slot, count);
                if count < sends.bundle_bytes(bundle) {
                    self.queue_rest(sends, bundle, slot, count);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.connections[slot as usize].flags.clear(Flags::WRITABLE);
                self.queue_rest(sends, bundle, slot, 0);
            }
            // Nothing was taken and no edge will come: the outbox is tried again soon.
            Err(error) if is_passing(&error) => self.queue_rest(sends, bundle, slot, 0),
            Err(error) => self.write_failed(slot, &error, sends.bundle_bytes(bundle)),
        }
    }

    /// The kernel took `count` bytes of a bundle: the rest becomes the outbox.
    fn queue_rest(&mut self, sends: &Sends, bundle: &Piece, slot: u32, count: usize) {
        let now = self.attended(self.now);
        let connection = &mut self.connections[slot as usize];
        let pieces = self.options.get(connection.options).framing.pieces();
        let waiting = connection.take_outbox();
        let begins = waiting.is_none();
        let mut outbox = waiting.unwrap_or_else(|| Box::new(Outbox::new(now, pieces)));
        let before = outbox.len();
        let mut taken = count;
        for (lane, frame) in sends.frames(bundle) {
            let part = taken.min(frame.len());
            taken -= part;
            match lane {
                Lane::Control => outbox.push_control(&frame[part..]),
                Lane::Data if part > 0 && part < frame.len() => outbox.push_begun(frame, part),
                Lane::Data => outbox.push_data(&frame[part..]),
            }
        }
        let added = outbox.len() - before;
        self.counters.outbox_bytes_now += added as u64;
        if outbox.control_len() > CONTROL_BYTES_MAX {
            connection.flags.set(Flags::CONTROL_FULL);
        }
        connection.set_outbox(outbox);
        if count > 0 {
            connection.flags.clear(Flags::WRITABLE);
        }
        let (limits, marks) = {
            let options = self.options.get(connection.options);
            (options.limits, options.marks)
        };
        let writable = connection.flags.any(Flags::WRITABLE);
        if begins && limits.output_ms > 0 {
            self.monitor.limit(slot, self.now + u64::from(limits.output_ms));
        }
        let queued = self.queued(slot);
        if queued > marks.high_bytes as usize {
            self.tell_full(slot, queued);
        }
        if writable && !self.connections[slot as usize].flags.any(Flags::DIALLING) {
            // No edge tells when to try again.
            self.write_soon(slot);
        }
    }

    /// A socket that refused without being full is tried again by a limit of one tick.
    fn write_soon(&mut self, slot: u32) {
        self.monitor.limit(slot, self.now + crate::time::TICK_MS);
    }

    /// Writes the outbox as far as the kernel takes it.
    pub(crate) fn write_outbox(&mut self, slot: u32) {
        // R4: what was answered in this turn and has not left goes before the data that waits.
        self.write_bundle_of(slot);
        loop {
            let attended = self.attended(self.now);
            let connection = &mut self.connections[slot as usize];
            let Some(outbox) = connection.outbox.as_mut() else { break };
            let slices = outbox.slices();
            let length: usize = slices.iter().map(|slice| slice.len()).sum();
            let written = self.net.send_vectored(&connection.socket, &slices);
            drop(slices);
            match written {
                Ok(count) => {
                    outbox.wrote(count, attended);
                    let empty = outbox.is_empty();
                    let control_low = outbox.control_len() <= CONTROL_BYTES_MAX / 2;
                    self.counters.outbox_bytes_now -= count as u64;
                    if empty {
                        connection.take_outbox();
                    }
                    // A short write proves the socket full.
                    if count < length {
                        connection.flags.clear(Flags::WRITABLE);
                    }
                    if control_low && connection.flags.any(Flags::CONTROL_FULL) {
                        connection.flags.clear(Flags::CONTROL_FULL);
                        self.read_again(slot);
                    }
                    self.sent(slot, count);
                    if empty || count < length {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    connection.flags.clear(Flags::WRITABLE);
                    break;
                }
                Err(error) if is_passing(&error) => {
                    self.write_soon(slot);
                    break;
                }
                Err(error) => return self.write_failed(slot, &error, 0),
            }
        }
        self.tell_drained(slot);
        if self.connections[slot as usize].flags.any(Flags::CLOSING) {
            self.closing_progressed(slot);
        }
    }

    fn tell_drained(&mut self, slot: u32) {
        let queued = self.queued(slot);
        let connection = &mut self.connections[slot as usize];
        let low = self.options.get(connection.options).marks.low_bytes as usize;
        if connection.flags.any(Flags::FULL) && queued <= low {
            connection.flags.clear(Flags::FULL);
            self.tell_of(slot, RecordKind::Drained);
        }
    }

    #[inline]
    fn sent(&mut self, slot: u32, count: usize) {
        if count == 0 {
            return;
        }
        self.counters.bytes_out += count as u64;
        if let Some(statistics) = self.statistics.get_mut(slot as usize) {
            statistics.sent(count, self.step);
        }
    }

    /// The peer is gone for writing; what it sent before may still wait to be read, and the read side tells the end.
    #[cold]
    pub(crate) fn write_failed(&mut self, slot: u32, error: &io::Error, bundle_bytes: usize) {
        let lost = self.forget_outbox(slot) + bundle_bytes;
        self.write_errors.insert(slot, (error.raw_os_error().unwrap_or(0), lost));
        let connection = &mut self.connections[slot as usize];
        connection.flags.set(Flags::WRITE_FAILED | Flags::READABLE);
        connection.flags.clear(Flags::PAUSED | Flags::CONTROL_FULL);
        self.list(slot);
    }

    pub(crate) fn forget_outbox(&mut self, slot: u32) -> usize {
        let Some(outbox) = self.connections[slot as usize].take_outbox() else { return 0 };
        self.counters.outbox_bytes_now -= outbox.len() as u64;
        outbox.len()
    }
}

//! What was accepted for sending and what was delivered: each message carries its line, its sender's side, a lane and
//! its number in it, so whatever is lost, doubled, swapped or misdelivered shows itself.

use std::collections::{BTreeSet, HashMap};

/// Messages of one lane are accepted in the order in which they are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Sent by the application in its own thread.
    Direct,
    /// Sent through the mailbox.
    Mail,
    /// Sent to all at once; the number is the sender's.
    Broadcast,
}

/// Line, side and lane in hexadecimal, and the number.
pub const HEAD_BYTES: usize = 8 + 1 + 1 + 8;
/// A broadcast is of no line.
const NO_LINE: usize = 0xffff_ffff;

#[derive(Debug, Default)]
struct Stream {
    accepted: u32,
    delivered: u32,
    /// Passed over by the delivery: each must be reported Unsent.
    missing: BTreeSet<u32>,
    unsent: BTreeSet<u32>,
}

#[derive(Debug, Default)]
pub struct Ledger {
    streams: HashMap<(usize, usize, Lane), Stream>,
    pub delivered: u64,
    pub accepted: u64,
}

impl Ledger {
    /// The next message of a lane. It is not accepted yet.
    pub fn next(&self, line: usize, side: usize, lane: Lane, bytes: usize) -> Vec<u8> {
        let number = self.streams.get(&(line, side, lane)).map_or(0, |stream| stream.accepted);
        message(line, side, lane, number, bytes)
    }

    pub fn accepted(&mut self, line: usize, side: usize, lane: Lane) {
        self.streams.entry((line, side, lane)).or_default().accepted += 1;
        self.accepted += 1;
    }

    /// A message came out at the other end of `line`, sent by `side`.
    pub fn delivered(&mut self, line: usize, side: usize, message: &[u8]) -> Result<(), String> {
        let (from_line, from_side, lane, number) = parse(message)?;
        if lane == Lane::Broadcast {
            let stream = self.streams.entry((line, side, lane)).or_default();
            if from_side != side || (number < stream.delivered) {
                return Err(format!("line {line}: broadcast {number} of side {from_side} again or out of order"));
            }
            stream.delivered = number + 1;
            return Ok(());
        }
        if (from_line, from_side) != (line, side) {
            return Err(format!(
                "ids cross: a message of line {from_line}, side {from_side}, came out of line {line} from side {side}"
            ));
        }
        let stream = self.streams.entry((line, side, lane)).or_default();
        if number < stream.delivered || number >= stream.accepted {
            return Err(format!(
                "line {line}, side {side}, {lane:?}: message {number} where {} was to come, of {}",
                stream.delivered, stream.accepted
            ));
        }
        if stream.unsent.contains(&number) {
            return Err(format!("line {line}, side {side}, {lane:?}: message {number} was Unsent and delivered"));
        }
        stream.missing.extend((stream.delivered..number).filter(|missing| !stream.unsent.contains(missing)));
        stream.delivered = number + 1;
        self.delivered += 1;
        Ok(())
    }

    /// A message came back.
    pub fn unsent(&mut self, message: &[u8]) -> Result<(), String> {
        let (line, side, lane, number) = parse(message)?;
        if lane == Lane::Broadcast {
            return Ok(());
        }
        let stream = self.streams.entry((line, side, lane)).or_default();
        let passed = number < stream.delivered && !stream.missing.remove(&number);
        if passed || !stream.unsent.insert(number) {
            return Err(format!("line {line}, side {side}, {lane:?}: message {number} was delivered or Unsent before"));
        }
        Ok(())
    }

    /// Both ends live and nothing is under way: everything accepted was delivered or is Unsent.
    pub fn settled(&self, line: usize) -> Result<(), String> {
        for side in 0..2 {
            for lane in [Lane::Direct, Lane::Mail] {
                let Some(stream) = self.streams.get(&(line, side, lane)) else { continue };
                let waits = (stream.delivered..stream.accepted).find(|number| !stream.unsent.contains(number));
                if let Some(number) = stream.missing.first().copied().or(waits) {
                    return Err(format!(
                        "line {line}, side {side}, {lane:?}: message {number} of {} was accepted and neither delivered \
                         nor Unsent, and its connection lives",
                        stream.accepted
                    ));
                }
            }
        }
        Ok(())
    }
}

pub fn broadcast(side: usize, number: u32, bytes: usize) -> Vec<u8> {
    message(NO_LINE, side, Lane::Broadcast, number, bytes)
}

/// Whether these bytes are a whole message of ours.
pub fn is_message(bytes: &[u8]) -> bool {
    parse(bytes).is_ok()
}

fn message(line: usize, side: usize, lane: Lane, number: u32, bytes: usize) -> Vec<u8> {
    let mut message = format!("{line:08x}{side:x}{:x}{number:08x}", lane as u8).into_bytes();
    let filler = (message.len()..bytes).map(|at| filler(number, at));
    message.extend(filler);
    message
}

fn filler(number: u32, at: usize) -> u8 {
    b'a' + ((number as usize).wrapping_mul(7) + at) as u8 % 26
}

fn parse(message: &[u8]) -> Result<(usize, usize, Lane, u32), String> {
    let wrong =
        || format!("a message that nobody sent: {:?}", String::from_utf8_lossy(&message[..message.len().min(40)]));
    let head = message.get(..HEAD_BYTES).and_then(|head| std::str::from_utf8(head).ok()).ok_or_else(wrong)?;
    let part = |range: std::ops::Range<usize>| u32::from_str_radix(&head[range], 16).map_err(|_| wrong());
    let (line, side, lane, number) = (part(0..8)?, part(8..9)?, part(9..10)?, part(10..18)?);
    let lane = match lane {
        0 => Lane::Direct,
        1 => Lane::Mail,
        2 => Lane::Broadcast,
        _ => return Err(wrong()),
    };
    if message.iter().enumerate().skip(HEAD_BYTES).any(|(at, byte)| *byte != filler(number, at)) {
        return Err(format!("the bytes of message {number} of line {line} changed on the way"));
    }
    Ok((line as usize, side as usize, lane, number))
}

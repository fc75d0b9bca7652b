//! Reads along what a reactor reads from a connection and writes to it, as frames: what must have been delivered, which
//! asks are owed an answer, and whether data went before one (R4).

use std::rc::Rc;

use heartline::frame::{Cut, Framing, Kind, Stream};

/// Frames in one turn beyond which a reactor may put off the rest to the next turn (R2).
const FRAMES_AT_ONCE: u32 = 60;

/// One direction of a connection.
#[derive(Debug, Default)]
struct Half {
    /// Of an unfinished frame.
    bytes: Vec<u8>,
    stream: Stream,
    /// Bytes that are no frame came: nothing can be said of what follows.
    lost: bool,
}

impl Half {
    /// Takes bytes; every frame that is whole now goes to `each`.
    fn take(&mut self, framing: &Framing, new: &[u8], mut each: impl FnMut(Kind)) {
        if self.lost {
            return;
        }
        self.bytes.extend_from_slice(new);
        let (mut at, mut control) = (0, Vec::new());
        loop {
            match framing.cut(&mut self.bytes[at..], &mut self.stream, &mut control) {
                Ok(Cut::Frame(frame)) => {
                    at += frame.total;
                    each(frame.kind);
                }
                Ok(Cut::More { .. }) => break,
                // None of the simulator's codecs has such.
                Ok(Cut::Within(beat)) => panic!("{beat:?}"),
                Err(_) => {
                    self.lost = true;
                    break;
                }
            }
        }
        self.bytes.drain(..at);
    }
}

#[derive(Debug)]
pub struct Onlooker {
    framing: Rc<Framing>,
    read: Half,
    written: Half,
    pub bytes_read: u64,
    /// Messages in what was read, and how many of them were told.
    pub messages: u64,
    pub told: u64,
    /// A message came since it was opened or taken over.
    pub has_spoken: bool,
    /// Asks that were read and are not answered; of a framing whose asks and answers look alike nobody can say.
    pub owed: u32,
    /// One was when the frame began that is being written.
    begun_owing: bool,
    turn: u64,
    frames_in_turn: u32,
    /// Some may wait in a backlog, where nobody has seen them yet.
    pub is_behind: bool,
    /// Since when a frame is unfinished, by the host's clock.
    pub begun_ns: Option<u64>,
}

impl Onlooker {
    pub fn new(framing: Rc<Framing>) -> Self {
        Self {
            framing,
            read: Half::default(),
            written: Half::default(),
            bytes_read: 0,
            messages: 0,
            told: 0,
            has_spoken: false,
            owed: 0,
            turn: 0,
            frames_in_turn: 0,
            begun_owing: false,
            is_behind: false,
            begun_ns: None,
        }
    }

    /// The reactor read this in its turn number `turn`.
    pub fn reads(&mut self, bytes: &[u8], clock_ns: u64, turn: u64) {
        self.bytes_read += bytes.len() as u64;
        let begun_before = self.begun_ns.filter(|_| !self.read.bytes.is_empty());
        let (mut frames, messages_before) = (0, self.messages);
        let (messages, owed) = (&mut self.messages, &mut self.owed);
        self.read.take(&self.framing, bytes, |kind| {
            frames += 1;
            *messages += u64::from(kind == Kind::Message);
            *owed += u32::from(kind == Kind::Ask);
        });
        self.has_spoken |= self.messages > messages_before;
        let before = if self.turn == turn { self.frames_in_turn } else { 0 };
        (self.turn, self.frames_in_turn) = (turn, before + frames);
        self.is_behind |= self.frames_in_turn > FRAMES_AT_ONCE;
        self.begun_ns = match () {
            () if self.read.bytes.is_empty() || self.read.lost => None,
            () if frames > 0 => Some(clock_ns),
            () => begun_before.or(Some(clock_ns)),
        };
    }

    /// False: a message was begun while an answer was owed.
    pub fn writes(&mut self, bytes: &[u8]) -> bool {
        let mut fair = true;
        let owed = &mut self.owed;
        // Whether one was owed when the frame began that comes next.
        let mut owed_before = if self.written.bytes.is_empty() { *owed > 0 } else { self.begun_owing };
        self.written.take(&self.framing, bytes, |kind| {
            match kind {
                Kind::Answer => *owed = owed.saturating_sub(1),
                Kind::Message => fair &= !owed_before,
                _ => {}
            }
            owed_before = *owed > 0;
        });
        self.begun_owing = owed_before;
        let fair = fair || self.is_behind;
        self.is_behind &= self.owed > 0;
        fair
    }

    /// A frame was written in part.
    pub fn is_writing(&self) -> bool {
        !self.written.bytes.is_empty()
    }

    /// The application has given the connection away and back: what waited unread and unsent has an order of its own.
    pub fn moved(mut self) -> Self {
        (self.owed, self.is_behind, self.begun_ns, self.has_spoken) = (0, true, None, false);
        self
    }
}

//! `length:4be`: a binary length field anywhere in a head of fixed size.

use super::{Cut, EncodeError, FrameError};

/// The most bytes that the head of `length` may have.
pub const LENGTH_HEAD_BYTES_MAX: usize = 1024;

#[derive(Clone, Debug)]
pub(crate) struct Length {
    pub(super) field: Field,
    /// Offset of the field in the head.
    pub(super) at: usize,
    /// Bytes of the whole head; at least `at` and the field.
    pub(super) head: usize,
    /// As given: what is added to the field's value.
    pub(super) adjust: i64,
    /// Whether the field counts the head as well.
    pub(super) includes_head: bool,
    /// What makes the field's value the message's length: `adjust`, less the head if that is counted.
    pub(super) bias: i64,
    /// The most that the field can say.
    most: u64,
    /// How many bits of a word of eight bytes that begins with the field are not the field's.
    pub(super) spare_bits: u32,
    /// Those that are, in the little-endian word.
    pub(super) mask: u64,
    pub(super) is_big: bool,
}

/// Width and byte order of a length field. One variant each, so that a cut branches once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    One,
    TwoBig,
    TwoLittle,
    ThreeBig,
    ThreeLittle,
    FourBig,
    FourLittle,
    EightBig,
    EightLittle,
}

impl Field {
    pub(super) const ALL: [(&'static str, Self); 10] = [
        ("1be", Self::One),
        ("1le", Self::One),
        ("2be", Self::TwoBig),
        ("2le", Self::TwoLittle),
        ("3be", Self::ThreeBig),
        ("3le", Self::ThreeLittle),
        ("4be", Self::FourBig),
        ("4le", Self::FourLittle),
        ("8be", Self::EightBig),
        ("8le", Self::EightLittle),
    ];

    pub(super) fn width(self) -> usize {
        match self {
            Self::One => 1,
            Self::TwoBig | Self::TwoLittle => 2,
            Self::ThreeBig | Self::ThreeLittle => 3,
            Self::FourBig | Self::FourLittle => 4,
            Self::EightBig | Self::EightLittle => 8,
        }
    }

    fn is_big(self) -> bool {
        matches!(self, Self::TwoBig | Self::ThreeBig | Self::FourBig | Self::EightBig)
    }

    /// No message is longer than half of what eight bytes could say.
    fn most(self) -> u64 {
        (u64::MAX >> (64 - 8 * self.width())).min(i64::MAX as u64)
    }

    /// The value at the front of `bytes`, which has the width at least.
    #[inline(always)]
    fn load(self, bytes: &[u8]) -> u64 {
        match self {
            Self::One => u64::from(bytes[0]),
            Self::TwoBig => u64::from(u16::from_be_bytes(first(bytes))),
            Self::TwoLittle => u64::from(u16::from_le_bytes(first(bytes))),
            Self::ThreeBig => u64::from(u16::from_be_bytes(first(bytes))) << 8 | u64::from(bytes[2]),
            Self::ThreeLittle => u64::from(u16::from_le_bytes(first(bytes))) | u64::from(bytes[2]) << 16,
            Self::FourBig => u64::from(u32::from_be_bytes(first(bytes))),
            Self::FourLittle => u64::from(u32::from_le_bytes(first(bytes))),
            Self::EightBig => u64::from_be_bytes(first(bytes)),
            Self::EightLittle => u64::from_le_bytes(first(bytes)),
        }
    }

    /// Writes `value`, which fits, to the front of `bytes`.
    #[inline(always)]
    fn store(self, value: u64, bytes: &mut [u8]) {
        let (big, little) = (value.to_be_bytes(), value.to_le_bytes());
        match self {
            Self::One => bytes[0] = little[0],
            Self::TwoBig => bytes[..2].copy_from_slice(&big[6..]),
            Self::TwoLittle => bytes[..2].copy_from_slice(&little[..2]),
            Self::ThreeBig => bytes[..3].copy_from_slice(&big[5..]),
            Self::ThreeLittle => bytes[..3].copy_from_slice(&little[..3]),
            Self::FourBig => bytes[..4].copy_from_slice(&big[4..]),
            Self::FourLittle => bytes[..4].copy_from_slice(&little[..4]),
            Self::EightBig => bytes[..8].copy_from_slice(&big),
            Self::EightLittle => bytes[..8].copy_from_slice(&little),
        }
    }
}

#[inline(always)]
fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    *bytes.first_chunk().expect("the head holds its length field: checked at set-up")
}

/// A head that fits its codec, and what its field is to say.
#[cfg(feature = "net")]
pub(crate) struct GivenHead<'a> {
    codec: &'a Length,
    given: Option<&'a [u8]>,
    value: u64,
}

#[cfg(feature = "net")]
impl GivenHead<'_> {
    #[inline(always)]
    pub(crate) fn bytes(&self) -> usize {
        self.codec.head
    }

    /// Writes it to the front of `frame`, which has its size at least. The message is to be written after it.
    #[inline(always)]
    pub(crate) fn write(&self, frame: &mut [u8], head_bytes: usize) {
        match self.given {
            Some(given) => copy_head(given, &mut frame[..head_bytes]),
            None => frame[..head_bytes].fill(0),
        }
        self.codec.store(self.value, frame);
    }
}

/// Copies to a slice of the same length: 4 to 32 bytes without a call, by two moves that overlap.
#[inline(always)]
#[cfg(feature = "net")]
pub(crate) fn copy_short(from: &[u8], to: &mut [u8]) {
    match from.len() {
        17..=32 => copy_ends::<16>(from, to),
        8..=16 => copy_ends::<8>(from, to),
        4..8 => copy_ends::<4>(from, to),
        _ => to.copy_from_slice(from),
    }
}

/// The same for heads, most of which are shorter than most messages.
#[inline(always)]
#[cfg(feature = "net")]
fn copy_head(from: &[u8], to: &mut [u8]) {
    match from.len() {
        4..=8 => copy_ends::<4>(from, to),
        9..=16 => copy_ends::<8>(from, to),
        _ => to.copy_from_slice(from),
    }
}

#[inline(always)]
#[cfg(feature = "net")]
fn copy_ends<const N: usize>(from: &[u8], to: &mut [u8]) {
    let (Some(front), Some(back)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else { return };
    let rest = from.len() - N;
    to[..N].copy_from_slice(front);
    to[rest..rest + N].copy_from_slice(back);
}

impl Length {
    /// `head` is at least `at` plus the field, at most [`LENGTH_HEAD_BYTES_MAX`]; `adjust` has 32 bits.
    pub(super) fn new(field: Field, at: usize, head: usize, adjust: i32, includes_head: bool) -> Self {
        debug_assert!(at + field.width() <= head && head <= LENGTH_HEAD_BYTES_MAX);
        let adjust = i64::from(adjust);
        let bias = if includes_head { adjust - head as i64 } else { adjust };
        let spare_bits = 64 - 8 * field.width() as u32;
        let mask = u64::MAX >> spare_bits;
        Self {
            field,
            at,
            head,
            adjust,
            includes_head,
            bias,
            most: field.most(),
            spare_bits,
            mask,
            is_big: field.is_big(),
        }
    }

    /// What the field of a head at the front of `input` says. Where there are eight bytes, as nearly always, without a
    /// branch for each kind of field.
    #[inline(always)]
    fn load(&self, input: &[u8]) -> u64 {
        let field = &input[self.at..];
        let Some(eight) = field.first_chunk() else { return self.field.load(field) };
        let word = u64::from_le_bytes(*eight);
        if self.is_big { word.swap_bytes() >> self.spare_bits } else { word & self.mask }
    }

    /// Writes `value`, which fits, into the field of a head at the front of `frame`.
    #[inline(always)]
    #[cfg(feature = "net")]
    fn store(&self, value: u64, frame: &mut [u8]) {
        let field = &mut frame[self.at..];
        let Some(eight) = field.first_chunk_mut() else { return self.field.store(value, field) };
        let said = if self.is_big { (value << self.spare_bits).swap_bytes() } else { value };
        *eight = (u64::from_le_bytes(*eight) & !self.mask | said).to_le_bytes();
    }

    /// Whether the head is nothing but four bytes, big-endian, that count the message: the most common framing.
    #[inline(always)]
    pub(super) fn is_plain(&self) -> bool {
        self.field == Field::FourBig && self.head == 4 && self.bias == 0
    }

    /// The shortest message that the field can say.
    pub(super) fn least_message(&self) -> usize {
        usize::try_from(self.bias).unwrap_or(0)
    }

    #[inline(always)]
    pub(super) fn cut(&self, input: &[u8], max_bytes: usize) -> Result<Cut, FrameError> {
        if input.len() < self.head {
            return Ok(Cut::More { need: self.head, exact: false });
        }
        let value = self.load(input);
        let length = match value.checked_add_signed(self.bias) {
            Some(length) if length <= max_bytes as u64 => length,
            _ => return Err(self.refuse(value, max_bytes)),
        };
        let total = self.head + length as usize;
        if input.len() < total {
            return Ok(Cut::More { need: total, exact: true });
        }
        Ok(Cut::message(self.head, total, total))
    }

    #[cold]
    fn refuse(&self, value: u64, limit: usize) -> FrameError {
        match value.checked_add_signed(self.bias) {
            None if self.bias < 0 => {
                FrameError::LengthBelowHead { length: value, least: self.bias.unsigned_abs(), at: self.at }
            }
            length => FrameError::TooLarge { limit, length: length.unwrap_or(u64::MAX), at: self.at },
        }
    }

    /// What the field says of a message of `length` bytes.
    #[inline]
    pub(super) fn value(&self, length: usize) -> Result<u64, EncodeError> {
        let Some(value) = (length as u64).checked_add_signed(-self.bias) else {
            return Err(EncodeError::TooShort { length, least: self.least_message() });
        };
        if value > self.most {
            return Err(EncodeError::LengthUnfit { length: value, most: self.most });
        }
        Ok(value)
    }

    /// Writes the length of a message into its head, whose other bytes stay.
    #[cfg(feature = "capi")]
    pub(super) fn fill_head(&self, length: usize, head: &mut [u8]) -> Result<usize, EncodeError> {
        if head.len() != self.head {
            return Err(EncodeError::HeadSize { expected: self.head, given: head.len() });
        }
        let value = self.value(length)?;
        self.store(value, head);
        Ok(self.head)
    }

    /// The same, where the error does not matter.
    #[inline(always)]
    #[cfg(feature = "net")]
    fn value_if_fit(&self, length: usize) -> Option<u64> {
        // Below zero it would be beyond `most` too.
        let value = (length as u64).wrapping_sub(self.bias as u64);
        (value <= self.most).then_some(value)
    }

    /// How long the head is, if `input` is exactly one whole frame.
    #[inline(always)]
    #[cfg(feature = "net")]
    pub(super) fn sole(&self, input: &[u8], max_bytes: usize) -> Option<usize> {
        let message = input.len().checked_sub(self.head)?;
        let said = self.value_if_fit(message)?;
        (self.load(input) == said && message <= max_bytes).then_some(self.head)
    }

    /// The head of a message of `length` bytes. `None` if something is wrong: [`encode`](Self::encode) says what.
    #[inline(always)]
    #[cfg(feature = "net")]
    pub(super) fn given_head<'a>(&'a self, given: Option<&'a [u8]>, length: usize) -> Option<GivenHead<'a>> {
        if given.is_some_and(|given| given.len() != self.head) {
            return None;
        }
        Some(GivenHead { codec: self, given, value: self.value_if_fit(length)? })
    }

    #[inline]
    pub(super) fn encode(&self, head: Option<&[u8]>, message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let length = super::framing::bytes_in(message);
        let value = self.value(length)?;
        if let Some(head) = head
            && head.len() != self.head
        {
            return Err(EncodeError::HeadSize { expected: self.head, given: head.len() });
        }
        out.reserve(self.head.max(16) + length);
        let start = out.len();
        match head {
            // Sizes known here are single stores; `resize` would be a call.
            None if self.field == Field::FourBig && self.head == 4 => {
                out.extend_from_slice(&(value as u32).to_be_bytes());
                super::framing::gather(message, out);
                return Ok(());
            }
            None if self.head <= 16 => {
                out.extend_from_slice(&[0; 16]);
                out.truncate(start + self.head);
            }
            None => out.resize(start + self.head, 0),
            Some(head) => out.extend_from_slice(head),
        }
        self.field.store(value, &mut out[start + self.at..]);
        super::framing::gather(message, out);
        Ok(())
    }
}

//! The text form: `codec:value,key=value,…`, read and written.

use super::beats::{Beats, Given, Mark};
use super::delimiter::Delimiter;
use super::fixed::Fixed;
use super::framing::{Framing, Wire};
use super::length::{Field, Length};
use super::line_header::{Form, LineHeader};
use super::text::{Value, near, write_bytes, write_hex};
#[cfg(feature = "websocket")]
use super::websocket::settings;
use super::{BeatFault, DELIMITER_BYTES_MAX, LENGTH_HEAD_BYTES_MAX, MAX_BYTES_LISTENER, MAX_BYTES_MOST, SpecError};

pub(super) const CODECS: &[&str] = &[
    "length",
    "varint",
    "line-header",
    "delimiter",
    "fixed",
    "raw",
    #[cfg(feature = "websocket")]
    "websocket",
];
const FORMS: [(&str, Form); 3] = [("number", Form::Number), ("pairs", Form::Pairs), ("json", Form::Json)];
const KEY_BYTES_MAX: usize = 64;

/// The keys of a codec besides `max`, `ask` and `answer`, which all have.
fn own_keys(codec: &str) -> &'static [&'static str] {
    match codec {
        "length" => &["at", "head", "adjust", "includes-head"],
        "line-header" => &["key", "form"],
        #[cfg(feature = "websocket")]
        "websocket" => settings::KEYS,
        _ => &[],
    }
}

pub(super) fn parse(text: &str) -> Result<Framing, SpecError> {
    let (keys, argument) = Keys::read(text)?;
    let max = keys.number("max", 1, MAX_BYTES_MOST as i64, true)?.map(|max| max as usize);
    let wire = match keys.codec {
        "length" => length(&keys, argument)?,
        "delimiter" => delimiter(argument)?,
        "fixed" => {
            let size = argument.ok_or(SpecError::NoValue { key: "fixed", wanted: "bytes of a record" })?;
            let most = max.unwrap_or(MAX_BYTES_LISTENER) as i64;
            Wire::Fixed(Fixed { size: size.number("fixed", 1, most, true)? as usize })
        }
        codec => {
            if let Some(value) = argument {
                return Err(SpecError::Value { key: codec, given: value.raw.to_owned() });
            }
            match codec {
                "varint" => Wire::Varint,
                "line-header" => line_header(&keys)?,
                #[cfg(feature = "websocket")]
                "websocket" => Wire::WebSocket(settings::read(&keys)?),
                _ => Wire::Raw,
            }
        }
    };
    let max_bytes = max.unwrap_or(MAX_BYTES_LISTENER);
    check_max(max_bytes, &wire)?;
    let beats = beats_of(&keys, &wire, max_bytes)?;
    Ok(Framing::new(wire, beats, max))
}

/// The keys of a text form, each known to its codec and there once.
pub(super) struct Keys<'a> {
    codec: &'static str,
    pub(super) given: Vec<(&'static str, Option<Value<'a>>)>,
}

impl<'a> Keys<'a> {
    /// Splits `text`; also gives the value of the codec itself.
    fn read(text: &'a str) -> Result<(Self, Option<Value<'a>>), SpecError> {
        let (name, argument, mut rest) = item(text, ':')?;
        let Some(codec) = CODECS.iter().copied().find(|codec| *codec == name) else {
            return Err(SpecError::UnknownCodec { given: name.to_owned(), near: near(name, CODECS) });
        };
        let known: Vec<&str> = own_keys(codec).iter().copied().chain(["max", "ask", "answer"]).collect();
        let mut keys = Self { codec, given: Vec::new() };
        while let Some(more) = rest.strip_prefix(',') {
            let (name, value, after) = item(more, '=')?;
            let Some(&key) = known.iter().find(|key| **key == name) else {
                return Err(SpecError::UnknownKey { given: name.to_owned(), codec, near: near(name, &known) });
            };
            if keys.given.iter().any(|(other, _)| *other == key) {
                return Err(SpecError::Twice { key });
            }
            keys.given.push((key, value));
            rest = after;
        }
        Ok((keys, argument))
    }

    fn value(&self, key: &'static str, wanted: &'static str) -> Result<Option<Value<'a>>, SpecError> {
        match self.given.iter().find(|(other, _)| *other == key) {
            None => Ok(None),
            Some((_, Some(value))) => Ok(Some(*value)),
            Some((_, None)) => Err(SpecError::NoValue { key, wanted }),
        }
    }

    pub(super) fn number(
        &self,
        key: &'static str,
        least: i64,
        most: i64,
        units: bool,
    ) -> Result<Option<i64>, SpecError> {
        self.value(key, "a number")?.map(|value| value.number(key, least, most, units)).transpose()
    }

    pub(super) fn flag(&self, key: &'static str) -> Result<bool, SpecError> {
        match self.given.iter().find(|(other, _)| *other == key) {
            Some((_, Some(value))) => Err(SpecError::Value { key, given: value.raw.to_owned() }),
            given => Ok(given.is_some()),
        }
    }
}

/// Name, value and what follows, of the first item in `text`.
fn item(text: &str, separator: char) -> Result<(&str, Option<Value<'_>>, &str), SpecError> {
    let end = text.find([',', separator]).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match rest.strip_prefix(separator) {
        None => Ok((name.trim(), None, rest)),
        Some(rest) => {
            let (value, rest) = Value::split(name.trim(), rest.trim_start())?;
            Ok((name.trim(), Some(value), rest))
        }
    }
}

fn length(keys: &Keys<'_>, argument: Option<Value<'_>>) -> Result<Wire, SpecError> {
    const WANTED: &str = "1, 2, 3, 4 or 8 with be or le, such as 4be";
    let value = argument.ok_or(SpecError::NoValue { key: "length", wanted: WANTED })?;
    let Some(&(_, field)) = Field::ALL.iter().find(|(name, _)| *name == value.raw) else {
        return Err(SpecError::BadValue { key: "length", given: value.raw.to_owned(), wanted: WANTED });
    };
    let width = field.width() as i64;
    let most = LENGTH_HEAD_BYTES_MAX as i64;
    let at = keys.number("at", 0, most - width, false)?.unwrap_or(0);
    let head = keys.number("head", at + width, most, false)?.unwrap_or(at + width);
    let adjust = keys.number("adjust", i32::MIN.into(), MAX_BYTES_MOST as i64, false)?.unwrap_or(0);
    let includes_head = keys.flag("includes-head")?;
    let length = Length::new(field, at as usize, head as usize, adjust as i32, includes_head);
    length.value(length.least_message()).map_err(SpecError::Field)?;
    Ok(Wire::Length(length))
}

fn line_header(keys: &Keys<'_>) -> Result<Wire, SpecError> {
    const WANTED: &str = "1 to 64 printable ASCII characters other than blank = ; { \" \\";
    let key = keys.value("key", WANTED)?.map(|value| value.bytes("key")).transpose()?;
    let bad = |byte: &u8| !byte.is_ascii_graphic() || b"=;{\"\\".contains(byte);
    if let Some(key) = &key
        && (key.is_empty() || key.len() > KEY_BYTES_MAX || key.iter().any(bad))
    {
        return Err(SpecError::BadValue { key: "key", given: String::from_utf8_lossy(key).into(), wanted: WANTED });
    }
    let form = match keys.value("form", "number, pairs or json")? {
        None if key.is_some() => Form::Pairs,
        None => Form::Number,
        Some(value) => match FORMS.iter().find(|(name, _)| *name == value.raw) {
            Some((_, form)) => *form,
            None => {
                let (given, wanted) = (value.raw.to_owned(), "number, pairs or json");
                return Err(SpecError::BadValue { key: "form", given, wanted });
            }
        },
    };
    let key = key.map_or("length".into(), |key| String::from_utf8_lossy(&key).into());
    Ok(Wire::LineHeader(LineHeader { key, form }))
}

fn delimiter(argument: Option<Value<'_>>) -> Result<Wire, SpecError> {
    const WANTED: &str = "1 to 8 bytes such as \\r\\n or hex:0d0a; quote a comma or blank";
    let value = argument.ok_or(SpecError::NoValue { key: "delimiter", wanted: WANTED })?;
    let bytes = value.bytes("delimiter")?;
    if bytes.is_empty() || bytes.len() > DELIMITER_BYTES_MAX {
        return Err(SpecError::BadValue { key: "delimiter", given: value.raw.to_owned(), wanted: WANTED });
    }
    Ok(Wire::Delimiter(Delimiter { bytes: bytes.into() }))
}

/// A limit must let the codec's shortest message pass.
pub(super) fn check_max(max_bytes: usize, wire: &Wire) -> Result<(), SpecError> {
    let least = wire.least_message().max(1);
    if (least..=MAX_BYTES_MOST).contains(&max_bytes) {
        return Ok(());
    }
    let given = i64::try_from(max_bytes).unwrap_or(i64::MAX);
    Err(SpecError::OutOfRange { key: "max", given, least: least as i64, most: MAX_BYTES_MOST as i64 })
}

fn beats_of(keys: &Keys<'_>, wire: &Wire, max_bytes: usize) -> Result<Beats, SpecError> {
    const WANTED: &str = "a message such as PING or hex:01, or a pattern such as @2:0001";
    let ask = keys.value("ask", WANTED)?.map(|value| mark("ask", value)).transpose()?;
    let answer = keys.value("answer", WANTED)?.map(|value| mark("answer", value)).transpose()?;
    // A codec whose `adjust` makes an empty message unsayable has no beat by default, nor have records and raw bytes.
    let has_default = wire.least_message() == 0 && !wire.has_own_beats();
    let (ask, answer) = match (ask, answer) {
        (None, None) if wire.has_own_beats() => return Ok(Beats::Own),
        (None, None) => return Ok(if has_default { Beats::Empty } else { Beats::None }),
        (Some(ask), None) => (ask.clone(), ask),
        (Some(ask), Some(answer)) => (ask, answer),
        (None, Some(answer)) if has_default => (Mark::Whole(Box::default()), answer),
        (None, Some(_)) => return Err(BeatFault::NoAsk.at("answer")),
    };
    given_beats(wire, max_bytes, ask, answer)
}

pub(super) fn beats(wire: &Wire, max_bytes: usize, ask: &str, answer: Option<&str>) -> Result<Beats, SpecError> {
    let read = |key, text| {
        let (value, rest) = Value::split(key, text)?;
        if rest.is_empty() {
            return mark(key, value);
        }
        Err(SpecError::BadText { key: key.to_owned(), given: text.to_owned(), fault: "quote a comma" })
    };
    let ask = read("ask", ask)?;
    let answer = answer.map_or_else(|| Ok(ask.clone()), |text| read("answer", text))?;
    given_beats(wire, max_bytes, ask, answer)
}

fn given_beats(wire: &Wire, max_bytes: usize, ask: Mark, answer: Mark) -> Result<Beats, SpecError> {
    if matches!(wire, Wire::Raw) {
        return Err(BeatFault::NoFrames.at("ask"));
    }
    Ok(Beats::Given(Box::new(Given::new(wire, max_bytes, ask, answer)?)))
}

fn mark(key: &'static str, value: Value<'_>) -> Result<Mark, SpecError> {
    Ok(match value.pattern(key)? {
        Some((at, bytes)) => Mark::Pattern(at, bytes.into()),
        None => Mark::Whole(value.bytes(key)?.into()),
    })
}

pub(super) fn write(framing: &Framing) -> String {
    let mut text = codec_text(&framing.wire);
    if let Some(max) = framing.max_given() {
        write_size(&mut text, "max", max);
    }
    if let Beats::Given(given) = &framing.beats {
        write_mark(&mut text, ",ask=", &given.ask);
        if given.ask != given.answer {
            write_mark(&mut text, ",answer=", &given.answer);
        }
    }
    text
}

/// The codec and its own keys.
pub(super) fn codec_text(wire: &Wire) -> String {
    let mut text = String::new();
    match wire {
        Wire::Length(length) => write_length(&mut text, length),
        Wire::Varint => text.push_str("varint"),
        Wire::LineHeader(line_header) => write_line_header(&mut text, line_header),
        Wire::Delimiter(delimiter) => {
            text.push_str("delimiter:");
            write_bytes(&mut text, &delimiter.bytes);
        }
        Wire::Fixed(fixed) => text.push_str(&format!("fixed:{}", fixed.size)),
        Wire::Raw => text.push_str("raw"),
        #[cfg(feature = "websocket")]
        Wire::WebSocket(websocket) => settings::write(&mut text, websocket),
        Wire::Custom(codec) => text.push_str(&format!("custom:{}", codec.name())),
    }
    text
}

pub(super) fn write_size(text: &mut String, key: &str, bytes: usize) {
    let (number, unit) = match bytes {
        bytes if bytes % (1 << 20) == 0 => (bytes >> 20, "M"),
        bytes if bytes % (1 << 10) == 0 => (bytes >> 10, "K"),
        bytes => (bytes, ""),
    };
    text.push_str(&format!(",{key}={number}{unit}"));
}

fn write_length(text: &mut String, length: &Length) {
    let field = Field::ALL.iter().find(|(_, field)| *field == length.field).map_or("", |(name, _)| name);
    text.push_str(&format!("length:{field}"));
    if length.at != 0 {
        text.push_str(&format!(",at={}", length.at));
    }
    if length.head != length.at + length.field.width() {
        text.push_str(&format!(",head={}", length.head));
    }
    if length.adjust != 0 {
        text.push_str(&format!(",adjust={:+}", length.adjust));
    }
    if length.includes_head {
        text.push_str(",includes-head");
    }
}

fn write_line_header(text: &mut String, line_header: &LineHeader) {
    text.push_str("line-header");
    let has_key = &*line_header.key != "length";
    if has_key {
        text.push_str(",key=");
        write_bytes(text, line_header.key.as_bytes());
    }
    let default = if has_key { Form::Pairs } else { Form::Number };
    if line_header.form != default
        && let Some((name, _)) = FORMS.iter().find(|(_, form)| *form == line_header.form)
    {
        text.push_str(&format!(",form={name}"));
    }
}

fn write_mark(text: &mut String, key: &str, mark: &Mark) {
    text.push_str(key);
    match mark {
        Mark::Whole(message) => write_bytes(text, message),
        Mark::Pattern(at, bytes) => {
            write_hex(text, &format!("@{at}:"), bytes);
        }
    }
}

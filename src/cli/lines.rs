//! What the lines say, for people and as JSON. The keys of the JSON lines are an interface: tests and programs read them.

use std::fmt::{self, Display, Write};

use heartline::liveness::Advice;
use heartline::reactor::{ConnectionId, Counters, Obituary, Reason, TcpInfo};

use super::args::LogFormat;

/// The end of a connection.
pub(crate) fn closed(out: &mut String, format: LogFormat, obituary: &Obituary) {
    // Writing into a String cannot fail.
    let _ = match format {
        LogFormat::Json => closed_json(out, obituary),
        _ => closed_text(out, obituary),
    };
}

fn closed_json(out: &mut String, obituary: &Obituary) -> fmt::Result {
    let Obituary { id, reason, closed_by, os_error, address, age_ms, silence_ms, overshoot_ms, .. } = obituary;
    let (name, code, by) = (reason.name(), reason.code(), closed_by.name());
    write!(out, r#"{{"event":"closed","id":{},"remote":{}"#, id.get(), Quoted(address.as_ref()))?;
    write!(out, r#","reason":"{name}","code":{code},"by":"{by}","os_error":{os_error}"#)?;
    write!(out, r#","age_ms":{age_ms},"silence_ms":{silence_ms},"overshoot_ms":{overshoot_ms}"#)?;
    write!(out, r#","last_out_ms":{},"unanswered":{}"#, OrNull(obituary.last_out_ms), obituary.unanswered)?;
    write!(out, r#","rtt_ms":{},"bytes_in":{}"#, OrNull(obituary.rtt_ms), obituary.bytes_in)?;
    write!(out, r#","bytes_out":{},"messages_in":{}"#, obituary.bytes_out, obituary.messages_in)?;
    write!(out, r#","messages_out":{},"queued_bytes":{}"#, obituary.messages_out, obituary.queued_bytes)?;
    write!(out, r#","stalls":{},"tcp":"#, obituary.stalls)?;
    match obituary.tcp {
        Some(TcpInfo { rtt_us, rto_us, retransmits, unacknowledged }) => {
            write!(out, r#"{{"rtt_us":{rtt_us},"rto_us":{rto_us},"retransmits":{retransmits}"#)?;
            write!(out, r#","unacknowledged":{unacknowledged}}}"#)?;
        }
        None => out.push_str("null"),
    }
    write!(out, r#","detail":{}}}"#, Quoted(obituary.frame_error.as_ref()))
}

fn closed_text(out: &mut String, obituary: &Obituary) -> fmt::Result {
    let Obituary { id, reason, closed_by, age_ms, silence_ms, .. } = obituary;
    write!(out, "closed {}", id.get())?;
    if let Some(address) = obituary.address {
        write!(out, " {address}")?;
    }
    write!(
        out,
        " {reason} by {}: age {}, silent for {}",
        closed_by.name(),
        Span(*age_ms),
        Span(u64::from(*silence_ms))
    )?;
    if *reason == Reason::Silent {
        write!(out, " ({} ms over)", obituary.overshoot_ms)?;
    }
    if let Some(ms) = obituary.last_out_ms {
        write!(out, ", last sent {} ago", Span(ms))?;
    }
    if obituary.unanswered > 0 {
        write!(out, ", {} asks unanswered", obituary.unanswered)?;
    }
    if let Some(ms) = obituary.rtt_ms {
        write!(out, ", round trip {ms} ms")?;
    }
    write!(out, ", in {} bytes {} messages", obituary.bytes_in, obituary.messages_in)?;
    write!(out, ", out {} bytes {} messages", obituary.bytes_out, obituary.messages_out)?;
    if obituary.queued_bytes > 0 {
        write!(out, ", {} bytes never sent", obituary.queued_bytes)?;
    }
    if obituary.stalls > 0 {
        write!(out, ", lived through {} stalls of ours", obituary.stalls)?;
    }
    if let Some(TcpInfo { rtt_us, rto_us, retransmits, unacknowledged }) = obituary.tcp {
        write!(
            out,
            ", tcp rtt {rtt_us} us, rto {rto_us} us, {retransmits} retransmits, {unacknowledged} unacknowledged"
        )?;
    }
    if obituary.os_error != 0 {
        write!(out, ", {}", std::io::Error::from_raw_os_error(obituary.os_error))?;
    }
    match &obituary.frame_error {
        Some(error) => write!(out, ", {error}"),
        None => Ok(()),
    }
}

/// An event with plain fields: `name` with `key value` pairs, and the sentence that says it.
pub(crate) fn plain(
    out: &mut String,
    format: LogFormat,
    event: &str,
    fields: &[(&str, &dyn Display)],
    text: &dyn Display,
) {
    if format != LogFormat::Json {
        let _ = write!(out, "{text}");
        return;
    }
    let _ = write!(out, r#"{{"event":"{event}""#);
    for (key, value) in fields {
        let _ = write!(out, r#","{key}":{value}"#);
    }
    out.push('}');
}

/// An event of one connection that goes on.
pub(crate) fn of_connection(
    out: &mut String,
    format: LogFormat,
    event: &str,
    id: ConnectionId,
    silence_ms: Option<u32>,
) {
    let id = id.get();
    match silence_ms {
        Some(ms) => {
            let text = format_args!("{event} {id} after {} of silence", Span(u64::from(ms)));
            plain(out, format, event, &[("id", &id), ("silence_ms", &ms)], &text);
        }
        None => plain(out, format, event, &[("id", &id)], &format_args!("{event} {id}")),
    }
}

/// The last line: all counters, closes by reason, the advice.
pub(crate) fn summary(out: &mut String, format: LogFormat, counters: &Counters, advice: &Advice) {
    let closed =
        || Reason::ALL.iter().map(|&reason| (reason.name(), counters.closed(reason))).filter(|(_, count)| *count > 0);
    if format == LogFormat::Json {
        out.push_str(r#"{"event":"summary""#);
        for (name, value) in counters.each() {
            let _ = write!(out, r#","{name}":{value}"#);
        }
        out.push_str(r#","closed":{"#);
        for (index, (reason, count)) in closed().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(out, r#"{comma}"{reason}":{count}"#);
        }
        let _ = write!(out, r#"}},"advice":{}}}"#, Quoted(Some(advice)));
        return;
    }
    let _ = write!(out, "served:");
    for (name, value) in counters.each().filter(|(_, value)| *value > 0) {
        let _ = write!(out, " {name}={value}");
    }
    let _ = write!(out, "\nclosed: {}", counters.closed_in_all());
    for (index, (reason, count)) in closed().enumerate() {
        let _ = write!(out, "{} {reason} {count}", if index == 0 { ":" } else { "," });
    }
    let _ = write!(out, "\nadvice: {advice}");
}

/// A JSON string, or null.
pub(crate) struct Quoted<T>(pub(crate) Option<T>);

impl<T: Display> Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("null"),
            Some(value) => f.write_str(&serde_json::Value::from(value.to_string()).to_string()),
        }
    }
}

struct OrNull<T>(Option<T>);

impl<T: Display> Display for OrNull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("null"),
            Some(value) => value.fmt(f),
        }
    }
}

/// Milliseconds for people: `350 ms`, `35.0 s`, `12 min`, `5.2 h`.
pub(crate) struct Span(pub(crate) u64);

impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0 as f64 / 1000.0;
        match self.0 {
            ms @ ..1_000 => write!(f, "{ms} ms"),
            1_000..120_000 => write!(f, "{s:.1} s"),
            120_000..7_200_000 => write!(f, "{:.1} min", s / 60.0),
            _ => write!(f, "{:.1} h", s / 3600.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heartline::liveness::{Advisor, Policy};
    use heartline::reactor::ClosedBy;
    use serde_json::{Value, json};

    fn obituary() -> Obituary {
        Obituary {
            id: ConnectionId::from_raw(77),
            user: 0,
            reason: Reason::Silent,
            closed_by: ClosedBy::Heartline,
            os_error: 0,
            frame_error: None,
            address: Some(([127, 0, 0, 1], 4242).into()),
            age_ms: 41_000,
            silence_ms: 35_002,
            overshoot_ms: 2,
            last_out_ms: None,
            unanswered: 2,
            rtt_ms: Some(3),
            bytes_in: 10,
            bytes_out: 20,
            messages_in: 1,
            messages_out: 2,
            queued_bytes: 0,
            stalls: 0,
            tcp: Some(TcpInfo { rtt_us: 40, rto_us: 200_000, retransmits: 0, unacknowledged: 1 }),
        }
    }

    fn parsed(write: impl FnOnce(&mut String, LogFormat)) -> Value {
        let mut line = String::new();
        write(&mut line, LogFormat::Json);
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    #[test]
    fn a_close_is_one_json_object_with_these_keys() {
        let line = parsed(|out, format| closed(out, format, &obituary()));
        assert_eq!(
            line,
            json!({"event":"closed","id":77,"remote":"127.0.0.1:4242","reason":"silent","code":3,"by":"heartline",
                "os_error":0,"age_ms":41000,"silence_ms":35002,"overshoot_ms":2,"last_out_ms":null,"unanswered":2,
                "rtt_ms":3,"bytes_in":10,"bytes_out":20,"messages_in":1,"messages_out":2,"queued_bytes":0,"stalls":0,
                "tcp":{"rtt_us":40,"rto_us":200000,"retransmits":0,"unacknowledged":1},"detail":null})
        );
    }

    #[test]
    fn a_bad_frame_says_what_was_wrong() {
        let framing = heartline::frame::Framing::parse("length:4be").unwrap();
        let error = framing.cut(&mut [255; 8], &mut Default::default(), &mut Vec::new()).unwrap_err();
        let dead = Obituary { frame_error: Some(error), address: None, tcp: None, ..obituary() };
        let line = parsed(|out, format| closed(out, format, &dead));
        assert_eq!(line["detail"], json!(error.to_string()));
        assert_eq!((&line["remote"], &line["tcp"]), (&Value::Null, &Value::Null));
    }

    #[test]
    fn the_text_says_the_same_for_people() {
        let mut line = String::new();
        closed(&mut line, LogFormat::Text, &obituary());
        assert_eq!(
            line,
            "closed 77 127.0.0.1:4242 silent by heartline: age 41.0 s, silent for 35.0 s (2 ms over), 2 asks unanswered, \
             round trip 3 ms, in 10 bytes 1 messages, out 20 bytes 2 messages, tcp rtt 40 us, rto 200000 us, 0 retransmits, \
             1 unacknowledged"
        );
    }

    #[test]
    fn the_summary_has_every_counter_and_the_advice() {
        let counters = Counters::default();
        let advice = Advisor::new().advice(&Policy::im());
        let line = parsed(|out, format| summary(out, format, &counters, &advice));
        for (name, value) in counters.each() {
            assert_eq!(line[name], json!(value), "{name}");
        }
        assert_eq!((&line["closed"], &line["advice"]), (&json!({}), &json!(advice.to_string())));
    }
}

//! What goes wrong, with how many, and when: `freeze:10%@20s,reset:5%@30s,storm/fixed:1s@60s`.

use std::str::FromStr;

use super::backoff::Backoff;
use crate::cli::values::duration_ms;

/// What befalls a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A last beat, then nothing is read or written; the socket stays open.
    Freeze,
    /// The connection is reset.
    Reset,
    /// FIN; what comes is still read.
    Fin,
    /// Half of a frame, then nothing.
    HalfFrame,
    /// A frame that comes at one byte a second.
    Drip,
    /// It sends as much as it can and reads ten bytes a second.
    SlowReader,
    /// It reads, and sends nothing more: no answer to any ask.
    NoAnswer,
    /// Asks, as many as the socket takes.
    Flood,
    /// All drop at once, and come back.
    Storm,
}

impl Kind {
    const ALL: [(Self, &str); 9] = [
        (Self::Freeze, "freeze"),
        (Self::Reset, "reset"),
        (Self::Fin, "fin"),
        (Self::HalfFrame, "half-frame"),
        (Self::Drip, "drip"),
        (Self::SlowReader, "slow-reader"),
        (Self::NoAnswer, "no-answer"),
        (Self::Flood, "flood"),
        (Self::Storm, "storm"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

/// How many of the clients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Share {
    Percent(f64),
    Number(u32),
}

/// One entry of the schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) share: Share,
    /// Instead of `--backoff`.
    pub(crate) backoff: Option<Backoff>,
    pub(crate) at_ms: u32,
}

/// In the order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Schedule(pub(crate) Vec<Fault>);

impl Fault {
    /// How many of `connections`.
    pub(crate) fn count(&self, connections: u32) -> u32 {
        match self.share {
            Share::Percent(percent) => (f64::from(connections) * percent / 100.0).round() as u32,
            Share::Number(number) => number.min(connections),
        }
    }

    /// As it was written, without the time.
    pub(crate) fn label(&self) -> String {
        let share = match self.share {
            Share::Percent(percent) => format!("{percent}%"),
            Share::Number(number) => number.to_string(),
        };
        let backoff = self.backoff.map_or(String::new(), |backoff| format!("/{backoff}"));
        format!("{}:{share}{backoff}", self.kind.name())
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut faults = text.split(',').map(|one| fault(one.trim())).collect::<Result<Vec<_>, _>>()?;
        faults.sort_by_key(|fault| fault.at_ms);
        Ok(Self(faults))
    }
}

fn fault(text: &str) -> Result<Fault, String> {
    let form = || format!("`{text}`: write KIND:SHARE@TIME, such as freeze:10%@20s, reset:50@1m or storm@30s");
    let (what, at) = text.rsplit_once('@').ok_or_else(form)?;
    let at_ms = duration_ms(at).map_err(|error| format!("`{text}`: {error}"))?;
    let (what, backoff) = match what.split_once('/') {
        Some((what, backoff)) => (what, Some(backoff.parse()?)),
        None => (what, None),
    };
    let (name, share) = what.split_once(':').map_or((what, None), |(name, share)| (name, Some(share)));
    let Some((kind, _)) = Kind::ALL.into_iter().find(|(_, known)| *known == name) else {
        let names: Vec<&str> = Kind::ALL.iter().map(|(_, name)| *name).collect();
        return Err(format!("`{name}` is not a fault: there are {}", names.join(", ")));
    };
    let share = match share {
        None if kind == Kind::Storm => Share::Percent(100.0),
        None => return Err(form()),
        Some(share) => self::share(share).ok_or_else(form)?,
    };
    Ok(Fault { kind, share, backoff, at_ms })
}

fn share(text: &str) -> Option<Share> {
    match text.strip_suffix('%') {
        Some(percent) => percent.parse().ok().filter(|percent| *percent > 0.0 && *percent <= 100.0).map(Share::Percent),
        None => text.parse().ok().filter(|number| *number > 0).map(Share::Number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_read_and_put_in_order() {
        let schedule: Schedule = "reset:5%@30s, freeze:0.5%@20s,storm/fixed:1s@1m,half-frame:7@500ms".parse().unwrap();
        let told: Vec<_> = schedule.0.iter().map(|fault| (fault.label(), fault.at_ms)).collect();
        let of = |label: &str, at| (label.to_owned(), at);
        assert_eq!(
            told,
            [
                of("half-frame:7", 500),
                of("freeze:0.5%", 20_000),
                of("reset:5%", 30_000),
                of("storm:100%/fixed:1000ms", 60_000)
            ]
        );
        assert_eq!(schedule.0[0].count(5), 5);
        assert_eq!((schedule.0[1].count(1000), schedule.0[3].count(1000)), (5, 1000));
    }

    #[test]
    fn errors_name_what_is_wrong_and_what_can_be() {
        for (text, named) in [
            ("freeze:10%", "KIND:SHARE@TIME"),
            ("freeze@20s", "KIND:SHARE@TIME"),
            ("freeze:0%@20s", "freeze:0%@20s"),
            ("freeze:101%@20s", "freeze:101%@20s"),
            ("melt:1%@1s", "half-frame, drip"),
            ("freeze:1%@1", "500ms"),
            ("storm/soon@1s", "full-jitter"),
        ] {
            let error = text.parse::<Schedule>().unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}

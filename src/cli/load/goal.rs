//! Goals that a run meets or misses: `p99<5ms,false-deaths=0,overshoot-p99<50ms`.

use std::fmt;
use std::str::FromStr;

use crate::cli::values::bytes;

/// What a goal can speak of, with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Ms,
    Count,
    Percent,
    Bytes,
}

const NAMES: [(&str, Unit); 24] = [
    ("p50", Unit::Ms),
    ("p90", Unit::Ms),
    ("p99", Unit::Ms),
    ("p99.9", Unit::Ms),
    ("max", Unit::Ms),
    ("mean", Unit::Ms),
    ("rate", Unit::Count),
    ("false-deaths", Unit::Count),
    ("errors", Unit::Count),
    ("connect-failures", Unit::Count),
    ("connections", Unit::Count),
    ("unanswered", Unit::Count),
    ("refused", Unit::Count),
    ("missed", Unit::Count),
    ("early", Unit::Count),
    ("overshoot-p50", Unit::Ms),
    ("overshoot-p99", Unit::Ms),
    ("overshoot-max", Unit::Ms),
    ("recovery-max", Unit::Ms),
    ("connect-p99", Unit::Ms),
    ("late-p99", Unit::Ms),
    ("server-cpu", Unit::Percent),
    ("server-memory", Unit::Bytes),
    ("server-switches", Unit::Count),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Below,
    AtMost,
    Equal,
    AtLeast,
    Above,
}

/// One goal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Goal {
    text: String,
    name: &'static str,
    relation: Relation,
    value: f64,
}

/// All of them must be met.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Goals(pub(crate) Vec<Goal>);

/// How a goal came out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judged {
    pub(crate) goal: String,
    /// None: there was nothing to measure it on, which misses it.
    pub(crate) measured: Option<f64>,
    pub(crate) met: bool,
}

impl Goals {
    /// Judges by `measure`, which knows every name.
    pub(crate) fn judge(&self, measure: impl Fn(&str) -> Option<f64>) -> Vec<Judged> {
        let judged = |goal: &Goal| {
            let measured = measure(goal.name);
            Judged { goal: goal.text.clone(), measured, met: measured.is_some_and(|value| goal.is_met_by(value)) }
        };
        self.0.iter().map(judged).collect()
    }
}

impl Goal {
    fn is_met_by(&self, value: f64) -> bool {
        match self.relation {
            Relation::Below => value < self.value,
            Relation::AtMost => value <= self.value,
            Relation::Equal => value == self.value,
            Relation::AtLeast => value >= self.value,
            Relation::Above => value > self.value,
        }
    }
}

impl fmt::Display for Goals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<&str> = self.0.iter().map(|goal| goal.text.as_str()).collect();
        f.write_str(&texts.join(","))
    }
}

impl FromStr for Goals {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(|one| goal(one.trim())).collect::<Result<_, _>>().map(Self)
    }
}

fn goal(text: &str) -> Result<Goal, String> {
    let form = || format!("`{text}` is not a goal: write NAME<VALUE, such as p99<5ms or false-deaths=0");
    let at = text.find(['<', '=', '>']).ok_or_else(form)?;
    let (name, rest) = text.split_at(at);
    let (relation, value) = match rest.split_at_checked(2) {
        Some(("<=", value)) => (Relation::AtMost, value),
        Some((">=", value)) => (Relation::AtLeast, value),
        _ => match rest.split_at(1) {
            ("<", value) => (Relation::Below, value),
            (">", value) => (Relation::Above, value),
            (_, value) => (Relation::Equal, value),
        },
    };
    let Some(&(name, unit)) = NAMES.iter().find(|(known, _)| *known == name.trim()) else {
        let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        return Err(format!("`{}` is not measured; goals are for {}", name.trim(), names.join(", ")));
    };
    let value = unit.read(value.trim()).map_err(|error| format!("`{text}`: {error}"))?;
    Ok(Goal { text: text.to_owned(), name, relation, value })
}

impl Unit {
    fn read(self, text: &str) -> Result<f64, String> {
        let number = |text: &str| {
            text.parse::<f64>()
                .ok()
                .filter(|value| value.is_finite() && *value >= 0.0)
                .ok_or("write a number".to_owned())
        };
        match self {
            Self::Count => number(text),
            Self::Percent => number(text.trim_end_matches('%')),
            Self::Bytes => bytes(text).map(f64::from),
            Self::Ms if text == "0" => Ok(0.0),
            Self::Ms => humantime::parse_duration(text)
                .map(|duration| duration.as_secs_f64() * 1000.0)
                .map_err(|_| "write a time with its unit, such as 500us, 5ms or 1s".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_met_or_missed_by_what_was_measured() {
        let goals: Goals = "p99<5ms, false-deaths=0,rate>=1000,overshoot-p99<=500us,server-memory<1M".parse().unwrap();
        let judge = |p99, rate| {
            let judged = goals.judge(|name| match name {
                "p99" => Some(p99),
                "false-deaths" => Some(0.0),
                "rate" => Some(rate),
                "server-memory" => Some(1_048_575.0),
                _ => None,
            });
            judged.iter().map(|goal| goal.met).collect::<Vec<_>>()
        };
        assert_eq!(judge(4.99, 1000.0), [true, true, true, false, true]);
        assert_eq!(judge(5.0, 999.0), [false, true, false, false, true]);
        assert_eq!(goals.to_string(), "p99<5ms,false-deaths=0,rate>=1000,overshoot-p99<=500us,server-memory<1M");
    }

    #[test]
    fn a_goal_that_names_nothing_is_refused() {
        for (text, named) in [
            ("p98<5ms", "p99.9"),
            ("p99", "NAME<VALUE"),
            ("p99<5", "5ms"),
            ("false-deaths=none", "a number"),
            ("server-memory<1Q", "64K"),
            ("rate>-1", "a number"),
        ] {
            let error = text.parse::<Goals>().unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}

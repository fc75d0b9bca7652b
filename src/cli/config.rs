//! The config file: TOML whose keys are the long flags. Each value is read by the very parser of its flag, so that file
//! and command line cannot disagree on what a value means.

use std::path::Path;

use clap::{CommandFactory, Parser};
use toml::{Table, Value};

use super::Problem;
use super::args::ServeArgs;

/// How unlike a key may be to one that we know to be taken for a slip of it.
const NEAR: f64 = 0.7;

/// The flags as a command of their own, without the program around them.
#[derive(Debug, Parser)]
struct Keys {
    #[command(flatten)]
    serve: ServeArgs,
}

/// Reads a config file.
pub(crate) fn read(path: &Path) -> Result<ServeArgs, Problem> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| Problem::usage(format!("config file {name}: {error}")))?;
    parse(&text).map_err(|problem| Problem::usage(format!("config file {name}: {}", problem.text())))
}

fn parse(text: &str) -> Result<ServeArgs, Problem> {
    let table: Table =
        text.parse().map_err(|error: toml::de::Error| Problem::usage(error.to_string().trim_end().to_owned()))?;
    let mut flags = vec!["config".to_owned()];
    for (key, value) in &table {
        check_key(key)?;
        match value {
            Value::Array(values) => {
                for value in values {
                    flags.push(flag(key, value)?);
                }
            }
            value => flags.push(flag(key, value)?),
        }
    }
    Keys::try_parse_from(flags).map(|keys| keys.serve).map_err(|error| Problem::usage(sentence(&error)))
}

fn check_key(key: &str) -> Result<(), Problem> {
    let command = Keys::command();
    let known =
        || command.get_arguments().filter_map(|arg| arg.get_long()).filter(|name| !matches!(*name, "config" | "help"));
    if known().any(|name| name == key) {
        return Ok(());
    }
    if key == "config" {
        return Err(Problem::usage("`config` cannot be set in a config file"));
    }
    let nearest = known()
        .map(|name| (strsim::jaro_winkler(name, &key.replace('_', "-")), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness >= NEAR);
    Err(Problem::usage(match nearest {
        Some((_, name)) => format!("unknown key `{key}`; did you mean `{name}`?"),
        None => format!("unknown key `{key}`; the keys are the long flags of `heartline serve --help`"),
    }))
}

fn flag(key: &str, value: &Value) -> Result<String, Problem> {
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(true) => "on".to_owned(),
        Value::Boolean(false) => "off".to_owned(),
        other => {
            let kind = other.type_str();
            return Err(Problem::usage(format!(
                "`{key}` is a {kind}, but must be a string, a whole number or a boolean"
            )));
        }
    };
    Ok(format!("--{key}={value}"))
}

/// What is wrong, of clap's report the part that does not speak of usage and flags.
fn sentence(error: &clap::Error) -> String {
    let report = error.to_string();
    let what: Vec<&str> = report
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .collect();
    what.join(" ").trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{App, Level, Switch};
    use crate::cli::settings::Settings;

    #[test]
    fn keys_are_the_long_flags_and_values_read_the_same() {
        let read = parse(
            "listen = ['127.0.0.1:0', 'unix:/tmp/x']\ntimeout = '12s'\nthreads = 2\nstatistics = false\napp = 'discard'\n\
             log-level = 'warn'\nhigh-mark = '64K'\n",
        )
        .unwrap();
        assert_eq!(read.listen.as_ref().map(Vec::len), Some(2));
        assert_eq!((read.timeout, read.threads), (Some(12_000), Some(2)));
        assert_eq!((read.statistics, read.app), (Some(Switch::Off), Some(App::Discard)));
        assert_eq!((read.log_level, read.high_mark), (Some(Level::Warn), Some(65_536)));
        assert_eq!(read.profile, None);
    }

    #[test]
    fn an_unknown_key_suggests_the_nearest() {
        let of = |text| parse(text).unwrap_err().text;
        assert_eq!(of("time-out = '3s'"), "unknown key `time-out`; did you mean `timeout`?");
        assert_eq!(of("max_connections = 3"), "unknown key `max_connections`; did you mean `max-connections`?");
        assert_eq!(of("liste = '127.0.0.1:1'"), "unknown key `liste`; did you mean `listen`?");
        assert!(of("zzz = 1").starts_with("unknown key `zzz`; the keys are"));
        assert!(of("config = 'x'").contains("cannot be set"));
    }

    #[test]
    fn a_bad_value_names_key_value_and_what_it_can_be() {
        let of = |text| parse(text).unwrap_err().text;
        let text = of("timeout = 35");
        assert!(text.contains("'35'") && text.contains("timeout") && text.contains("35s"), "{text}");
        let text = of("role = 'asks'");
        assert!(text.contains("'asks'") && text.contains("answer"), "{text}");
        let text = of("threads = 0");
        assert!(text.contains("'0'") && text.contains("1..=256"), "{text}");
        assert!(of("timeout = 1.5").contains("float"));
        assert!(of("timeout = ").contains("TOML"), "{}", of("timeout = "));
    }

    #[test]
    fn the_example_in_the_documentation_parses_as_it_stands() {
        let page = include_str!("../../docs/serve.md");
        let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let settings = Settings::new(&parse(example).unwrap()).unwrap();
        let policy = settings.live.policy;
        assert_eq!((policy.interval_ms, policy.suspect_ms, policy.timeout_ms), (3_000, 4_800, 12_000));
        assert_eq!(settings.fixed.connections_max, 50_000);
        let quoted =
            page.split("quote with single quotes: `").nth(1).and_then(|rest| rest.split("`.\n").next()).unwrap();
        assert_eq!(parse(quoted).unwrap().frame.unwrap(), r"delimiter:\n,ask=PING,answer=PONG");
    }
}

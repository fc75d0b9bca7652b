//! `heartline report a.json b.json`: two runs side by side, with ratios.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use super::args::CompareArgs;
use crate::cli::Problem;

/// The rows: what they are called, where they are in the JSON, and what they count.
const ROWS: [(&str, &str, &str); 22] = [
    ("connections", "/connections/opened", ""),
    ("time to connect", "/connect_seconds", "s"),
    ("connect p99", "/connections/connect_ms/p99", "ms"),
    ("messages sent", "/messages/sent", ""),
    ("messages received", "/messages/received", ""),
    ("rate", "/messages/rate", "/s"),
    ("unanswered", "/messages/unanswered", ""),
    ("refused", "/messages/refused", ""),
    ("latency p50", "/latency_ms/p50", "ms"),
    ("latency p90", "/latency_ms/p90", "ms"),
    ("latency p99", "/latency_ms/p99", "ms"),
    ("latency p99.9", "/latency_ms/p99.9", "ms"),
    ("latency max", "/latency_ms/max", "ms"),
    ("sent late p99", "/late_ms/p99", "ms"),
    ("asks", "/beats/asked", ""),
    ("answers", "/beats/answered", ""),
    ("false deaths", "/false_deaths", ""),
    ("highest rate", "/search/rate", "/s"),
    ("server CPU", "/server/cpu_percent", "%"),
    ("server memory", "/server/memory_bytes", "B"),
    ("server switches", "/server/switches/voluntary", ""),
    ("client CPU", "/client/cpu_percent", "%"),
];
const FAULT_ROWS: [(&str, &str, &str); 8] = [
    ("struck", "struck", ""),
    ("closed", "closed", ""),
    ("missed", "missed", ""),
    ("early", "early", ""),
    ("closed after p50", "closed_after_ms/p50", "ms"),
    ("overshoot p99", "overshoot_ms/p99", "ms"),
    ("false deaths", "false_deaths", ""),
    ("recovery", "recovery_ms", "ms"),
];

/// Prints the two side by side.
pub(crate) fn compare(args: &CompareArgs) -> Result<ExitCode, Problem> {
    let text = table(&read(&args.a)?, &read(&args.b)?);
    io::stdout().write_all(text.as_bytes()).map_err(|error| Problem::failed(format!("writing the table: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Value, Problem> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| Problem::failed(format!("{name}: {error}")))?;
    let report: Value = serde_json::from_str(&text).map_err(|error| Problem::failed(format!("{name}: {error}")))?;
    if report["plan"]["address"].is_null() {
        return Err(Problem::failed(format!("{name} is not a report of `heartline load --json`")));
    }
    Ok(report)
}

fn table(a: &Value, b: &Value) -> String {
    let mut out = format!("{:<26} {:>16} {:>16} {:>9}\n", "", "A", "B", "B / A");
    let plan = |report: &Value, key: &str| match &report["plan"][key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    for (name, key) in [("server", "address"), ("codec", "frame"), ("traffic", "traffic")] {
        out += &format!("{name:<26} {:>16} {:>16}\n", plan(a, key), plan(b, key));
    }
    for (name, pointer, unit) in ROWS {
        out += &row(name, unit, a.pointer(pointer), b.pointer(pointer));
    }
    let faults = |report: &Value| report["faults"].as_array().cloned().unwrap_or_default();
    let (faults_a, faults_b) = (faults(a), faults(b));
    for number in 0..faults_a.len().max(faults_b.len()) {
        let of = |faults: &[Value]| faults.get(number).cloned().unwrap_or_default();
        let (fault_a, fault_b) = (of(&faults_a), of(&faults_b));
        let label = |fault: &Value| fault["fault"].as_str().unwrap_or("-").to_owned();
        out += &format!("{:<26} {:>16} {:>16}\n", format!("fault {}", number + 1), label(&fault_a), label(&fault_b));
        for (name, path, unit) in FAULT_ROWS {
            let pointer = format!("/{path}");
            out += &row(&format!("  {name}"), unit, fault_a.pointer(&pointer), fault_b.pointer(&pointer));
        }
    }
    out
}

/// A row, unless neither has the figure.
fn row(name: &str, unit: &str, a: Option<&Value>, b: Option<&Value>) -> String {
    let number = |value: Option<&Value>| value.and_then(Value::as_f64);
    let (a, b) = (number(a), number(b));
    if a.is_none() && b.is_none() {
        return String::new();
    }
    let shown = |value: Option<f64>| match value {
        None => "-".to_owned(),
        Some(value) if value.fract() == 0.0 => format!("{value:.0} {unit}"),
        Some(value) => format!("{value:.3} {unit}"),
    };
    let ratio = match (a, b) {
        (Some(a), Some(b)) if a != 0.0 => format!("{:.3}", b / a),
        _ => "-".to_owned(),
    };
    format!("{name:<26} {:>16} {:>16} {ratio:>9}\n", shown(a).trim_end(), shown(b).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ratios_are_of_the_second_to_the_first() {
        let report = |p99: f64, closed: u64| {
            json!({
                "plan": {"address": "127.0.0.1:1", "frame": "raw", "traffic": "open loop"}, "latency_ms": {"p99": p99},
                "false_deaths": 0, "faults": [{"fault": "freeze:1%", "closed": closed, "overshoot_ms": {"p99": 4.0}}],
            })
        };
        let text = table(&report(2.0, 10), &report(3.0, 5));
        let line = |name: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(name));
            line.unwrap_or_else(|| panic!("no {name}: {text}")).split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(line("latency p99"), "latency p99 2 ms 3 ms 1.500");
        assert_eq!(line("closed"), "closed 10 5 0.500");
        assert_eq!(line("overshoot p99"), "overshoot p99 4 ms 4 ms 1.000");
        assert_eq!(line("false deaths"), "false deaths 0 0 -");
        assert!(!text.contains("highest rate"), "{text}");
    }
}

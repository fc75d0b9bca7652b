//! The report as one page: everything is in it, nothing is fetched.

use std::fmt::Write;

use hdrhistogram::Histogram;

use super::plot::{Line, Plot, escaped};
use super::report::{Aftermath, PER_MS, Report};
use super::series::Point;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2128;--paper:#fff;--soft:#6b7480;--rule:#d8dde3}
@media(prefers-color-scheme:dark){:root{--ink:#e4e8ec;--paper:#16191d;--soft:#98a2ad;--rule:#333a42}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .3rem}
pre{white-space:pre-wrap;border:1px solid var(--rule);padding:.8rem;border-radius:6px;overflow-x:auto}
svg{width:100%;height:auto}svg text{font-size:11px;fill:var(--soft)}
.grid{stroke:var(--rule)}line.mark{stroke:#d55e00;stroke-dasharray:4 3}text.mark{fill:#d55e00}
.legend{margin:.2rem 0;color:var(--soft)}.bad{color:#d55e00;font-weight:600}";

/// Bars of a distribution.
const BARS: u64 = 40;

/// The page.
pub(super) fn page(report: &Report) -> String {
    let title = format!("heartline load {}", report.plan.address);
    let verdict = if report.is_good() { "" } else { "<p class=\"bad\">A goal was missed.</p>" };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head>\n<body><h1>{title}</h1>{verdict}\
         <pre>{}</pre>\n",
        escaped(&report.to_string()),
        title = escaped(&title)
    );
    let marks: Vec<(f64, String)> = report
        .faults
        .iter()
        .map(|after| (report.start_s + f64::from(after.fault.at_ms) / 1000.0, after.fault.kind.name().to_owned()))
        .collect();
    let over_time = |y, logarithmic| Plot { x: "seconds", y, logarithmic, marks: &marks };
    let line = |name: &'static str, of: &dyn Fn(&Point) -> Option<f64>| Line {
        name,
        points: report.series.points.iter().filter_map(|point| Some((point.at_s, of(point)?))).collect(),
    };
    section(
        &mut page,
        "Connections",
        &over_time("open", false).lines(&[line("open", &|point| Some(point.open as f64))]),
    );
    let rates = [
        line("messages sent", &|point| Some(point.sent)),
        line("messages received", &|point| Some(point.received)),
        line("asks sent", &|point| Some(point.asks)),
    ];
    section(&mut page, "Rate", &over_time("per second", false).lines(&rates));
    if !report.series.total.latency_ns.is_empty() {
        let at = |index: usize| move |point: &Point| point.latency_ms.map(|latency| latency[index]);
        let percentiles = [line("p50", &at(0)), line("p90", &at(1)), line("p99", &at(2)), line("max", &at(3))];
        section(&mut page, "Latency over time", &over_time("ms", true).lines(&percentiles));
        section(&mut page, "Latency by percentile", &distribution(&report.series.total.latency_ns));
    }
    let losses =
        [line("well and closed", &|point| Some(point.lost as f64)), line("errors", &|point| Some(point.errors as f64))];
    section(&mut page, "Closes and errors", &over_time("per point", false).lines(&losses));
    for after in report.faults.iter().filter(|after| after.limit_ms.is_some()) {
        section(&mut page, &format!("Detection overshoot: {}", after.fault.label()), &overshoot(after));
    }
    if report.server().is_some() {
        let cpu = line("CPU", &|point| point.server.map(|server| server.cpu_percent()));
        section(&mut page, "Server CPU", &over_time("% of a core", false).lines(&[cpu]));
        let memory =
            line("anonymous memory", &|point| point.server.map(|server| server.memory_bytes as f64 / 1_048_576.0));
        section(&mut page, "Server memory", &over_time("MiB", false).lines(&[memory]));
    }
    page.push_str("</body></html>\n");
    page
}

fn section(page: &mut String, title: &str, body: &str) {
    // Writing into a String cannot fail.
    let _ = writeln!(page, "<h2>{}</h2>{body}", escaped(title));
}

/// The tail stretched: each step to the right is ten times rarer.
fn distribution(latency: &Histogram<u64>) -> String {
    let nines = |share: f64| -(1.0 - share).log10();
    let points = latency
        .iter_quantiles(4)
        .filter(|step| step.quantile_iterated_to() < 1.0)
        .map(|step| (nines(step.quantile_iterated_to()), step.value_iterated_to() as f64 / PER_MS))
        .collect();
    Plot { x: "nines: 1 is p90, 2 is p99, 3 is p99.9", y: "ms", logarithmic: true, marks: &[] }
        .lines(&[Line { name: "latency", points }])
}

fn overshoot(after: &Aftermath) -> String {
    let histogram = &after.toll.overshoot_ns;
    let step = (histogram.max() / BARS).max(100_000);
    let bars: Vec<(f64, u64)> = (0..=histogram.max() / step)
        .map(|bar| (bar * step, histogram.count_between(bar * step, (bar + 1) * step - 1)))
        .map(|(from, count)| (from as f64 / PER_MS, count))
        .collect();
    if histogram.is_empty() {
        return Plot { x: "", y: "", logarithmic: false, marks: &[] }.bars(1.0, &[]);
    }
    Plot { x: "ms after (last byte + limit)", y: "closed", logarithmic: false, marks: &[] }
        .bars(step as f64 / PER_MS, &bars)
}

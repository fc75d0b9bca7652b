//! `heartline load`: what a server does under load, and how it finds out when its clients vanish.
//!
//! A thread of the load is a reactor with its clients, in a descriptor table of its own. Whoever is to misbehave is taken
//! out of the reactor and driven as a bare socket beside it. Threads share nothing but a handful of atomics; four times a
//! second each tells the director what it counted.
//!
//! | file | idea |
//! |---|---|
//! | `args`, `plan` | the flags; checked, and what follows from them |
//! | `fault`, `backoff`, `goal`, `sources`, `template` | flags with a grammar of their own |
//! | `preflight` | what this machine allows |
//! | `director`, `trial`, `shared` | the run, from its first connection to its report; the rates of a search; what threads tell |
//! | `worker`, `arrive`, `exchange`, `strike` | one thread: its loop; who dials; messages; who is struck |
//! | `crowd`, `messages`, `dial`, `scripted` | clients; their messages; sockets that open, and that misbehave |
//! | `tally`, `series`, `server`, `search` | what is counted; second by second; of the server; at which rate |
//! | `report`, `table`, `html`, `plot`, `compare` | what was measured, as figures, for people, as a page, beside another |

mod args;
mod arrive;
mod backoff;
mod compare;
mod crowd;
mod dial;
mod director;
mod exchange;
mod fault;
mod goal;
mod html;
mod messages;
mod plan;
mod plot;
mod preflight;
mod report;
mod scripted;
mod search;
mod series;
mod server;
mod shared;
mod sources;
mod strike;
mod table;
mod tally;
mod template;
mod trial;
mod worker;

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

pub(crate) use self::args::{CompareArgs, EXAMPLES, LoadArgs};
pub(crate) use self::compare::compare;
use self::director::Director;
use self::plan::Plan;
use self::preflight::{Finding, Host};
use self::report::Report;
use super::{Problem, orders};

/// Exit status of a run that missed a goal.
const MISSED: u8 = 3;
/// Steps of the distribution's file between two halvings of what is left of it.
const HDR_STEPS: u32 = 5;

/// Runs the load.
pub(crate) fn run(args: &LoadArgs) -> Result<ExitCode, Problem> {
    let mut plan = Plan::new(args)?;
    let host = Host::read();
    if args.source.is_none() {
        plan.sources = host.sources(plan.address, plan.connections);
    }
    let found = host.check(&plan);
    for Finding { fatal, text } in &found {
        say(&format!("{}: {text}", if *fatal { "check" } else { "note" }));
    }
    let stopped = found.iter().any(|finding| finding.fatal) && !args.force;
    if args.dry_run {
        let sources = plan.sources.addresses().len().max(1);
        say(&format!(
            "{} connections to {} from {sources} source addresses, {} threads",
            plan.connections, plan.address, plan.threads
        ));
        return Ok(if stopped { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    }
    if stopped {
        return Err(Problem::failed("this machine does not allow it (see above); --force begins nevertheless"));
    }
    let files = Files::open(args)?;
    let interrupted =
        orders::interruption().map_err(|error| Problem::failed(format!("waiting for signals: {error}")))?;
    let report =
        Director::start(plan, args.server_pid, interrupted)?.run(&args.threshold.clone().unwrap_or_default())?;
    files.write(&report)?;
    if report.series.total.connected == 0 {
        return Err(Problem::failed(format!("not one of {} connections was opened", report.plan.connections)));
    }
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::from(MISSED) })
}

fn say(text: &str) {
    // Where stderr is broken, the status still says it.
    let _ = writeln!(io::stderr(), "heartline: {text}");
}

/// Where the report goes. Made before the run: a path that cannot be written must not cost an hour.
struct Files {
    json: Option<Box<dyn Write>>,
    hdr: Option<Box<dyn Write>>,
    html: Option<Box<dyn Write>>,
    /// The table goes to stdout, unless that is taken.
    table: bool,
}

impl Files {
    fn open(args: &LoadArgs) -> Result<Self, Problem> {
        let create = |path: &Option<std::path::PathBuf>| -> Result<Option<Box<dyn Write>>, Problem> {
            let Some(path) = path else { return Ok(None) };
            if path == Path::new("-") {
                return Ok(Some(Box::new(io::stdout())));
            }
            let file =
                fs::File::create(path).map_err(|error| Problem::failed(format!("{}: {error}", path.display())))?;
            Ok(Some(Box::new(io::BufWriter::new(file))))
        };
        let table = [&args.json, &args.hdr, &args.html].into_iter().flatten().all(|path| path != Path::new("-"));
        Ok(Self { json: create(&args.json)?, hdr: create(&args.hdr)?, html: create(&args.html)?, table })
    }

    fn write(self, report: &Report) -> Result<(), Problem> {
        let written = (|| {
            if self.table {
                write!(io::stdout(), "{report}")?;
            }
            if let Some(mut file) = self.json {
                writeln!(file, "{:#}", report.json())?;
                file.flush()?;
            }
            if let Some(mut file) = self.hdr {
                write_distribution(report, &mut file)?;
                file.flush()?;
            }
            if let Some(mut file) = self.html {
                file.write_all(html::page(report).as_bytes())?;
                file.flush()?;
            }
            io::Result::Ok(())
        })();
        written.map_err(|error| Problem::failed(format!("writing the report: {error}")))
    }
}

/// The latency in milliseconds, in the text form (`.hgrm`) that HdrHistogram's plotters read.
fn write_distribution(report: &Report, file: &mut impl Write) -> io::Result<()> {
    let latency = &report.series.total.latency_ns;
    let ms = |ns: f64| ns / report::PER_MS;
    writeln!(file, "{:>12} {:>14} {:>10} {:>14}\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)")?;
    for step in latency.iter_quantiles(HDR_STEPS) {
        let (value, share) = (ms(step.value_iterated_to() as f64), step.quantile_iterated_to());
        let total = latency.count_between(0, step.value_iterated_to());
        write!(file, "{value:>12.6} {share:>14.12} {total:>10}")?;
        if share < 1.0 {
            write!(file, " {:>14.2}", 1.0 / (1.0 - share))?;
        }
        writeln!(file)?;
    }
    writeln!(file, "#[Mean    = {:>12.6}, StdDeviation   = {:>12.6}]", ms(latency.mean()), ms(latency.stdev()))?;
    writeln!(file, "#[Max     = {:>12.6}, Total count    = {:>12}]", ms(latency.max() as f64), latency.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        load: LoadArgs,
    }

    fn checked(flags: &[&str]) -> Result<Plan, Problem> {
        let given = [&["load", "127.0.0.1:7001"], flags].concat();
        Plan::new(&Flags::try_parse_from(given).unwrap().load)
    }

    /// The plan behind these flags, for a server on loopback.
    pub(super) fn plan(flags: &[&str]) -> Plan {
        checked(flags).unwrap()
    }

    #[test]
    fn shares_of_threads_add_up() {
        let plan = plan(&["-c", "103", "--threads", "4", "--fault", "freeze:10%@1s,reset:3@2s"]);
        let shares: Vec<_> = (0..4).map(|index| plan.share(index)).collect();
        assert_eq!(shares, [(26, 0), (26, 26), (26, 52), (25, 78)]);
        let struck = |number| (0..4).map(|index| plan.struck_of(number, index)).sum::<u32>();
        assert_eq!((struck(0), struck(1)), (10, 3));
    }

    #[test]
    fn raw_messages_are_records_of_their_length() {
        let records = plan(&["--frame", "raw", "--in-flight", "1", "--size", "48"]);
        assert!(records.framing.spec().starts_with("fixed:48"), "{}", records.framing.spec());
        assert!(plan(&["--frame", "raw"]).framing.spec().starts_with("raw"));
    }

    #[test]
    fn what_does_not_go_together_is_named() {
        for (flags, named) in [
            (&["--frame", "raw", "--beat", "1s"][..], &["--beat is 1000 ms", "raw"][..]),
            (&["--frame", "raw", "--rate", "1", "--message", "{sequence}"], &["--size"]),
            (&["--frame", "lenght:4be"], &["--frame lenght:4be", "length"]),
            (&["--fault", "freeze:1%@10s"], &["freeze:1%@10000ms", "--duration is 10000 ms"]),
            (&["--fault", "freeze:60%@1s,reset:50%@2s"], &["befalls 110", "--connections is 100"]),
            (&["--fault", "flood:1@1s", "--frame", "raw"], &["flood", "raw"]),
            (&["--threads", "3", "-c", "2"], &["--threads is 3", "--connections is 2"]),
            (&["--beat", "1ms"], &["--beat", "interval_ms is 1"]),
            (&["--warmup", "10s"], &["--warmup is 10000 ms"]),
            (&["--in-flight", "1", "--expect", "nothing"], &["--rate"]),
            (&["--message", "{nothing}", "--rate", "1"], &["{nothing}", "{random:N}"]),
        ] {
            let problem = checked(flags).unwrap_err();
            assert!(named.iter().all(|name| problem.text().contains(name)), "{flags:?}: {}", problem.text());
        }
    }

    #[test]
    fn an_address_without_a_port_is_named() {
        for address in ["127.0.0.1", "127.0.0.1:0", "nowhere.invalid:1"] {
            let flags = Flags::try_parse_from(["load", address]).unwrap();
            let problem = Plan::new(&flags.load).unwrap_err();
            assert!(problem.text().contains(address), "{}", problem.text());
        }
    }
}

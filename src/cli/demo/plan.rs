//! The flags of the demo, and what follows from them.

use std::time::Duration;

use clap::Args;

use crate::cli::Problem;
use crate::cli::values::duration_ms;

pub(crate) const EXAMPLES: &str = "\
Examples:
  All of it, in about 15 seconds:
    heartline demo
  A small one, for a script; exit status 1 if one dead was missed or one living killed:
    heartline demo --clients 200 --timeout 2s --json
  As many as there are descriptors for, with a long stop:
    heartline demo --clients 15000 --stop 10s
  What it says when a server cannot find the dead:
    heartline demo --clients 200 -- --timeout 0";

/// Descriptors that a process needs besides its connections.
const OTHER_DESCRIPTORS: u64 = 32;
/// How late a verdict may be and still count as found: this machine may be busy with other things.
const SLACK: Duration = Duration::from_secs(1);

/// The flags of `demo`.
#[derive(Args, Clone, Debug)]
pub(crate) struct DemoArgs {
    /// Beating clients
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) clients: u32,

    /// The server's timeout; clients beat four times as often
    #[arg(long, value_name = "DURATION", default_value = "4s", value_parser = duration_ms)]
    pub(crate) timeout: u32,

    /// Clients that freeze without a word, half of them just before the stop [default: a twentieth]
    #[arg(long, value_name = "N")]
    pub(crate) frozen: Option<u32>,

    /// Clients that are reset [default: a fortieth]
    #[arg(long, value_name = "N")]
    pub(crate) reset: Option<u32>,

    /// Clients that are cut off in the middle of a frame [default: a fortieth]
    #[arg(long, value_name = "N")]
    pub(crate) cut: Option<u32>,

    /// How long the server's process is stopped; 0: not at all [default: 1.25 times the timeout]
    #[arg(long, value_name = "DURATION", value_parser = duration_ms)]
    pub(crate) stop: Option<u32>,

    /// The report as JSON on stdout
    #[arg(long)]
    pub(crate) json: bool,

    /// Flags for the server, over those of the demo
    #[arg(last = true, value_name = "SERVE FLAGS")]
    pub(crate) serve: Vec<String>,
}

/// What will be done.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) clients: u32,
    pub(crate) timeout: Duration,
    /// How often clients beat.
    pub(crate) interval: Duration,
    pub(crate) stop: Duration,
    pub(crate) slack: Duration,
    pub(crate) resets: u32,
    pub(crate) cuts: u32,
    frozen: u32,
    serve: Vec<String>,
}

impl Plan {
    /// `descriptors`: how many this process, and the server too, may have.
    pub(crate) fn new(args: &DemoArgs, descriptors: u64) -> Result<Self, Problem> {
        let clients = args.clients;
        let needed = u64::from(clients) + OTHER_DESCRIPTORS;
        if needed > descriptors {
            let most = descriptors.saturating_sub(OTHER_DESCRIPTORS);
            return Err(Problem::failed(format!(
                "--clients {clients} needs {needed} descriptors, here and in the server, but the limit is {descriptors}: \
                 raise it (ulimit -Hn) or take --clients {most}"
            )));
        }
        if args.timeout < 1000 {
            return Err(Problem::usage(format!("--timeout is {} ms, but must be 1000 ms or more", args.timeout)));
        }
        let frozen = args.frozen.unwrap_or(clients / 20);
        let (resets, cuts) = (args.reset.unwrap_or(clients / 40), args.cut.unwrap_or(clients / 40));
        let struck = u64::from(frozen) + u64::from(resets) + u64::from(cuts);
        if struck > u64::from(clients) {
            return Err(Problem::usage(format!(
                "--frozen {frozen}, --reset {resets} and --cut {cuts} are {struck} together, but --clients is {clients}"
            )));
        }
        let timeout = Duration::from_millis(u64::from(args.timeout));
        let stop = args.stop.map_or(timeout * 5 / 4, |ms| Duration::from_millis(u64::from(ms)));
        let serve = args.serve.clone();
        Ok(Self { clients, timeout, interval: timeout / 4, stop, slack: SLACK, resets, cuts, frozen, serve })
    }

    /// How many freeze while the server runs.
    pub(crate) fn frozen_first(&self) -> u32 {
        self.frozen - self.frozen_last()
    }

    /// How many freeze just before the server is stopped.
    pub(crate) fn frozen_last(&self) -> u32 {
        if self.stop.is_zero() { 0 } else { self.frozen / 2 }
    }

    /// About how long it takes.
    pub(crate) fn length(&self) -> Duration {
        let woken = if self.stop.is_zero() { Duration::ZERO } else { self.stop + self.timeout + self.slack / 4 };
        self.interval * 2 + self.timeout + woken + Duration::from_millis(500)
    }

    /// The arguments of the server's process: the demo's own, unless the user gave the same flag.
    pub(crate) fn server_arguments(&self) -> Vec<String> {
        let ms = |duration: Duration| format!("{}ms", duration.as_millis());
        let own = [
            ("--listen", "127.0.0.1:0".to_owned()),
            ("--frame", "length:4be".to_owned()),
            ("--role", "answer".to_owned()),
            ("--timeout", ms(self.timeout)),
            // So that a frame that stays unfinished is found as what it is, before the silence.
            ("--frame-limit", ms(self.timeout / 2)),
            ("--drain-limit", "5s".to_owned()),
            ("--log", "json".to_owned()),
        ];
        let given = |flag: &str| {
            let same =
                |given: &String| given.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
            self.serve.iter().any(same)
        };
        let mut arguments = vec!["serve".to_owned()];
        for (flag, value) in own.into_iter().filter(|(flag, _)| !given(flag)) {
            arguments.extend([flag.to_owned(), value]);
        }
        arguments.extend(self.serve.iter().cloned());
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> DemoArgs {
        DemoArgs {
            clients: 200,
            timeout: 4000,
            frozen: None,
            reset: None,
            cut: None,
            stop: None,
            json: false,
            serve: vec![],
        }
    }

    fn error(args: DemoArgs, descriptors: u64) -> String {
        Plan::new(&args, descriptors).unwrap_err().text().to_owned()
    }

    #[test]
    fn half_of_the_frozen_freeze_before_the_stop() {
        let plan = Plan::new(&DemoArgs { frozen: Some(5), ..args() }, 1000).unwrap();
        assert_eq!((plan.frozen_first(), plan.frozen_last()), (3, 2));
        let plan = Plan::new(&DemoArgs { frozen: Some(5), stop: Some(0), ..args() }, 1000).unwrap();
        assert_eq!((plan.frozen_first(), plan.frozen_last()), (5, 0));
    }

    #[test]
    fn too_few_descriptors_are_told_with_the_number() {
        let error = error(args(), 210);
        assert!(error.contains("--clients 200 needs 232 descriptors"), "{error}");
        assert!(error.contains("limit is 210") && error.contains("--clients 178"), "{error}");
    }

    #[test]
    fn more_accidents_than_clients_are_an_error() {
        assert!(error(DemoArgs { frozen: Some(199), reset: Some(2), ..args() }, 1000).contains("206 together"));
    }

    #[test]
    fn the_users_flags_for_the_server_win() {
        let serve = vec!["--timeout=0".to_owned()];
        let arguments = Plan::new(&DemoArgs { serve, ..args() }, 1000).unwrap().server_arguments();
        assert!(!arguments.contains(&"--timeout".to_owned()));
        assert_eq!(arguments.last().map(String::as_str), Some("--timeout=0"));
        assert!(arguments.contains(&"--role".to_owned()));
    }
}

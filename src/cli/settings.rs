//! The flags, checked and made into what a reactor takes; and what of it may change in a running server.

use std::sync::Arc;

use heartline::frame::{Framing, SpecError};
use heartline::liveness::{MassSilence, Policy, PolicyId, Role};
use heartline::reactor::{
    Address, CONNECTIONS_MAX, Config, DrainOptions, Limits, ListenOptions, Marks, Options, SocketOptions,
    WebSocketOptions,
};

use ipnet::IpNet;

use super::args::{App, Level, LogFormat, ServeArgs, Switch};
use super::{Problem, websocket};

/// Balancers leave as soon as they are let in.
const HEALTH_CHECK_MS: u32 = 1_000;

/// What `serve` runs by.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) live: Live,
    pub(crate) fixed: Fixed,
    pub(crate) framing: Arc<Framing>,
    /// Of `--frame auto`: for who does not ask for WebSocket.
    pub(crate) otherwise: Option<Arc<Framing>>,
}

/// What connections follow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policies {
    pub(crate) usual: PolicyId,
    /// Those of [`Settings::otherwise`].
    pub(crate) otherwise: PolicyId,
}

/// What SIGHUP changes, for live connections too where they have it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Live {
    pub(crate) policy: Policy,
    /// The same where there is no other framing.
    pub(crate) policy_otherwise: Policy,
    pub(crate) socket: SocketOptions,
    pub(crate) marks: Marks,
    pub(crate) limits: Limits,
    pub(crate) websocket: WebSocketOptions,
    pub(crate) per_address_max: u32,
    pub(crate) accepts_per_second: u32,
    pub(crate) proxy_from: Vec<IpNet>,
    pub(crate) drain_spread_ms: u32,
    pub(crate) drain_limit_ms: u32,
    pub(crate) level: Level,
}

/// What needs a restart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fixed {
    pub(crate) listen: Vec<Address>,
    /// In the form that every writing of the same framing has.
    pub(crate) frame: String,
    pub(crate) app: App,
    pub(crate) threads: u32,
    pub(crate) connections_max: u32,
    pub(crate) statistics: bool,
    pub(crate) backlog: u32,
    pub(crate) mass_silence: Option<MassSilence>,
    pub(crate) autopsy_ms: u32,
    pub(crate) log: LogFormat,
    pub(crate) metrics: Option<Address>,
}

impl Live {
    fn new(args: &ServeArgs, framing: &Framing, otherwise: Option<&Framing>) -> Result<Self, Problem> {
        Ok(Self {
            policy: policy(args, framing)?,
            policy_otherwise: policy(args, otherwise.unwrap_or(framing))?,
            socket: SocketOptions {
                nodelay: args.nodelay.is_none_or(Switch::is_on),
                keepalive: args.keepalive,
                user_timeout_ms: args.user_timeout.unwrap_or(0),
                ..SocketOptions::default()
            },
            marks: marks(args)?,
            limits: limits(args),
            websocket: websocket::options(args, framing.is_websocket())?,
            per_address_max: args.per_address.unwrap_or(0),
            accepts_per_second: args.accepts_per_second.unwrap_or(0),
            proxy_from: args.proxy_from.clone().unwrap_or_default(),
            drain_spread_ms: args.drain_spread.unwrap_or(0),
            drain_limit_ms: drain_limit(args)?,
            level: args.log_level.unwrap_or_default(),
        })
    }
}

impl Settings {
    pub(crate) fn new(args: &ServeArgs) -> Result<Self, Problem> {
        let spec = args.frame.as_deref().unwrap_or("length:4be");
        let (framing, otherwise) =
            framings(spec).map_err(|error| Problem::usage(format!("--frame '{spec}': {error}")))?;
        let live = Live::new(args, &framing, otherwise.as_deref())?;
        let fixed = Fixed {
            listen: args.listen.clone().unwrap_or_else(|| vec![Address::Tcp(([127, 0, 0, 1], 7001).into())]),
            frame: match &otherwise {
                Some(otherwise) => format!("{} or {}", framing.spec(), otherwise.spec()),
                None => framing.spec(),
            },
            app: args.app.unwrap_or_default(),
            threads: u32::from(args.threads.unwrap_or(1)),
            connections_max: connections_max(args)?,
            statistics: args.statistics.is_none_or(Switch::is_on),
            backlog: args.backlog.unwrap_or(4096),
            mass_silence: args.mass_silence,
            autopsy_ms: args.autopsy.unwrap_or(0),
            log: args.log.unwrap_or_default(),
            metrics: args.metrics.clone(),
        };
        let settings = Self { live, fixed, framing, otherwise };
        settings.check_shares()?;
        Ok(settings)
    }

    /// Limits that are divided must leave something for each thread.
    fn check_shares(&self) -> Result<(), Problem> {
        let threads = self.fixed.threads;
        for (name, limit) in [
            ("--max-connections", self.fixed.connections_max),
            ("--per-address", self.live.per_address_max),
            ("--accepts-per-second", self.live.accepts_per_second),
        ] {
            if limit > 0 && limit < threads {
                return Err(Problem::usage(format!(
                    "{name} is {limit}, but is divided among --threads {threads}: it must be {threads} or more"
                )));
            }
        }
        Ok(())
    }

    /// The whole reactor of thread `index`.
    pub(crate) fn config(&self, index: u32) -> Config {
        let defaults = Config::default();
        let threads = self.fixed.threads;
        Config {
            mass_silence: self
                .fixed
                .mass_silence
                .map(|guard| MassSilence { min_peers: guard.min_peers.div_ceil(threads), ..guard }),
            autopsy_ms: self.fixed.autopsy_ms,
            statistics: self.fixed.statistics,
            connections_max: self.share(self.fixed.connections_max, index),
            partial_bytes_max: defaults.partial_bytes_max / threads as usize,
            outbox_bytes_max: defaults.outbox_bytes_max / threads as usize,
            ..defaults
        }
    }

    /// Part `index` of a limit that all threads share; 0 stays 0, off. The parts add up to the whole.
    pub(crate) fn share(&self, limit: u32, index: u32) -> u32 {
        limit / self.fixed.threads + u32::from(index < limit % self.fixed.threads)
    }

    pub(crate) fn listen_options(&self, index: u32, policies: Policies) -> ListenOptions {
        ListenOptions {
            connection: self.options(policies),
            backlog: self.fixed.backlog,
            reuse_port: self.fixed.threads > 1,
            per_address_max: self.share(self.live.per_address_max, index),
            accepts_per_second: self.share(self.live.accepts_per_second, index),
            proxy_from: self.live.proxy_from.clone(),
        }
    }

    fn options(&self, policies: Policies) -> Options {
        let mut options = self.options_with(&self.framing, policies.usual);
        options.websocket.otherwise = self.options_otherwise(policies).map(Arc::new);
        options
    }

    /// What a connection of the other framing is set to.
    pub(crate) fn options_otherwise(&self, policies: Policies) -> Option<Options> {
        self.otherwise.as_ref().map(|framing| self.options_with(framing, policies.otherwise))
    }

    fn options_with(&self, framing: &Arc<Framing>, policy: PolicyId) -> Options {
        Options {
            policy: Some(policy),
            socket: self.live.socket.clone(),
            marks: self.live.marks,
            limits: self.live.limits,
            websocket: self.live.websocket.clone(),
            // Echo answers what came just before the peer's FIN, then closes by itself.
            half_open: self.fixed.app == App::Echo,
            ..Options::shared(Arc::clone(framing))
        }
    }

    pub(crate) fn drain_options(&self) -> DrainOptions {
        DrainOptions {
            spread_ms: u64::from(self.live.drain_spread_ms),
            limit_ms: u64::from(self.live.drain_limit_ms),
            ..DrainOptions::default()
        }
    }

    /// These settings with what `args` may change in a running server, and the names of what they may not. What cannot
    /// be run beside the frame and the threads that stay is refused.
    pub(crate) fn renewed(&self, args: &ServeArgs) -> Result<(Self, Vec<&'static str>), Problem> {
        let newer = Self::new(args)?;
        let renewed = self.with_live_of(args).map_err(|problem| {
            let (text, frame, threads) = (problem.text(), &self.fixed.frame, self.fixed.threads);
            Problem::usage(format!("{text} (until a restart --frame stays {frame} and --threads {threads})"))
        })?;
        let (old, new) = (&self.fixed, &newer.fixed);
        let mut restart = Vec::new();
        let mut compare = |name, same: bool| {
            if !same {
                restart.push(name);
            }
        };
        compare("listen", old.listen == new.listen);
        compare("frame", old.frame == new.frame);
        compare("app", old.app == new.app);
        compare("threads", old.threads == new.threads);
        compare("max-connections", old.connections_max == new.connections_max);
        compare("statistics", old.statistics == new.statistics);
        compare("backlog", old.backlog == new.backlog);
        compare("mass-silence", old.mass_silence == new.mass_silence);
        compare("autopsy", old.autopsy_ms == new.autopsy_ms);
        compare("log", old.log == new.log);
        compare("metrics", old.metrics == new.metrics);
        Ok((renewed, restart))
    }

    fn with_live_of(&self, args: &ServeArgs) -> Result<Self, Problem> {
        let renewed = Self { live: Live::new(args, &self.framing, self.otherwise.as_deref())?, ..self.clone() };
        renewed.check_shares()?;
        Ok(renewed)
    }
}

/// The framing of `--frame`; with `auto`, WebSocket and what holds for who does not ask for it.
fn framings(spec: &str) -> Result<(Arc<Framing>, Option<Arc<Framing>>), SpecError> {
    let parse = |text: &str| Framing::parse(text).map(Arc::new);
    match spec.strip_prefix("auto") {
        Some(keys) if keys.is_empty() || keys.starts_with(',') => {
            Ok((parse(&format!("websocket{keys}"))?, Some(parse(&format!("length:4be{keys}"))?)))
        }
        _ => Ok((parse(spec)?, None)),
    }
}

fn policy(args: &ServeArgs, framing: &Framing) -> Result<Policy, Problem> {
    let given = args.profile.as_deref().and_then(Policy::profile);
    // L12: a codec without a beat has no timeout unless one is given.
    let mut policy = given.unwrap_or(match framing.has_beats() {
        // Hidden pages are throttled, but browsers answer a Ping by themselves.
        true if framing.is_websocket() => Policy::web(),
        true => Policy::im(),
        false => Policy::none(),
    });
    if let Some(ms) = args.timeout {
        policy = policy.with_timeout(ms);
    }
    policy.interval_ms = args.interval.unwrap_or(policy.interval_ms);
    policy.suspect_ms = args.suspect.unwrap_or(policy.suspect_ms);
    policy.role = match args.role {
        Some(role) if (role.asks() || role.answers()) && !framing.has_beats() => {
            let (role, spec) = (role.name(), framing.spec());
            return Err(Problem::usage(format!(
                "--role {role} needs beats, but --frame {spec} has none: add ask= and answer= to it, or take --role watch"
            )));
        }
        Some(role) => role,
        // A page cannot send a Ping: we ask, and whoever speaks WebSocket has agreed to that.
        None if framing.is_websocket() => Role::Both,
        None if framing.has_beats() => Role::Answer,
        None => Role::Watch,
    };
    policy.check().map_err(|error| Problem::usage(format!("liveness: {error} (--interval, --suspect, --timeout)")))?;
    Ok(policy)
}

fn marks(args: &ServeArgs) -> Result<Marks, Problem> {
    let defaults = Marks::default();
    let high_bytes = args.high_mark.unwrap_or(defaults.high_bytes);
    let low_bytes = args.low_mark.unwrap_or(high_bytes / 4);
    if high_bytes == 0 || low_bytes >= high_bytes {
        return Err(Problem::usage(format!(
            "--low-mark is {low_bytes} bytes, but must be below --high-mark, {high_bytes} bytes"
        )));
    }
    Ok(Marks { high_bytes, low_bytes, when_full: args.when_full.unwrap_or_default() })
}

fn limits(args: &ServeArgs) -> Limits {
    let defaults = Limits::default();
    Limits {
        first_frame_ms: args.first_frame.unwrap_or(defaults.first_frame_ms),
        frame_ms: args.frame_limit.unwrap_or(defaults.frame_ms),
        output_ms: args.output_limit.unwrap_or(defaults.output_ms),
        health_check_ms: args.health_check.unwrap_or(HEALTH_CHECK_MS),
        ..defaults
    }
}

fn drain_limit(args: &ServeArgs) -> Result<u32, Problem> {
    let limit = args.drain_limit.unwrap_or(10_000);
    let spread = args.drain_spread.unwrap_or(0);
    match args.drain_limit {
        Some(limit) if limit < spread => Err(Problem::usage(format!(
            "--drain-limit is {limit} ms, but must not be below --drain-spread, {spread} ms"
        ))),
        // Whoever gives only the spread wants the last to have time too.
        None if limit < spread => Ok(spread.saturating_add(limit)),
        _ => Ok(limit),
    }
}

fn connections_max(args: &ServeArgs) -> Result<u32, Problem> {
    match args.max_connections {
        None => Ok(CONNECTIONS_MAX),
        Some(limit) if limit > CONNECTIONS_MAX => {
            Err(Problem::usage(format!("--max-connections is {limit}, but must be {CONNECTIONS_MAX} or less")))
        }
        Some(limit) => Ok(limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(args: ServeArgs) -> Result<Settings, String> {
        Settings::new(&args).map_err(|problem| problem.text().to_owned())
    }

    fn with_timeout(ms: u32) -> ServeArgs {
        ServeArgs { timeout: Some(ms), ..ServeArgs::default() }
    }

    #[test]
    fn a_timeout_alone_scales_the_other_two() {
        let policy = settings(with_timeout(70_000)).unwrap().live.policy;
        assert_eq!((policy.interval_ms, policy.suspect_ms, policy.timeout_ms), (20_000, 30_000, 70_000));
        let given = ServeArgs { interval: Some(5_000), ..with_timeout(70_000) };
        assert_eq!(settings(given).unwrap().live.policy.interval_ms, 5_000);
    }

    #[test]
    fn a_timeout_of_0_never_judges() {
        assert!(!settings(with_timeout(0)).unwrap().live.policy.judges());
    }

    #[test]
    fn a_codec_without_beats_has_no_timeout_unless_given() {
        let raw = |args: ServeArgs| settings(ServeArgs { frame: Some("raw".into()), ..args });
        let policy = raw(ServeArgs::default()).unwrap().live.policy;
        assert_eq!((policy.timeout_ms, policy.role), (0, Role::Watch));
        assert_eq!(raw(with_timeout(9_000)).unwrap().live.policy.timeout_ms, 9_000);
        let error = raw(ServeArgs { role: Some(Role::Both), ..ServeArgs::default() }).unwrap_err();
        assert!(error.contains("--role both needs beats, but --frame raw has none"), "{error}");
    }

    #[test]
    fn errors_name_the_thing_the_limit_and_the_value() {
        let of = |args| settings(args).unwrap_err();
        let error = of(ServeArgs { interval: Some(40_000), ..ServeArgs::default() });
        assert!(error.contains("interval 40000 ms < suspect 15000 ms < timeout 35000 ms does not hold"), "{error}");
        let error = of(ServeArgs { low_mark: Some(100), high_mark: Some(50), ..ServeArgs::default() });
        assert!(error.contains("--low-mark is 100 bytes") && error.contains("50 bytes"), "{error}");
        let error = of(ServeArgs { max_connections: Some(3), threads: Some(4), ..ServeArgs::default() });
        assert!(error.contains("--max-connections is 3") && error.contains("4 or more"), "{error}");
        let error = of(ServeArgs { frame: Some("lenght:4be".into()), ..ServeArgs::default() });
        assert!(error.contains("--frame 'lenght:4be'") && error.contains("length"), "{error}");
        let error = of(ServeArgs { drain_limit: Some(1), drain_spread: Some(5), ..ServeArgs::default() });
        assert!(error.contains("--drain-limit is 1 ms"), "{error}");
    }

    #[test]
    fn shares_add_up_and_off_stays_off() {
        let four = settings(ServeArgs { threads: Some(4), max_connections: Some(10), ..ServeArgs::default() }).unwrap();
        let parts: Vec<u32> = (0..4).map(|index| four.share(10, index)).collect();
        assert_eq!(parts, [3, 3, 2, 2]);
        assert_eq!(four.share(0, 0), 0);
    }

    #[test]
    fn a_renewal_takes_what_may_change_and_names_the_rest() {
        let old = settings(ServeArgs::default()).unwrap();
        let asked = ServeArgs { threads: Some(2), app: Some(App::Discard), ..with_timeout(8_000) };
        let (renewed, restart) = old.renewed(&asked).unwrap();
        assert_eq!(renewed.live.policy.timeout_ms, 8_000);
        assert_eq!(renewed.fixed, old.fixed);
        assert_eq!(restart, ["app", "threads"]);
    }

    #[test]
    fn a_renewal_judges_by_the_frame_that_stays() {
        let framed = |frame: &str| ServeArgs { frame: Some(frame.into()), ..ServeArgs::default() };
        for (running, asked) in [("raw", "length:4be"), ("length:4be", "raw")] {
            let old = settings(framed(running)).unwrap();
            let (renewed, restart) = old.renewed(&framed(asked)).unwrap();
            assert_eq!(renewed.live, old.live, "{running}, asked for {asked}");
            assert_eq!(restart, ["frame"]);
        }
        let raw = settings(framed("raw")).unwrap();
        let error = raw.renewed(&ServeArgs { role: Some(Role::Ask), ..framed("length:4be") }).unwrap_err();
        assert!(error.text().contains("--role ask needs beats, but --frame raw has none"), "{error:?}");
        assert!(error.text().contains("until a restart --frame stays raw"), "{error:?}");
    }

    #[test]
    fn a_renewal_divides_among_the_threads_that_stay() {
        let of = |threads, per_address| ServeArgs {
            threads: Some(threads),
            per_address: Some(per_address),
            ..ServeArgs::default()
        };
        let four = settings(of(4, 8)).unwrap();
        let error = four.renewed(&of(1, 2)).unwrap_err();
        assert!(error.text().contains("--per-address is 2") && error.text().contains("4 or more"), "{error:?}");
        assert!(error.text().contains("until a restart") && error.text().contains("--threads 4"), "{error:?}");
        assert_eq!(four.renewed(&of(1, 4)).unwrap().0.live.per_address_max, 4);
    }
}

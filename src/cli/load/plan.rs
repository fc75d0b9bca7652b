//! The flags, checked, and what follows from them.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;

use heartline::frame::Framing;
use heartline::frame::websocket::upgrade::ClientRequest;
use heartline::liveness::{Policy, Role};

use super::args::{Expect, LoadArgs, Spin};
use super::backoff::Backoff;
use super::fault::{Fault, Kind};
use super::goal::Goals;
use super::sources::Sources;
use super::template::Template;
use crate::cli::Problem;

/// How messages are paced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traffic {
    /// Connections only beat.
    None,
    /// So many under way on each connection.
    Closed(u32),
    /// At the rate that all threads share (`Shared::rate`).
    Open,
}

/// What will be done.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) address: SocketAddr,
    pub(super) connections: u32,
    pub(super) threads: u16,
    /// In a second, all threads together; 0: no limit.
    pub(super) connect_rate: f64,
    pub(super) connect_timeout_ms: u32,
    pub(super) sources: Sources,
    pub(super) framing: Arc<Framing>,
    /// What a WebSocket is asked for with.
    pub(super) request: Arc<ClientRequest>,
    pub(super) policy: Policy,
    pub(super) traffic: Traffic,
    /// Messages in a second that an open loop begins with.
    pub(super) rate: f64,
    pub(super) template: Template,
    pub(super) expect: Expect,
    pub(super) duration_ms: u32,
    pub(super) warmup_ms: u32,
    pub(super) search: Option<Goals>,
    pub(super) search_step_ms: u32,
    pub(super) spin: bool,
    pub(super) faults: Vec<Fault>,
    pub(super) timeout_ms: Option<u32>,
    pub(super) frame_timeout_ms: Option<u32>,
    pub(super) backoff: Backoff,
    pub(super) reconnect: bool,
    pub(super) seed: u64,
}

/// The rate at which a search begins, if none is given.
const SEARCH_FROM: u32 = 1000;
const BEAT_MS: u32 = 10_000;

impl Plan {
    pub(super) fn new(args: &LoadArgs) -> Result<Self, Problem> {
        let address = resolve(&args.address)?;
        let template = match &args.message {
            Some(text) => Template::parse(text).map_err(Problem::usage)?,
            None => Template::plain(args.size as usize),
        };
        let traffic = match (args.rate, args.in_flight, &args.search) {
            (_, Some(in_flight), _) => Traffic::Closed(in_flight),
            (None, None, None) => Traffic::None,
            _ => Traffic::Open,
        };
        if args.expect == Expect::Nothing && args.in_flight.is_some() {
            let text = "--in-flight waits for what comes back, but --expect is nothing: give --rate";
            return Err(Problem::usage(text));
        }
        let framing = framing(args, traffic, &template)?;
        let request = request(args, &framing)?;
        let policy = policy(args, &framing)?;
        check_times(args)?;
        let faults = args.fault.clone().unwrap_or_default().0;
        check_faults(&faults, args, &framing)?;
        let connect_rate = match args.ramp {
            Some(ms @ 1..) => f64::from(args.connections) * 1000.0 / f64::from(ms),
            _ => f64::from(args.connect_rate),
        };
        if u32::from(args.threads) > args.connections {
            let LoadArgs { connections, threads, .. } = args;
            return Err(Problem::usage(format!(
                "--threads is {threads}, but --connections is {connections}: one each at least"
            )));
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            address,
            connections: args.connections,
            threads: args.threads,
            connect_rate,
            connect_timeout_ms: args.connect_timeout,
            sources: args.source.clone().unwrap_or_default(),
            // Of a WebSocket, the client's side.
            framing: Arc::new(framing.for_dialled()),
            request: Arc::new(request),
            policy,
            traffic,
            rate: f64::from(args.rate.unwrap_or(SEARCH_FROM)),
            template,
            expect: args.expect,
            duration_ms: args.duration,
            warmup_ms: args.warmup,
            search: args.search.clone(),
            search_step_ms: args.search_step,
            spin: match args.spin {
                Spin::On => true,
                Spin::Off => false,
                Spin::Auto => traffic == Traffic::Open && cores > usize::from(args.threads),
            },
            faults,
            timeout_ms: args.timeout.filter(|ms| *ms > 0),
            frame_timeout_ms: args.frame_timeout.filter(|ms| *ms > 0),
            backoff: args.backoff,
            reconnect: args.reconnect,
            seed: args.seed,
        })
    }

    /// How many connections thread `index` has, and the number of the first.
    pub(super) fn share(&self, index: u16) -> (u32, u32) {
        let part = |total: u32, index: u32| {
            let threads = u32::from(self.threads);
            (total / threads) * index + (total % threads).min(index)
        };
        let first = part(self.connections, u32::from(index));
        (part(self.connections, u32::from(index) + 1) - first, first)
    }

    /// How many of thread `index` fault `number` befalls: shares of threads add up.
    pub(super) fn struck_of(&self, number: usize, index: u16) -> u32 {
        let total = self.faults[number].count(self.connections);
        let threads = u32::from(self.threads);
        total / threads + u32::from(u32::from(index) < total % threads)
    }

    /// From what a client did last to when it should be found, if the server's limit was given.
    pub(super) fn limit_ms(&self, kind: Kind) -> Option<u32> {
        match kind {
            Kind::Freeze | Kind::NoAnswer => self.timeout_ms,
            Kind::HalfFrame => self.frame_timeout_ms.or(self.timeout_ms),
            Kind::Drip => self.frame_timeout_ms,
            Kind::Reset | Kind::Fin | Kind::SlowReader | Kind::Flood | Kind::Storm => None,
        }
    }
}

fn resolve(text: &str) -> Result<SocketAddr, Problem> {
    let found = text.to_socket_addrs().map_err(|error| {
        Problem::usage(format!(
            "`{text}` is not the address of a server ({error}): write IP:PORT, [IPv6]:PORT or HOST:PORT"
        ))
    })?;
    // Of a name with both kinds of addresses the kernel's choice comes first.
    let address = found.into_iter().next().ok_or_else(|| Problem::failed(format!("`{text}` has no address")))?;
    if address.port() == 0 {
        return Err(Problem::usage(format!("`{text}`: port 0 is nobody's")));
    }
    Ok(address)
}

/// `raw` has no borders: messages of one length are records of that length, which is the same on the wire.
fn framing(args: &LoadArgs, traffic: Traffic, template: &Template) -> Result<Framing, Problem> {
    let parse =
        |text: &str| Framing::parse(text).map_err(|error| Problem::usage(format!("--frame {}: {error}", args.frame)));
    let given = parse(&args.frame)?;
    if !given.spec().starts_with("raw") || traffic == Traffic::None || args.expect == Expect::Nothing {
        return Ok(given);
    }
    match template.size() {
        Some(size @ 1..) => parse(&format!("fixed:{size}")),
        _ => Err(Problem::usage(
            "--frame raw tells messages apart by their length: give --size, or a --message whose length is fixed",
        )),
    }
}

fn request(args: &LoadArgs, framing: &Framing) -> Result<ClientRequest, Problem> {
    if args.path.is_some() && !framing.is_websocket() {
        return Err(Problem::usage("--path is for --frame websocket"));
    }
    let request = ClientRequest::new(&args.address, args.path.as_deref().unwrap_or("/"));
    request.write([0; 16], &mut Vec::new()).map_err(|error| Problem::usage(error.to_string()))?;
    Ok(request)
}

fn policy(args: &LoadArgs, framing: &Framing) -> Result<Policy, Problem> {
    let has_beats = framing.has_beats();
    let beat_ms = args.beat.unwrap_or(if has_beats { BEAT_MS } else { 0 });
    if beat_ms > 0 && !has_beats {
        return Err(Problem::usage(format!("--beat is {beat_ms} ms, but --frame {} has no beats", args.frame)));
    }
    let role = match (args.role, beat_ms) {
        _ if !has_beats => Role::Watch,
        (Role::Both, 0) => Role::Answer,
        (Role::Ask, 0) => Role::Watch,
        (role, _) => role,
    };
    // Clients judge nobody: what the server does is to be seen to the end.
    let policy = Policy::none().with_role(role).with_interval(beat_ms).with_jitter(args.beat_spread);
    policy.check().map_err(|error| Problem::usage(format!("--beat: {error}")))?;
    Ok(policy)
}

fn check_times(args: &LoadArgs) -> Result<(), Problem> {
    let Some(last) = args.fault.as_ref().and_then(|schedule| schedule.0.last()) else {
        return if args.warmup < args.duration || args.duration == 0 {
            Ok(())
        } else {
            Err(Problem::usage(format!("--warmup is {} ms, but --duration is {} ms", args.warmup, args.duration)))
        };
    };
    if args.duration > 0 && last.at_ms >= args.duration {
        return Err(Problem::usage(format!(
            "--fault {}@{}ms comes after the end: --duration is {} ms",
            last.label(),
            last.at_ms,
            args.duration
        )));
    }
    Ok(())
}

fn check_faults(faults: &[Fault], args: &LoadArgs, framing: &Framing) -> Result<(), Problem> {
    // Those that come back can be struck again.
    let struck: u64 = faults
        .iter()
        .filter(|fault| fault.kind != Kind::Storm)
        .map(|fault| u64::from(fault.count(args.connections)))
        .sum();
    if struck > u64::from(args.connections) && !args.reconnect {
        let connections = args.connections;
        return Err(Problem::usage(format!("--fault befalls {struck} clients, but --connections is {connections}")));
    }
    if faults.iter().any(|fault| fault.kind == Kind::Flood) && !framing.has_beats() {
        return Err(Problem::usage(format!("--fault flood is of asks, but --frame {} has no beats", args.frame)));
    }
    Ok(())
}

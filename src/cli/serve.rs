//! `heartline serve`, from its first line to its summary.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use heartline::reactor::{Address, CONNECTIONS_MAX, Config, Mailbox, Metrics, Reactor};

use super::app::Application;
use super::args::{Level, ServeArgs};
use super::log::Log;
use super::metrics::{Board, Door};
use super::orders::{Orders, obey_signals};
use super::settings::{Policies, Settings};
use super::worker::Worker;
use super::{Problem, config, descriptors, lines, log};

/// Serves until a signal ends it.
pub(crate) fn run(args: ServeArgs) -> Result<ExitCode, Problem> {
    let settings = Arc::new(Settings::new(&with_file(&args)?)?);
    let (mut log, writer) = log::start(settings.fixed.log, settings.live.level).map_err(system("starting the log"))?;
    tell_limits(&settings, &mut log);
    let (mut workers, addresses) = prepare(&settings, &log)?;
    let mailboxes = mailboxes(&mut workers).map_err(system("making the mailboxes"))?;
    let watched_at = open_door(&settings, &mut workers, &mailboxes)?;

    let orders = Arc::new(Orders::new(settings.clone()));
    let mut reload_log = log.another();
    let reload = move |running: &Settings| reload(&args, running, &mut reload_log);
    obey_signals(orders.clone(), mailboxes.clone(), reload).map_err(system("waiting for signals"))?;

    // Ready: from here on a connection is accepted and a signal obeyed.
    let mut stdout = io::stdout();
    for address in &addresses {
        // A closed stdout is nobody who wants to know.
        let _ = writeln!(stdout, "listening on {address}").and_then(|()| stdout.flush());
    }
    if let Some(address) = watched_at {
        let _ = writeln!(stdout, "metrics on {address}").and_then(|()| stdout.flush());
    }

    let legacy = work(workers, &mailboxes, &orders).map_err(system("waiting for the kernel"))?;
    let policy = orders.current().settings.live.policy;
    let advice = legacy.advisor.advice(&policy);
    log.line(Level::Info, |out, format| lines::summary(out, format, &legacy.counters, &advice));
    log.flush();
    writer.finish();
    Ok(ExitCode::SUCCESS)
}

/// The flags, over the config file if one is named.
fn with_file(args: &ServeArgs) -> Result<ServeArgs, Problem> {
    match &args.config {
        None => Ok(args.clone()),
        Some(path) => Ok(args.clone().over(config::read(path)?)),
    }
}

fn system(doing: &'static str) -> impl Fn(io::Error) -> Problem {
    move |error| Problem::failed(format!("{doing}: {error}"))
}

/// What the descriptor limit is now, and how limits are divided.
fn tell_limits(settings: &Settings, log: &mut Log) {
    let limit = descriptors::raise_limit();
    log.line(Level::Info, |out, format| {
        lines::plain(out, format, "descriptors", &[("limit", &limit)], &format_args!("descriptor limit {limit}"));
    });
    let threads = settings.fixed.threads;
    if threads > 1 {
        for index in 0..threads {
            tell_share(settings, index, log);
        }
    }
    log.flush();
}

fn tell_share(settings: &Settings, index: u32, log: &mut Log) {
    let connections_max = settings.share(settings.fixed.connections_max, index).min(CONNECTIONS_MAX);
    let per_address = settings.share(settings.live.per_address_max, index);
    let accepts_per_second = settings.share(settings.live.accepts_per_second, index);
    let Config { outbox_bytes_max, partial_bytes_max, .. } = settings.config(index);
    log.line(Level::Info, |out, format| {
        let text = format_args!(
            "thread {index}: max-connections {connections_max}, per-address {per_address}, accepts-per-second \
             {accepts_per_second} (0: no limit), all outboxes {outbox_bytes_max} bytes, all unfinished frames \
             {partial_bytes_max} bytes"
        );
        let fields: [(&str, &dyn std::fmt::Display); 6] = [
            ("thread", &index),
            ("max_connections", &connections_max),
            ("per_address", &per_address),
            ("accepts_per_second", &accepts_per_second),
            ("outbox_bytes_max", &outbox_bytes_max),
            ("partial_bytes_max", &partial_bytes_max),
        ];
        lines::plain(out, format, "share", &fields, &text);
    });
}

/// A reactor per thread, all listening; and where.
fn prepare(settings: &Arc<Settings>, log: &Log) -> Result<(Vec<Worker>, Vec<Address>), Problem> {
    let mut workers = Vec::new();
    for index in 0..settings.fixed.threads {
        let mut reactor = Reactor::new(settings.config(index)).map_err(system("making a reactor"))?;
        let mut define =
            |policy| reactor.define_policy(policy).map_err(|error| Problem::usage(format!("policy: {error}")));
        let live = &settings.live;
        let policies = Policies { usual: define(live.policy)?, otherwise: define(live.policy_otherwise)? };
        let (settings, log) = (settings.clone(), log.another());
        let listeners = Vec::new();
        workers.push(Worker { index, reactor, listeners, policies, settings, log, board: None, door: None });
    }
    let mut addresses = Vec::new();
    for address in &settings.fixed.listen {
        let mut bound: Option<Address> = None;
        for worker in &mut workers {
            let to = bound.as_ref().unwrap_or(address);
            let options = settings.listen_options(worker.index, worker.policies);
            let listening = worker.reactor.listen(to, &options).and_then(|listener| {
                worker.listeners.push(listener);
                worker.reactor.listener_address(listener)
            });
            let at = listening.map_err(|error| Problem::failed(format!("listening on {to}: {error}")))?;
            // Port 0 is bound once; the other threads share the port that the kernel chose.
            bound.get_or_insert(at);
            // Unix and inherited listeners stay on the first thread.
            if !matches!(address, Address::Tcp(_)) {
                break;
            }
        }
        addresses.extend(bound);
    }
    Ok((workers, addresses))
}

fn mailboxes(workers: &mut [Worker]) -> io::Result<Vec<Mailbox>> {
    workers.iter_mut().map(|worker| worker.reactor.mailbox()).collect()
}

/// Opens the door of `--metrics` in the first thread's reactor; where.
fn open_door(settings: &Settings, workers: &mut [Worker], mailboxes: &[Mailbox]) -> Result<Option<Address>, Problem> {
    let Some(address) = &settings.fixed.metrics else { return Ok(None) };
    let board = Arc::new(Board::new(mailboxes.to_vec()));
    for worker in workers.iter_mut() {
        worker.board = Some(board.clone());
    }
    let Some(first) = workers.first_mut() else { return Ok(None) };
    let opened = Door::open(&mut first.reactor, address, board).and_then(|door| {
        let at = door.address(&first.reactor)?;
        first.door = Some(door);
        Ok(at)
    });
    opened.map(Some).map_err(|error| Problem::failed(format!("listening on {address} for metrics: {error}")))
}

/// Runs the workers, the first on this thread, and adds up what they leave.
fn work(workers: Vec<Worker>, mailboxes: &[Mailbox], orders: &Arc<Orders>) -> io::Result<Metrics> {
    let mut threads = Vec::new();
    let mut first = None;
    for worker in workers {
        let mut others = mailboxes.to_vec();
        others.remove(worker.index as usize);
        let app = Application::new(worker.settings.fixed.app, others);
        if worker.index == 0 {
            first = Some((worker, app));
        } else {
            let orders = orders.clone();
            let name = format!("reactor {}", worker.index);
            threads.push(thread::Builder::new().name(name).spawn(move || worker.run(app, &orders))?);
        }
    }
    let mut legacy = Metrics::default();
    if let Some((worker, app)) = first {
        legacy.merge(&worker.run(app, orders)?);
    }
    for thread in threads {
        let left = thread.join().map_err(|_| io::Error::other("a worker panicked"))??;
        legacy.merge(&left);
    }
    Ok(legacy)
}

/// The settings that the config file asks for now; none if it is bad, or there is none.
fn reload(args: &ServeArgs, running: &Settings, log: &mut Log) -> Option<Settings> {
    let renewed = match &args.config {
        None => Err(Problem::usage("there is no --config to read again")),
        Some(_) => with_file(args).and_then(|asked| running.renewed(&asked)),
    };
    // The level that holds from now on decides.
    log.level = renewed.as_ref().map_or(running.live.level, |(renewed, _)| renewed.live.level);
    let settings = match renewed {
        Ok((renewed, restart)) => {
            if !restart.is_empty() {
                let names = restart.join(", ");
                log.line(Level::Warn, |out, format| {
                    let text = format_args!("needs a restart, and stays as it is: {names}");
                    let names = lines::Quoted(Some(&names));
                    lines::plain(out, format, "restart_needed", &[("flags", &names)], &text);
                });
            }
            Some(renewed)
        }
        Err(problem) => {
            let error = problem.text();
            log.line(Level::Error, |out, format| {
                let text = format_args!("nothing reloaded: {error}");
                let error = lines::Quoted(Some(error));
                lines::plain(out, format, "reload_failed", &[("error", &error)], &text);
            });
            None
        }
    };
    log.flush();
    settings
}

//! `heartline top`: what a server with `--metrics` is doing, in a terminal.
//!
//! | file | idea |
//! |---|---|
//! | `fetch` | one request over HTTP |
//! | `samples` | Prometheus text, read |
//! | `view` | what is said of two readings: words and numbers |
//! | `screen` | where they stand on the terminal |

mod fetch;
mod samples;
mod screen;
mod view;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use heartline::reactor::Address;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};

use super::Problem;
use super::values::duration_ms;
use samples::Samples;
use view::{History, View};

/// The flags of `top`.
#[derive(Args, Debug)]
pub(crate) struct TopArgs {
    /// What `serve --metrics` was given: IP:PORT, [IPv6]:PORT or unix:PATH
    address: Address,

    /// How often it is asked
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration_ms)]
    interval: u32,

    /// Print one reading as plain lines and end; so does a stdout that is no terminal
    #[arg(long)]
    once: bool,
}

/// Shows until `q`, Escape or Ctrl-C.
pub(crate) fn run(args: &TopArgs) -> Result<ExitCode, Problem> {
    let interval = Duration::from_millis(u64::from(args.interval.max(100)));
    let mut stdout = std::io::stdout();
    if args.once || !stdout.is_terminal() {
        let mut history = History::default();
        history.add(read(&args.address)?);
        let view = View::of(&args.address.to_string(), &history);
        let _ = write!(stdout, "{view}");
        return Ok(ExitCode::SUCCESS);
    }
    // Who cannot be reached at all is said on a screen that stays.
    let first = read(&args.address)?;
    let mut terminal = ratatui::try_init().map_err(|error| Problem::failed(format!("taking the terminal: {error}")))?;
    let ended = watch(&mut terminal, args, interval, first);
    ratatui::restore();
    ended.map(|()| ExitCode::SUCCESS)
}

fn read(address: &Address) -> Result<Samples, Problem> {
    let body = fetch::get(address, "/metrics")
        .map_err(|error| Problem::failed(format!("asking {address} for /metrics: {error}")))?;
    Samples::read(&body).ok_or_else(|| Problem::failed(format!("{address} does not answer with Heartline's metrics")))
}

fn watch(
    terminal: &mut ratatui::DefaultTerminal,
    args: &TopArgs,
    interval: Duration,
    first: Samples,
) -> Result<(), Problem> {
    let of_terminal = |error: std::io::Error| Problem::failed(format!("using the terminal: {error}"));
    let mut history = History::default();
    history.add(first);
    let mut next = Instant::now() + interval;
    let mut lost = None;
    loop {
        let mut view = View::of(&args.address.to_string(), &history);
        view.lost = lost.take();
        terminal.draw(|frame| screen::draw(frame, &view)).map_err(of_terminal)?;
        while event::poll(next.saturating_duration_since(Instant::now())).map_err(of_terminal)? {
            match event::read().map_err(of_terminal)? {
                Event::Key(key) if ends(key.code, key.modifiers) => return Ok(()),
                Event::Resize(..) => break,
                _ => {}
            }
        }
        if Instant::now() >= next {
            match read(&args.address) {
                Ok(samples) => history.add(samples),
                Err(problem) => lost = Some(problem.text().to_owned()),
            }
            next = Instant::now() + interval;
        }
    }
}

fn ends(code: KeyCode, modifiers: KeyModifiers) -> bool {
    matches!(code, KeyCode::Char('q') | KeyCode::Esc)
        || (code == KeyCode::Char('c') && modifiers.contains(KeyModifiers::CONTROL))
}

//! What moves while a command runs: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// The bar, or nothing but lines. Both on stderr: stdout is for the report.
pub(crate) struct Screen {
    bar: Option<ProgressBar>,
    began: Instant,
}

impl Screen {
    pub(crate) fn new(length: Duration) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(length.as_millis() as u64);
            if let Ok(style) = ProgressStyle::with_template("{bar:30.green/dim} {elapsed:>3} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, began: Instant::now() }
    }

    /// What happens now.
    pub(crate) fn say(&self, what: &str) {
        match &self.bar {
            Some(bar) => {
                bar.println(format!("{:5.1} s  {what}", self.began.elapsed().as_secs_f64()));
                bar.set_message(what.to_owned());
            }
            None => {
                let _ = writeln!(std::io::stderr(), "{:5.1} s  {what}", self.began.elapsed().as_secs_f64());
            }
        }
    }

    /// How it stands: on the bar, in place of what it showed; elsewhere a line.
    pub(crate) fn show(&self, how: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(how.to_owned()),
            None => self.say(how),
        }
    }

    pub(crate) fn advance(&self) {
        if let Some(bar) = &self.bar {
            bar.set_position((self.began.elapsed().as_millis() as u64).min(bar.length().unwrap_or(0)));
        }
    }

    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.end();
    }
}

//! An example as its reader meets it: its opening comment has the commands that build and run it, and nothing else does here.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fs, mem};

use super::library::library;
use super::process::said;
use super::{folder, root};

pub(crate) struct Example {
    name: String,
    /// Looks like the checkout; what is built lands in it.
    folder: PathBuf,
    runs: Vec<String>,
}

impl Example {
    /// Builds it by the commands in its head, whose compilers are first given these flags besides.
    #[track_caller]
    pub(crate) fn built(source: &str, strict: &[&str]) -> Self {
        let (runs, builds): (Vec<_>, Vec<_>) = commands(&fs::read_to_string(root().join(source)).unwrap())
            .into_iter()
            .partition(|line| line.contains("./"));
        assert!(builds.iter().any(|line| line == "make lib") && !runs.is_empty(), "{source}: {builds:?} {runs:?}");
        let example = Self { name: source.to_owned(), folder: like_the_checkout(), runs };
        for line in &builds {
            match line.split_once(' ').unwrap() {
                ("make", "lib") => drop(library()),
                ("diff", _) => example.only_adds(line),
                (compiler @ ("cc" | "c++"), rest) => {
                    example.shell(&format!("{compiler} {} {rest}", strict.join(" ")));
                    example.shell(line);
                }
                _ => drop(example.shell(line)),
            }
        }
        example
    }

    /// Those of its commands that run it.
    pub(crate) fn runs(&self) -> &[String] {
        &self.runs
    }

    /// The one that has this word in it, with parts of it replaced, on a port that is free. What is optional and was not
    /// replaced is given if it is a setting, and left out if it is only a name for one.
    #[track_caller]
    pub(crate) fn command(&self, word: &str, replaced: &[(&str, &str)]) -> Command {
        let mut fitting = self.runs.iter().filter(|line| line.contains(word));
        let (Some(line), None) = (fitting.next(), fitting.next()) else {
            panic!("{}: {word:?} is not in one of {:?}", self.name, self.runs)
        };
        let mut line = line.clone();
        for (part, value) in replaced {
            assert!(line.contains(part), "{}: no {part:?} in {line}", self.name);
            line = line.replacen(part, value, 1);
        }
        let mut words: Vec<String> = line.split(' ').filter_map(argument).collect();
        // Signals are for the program, not for a shell that waits for it.
        let program = words.iter().position(|word| !word.contains('=')).unwrap();
        words.insert(program, "exec".to_owned());
        let mut command = Command::new("sh");
        command.args(["-c", &words.join(" ")]).current_dir(&self.folder);
        command
    }

    /// What it says of a file that a command has written.
    pub(crate) fn written(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap()
    }

    /// What one more command says, where it was built.
    #[track_caller]
    pub(crate) fn shell(&self, line: &str) -> String {
        said(Command::new("sh").args(["-c", line]).current_dir(&self.folder))
    }

    /// A difference that is shown has lines that are new, and none that are gone.
    #[track_caller]
    fn only_adds(&self, line: &str) {
        let difference = self.shell(&format!("{line}; test $? -eq 1"));
        let (_, changes) = difference.split_once("\n@@").expect("a unified difference");
        assert!(!changes.lines().any(|line| line.starts_with('-')), "{}: {difference}", self.name);
        assert!(changes.lines().any(|line| line.starts_with('+')), "{}: {difference}", self.name);
    }
}

/// The commands in the opening comment of a source: its lines that stand three columns in, without what is said beside them.
fn commands(source: &str) -> Vec<String> {
    let comment = source.strip_prefix("/*").and_then(|rest| rest.split_once("*/")).expect("an opening comment").0;
    let mut commands = Vec::new();
    let mut unfinished = String::new();
    for line in comment.lines().filter_map(|line| line.strip_prefix(" *   ")) {
        match line.strip_suffix('\\') {
            Some(part) => unfinished += part.trim_start(),
            None => {
                let whole = mem::take(&mut unfinished) + line.trim_start();
                commands.push(whole.split("   ").next().unwrap().to_owned());
            }
        }
    }
    commands
}

/// One argument of a command: 70xx as a port is any that is free, `[OPTIONAL]` is left out and `[optional]` given.
fn argument(word: &str) -> Option<String> {
    let bare = word.trim_matches(['[', ']']);
    if bare != word && bare.chars().any(char::is_uppercase) {
        return None;
    }
    let (before, port) = bare.rsplit_once(':').map_or(("", bare), |(host, port)| (&bare[..=host.len()], port));
    let is_port = port.len() == 4 && port.starts_with("70") && port.parse::<u16>().is_ok();
    Some(if is_port { format!("{before}0") } else { bare.to_owned() })
}

/// A folder of its own in which the paths of the checkout hold.
fn like_the_checkout() -> PathBuf {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let place = folder(&format!("example-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed)));
    for entry in fs::read_dir(root()).unwrap() {
        let entry = entry.unwrap();
        symlink(entry.path(), place.join(entry.file_name())).unwrap();
    }
    place
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

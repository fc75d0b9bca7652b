//! Messages of one thread: when they are due, and whether what comes back is what was sent.

use super::crowd::Crowd;
use super::tally::Tally;
use super::template::{Author, Template};

/// When the messages of an open loop are due: from a beginning, at a rate, whatever comes back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    began_ns: u64,
    period_ns: f64,
    count: u64,
}

impl Pace {
    /// `rate` messages in a second, of all threads; thread `index` of `threads` has its part of them.
    pub(super) fn new(began_ns: u64, rate: f64, index: u16, threads: u16) -> Self {
        // Threads take turns too.
        let began_ns = began_ns + (1e9 / rate * f64::from(index)) as u64;
        Self { began_ns, period_ns: 1e9 * f64::from(threads) / rate, count: 0 }
    }

    /// When the next is due.
    pub(super) fn due_ns(&self) -> u64 {
        self.began_ns + (self.period_ns * self.count as f64) as u64
    }

    pub(super) fn advance(&mut self) {
        self.count += 1;
    }
}

/// How many messages back a repetition is looked for.
const BACK_MAX: u32 = 8;

/// Compares what came with what must come. Right or wrong, it stands for one message under way, unless it is there
/// twice; where some were left out, it stands for these too.
pub(super) struct Checker {
    template: Template,
    expected: Vec<u8>,
}

impl Checker {
    pub(super) fn new(template: Template) -> Self {
        Self { template, expected: Vec::new() }
    }

    /// How many messages under way `came` stands for; counts what is wrong with it.
    pub(super) fn check(
        &mut self,
        author: &Author,
        next: u32,
        under_way: usize,
        came: &[u8],
        tally: &mut Tally,
    ) -> usize {
        if self.is(author, next, came) {
            return 1;
        }
        if let Some(ahead) = (1..under_way).find(|ahead| self.is(author, next.wrapping_add(*ahead as u32), came)) {
            tally.count_error("lost", ahead as u64);
            return ahead + 1;
        }
        if (1..=BACK_MAX.min(next)).any(|back| self.is(author, next - back, came)) {
            tally.count_error("repeated", 1);
            return 0;
        }
        let what = if self.is_anothers(author, came) { "of another connection" } else { "changed" };
        tally.count_error(what, 1);
        1
    }

    fn is(&mut self, author: &Author, sequence: u32, came: &[u8]) -> bool {
        self.template.write(author, sequence, &mut self.expected);
        self.expected == came
    }

    /// Whether a plain message carries another connection's number, and is well otherwise.
    fn is_anothers(&mut self, author: &Author, came: &[u8]) -> bool {
        let (Template::Plain(_), Some((connection, rest))) = (&self.template, came.split_first_chunk::<4>()) else {
            return false;
        };
        let Some(sequence) = rest.first_chunk::<4>() else { return false };
        let other = Author { connection: u32::from_be_bytes(*connection), ..*author };
        other.connection != author.connection && self.is(&other, u32::from_be_bytes(*sequence), came)
    }
}

/// Takes `count` messages under way off the list of `client`; when the last of them was due.
pub(super) fn settle(crowd: &mut Crowd, client: u32, count: usize) -> Option<u64> {
    let of = crowd.get(client);
    let mut due = None;
    for _ in 0..count {
        due = of.waiting.pop_front();
        of.answered = of.answered.wrapping_add(1);
    }
    crowd.under_way -= count as u64;
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHOR: Author = Author { connection: 3, thread: 0, source: None, seed: 0 };

    fn checked(template: Template, came: impl Fn(&Template) -> Vec<u8>) -> (usize, Vec<(&'static str, u64)>) {
        let mut tally = Tally::default();
        let came = came(&template);
        let count = Checker::new(template).check(&AUTHOR, 5, 4, &came, &mut tally);
        (count, tally.errors.into_iter().collect())
    }

    fn message(connection: u32, sequence: u32) -> impl Fn(&Template) -> Vec<u8> {
        move |template| {
            let mut out = Vec::new();
            template.write(&Author { connection, ..AUTHOR }, sequence, &mut out);
            out
        }
    }

    #[test]
    fn what_is_wrong_with_an_echo_is_told_apart() {
        let templates = || [Template::plain(12), Template::parse("{connection}:{sequence}").unwrap()];
        for template in templates() {
            assert_eq!(checked(template.clone(), message(3, 5)), (1, vec![]));
            assert_eq!(checked(template.clone(), message(3, 7)), (3, vec![("lost", 2)]));
            assert_eq!(checked(template.clone(), message(3, 4)), (0, vec![("repeated", 1)]));
            assert_eq!(checked(template, |_| b"something else".to_vec()), (1, vec![("changed", 1)]));
        }
        assert_eq!(checked(Template::plain(12), message(9, 5)), (1, vec![("of another connection", 1)]));
        // Beyond what is under way it cannot be a later one.
        assert_eq!(checked(Template::plain(12), message(3, 9)).1, vec![("changed", 1)]);
    }

    #[test]
    fn an_open_loop_keeps_its_rate_whatever_happens() {
        let mut pace = Pace::new(1_000, 3_000.0, 1, 3);
        let mut due = Vec::new();
        for _ in 0..3 {
            due.push(pace.due_ns());
            pace.advance();
        }
        // Thread 1 of 3: a third of the rate, a third of a period behind the first.
        assert_eq!(due, [334_333, 1_334_333, 2_334_333]);
    }
}

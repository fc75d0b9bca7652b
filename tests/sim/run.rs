//! One run of one scenario, and what came of it.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::hosts::Host;
use super::kernel::Sim;
use super::process::Mode;
use super::scenario::{Cuts, Scenario};
use super::trace::Detail;
use super::world::World;

/// What a run came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was wrong, if anything.
    pub failure: Option<String>,
    pub lines: Vec<String>,
    /// The same for the same scenario, whatever else the machine does.
    pub hash: u64,
    pub virtual_ms: u64,
    pub connections: u64,
    pub messages: u64,
    pub deaths: u64,
    pub stalls: u64,
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Failures of a run are kept, not printed; those of the tests themselves are printed as ever.
pub fn keep_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if QUIET.get() {
                let text = info.payload_as_str().unwrap_or("a panic").to_string();
                let place = info.location().map_or(String::new(), |at| format!(" ({}:{})", at.file(), at.line()));
                PANIC.with(|kept| *kept.borrow_mut() = Some(text + &place));
            } else {
                usual(info);
            }
        }));
    });
}

pub fn run(scenario: &Scenario, detail: Detail) -> Outcome {
    keep_panics();
    let sim = Rc::new(Sim {
        world: RefCell::new(World::new(scenario.clone(), detail)),
        hosts: RefCell::default(),
        posts: RefCell::default(),
    });
    QUIET.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| live(&sim)));
    // The reactors hold the world that holds them.
    let hosts = std::mem::take(&mut *sim.hosts.borrow_mut());
    let _ = catch_unwind(AssertUnwindSafe(|| drop(hosts)));
    QUIET.set(false);
    let failure = outcome.err().map(|_| PANIC.with(|kept| kept.borrow_mut().take()).unwrap_or_default());
    let mut world = sim.world.borrow_mut();
    Outcome {
        failure,
        lines: std::mem::take(&mut world.trace.lines),
        hash: world.trace.hash(),
        virtual_ms: world.now_ns / 1_000_000,
        connections: world.oracle.opened,
        messages: world.oracle.ledger.delivered,
        deaths: world.oracle.deaths,
        stalls: world.oracle.stalls,
    }
}

fn live(sim: &Rc<Sim>) {
    let plans = sim.world.borrow().scenario.hosts.clone();
    for process in 0..plans.len() {
        let host = Host::new(sim, process);
        sim.hosts.borrow_mut().push(Some(host));
    }
    {
        let mut world = sim.world.borrow_mut();
        let framing = world.framing.clone();
        let listeners = plans.iter().filter(|host| host.listens).count();
        for character in world.scenario.peers.clone() {
            world.new_peer(character, framing.clone(), listeners);
        }
    }
    let main = plans.iter().position(|plan| plan.mode == Mode::Blocking);
    while !sim.world.borrow().over {
        match main {
            Some(main) => {
                sim.with_host(main, |host| host.block(sim));
                sim.settle();
            }
            None => sim.step(),
        }
    }
    for process in 0..plans.len() {
        sim.with_host(process, |host| host.check_end(&sim.world.borrow()));
    }
}

/// Makes a failing scenario smaller as long as it fails in the same way.
pub fn shrink(scenario: &Scenario, failure: &str) -> Cuts {
    let check = |text: &str| text.split(':').next().unwrap_or("").to_string();
    let mut smallest = scenario.clone();
    let mut tries = 0;
    'again: loop {
        for cuts in smallest.smaller() {
            tries += 1;
            if tries > 300 {
                break 'again;
            }
            let smaller = scenario.cut(&cuts);
            if run(&smaller, Detail::Nothing).failure.is_some_and(|text| check(&text) == check(failure)) {
                smallest = smaller;
                continue 'again;
            }
        }
        break;
    }
    smallest.cuts
}

#!/usr/bin/env python3
"""`make bench-peers`: Heartline beside libevent, libuv and tokio, and beside a bare epoll loop. Writes docs/benchmarks.md.

    benches/peers/compare.py [--rounds N] [--seconds N] [--only memory,throughput]
    benches/peers/compare.py --smoke      every server echoes, closes the silent in time and keeps who beats; the page is fresh
    benches/peers/compare.py --draw       docs/benchmarks.md and its plots again, from docs/benchmarks/figures.json

It says what was measured, not what should have been: the status is 0 whatever the figures are, 2 if one could not be taken.
"""

import argparse
import contextlib
import datetime
import json
import os
import sys

import page
import rows
import servers

import figures
import measure
from measure import Failure, Options

ROUNDS_OF_OTHERS = 3  # beside those of the throughput
SMOKE = Options(timeout="2000ms")
SMOKE_PEERS = 20


class Comparison:
    """Each figure's name on the command line is its method's, with dashes; it gives what the page shows, by server."""

    def __init__(self, all_servers, rounds, seconds):
        self.commands = {key: server.command for key, server in all_servers.items()}
        self.rounds, self.seconds = rounds, seconds

    def memory(self):
        """resident memory per idle connection, of few and of many"""
        return {
            key: {count: figures.bytes_per_connection(command, Options(), int(count))[0] for count in rows.SIZES}
            for key, command in self.commands.items()
        }

    def instructions(self):
        """user instructions per echoed frame"""
        return self._rotated(lambda command: figures.instructions_per_frame(command, Options(), "echo"))

    def calls(self):
        """system calls per echoed frame"""
        return self._rotated(lambda command: dict(zip(("per_frame", "by_name"), figures.calls_per_frame(command))))

    def throughput(self):
        """echoed frames per second ÷ the floor's"""
        return figures.echo_rounds(self.commands, servers.FLOOR, self.seconds, self.rounds)[0]

    def overshoot(self):
        """how late, or early, the silent are closed"""
        return self._rotated(figures.overshoot)

    def false_deaths(self):
        """how many who live are closed by a server that was stopped"""
        return {key: figures.false_deaths(command) for key, command in self.commands.items()}

    def crowd(self):
        """seconds to accept, and to drop, many at once"""
        with measure.steered_loopback():
            return self._rotated(lambda command: figures.accept_and_drop(command, figures.CROWD))

    def _rotated(self, take):
        """Rounds of one figure, each begun by another server."""
        names, taken = list(self.commands), {key: [] for key in self.commands}
        for number in range(ROUNDS_OF_OTHERS):
            first = number * 2 % len(names)
            for key in names[first:] + names[:first]:
                taken[key].append(take(self.commands[key]))
        return taken


FIGURES = {name.replace("_", "-"): method for name, method in vars(Comparison).items() if not name.startswith("_")}


def compare(chosen, rounds, seconds):
    all_servers = servers.build()
    measure.need("valgrind", "strace")
    comparison = Comparison(all_servers, rounds, seconds)
    about = {
        **figures.machine(),
        **servers.compilers(),
        "date": datetime.date.today().isoformat(),
        "root": os.geteuid() == 0,
        "rounds": rounds,
        "seconds": seconds,
    }
    results = {
        "about": about,
        "servers": {
            key: {"name": server.name, "version": server.version, "source": server.source, "deadline": server.deadline}
            for key, server in all_servers.items()
        },
        "figures": {},
    }
    for name in chosen:
        print(f"{name}: {FIGURES[name].__doc__} ...", file=sys.stderr, flush=True)
        results["figures"][name] = FIGURES[name](comparison)
    about["load_average_at_the_end"] = os.getloadavg()[0]
    return results


def smoke():
    """All servers at once, each with a load that echoes, one that falls silent and one that goes on beating."""
    all_servers = servers.build(release=False)
    timeout_ms = int(SMOKE.timeout.removesuffix("ms"))
    with contextlib.ExitStack() as stack:
        begun = []
        for key, server in all_servers.items():
            running = stack.enter_context(measure.running(server.command, SMOKE))
            report = measure.run_load(running, "echo", SMOKE_PEERS, frames=2_000, limit=20)
            if report["frames"] != 2_000:
                raise Failure(f"{key} lost frames: {report}")
            silent, beating = (
                stack.enter_context(measure.loading(running, mode, SMOKE_PEERS, limit=60, **settings))
                for mode, settings in (
                    ("silent", {"timeout_ms": timeout_ms, "spread_ms": 100}),
                    ("beat-each-second", {"seconds": 2 * timeout_ms // 1000}),
                )
            )
            begun.append((key, silent, beating))
        for key, silent, beating in begun:
            found, kept = silent.finish(), beating.finish()
            # Late is late by far here: tests of other things run beside it.
            if found["missed"] or found["overshoot_ms"]["min"] < -10 or found["overshoot_ms"]["max"] > timeout_ms:
                raise Failure(f"{key} does not close the silent in time: {found}")
            if kept["closed_by_server"] or kept["answered"] != kept["beats"] or not kept["beats"]:
                raise Failure(f"{key} does not keep who beats: {kept}")
    page.check()
    print(f"{', '.join(all_servers)}: each echoes, closes the silent in time and keeps who beats; the page is fresh")


def main():
    summary = "\n".join(f"  {name:14}{method.__doc__}" for name, method in FIGURES.items())
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=f"figures:\n{summary}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="A,B", help="print these figures as JSON, and write no page")
    parser.add_argument("--rounds", type=int, default=6, help="rounds of the throughput, in each of which every server runs twice")
    parser.add_argument("--seconds", type=int, default=2, help="seconds of each such run")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--draw", action="store_true")
    arguments = parser.parse_args()
    chosen = [name for name in arguments.only.split(",") if name]
    if unknown := set(chosen) - set(FIGURES):
        parser.error(f"no figure {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    if arguments.smoke:
        return smoke()
    if arguments.draw:
        return page.write(page.read())
    results = compare(chosen or list(FIGURES), arguments.rounds, arguments.seconds)
    if chosen:
        print(json.dumps(results, indent=1, ensure_ascii=False))
    else:
        page.write(results)
        print(f"{len(FIGURES)} figures of {len(results['servers'])} servers: docs/benchmarks.md")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"bench-peers: {failure}", file=sys.stderr)
        sys.exit(2)

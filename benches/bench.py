#!/usr/bin/env python3
"""Heartline's figures in one run, beside the floor (benches/floor.c). `make bench`; docs/measuring.md explains.

Exit status 1 if a figure misses what it is to reach, 2 if it could not be taken.
"""

import argparse
import dataclasses
import functools
import json
import os
import shlex
import subprocess
import sys

import figures
import measure
from figures import BUSY, CROWD, PEERS, STOPPED_S, STRACE_CONNECTIONS, THROUGHPUT_CONNECTIONS, TIMEOUT_MS
from measure import C_ECHO, Failure, Options

OTHER_SPECS = ("length:2le,head=4", "length:4be,at=4,head=12", "length:8le,includes-head")
ROUNDS_LEAST = 3  # with fewer sound rounds the ratio of all is shown, and is void
C_PROGRAMS = ("capi_echo", "capi_monitor", "capi_codec")


@dataclasses.dataclass
class Figure:
    name: str
    value: float
    unit: str
    floor: float | None = None  # None: the floor has no such figure
    at_most: float | None = None
    at_least: float | None = None
    sound: bool = True  # False: what the number was to show did not happen; it counts as missed
    note: str = ""
    detail: dict = dataclasses.field(default_factory=dict)

    @property
    def bound(self):
        if self.at_most is not None:
            return f"≤ {self.at_most:g}" if self.at_most else "0"
        return f"≥ {self.at_least:g}" if self.at_least is not None else "–"

    @property
    def ok(self):
        above = self.at_most is not None and self.value > self.at_most
        below = self.at_least is not None and self.value < self.at_least
        return self.sound and not above and not below


class Bench:
    def __init__(self, server, rounds, seconds):
        self.server, self.rounds, self.seconds = server, rounds, seconds
        self.floor = [measure.FLOOR]

    # Each figure's name on the command line is its method's, with dashes.

    def memory(self):
        """resident memory per idle connection that has beaten once"""
        floor, _ = figures.bytes_per_connection(self.floor, Options(), CROWD)
        for switch, at_most in (("off", 80), ("on", 128)):
            value, detail = figures.bytes_per_connection(self.server, Options(statistics=switch), CROWD)
            yield Figure(
                f"user memory per idle connection, statistics {switch}", value, "bytes", floor, at_most, detail=detail
            )

    def echo(self):
        """user instructions per echoed 32-byte frame"""
        yield self._instructions("user instructions per echoed frame, length:4be", Options(), "echo", 300)

    def specs(self):
        """the same for other length specs"""
        for spec in OTHER_SPECS:
            yield self._instructions(f"user instructions per echoed frame, {spec}", Options(frame=spec), "echo", 360)

    def beats(self):
        """user instructions per answered beat"""
        yield self._instructions("user instructions per answered beat", Options(), "beats", 250)

    def deadlines(self):
        """what a policy costs per echoed frame"""
        judged = self._per_frame(tuple(self.server), Options(), "echo")
        unjudged = self._per_frame(tuple(self.server), Options(timeout="0"), "echo")
        detail = {"with_policy": judged, "without": unjudged}
        yield Figure("cost of deadlines per echoed frame", judged - unjudged, "instructions", None, 15, detail=detail)

    def websocket(self):
        """memory, instructions and throughput over WebSocket"""
        spec = Options(frame="websocket")
        value, detail = figures.bytes_per_connection(self.server, spec, CROWD)
        yield Figure("WebSocket: user memory per idle connection, statistics off", value, "bytes", None, 112, detail=detail)
        yield self._instructions("WebSocket: user instructions per echoed 32-byte message", spec, "echo", 500)
        yield self._instructions("WebSocket: user instructions per answered Ping", spec, "beats", None)
        yield from self._throughput("WebSocket: echo throughput ÷ floor", self.server, 0.95, "websocket")

    def _instructions(self, name, options, mode, at_most):
        # The floor echoes whatever comes: of a WebSocket the same bytes, without the upgrade.
        frame = "websocket-bytes" if options.frame == "websocket" else options.frame
        floor = self._per_frame(tuple(self.floor), Options(frame=frame), mode)
        return Figure(name, self._per_frame(tuple(self.server), options, mode), "instructions", floor, at_most)

    @functools.cache
    def _per_frame(self, command, options, mode):
        return figures.instructions_per_frame(command, options, mode)

    def syscalls(self):
        """system calls per echoed frame"""
        floor, _ = figures.calls_per_frame(self.floor)
        value, detail = figures.calls_per_frame(self.server)
        name = f"system calls per echoed frame, {STRACE_CONNECTIONS} connections"
        yield Figure(name, value, "calls", floor, 2.1, detail=detail)

    def throughput(self):
        """echoed frames per second, beside the floor's"""
        yield from self._throughput("echo throughput ÷ floor", self.server, 0.97)

    def _throughput(self, name, server, at_least, spec=None):
        specs = {"server": spec, "floor": f"{spec}-bytes"} if spec else {}
        commands = {"floor": self.floor, "server": server}
        taken, steered = figures.echo_rounds(commands, "floor", self.seconds, self.rounds, specs)
        rounds = taken["server"]
        sound = [each for each in rounds if each["least_busy"] >= BUSY]
        counted = sound if len(sound) >= ROUNDS_LEAST else rounds
        ratios = [each["ratio"] for each in counted]
        rate, floor_rate = (figures.median_of(counted, f"{who}frames_per_second") for who in ("", "floor_"))
        yield Figure(
            f"{name}, {THROUGHPUT_CONNECTIONS} connections",
            figures.median_of(counted, "ratio"),
            "",
            1,
            at_least=at_least,
            sound=counted is sound,
            note=f"{min(ratios):.3f} to {max(ratios):.3f}; {rate:,.0f} frames/s, floor {floor_rate:,.0f}",
            detail={"steered": steered, "rounds": rounds},
        )
        note = f"both servers at least {BUSY:.0%} busy in {len(sound)} of {len(rounds)} rounds, "
        note += "which count" if counted is sound else "too few: the machine was not quiet"
        note += "" if steered else "; not root: the load's core did half of the servers' receiving"
        per_cpu = figures.median_of(counted, "ratio_per_cpu_second")
        yield Figure("the same per CPU second of the server", per_cpu, "", 1, note=note)

    def false_deaths(self):
        """live peers declared dead while the server was stopped"""
        report = figures.false_deaths(self.server)
        closed = report["closed_by_server"]
        answered = report["answered"] == report["beats"]
        note = "" if answered else f"only {report['answered']} of {report['beats']} beats were answered"
        name = f"false deaths, {PEERS} peers, stopped {STOPPED_S} s, timeout {TIMEOUT_MS // 1000} s"
        yield Figure(name, closed, "", None, 0, sound=answered or closed > 0, note=note, detail=report)

    def overshoot(self):
        """how late, or early, silent peers are declared dead"""
        report = figures.overshoot(self.server)
        late = report["overshoot_ms"]
        silent = f"{PEERS} peers silent, timeout {TIMEOUT_MS // 1000} s"
        note = f"p50 {late['p50']:.1f}, max {late['max']:.1f} ms"
        yield Figure(f"{silent}: closed early", report["early"], "", None, 0, detail=report)
        yield Figure(f"{silent}: missed", report["missed"], "", None, 0)
        yield Figure(f"{silent}: overshoot p99", late["p99"], "ms", None, 10, note=note)

    def idle(self):
        """system calls of a server without a connection"""
        seconds = 10
        lines = measure.idle_system_calls(self.server, Options(), settle_s=2, seconds=seconds)
        floor = measure.idle_system_calls(self.floor, Options(), settle_s=1, seconds=1)
        yield Figure(
            f"system calls in {seconds} s without a connection", len(lines), "", len(floor), 0, note="; ".join(lines[:3])
        )


    def monitor(self):
        """the monitor alone, up to 10 million peers in virtual time"""
        program = measure.bench_program("monitor_ten_million", "--no-default-features")
        sizes = (10_000, 100_000, 1_000_000)
        counts = [measure.instructions_of("count_heard", [program, "count", str(size)]) / size for size in sizes]
        spread = max(counts) - min(counts)
        note = f"{min(counts):.2f} to {max(counts):.2f} at {sizes[0]:,} to {sizes[-1]:,} peers"
        yield Figure("monitor alone: instructions per heard, by size", spread, "difference", None, 0.1, note=note)
        for peers, at_most in ((100_000, 12), (10_000_000, 40)):
            report = measure.run_program(program, "heard", peers)
            note = f"{report['bytes_per_peer']} resident bytes a peer"
            name = f"monitor alone: heard, {peers:,} peers in random order"
            yield Figure(name, report["ns_per_heard"], "ns", None, at_most, note=note)

    # The C ABI: the same engine through include/heartline.h, in programs of C.

    def c_echo(self):
        """user instructions per echoed 32-byte frame of a server in C"""
        value = self._per_frame(C_ECHO, Options(), "echo")
        yield Figure("in C: user instructions per echoed frame", value, "instructions", None, 380)

    def c_memory(self):
        """resident memory per idle connection of a server in C"""
        value, detail = figures.bytes_per_connection(C_ECHO, Options(), CROWD)
        yield Figure("in C: user memory per idle connection", value, "bytes", None, 80, detail=detail)

    def c_throughput(self):
        """echoed frames per second of a server in C, beside the floor's"""
        yield from self._throughput("in C: echo throughput ÷ floor", C_ECHO, 0.97)

    def c_heard(self):
        """level 1: a heard, and the memory of a peer"""
        report = measure.run_program(measure.BUILD / "capi_monitor", 100_000)
        note = f"fastest pass {report['fastest']} ns"
        yield Figure("in C: heard, 100,000 peers in random order", report["ns_per_heard"], "ns", None, 12, note=note)
        report = measure.run_program(measure.BUILD / "capi_monitor", 10_000_000, 3)
        note = f"heard {report['ns_per_heard']} ns"
        yield Figure("in C: memory of one of 10 million peers", report["bytes_per_peer"], "bytes", None, 48, note=note)

    def c_cut(self):
        """level 2: 64-byte frames cut from a buffer"""
        report = measure.run_program(measure.BUILD / "capi_codec")
        yield Figure("in C: 64-byte frames cut", report["gb_per_second"], "GB/s", at_least=1, detail=report)


FIGURES = {
    name.replace("_", "-"): method
    for name, method in vars(Bench).items()
    if not name.startswith("_")
}


def shown(value, unit=""):
    if value is None:
        return "–"
    digits = 0 if abs(value) >= 100 or float(value).is_integer() else 1 if abs(value) >= 10 else 3
    return f"{value:,.{digits}f} {unit}".strip()


def print_table(figures):
    rows = [("figure", "value", "floor", "to reach", "ok", "")]
    for figure in figures:
        verdict = "yes" if figure.ok else "NO" if figure.sound else "void"
        reached = verdict if figure.bound != "–" else ""
        rows.append(
            (figure.name, shown(figure.value, figure.unit), shown(figure.floor), figure.bound, reached, figure.note)
        )
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        print("| " + " | ".join(cells) + " | " + row[5])
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def smoke():
    """Each C program for a second or two, the servers against the load: the harness itself works."""
    specs = ("length:4be", *OTHER_SPECS)
    with measure.running([measure.FLOOR]) as server:
        for spec in (*specs, "websocket-bytes"):
            smoke_load(server, spec)
        report = measure.run_load(server, "beat-each-second", 20, seconds=1, limit=20)
        if report["answered"] != report["beats"] or report["closed_by_server"]:
            raise Failure(f"beats went astray: {report}")
        with measure.loading(server, "hold", 100, limit=20) as load:
            load.await_line("held")
            if load.finish()["closed_by_server"]:
                raise Failure("the floor closed a connection")
    for spec in specs:
        with measure.running(C_ECHO, Options(frame=spec)) as server:
            smoke_load(server, spec)
    report = measure.run_program(measure.BUILD / "capi_monitor", 1_000, 3)
    if not (report["ns_per_heard"] > 0 and report["bytes_per_peer"] >= 0):
        raise Failure(f"capi_monitor: {report}")
    report = measure.run_program(measure.BUILD / "capi_codec", 3)
    if not report["gb_per_second"] > 0:
        raise Failure(f"capi_codec: {report}")
    print("the floor, the programs of the C ABI and the load agree")


def smoke_load(server, spec):
    for mode in ("echo", "beats"):
        report = measure.run_load(server, mode, 20, frames=2_000, spec=spec, limit=20)
        if report["frames"] != 2_000:
            raise Failure(f"{spec}: {report}")


def main():
    summary = "\n".join(f"  {name:14}{method.__doc__}" for name, method in FIGURES.items())
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=f"figures:\n{summary}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="A,B", help="only these figures")
    parser.add_argument("--server", metavar="COMMAND", help="measure this command instead of heartline; it may use "
                        "{frame}, {timeout}, {statistics}; `floor` is benches/floor.c")
    parser.add_argument("--rounds", type=int, default=10, help="ABBA rounds of the throughput figure (default 10)")
    parser.add_argument("--seconds", type=int, default=2, help="seconds of each run in a round (default 2)")
    parser.add_argument("--smoke", action="store_true", help="only see that the C programs and the load work")
    arguments = parser.parse_args()

    chosen = [name for name in arguments.only.split(",") if name] or list(FIGURES)
    unknown = [name for name in chosen if name not in FIGURES]
    if unknown:
        parser.error(f"no figure {', '.join(unknown)}; there are {', '.join(FIGURES)}")

    measure.build_programs()
    if arguments.smoke:
        measure.build_c_programs(*C_PROGRAMS)
        return smoke()
    measure.need("valgrind", "strace")
    if arguments.server:
        words = shlex.split(arguments.server)
        command = [measure.FLOOR if word == "floor" else word for word in words]
    else:
        command = measure.heartline_command(measure.build_heartline())

    if any(name.startswith("c-") for name in chosen):
        measure.build_c_programs(*C_PROGRAMS)
    bench = Bench(command, arguments.rounds, arguments.seconds)
    about = figures.machine()
    taken, broken = [], []
    for name in chosen:
        print(f"{name}: {FIGURES[name].__doc__} ...", file=sys.stderr, flush=True)
        try:
            taken.extend(FIGURES[name](bench))
        except Failure as failure:
            broken.append(f"{name}: {failure}")
            print(f"  {broken[-1]}", file=sys.stderr)

    print(f"\n{about['processor']}, {about['cores']} cores, Linux {about['kernel']}, commit {about['commit']}\n")
    print_table(taken)
    results = {
        "machine": about,
        "command": command,
        "figures": [{**dataclasses.asdict(figure), "ok": figure.ok} for figure in taken],
        "not_taken": broken,
    }
    (measure.BUILD / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    missed = [figure for figure in taken if not figure.ok]
    for line in broken:
        print(f"not taken: {line}")
    print(f"\n{len(taken)} figures, {len(missed)} missed, {len(broken)} not taken; target/bench/results.json")
    return 2 if broken else 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"bench: {failure}")

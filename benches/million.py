#!/usr/bin/env python3
"""`make bench-million`: a million connections held by one process, as far as this machine allows.

    benches/million.py [--connections N] [--hold 5m] [--beat 60s] [--timeout 150s] ...

Status 1 if a living connection was closed or fewer were held than the check beforehand promised, 2 if it could not be done.
docs/million.md says what is measured.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

import limits
import measure
import million_report

GIB = 1 << 30
UNITS = {"ms": 0.001, "s": 1, "m": 60}
SAMPLE_AT = 0.9  # of the hold: everybody has been accepted and has beaten, and nobody has left
WARM_CONNECTIONS = 40  # for each thread, so that what a thread has once is there before the connections are counted
TICKS = os.sysconf("SC_CLK_TCK")
ANSWER_LIMIT_S = 30


def seconds(text):
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"`{text}`: write 5m, 60s or 500ms")
    return float(found[1]) * UNITS[found[2]]


def cpu_s(pid):
    """Of all threads of a process, in user space and in the kernel."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def overflows():
    """Connections that found an accept queue full, since the machine started."""
    names, values = [line.split()[1:] for line in pathlib.Path("/proc/net/netstat").read_text().splitlines()[:2]]
    return int(dict(zip(names, values))["ListenOverflows"])


class Load:
    """`heartline load` on a core of its own; what it says is read as it comes."""

    def __init__(self, binary, server, *flags):
        self.file = measure.BUILD / "million-load.json"
        self.file.unlink(missing_ok=True)
        self.said, self.began = [], threading.Event()
        words = [binary, "load", f"127.0.0.1:{server.port}", "--json", self.file, *flags]
        self.process = subprocess.Popen(
            [str(word) for word in words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=measure.pinned(measure.LOAD_CORE),
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stderr:
            self.said.append(line.strip())
            if "the load begins" in line:
                self.began.set()

    def report(self):
        if self.process.wait() != 0:
            raise measure.Failure(f"the load ended with {self.process.returncode}: {self.said[-5:]}")
        return json.loads(self.file.read_text())


@contextlib.contextmanager
def loading(*arguments):
    load = Load(*arguments)
    try:
        yield load
    finally:
        if load.process.poll() is None:
            load.process.kill()
            load.process.wait()


def asked(server):
    """What the server has counted, which it tells on a signal."""
    before = server.output().count("\n")
    server.send(signal.SIGUSR1)
    until = time.monotonic() + ANSWER_LIMIT_S
    while time.monotonic() < until:
        lines = server.output().split("\n")
        if len(lines) - 1 > before:
            return json.loads(lines[before])
        time.sleep(0.05)
    raise measure.Failure(f"the server did not tell what it counted within {ANSWER_LIMIT_S} s")


@dataclasses.dataclass
class Look:
    """Everything that is read, at one moment."""

    at: float
    available: int
    slabs: dict
    dirty: list  # of server and load
    cpu: list
    counted: dict
    tcp_pages: int

    @classmethod
    def take(cls, server, load=None):
        pids = [server.pid] + ([load.process.pid] if load else [])
        # What is running goes on: CPU and its time first.
        now, cpu = time.monotonic(), [cpu_s(pid) for pid in pids]
        pages = re.search(r"^TCP: .*\bmem (\d+)", pathlib.Path("/proc/net/sockstat").read_text(), re.M)
        return cls(
            now,
            limits.memory()["MemAvailable"],
            limits.slabs(),
            [measure.memory_of(pid)["Private_Dirty"] for pid in pids],
            cpu,
            asked(server),
            int(pages[1]),
        )


class Run:
    """One run: what was looked at before, at the beginning of the hold and towards its end."""

    def __init__(self, arguments, connections):
        self.arguments, self.connections = arguments, connections
        self.threads = arguments.threads or limits.threads_for(connections)
        self.begin = self.full = None
        self.stopped = ""
        self.least = limits.memory()["MemAvailable"]

    def take(self, server_binary, load_binary):
        command = [server_binary, "threads", str(self.threads), "timeout", str(round(self.arguments.timeout * 1000))]
        with measure.running(command) as server:
            # All that a thread has for itself is in use once it has held a few.
            warm = ["-c", WARM_CONNECTIONS * self.threads, "--beat", "200ms", "--duration", "1s"]
            with loading(load_binary, server, *warm) as load:
                load.report()
            time.sleep(1)
            self.empty, self.overflows = Look.take(server), overflows()
            with loading(load_binary, server, *self.flags(server)) as load:
                self.watch(server, load)
                self.report = load.report()
            self.overflows = overflows() - self.overflows

    def flags(self, server):
        ours = self.arguments
        ms = lambda value: f"{round(value * 1000)}ms"
        flags = ["-c", self.connections, "--threads", self.threads, "--connect-rate", ours.connect_rate]
        return flags + ["--beat", ms(ours.beat), "--duration", ms(ours.hold), "--server-pid", server.pid]

    def watch(self, server, load):
        """Until the load ends; ends it early where too little memory is left for the others on this machine."""
        told = 0
        while load.process.poll() is None:
            self.least = min(self.least, limits.memory()["MemAvailable"])
            if self.least < self.arguments.floor and not self.stopped:
                last = load.said[-1] if load.said else "nothing was open yet"
                self.stopped = f"stopped, since MemAvailable fell to {self.least >> 20:,} MiB: {last}"
                load.process.send_signal(signal.SIGINT)
            if self.begin is None and load.began.is_set():
                self.begin = Look.take(server, load)
            elif self.begin and self.full is None and time.monotonic() >= self.begin.at + SAMPLE_AT * self.arguments.hold:
                self.full = Look.take(server, load)
            if len(load.said) >= told + 10:
                told = len(load.said)
                print(f"  {load.said[-1]}; {self.least >> 20:,} MiB available", flush=True)
            time.sleep(min(0.5, self.arguments.hold / 50))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=1_000_000)
    parser.add_argument("--hold", type=seconds, default=300)
    parser.add_argument("--beat", type=seconds, default=60)
    parser.add_argument("--timeout", type=seconds, default=150, help="of the server")
    parser.add_argument("--connect-rate", type=int, default=15_000, help="connections opened in a second")
    parser.add_argument("--threads", type=int, help="on each side [default: as many as the descriptors need]")
    parser.add_argument("--floor", type=float, default=1.5, help="GiB of memory that are left to others [1.5]")
    parser.add_argument("--profile", default="bench", help="in which benches/million.rs is built")
    parser.add_argument("--load", help="heartline, instead of building it")
    arguments = parser.parse_args()
    arguments.floor = int(arguments.floor * GIB)
    if SAMPLE_AT * arguments.hold <= arguments.timeout:
        # One that never beat must have been closed by the time that all are looked at.
        parser.error(f"--hold {arguments.hold:g}s must be longer than --timeout {arguments.timeout:g}s ÷ {SAMPLE_AT}")

    print("What this machine allows, in connections with both ends on it:")
    connections, decided = limits.preflight(arguments.connections, arguments.floor)
    print(f"{connections:,} of {arguments.connections:,}, decided by {decided}", flush=True)
    measure.BUILD.mkdir(parents=True, exist_ok=True)
    (measure.BUILD / "million.json").unlink(missing_ok=True)
    if connections < 1:
        raise measure.Failure(f"not one fits: {decided}")
    run = Run(arguments, connections)
    server = measure.bench_program("million", "--profile", arguments.profile)
    run.take(server, arguments.load or measure.build_heartline())

    figures, wrong = million_report.figures(run), million_report.wrong(run)
    if figures:
        million_report.show(figures, arguments)
    results = {"asked": arguments.connections, "decided_by": decided, "wrong": wrong, "figures": figures}
    (measure.BUILD / "million.json").write_text(json.dumps(results, indent=1) + "\n")
    for text in wrong:
        print(f"WRONG: {text}")
    if not wrong and connections < arguments.connections:
        print(f"less than asked for: {decided} was the limit")
    return 1 if wrong else 0


if __name__ == "__main__":
    # What was started ends with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except measure.Failure as failure:
        print(f"bench-million: {failure}", file=sys.stderr)
        sys.exit(2)

"""The figures of one server, as `make bench` and `make bench-peers` both take them. docs/measuring.md explains each."""

import os
import platform
import signal
import statistics
import subprocess
import sys
import time

import measure
from measure import Failure, Options

CALLGRIND_CONNECTIONS = 50
CALLGRIND_FRAMES = (5_000, 25_000)  # two run lengths: their difference has no start, no accept and no end in it
STRACE_CONNECTIONS = 200
STRACE_FRAMES = (4_000, 24_000)
THROUGHPUT_CONNECTIONS = 500
BUSY = 0.98  # below it a server waited for its load or its core, and frames per second say little about it
LOAD_BUSY = 0.90  # from here on it was the load that could not go faster
CROWD = 19_000  # many systems end at 20,000 descriptors a process
PEERS = 2_000
TIMEOUT_MS = 4_000
STOPPED_S = 6


def bytes_per_connection(command, options, connections):
    """Anonymous resident bytes per idle connection that has beaten once, and what they are made of."""
    with measure.running(command, options) as server:
        time.sleep(0.5)
        anonymous_0, resident_0 = server.resident_bytes()
        with measure.loading(server, "hold", connections, spec=options.frame) as load:
            load.await_line("held")
            time.sleep(0.5)
            anonymous, resident = server.resident_bytes()
            closed = load.finish()["closed_by_server"]
    if closed:
        raise Failure(f"the server closed {closed} of {connections} idle connections")
    all_resident = round((resident - resident_0) / connections, 1)  # code that was paged in too
    detail = {"anonymous_at_0": anonymous_0, "anonymous": anonymous, "with_file_pages_per_connection": all_resident}
    return (anonymous - anonymous_0) / connections, detail


def instructions_per_frame(command, options, mode):
    """User instructions per frame."""
    short, long = (measure.instructions(command, options, mode, CALLGRIND_CONNECTIONS, frames) for frames in CALLGRIND_FRAMES)
    return (long - short) / (CALLGRIND_FRAMES[1] - CALLGRIND_FRAMES[0])


def calls_per_frame(command):
    """System calls per echoed frame, and the same by name."""
    short, long = (measure.system_calls(command, Options(), STRACE_CONNECTIONS, frames) for frames in STRACE_FRAMES)
    frames = STRACE_FRAMES[1] - STRACE_FRAMES[0]
    per_frame = {name: (count - short.get(name, 0)) / frames for name, count in long.items()}
    return sum(per_frame.values()), {name: round(value, 4) for name, value in per_frame.items() if value}


def echo_rounds(commands, floor, seconds, rounds, specs=None):
    """What `echo_round` gives for each of these commands, by name, that many times; and whether loopback was steered. `specs`
    has what the load speaks with some of them, if it is not length:4be.

    Each round begins with another one and returns in the opposite order (ABC CBA, BCA ACB), so that neither a drift of the
    machine nor a place in the order favours anyone. The ratio to `floor` is that within the round.
    """
    names = list(commands)
    taken = {name: [] for name in names}
    with measure.steered_loopback() as steered:
        for number in range(rounds):
            first = number % len(names)
            order = names[first:] + names[:first]
            one = _echo_round(commands, order + order[::-1], seconds, specs or {})
            for name in names:
                taken[name].append(_beside(one[name], one[floor]))
    return taken, bool(steered)


def _echo_round(commands, order, seconds, specs):
    reports = {name: [] for name in order}
    for name in order:
        options = Options(frame=specs.get(name, Options.frame))
        with measure.running(commands[name], options) as server:
            report = measure.run_load(
                server,
                "echo",
                THROUGHPUT_CONNECTIONS,
                seconds=seconds,
                warmup=1,
                server_pid=server.pid,
                spec=options.frame,
            )
        reports[name].append(report)
    return reports


def _beside(reports, floors):
    def total(of, what):
        return sum(report[what] for report in of)

    ratio = total(reports, "frames_per_second") / total(floors, "frames_per_second")
    return {
        "ratio": ratio,
        "ratio_per_cpu_second": ratio * total(floors, "server_busy") / total(reports, "server_busy"),
        "frames_per_second": total(reports, "frames_per_second") / len(reports),
        "floor_frames_per_second": total(floors, "frames_per_second") / len(floors),
        "least_busy": min(report["server_busy"] for report in reports + floors),
        "load_busy": max(report["load_busy"] for report in reports + floors),
    }


def median_of(rounds, what):
    return statistics.median(each[what] for each in rounds)


def false_deaths(command):
    """Peers beat each second while the server is stopped: what the load saw."""
    with measure.running(command, Options(timeout=f"{TIMEOUT_MS}ms")) as server:
        after_s = TIMEOUT_MS // 1000 + 3
        with measure.loading(server, "beat-each-second", PEERS, seconds=3 + STOPPED_S + after_s) as load:
            load.await_line("ready")
            time.sleep(3)
            server.send(signal.SIGSTOP)
            time.sleep(STOPPED_S)
            server.send(signal.SIGCONT)
            return load.finish()


def overshoot(command):
    """Peers fall silent within a second: how late, or early, the load saw each closed."""
    with measure.running(command, Options(timeout=f"{TIMEOUT_MS}ms")) as server:
        report = measure.run_load(server, "silent", PEERS, timeout_ms=TIMEOUT_MS)
    if not report["found"]:
        raise Failure(f"none of {PEERS} silent peers was found")
    return report


def accept_and_drop(command, connections):
    """Seconds on the clock, and of the server's CPU, until all are open and answered, and until all that left are closed."""
    with measure.running(command) as server:
        before, cpu_0 = server.descriptors(), server.cpu_seconds()
        with measure.loading(server, "hold", connections) as load:
            load.await_line("held")
            opened_cpu = server.cpu_seconds()
            time.sleep(0.2)
            left, cpu_1 = time.monotonic(), server.cpu_seconds()
            load.kill()
            while server.descriptors() > before:
                if time.monotonic() - left > measure.STOP_LIMIT_S:
                    raise Failure(f"{server.descriptors() - before} connections were never closed")
                time.sleep(0.002)
            dropped = time.monotonic() - left
        return {
            "accept_seconds": load.opened_seconds,
            "accept_cpu_seconds": opened_cpu - cpu_0,
            "drop_seconds": dropped,
            "drop_cpu_seconds": server.cpu_seconds() - cpu_1,
        }


def machine():
    processor = next(
        (line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=measure.ROOT, capture_output=True, text=True)
    return {
        "commit": git.stdout.strip() or "unknown",
        "kernel": platform.release(),
        "processor": processor,
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
    }


if __name__ == "__main__":
    sys.exit("this is a part of benches/bench.py: run `make bench`")

"""docs/benchmarks.md, its plots and the figures that both are made of. The words are here, the figures come from the run."""

import json
import pathlib
import statistics
import sys
import tempfile

import rows
import servers

import figures
import measure

DOCS = measure.ROOT / "docs"
PAGE, FOLDER = DOCS / "benchmarks.md", DOCS / "benchmarks"
FIGURES = FOLDER / "figures.json"
OVERVIEW = (
    *(f"memory-{size}" for size in rows.SIZES), "instructions", "calls", "throughput", "early", "overshoot", "false-deaths",
    "accept", "drop",
)  # fmt: skip


def write(results):
    FOLDER.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(text(results))
    draw(results, FOLDER)


def read():
    return json.loads(FIGURES.read_text())


def check():
    """The page in docs/ is what the figures in docs/ make, and its plots can be drawn."""
    results = read()
    if PAGE.read_text() != text(results):
        raise measure.Failure("docs/benchmarks.md is not what its figures make: benches/peers/compare.py --draw")
    with tempfile.TemporaryDirectory() as folder:
        draw(results, pathlib.Path(folder))
        for drawn in pathlib.Path(folder).iterdir():
            if f"benchmarks/{drawn.name}" not in PAGE.read_text() or not (FOLDER / drawn.name).read_text().startswith("<?xml"):
                raise measure.Failure(f"{drawn.name} is not in the page")


def draw(results, folder):
    import plots  # matplotlib is wanted here alone

    all_rows = rows.all_rows(results["figures"])
    name_of = {key: each["name"] for key, each in results["servers"].items()}
    ours = {name_of[servers.RUST], name_of[servers.C]}

    limited = {name_of[key] for key in all_rows["throughput"].notes}

    def values(row):
        return {name_of[key]: value for key, value in all_rows[row].values.items()}

    def plot(name, title, axis, series, **more):
        plots.dots(folder / f"{name}.svg", title, axis, series, ours, **more)

    plot(
        "memory", "User memory per idle connection", "bytes, logarithmic",
        {f"{int(size):,} connections": values(f"memory-{size}") for size in rows.SIZES}, log=True,
    )  # fmt: skip
    plot(
        "instructions", "User instructions per echoed frame", "instructions, logarithmic",
        {"": values("instructions")}, log=True,
    )  # fmt: skip
    plot("calls", "System calls per echoed frame", "calls", {"": values("calls")}, zero=True, label="{1:.2f}".format)
    plot(
        "throughput", "Echoed frames per second ÷ the floor's", "ratio, median and range of the rounds" + ("; hollow: limited" if limited else ""),
        {"on the clock": values("throughput"), "per CPU second": values("per-cpu")}, label="{1:.2f}".format, guide=1,
        hollow=limited,
    )  # fmt: skip
    late = {
        name_of[key]: tuple(f([each["overshoot_ms"][what] for each in rounds])
                            for f, what in ((min, "min"), (statistics.median, "p99"), (max, "max")))
        for key, rounds in results["figures"]["overshoot"].items()
    }  # fmt: skip
    plot(
        "overshoot", "How late the silent are closed: all of them, and 99 of 100 (dot)", "ms after last byte + timeout",
        {"": late}, label="{1:.1f}; most {2:.1f}".format, guide=0,
    )  # fmt: skip
    plot(
        "false-deaths", f"Living peers closed after a stop of {figures.STOPPED_S} s", f"of {figures.PEERS:,}",
        {"": values("false-deaths")}, zero=True,
    )  # fmt: skip
    plot(
        "crowd", f"{figures.CROWD:,} connections accepted, and dropped", "seconds, median and range of the rounds",
        {"accept": values("accept"), "drop": values("drop")}, zero=True, label="{1:.2f}".format,
    )  # fmt: skip


# ---- text ----


def table(head, lines):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for line in lines:
        yield "| " + " | ".join(line) + " |"
    yield ""


def text(results):
    all_rows = rows.all_rows(results["figures"])
    return "\n".join([*opening(results, all_rows), *better(results, all_rows), *costs(results, all_rows),
                      *liveness(results, all_rows), *crowd(results, all_rows), *conditions(results)])  # fmt: skip


def names(results):
    return [each["name"] for each in results["servers"].values()]


def of_rows(results, all_rows, chosen):
    yield from table(
        ["", *names(results)],
        [[all_rows[row].name, *(all_rows[row].cell(key) for key in results["servers"])] for row in chosen],
    )


def opening(results, all_rows):
    about = results["about"]
    yield "# Benchmarks: Heartline beside its peers"
    yield ""
    yield f"*Written by `make bench-peers` on {about['date']}; what is changed here by hand is lost at its next run.*"
    yield "How such figures are taken, and those of Heartline alone (`make bench`): [measuring.md](measuring.md)."
    yield ""
    yield "The same echo server six times: frames of `length:4be`, each sent back, and whoever was silent for the timeout is closed."
    yield "Written as each library's documentation has it, on one thread. The floor is a bare epoll loop in C with the same"
    yield "timeout that does not cut frames: it returns the bytes it reads. It is the bound, not a peer."
    yield ""
    if (share := rows.starved(results["figures"])) is not None:
        yield f"**The machine was not quiet in this run**: other work left a server {share * 100:.0f} % of its core at times. Rates and times"
        yield "below compare little. Memory, instructions and system calls hold; that somebody was closed early or alive does too, how many less so."
        yield ""
    yield from of_rows(results, all_rows, OVERVIEW)
    if any(all_rows["throughput"].notes):
        yield "(limited): in too few rounds were the server and the floor busy all the time with the load not being the limit"
        yield f"(server ≥ {figures.BUSY * 100:.0f} % of its core, load < {figures.LOAD_BUSY * 100:.0f} %): the ratio says little. See below."
        yield ""


def better(results, all_rows):
    """What a reader should not have to look for."""
    yield "## Where a peer is better"
    yield ""
    mine = (servers.RUST, servers.C)
    found = False
    for row in all_rows.values():
        if peers := [peer for peer in results["servers"] if any(peer in row.better_than(key) for key in mine)]:
            found = True
            them, us = (
                ", ".join(f"{results['servers'][key]['name']} {row.text(row.middle(key))}" for key in keys) for keys in (peers, mine)
            )
            yield f"- {row.name}: {them}; {us}."
    if not found:
        yield "Nothing in this run is far enough apart to say so."
    yield ""
    if all_rows["throughput"].notes:
        yield "What was limited is not compared. In a run on a busy machine few ranges are apart: that says nothing for us."
    yield f"A difference counts from {rows.NOTABLE * 100:.0f} % on, if the ranges of the rounds do not touch. libevent, libuv and tokio carry"
    yield "more than this comparison uses: files, processes, names, other systems, and, in tokio, all that is written for it."
    yield "Heartline does one thing."
    yield ""


def picture(name, what):
    yield f"![{what}](benchmarks/{name}.svg)"
    yield ""


def costs(results, all_rows):
    yield "## What a connection and a frame cost"
    yield ""
    yield from picture("memory", "User memory per idle connection, by server")
    yield f"Anonymous resident memory (`smaps_rollup`) with {' or '.join(f'{int(size):,}' for size in rows.SIZES)} connections that have beaten once, less"
    yield "that without any, ÷ their number. What is allocated once, such as the buffers of a turn, weighs more among few. The"
    yield "kernel's own memory, some 3 to 4 KB per connection, is the same for all and not in it. Heartline's statistics, which"
    yield "none of the others keeps, are off; on (the default) they take 48 bytes more."
    yield ""
    yield from picture("instructions", "User instructions per echoed frame, by server")
    yield f"Instructions in user space, by callgrind, {figures.CALLGRIND_CONNECTIONS} connections with one frame in flight each: the difference of two run"
    yield "lengths, so that neither the start nor the accepting is in it; median of three. How many frames come to one turn of the"
    yield "loop is the machine's affair, and moves them all by a few in a hundred. The kernel's part of a frame is many times that"
    yield "of the best of them."
    yield ""
    yield from picture("calls", "System calls per echoed frame, by server")
    yield f"By `strace -c`, {figures.STRACE_CONNECTIONS} connections with one frame in flight each, as a difference too. A read and a write are 2."
    yield ""
    middle = {
        key: sorted(rounds, key=lambda each: each["per_frame"])[len(rounds) // 2]
        for key, rounds in results["figures"]["calls"].items()
    }
    yield from table(
        ["", "calls per frame, those of at least a hundredth"],
        [
            [each["name"], ", ".join(f"{call} {count:.2f}" for call, count in middle[key]["by_name"].items() if count >= 0.01)]
            for key, each in results["servers"].items()
        ],
    )
    yield from picture("throughput", "Echoed frames per second as a ratio to the floor, by server")
    yield from throughput(results, all_rows)


def throughput(results, all_rows):
    about, taken = results["about"], results["figures"]["throughput"]
    yield f"{figures.THROUGHPUT_CONNECTIONS} connections, one frame in flight on each. A round runs every server twice for {about['seconds']} s after a second of warm-up, in an"
    yield f"order that begins with another one each round and then returns (ABC CBA, BCA ACB …); {about['rounds']} rounds. The ratio is that to"
    yield "the floor in the same round; median, least and most. *Per CPU second* divides by the time that the server had its"
    yield "core, which depends less on what else the machine does."
    yield ""
    lines = []
    for key, each in results["servers"].items():
        these, enough = rows.counted(taken[key])
        ratio, per_cpu = all_rows["throughput"].values[key], all_rows["per-cpu"].values[key]
        busy = f"{min(one['least_busy'] for one in these) * 100:.0f} / {max(one['load_busy'] for one in these) * 100:.0f} %"
        limited = "" if enough else "limited by the client or the machine"
        lines.append([
            each["name"], f"{figures.median_of(these, 'frames_per_second'):,.0f}",
            f"{ratio[1]:.2f} ({ratio[0]:.2f}–{ratio[2]:.2f})", f"{per_cpu[1]:.2f} ({per_cpu[0]:.2f}–{per_cpu[2]:.2f})",
            busy, f"{len(rows.sound(taken[key]))} of {len(taken[key])}", limited,
        ])  # fmt: skip
    head = ["", "frames/s", "÷ floor", "÷ floor, per CPU second", "least busy server / busiest load", "sound rounds", ""]
    yield from table(head, lines)
    yield f"*Sound* is a round in which the server and the floor were at least {figures.BUSY * 100:.0f} % busy and the load less than {figures.LOAD_BUSY * 100:.0f} %. If there are at"
    yield f"least {rows.LEAST_SOUND} of them, they alone count; otherwise all do, and the row is marked."
    yield ""


def liveness(results, all_rows):
    yield "## Who is dead, and who is not"
    yield ""
    yield from picture("overshoot", "Overshoot: how late or early silent peers are closed, by server")
    yield f"{figures.PEERS:,} peers beat once more and fall silent within a second; timeout {figures.TIMEOUT_MS / 1000:g} s. How long after (last byte + timeout) does the"
    yield "client see its connection closed? The way through the kernel is in it. Below 0 is early: a peer that was still"
    yield "within its time."
    yield ""
    lines = []
    for key, each in results["servers"].items():
        rounds = results["figures"]["overshoot"][key]
        late = [one["overshoot_ms"] for one in rounds]
        middle = (rows.one_digit(statistics.median(one[what] for one in late)) for what in ("p50", "p99"))
        lines.append([
            each["name"], rows.whole(sum(one["early"] for one in rounds)), rows.whole(sum(one["missed"] for one in rounds)),
            rows.one_digit(min(one["min"] for one in late)), *middle, rows.one_digit(max(one["max"] for one in late)),
        ])  # fmt: skip
    of = f"of {len(rounds) * figures.PEERS:,}"
    yield from table(["", f"early, {of}", f"missed, {of}", "least, ms", "p50, ms", "p99, ms", "most, ms"], lines)
    yield from picture("false-deaths", "False deaths after the server was stopped, by server")
    yield f"{figures.PEERS:,} clients beat each second, timeout {figures.TIMEOUT_MS / 1000:g} s. The server is stopped (SIGSTOP) for {figures.STOPPED_S} s, as a debugger, a migration of"
    yield "its virtual machine or an overloaded host stop it; the clients go on beating. How many of them does it close once it"
    yield "runs again? Their beats wait in its sockets. A timer that counts the time of the stop finds all of them silent."
    yield ""
    deaths = results["figures"]["false-deaths"]
    yield from table(
        ["", "false deaths", "beats sent", "answered"],
        [
            [each["name"], *(f"{deaths[key][what]:,}" for what in ("closed_by_server", "beats", "answered"))]
            for key, each in results["servers"].items()
        ],
    )


def crowd(results, all_rows):
    yield f"## {figures.CROWD:,} at once"
    yield ""
    yield from picture("crowd", "Seconds to accept and to drop a crowd, by server")
    yield f"*Accept*: from the first `connect` until {figures.CROWD:,} connections are open, each has beaten and was answered; at most 256 answers are"
    yield "awaited at a time. *Drop*: from the end of the client's process until the server has closed them all. Both are mostly the"
    yield f"kernel's work, and the client's is in it; CPU seconds are the server's own. Median (least–most) of {len(next(iter(results['figures']['crowd'].values())))} rounds."
    yield ""
    columns = ("accept", "accept-cpu", "drop", "drop-cpu")
    yield from table(
        ["", "accept, s", "CPU of the server, s", "drop, s", "CPU of the server, s"],
        [
            [each["name"], *("{1:.2f} ({0:.2f}–{2:.2f})".format(*all_rows[row].values[key]) for row in columns)]
            for key, each in results["servers"].items()
        ],
    )


def conditions(results):
    about = results["about"]
    yield "## What ran"
    yield ""
    yield from table(
        ["", "version", "source", "how it finds the silent"],
        [
            [each["name"], each["version"], f"[{each['source']}](../benches/{each['source']})", each["deadline"]]
            for each in results["servers"].values()
        ],
    )
    yield "All have TCP_NODELAY, a backlog of 4,096, a limit of 64 KiB per message, and answer a beat (an empty frame) with one. Heartline"
    yield "from Rust is a server of its own on the library, since `heartline serve` does more; from C it is level 3 of the C ABI on"
    yield "`libheartline.so`. C is compiled with `-O2`, libevent and libuv are Debian's, Rust is in release with link-time"
    yield "optimisation. Where nothing else is said the timeout is 60 s."
    yield ""
    side = (
        "on a loopback of their own whose receiving is the server's core's work, as a network card's would be"
        if about["root"]
        else "not as root: the load's core did half of the servers' receiving"
    )
    yield from table(
        ["", ""],
        [
            ["payload", "32 bytes and a head of 4; every byte that comes back is compared"],
            ["load", "[load.c](../benches/load.c), one thread on the last core; the server on the first. It needs less per message than "
                     "`heartline load`, which measures more"],
            ["throughput and crowd", side],
            ["machine", f"{about['processor']}, {about['cores']} cores, Linux {about['kernel']}; load average {about['load_average']:.1f} at the start, "
                        f"{about['load_average_at_the_end']:.1f} at the end (a quiet run itself makes 2)"],
            ["compilers", f"{about['cc']}; {about['rustc']}"],
            ["commit", about["commit"]],
            ["to repeat", "`make bench-peers`, some twelve minutes; `benches/peers/compare.py --help` has parts of it"],
            ["figures", "[benchmarks/figures.json](benchmarks/figures.json)"],
        ],
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit("this is a part of benches/peers/compare.py: run `make bench-peers`")

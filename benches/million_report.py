"""What `make bench-million` makes of a run: whether all was well, the figures, and their table."""

import types

import limits


def wrong(run):
    """What was not as it must be."""
    if run.stopped:
        return [run.stopped]
    if run.full is None:
        return ["the load ended before all had been looked at"]
    report, count, now, before = run.report, run.connections, run.full.counted, run.empty.counted
    held = now["counters"]["connections_now"]
    asks = now["counters"]["asks_in"] - before["counters"]["asks_in"]
    closed = {reason: total - before["closed"].get(reason, 0) for reason, total in now["closed"].items()}
    closed = {reason: more for reason, more in closed.items() if more}
    found = [
        (report["false_deaths"] > 0, f"{report['false_deaths']} living connections were closed: {report['lost']}"),
        (bool(closed), f"the server closed connections: {closed}"),
        (held != count, f"the server held {held:,} of {count:,}"),
        (bool(report["connections"]["failed"]), f"not opened: {report['connections']['failed']}"),
        (asks < count, f"{count:,} connections asked {asks:,} times"),
    ]
    return [text for bad, text in found if bad]


def figures(run):
    """What was measured, by name; nothing where the run ended before that."""
    if run.full is None:
        return {}
    count, empty, begin, full, report = run.connections, run.empty, run.begin, run.full, run.report
    # Both ends are on this machine. Each has one of each kind: more are what the end that dialled has besides.
    more = {name: (slab.count - empty.slabs[name].count) / count for name, slab in full.slabs.items()}
    one_end = {name: min(objects / 2, 1) for name, objects in more.items() if name in limits.END}
    kernel = {name: objects * full.slabs[name].bytes for name, objects in one_end.items()}
    elapsed = full.at - begin.at
    busy = [100 * (after - before) / elapsed for before, after in zip(begin.cpu, full.cpu)]
    counters, before = full.counted["counters"], empty.counted["counters"]
    return {
        "connections": count,
        "threads": run.threads,
        "of_a_thread": [full.counted["least_of_a_thread"], full.counted["most_of_a_thread"]],
        "connect_seconds": report["connect_seconds"],
        "held_seconds": report["seconds"],
        "false_deaths": report["false_deaths"],
        "beats": report["beats"],
        "listen_overflows": run.overflows,
        "server_bytes_per_connection": (full.dirty[0] - empty.dirty[0]) / count,
        "server_fixed_bytes_per_thread": empty.dirty[0] / run.threads,
        "load_bytes_per_connection": full.dirty[1] / count,
        "kernel_objects_per_connection": more,
        "kernel_bytes_of_the_servers_end": kernel,
        "kernel_bytes_per_server_end": sum(kernel.values()),
        "kernel_bytes_per_connection": sum(objects * full.slabs[name].bytes for name, objects in more.items()),
        "kernel_packed_bytes_per_connection": sum(objects * full.slabs[name].packed for name, objects in more.items()),
        "machine_bytes_per_connection": (empty.available - full.available) / count,
        "least_available_bytes": run.least,
        "tcp_mem_pages": full.tcp_pages,
        "server_cpu_percent": busy[0],
        "load_cpu_percent": busy[1],
        "stalls": counters["stalls"] - before["stalls"],
        "stalled_ms": counters["stalled_ms"] - before["stalled_ms"],
        "turn_max_ms": counters["turn_max_us"] / 1000,
    }


def show(named, run_with):
    """The figures as a table."""
    of, trip = types.SimpleNamespace(**named), named["beats"]["round_trip_ms"]
    asked, answered = of.beats["asked"], of.beats["answered"]
    least, most = of.of_a_thread
    kinds = ", ".join(f"{name} {size:.0f}" for name, size in of.kernel_bytes_of_the_servers_end.items())
    rows = [
        ("connections", f"{of.connections:,} for {of.held_seconds:.0f} s, opened in {of.connect_seconds:.0f} s"),
        ("", f"{of.listen_overflows:,} found an accept queue full"),
        ("false deaths", f"{of.false_deaths:,}, timeout {run_with.timeout:g} s"),
        ("beats", f"every {run_with.beat:g} s: {asked:,} asked, {answered:,} answered"),
        ("", f"round trip p50 {trip['p50']} ms, p99 {trip['p99']} ms, max {trip['max']} ms"),
        ("threads", f"{of.threads} on each side, with a table each"),
        ("", f"{least:,} to {most:,} connections on one of the server's"),
        ("user space", f"{of.server_bytes_per_connection:.1f} bytes a connection in the server"),
        ("", f"{of.server_fixed_bytes_per_thread / 1024:.0f} KiB a thread besides"),
        ("", f"{of.load_bytes_per_connection:.0f} bytes a connection in the load, its threads included"),
        ("kernel", f"{of.kernel_bytes_per_server_end:,.0f} bytes for the server's end: {kinds}"),
        ("", f"{of.kernel_bytes_per_connection:,.0f} for both, {of.kernel_packed_bytes_per_connection:,.0f} as packed in pages"),
        ("", f"{of.tcp_mem_pages:,} pages of queued bytes"),
        ("all together", f"{of.machine_bytes_per_connection:,.0f} bytes less available for each connection, both ends"),
        ("", f"{of.least_available_bytes >> 20:,} MiB available at the least"),
        ("CPU", f"server {of.server_cpu_percent:.1f} %, load {of.load_cpu_percent:.1f} % of a core"),
        ("stalls", f"{of.stalls:,} of all threads, {of.stalled_ms:,} ms; longest turn {of.turn_max_ms:.1f} ms"),
    ]
    if not of.kernel_bytes_of_the_servers_end:
        rows = [row for row in rows if "for the server's end" not in row[1] and "as packed" not in row[1]]
        rows.append(("kernel", "not told: /proc/slabinfo is for root"))
    for name, told in rows:
        print(f"  {name:14}{told}")

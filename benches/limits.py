"""What this machine allows: how many connections, both ends of each, fit its memory and its kernel's limits.

Of `make bench-million`; Python's own library only.
"""

import dataclasses
import pathlib
import re
import resource

PAGE = resource.getpagesize()
# What the kernel keeps for one end of a connection that is in an epoll set, one of each; a kernel without one has no such
# name.
END = ("TCP", "sock_inode_cache", "filp", "dentry", "eventpoll_epi", "ep_head", "lsm_inode_cache", "lsm_file_cache")
# And for the end that dialled: its port. A kernel may count kinds of the same size together, under the name of one.
DIALLED = ("tcp_bind2_bucket",)
END_BYTES = 4096  # of it, where /proc/slabinfo is for others alone
USER_BYTES = 400  # of both ends, the server's and the load's, generously; and of their places in descriptor tables
THREADS_MAX = 1024  # `heartline load` has no more
OTHER_DESCRIPTORS = 32  # of a thread, besides its connections
FULL = 0.9  # SO_REUSEPORT spreads by a hash: a table that is filled to this on average never overflows
OTHER_FILES = 2_000


@dataclasses.dataclass
class Limit:
    name: str
    connections: int
    told: str


def numbers(path):
    """The numbers in a file of /proc/sys; none if there is no such file."""
    try:
        return [int(word) for word in (pathlib.Path("/proc/sys") / path).read_text().split()]
    except OSError:
        return []


def memory():
    """/proc/meminfo in bytes."""
    text = pathlib.Path("/proc/meminfo").read_text()
    return {name: int(kib) * 1024 for name, kib in re.findall(r"^(\S+): +(\d+) kB", text, re.M)}


@dataclasses.dataclass
class Slab:
    """One kind of kernel objects: how many are in use, the bytes of one, and those of one with its share of its pages."""

    count: int
    bytes: int
    packed: float


def slabs():
    """Those of an end and of one that dialled that this kernel names; none where it does not let us look."""
    try:
        text = pathlib.Path("/proc/slabinfo").read_text()
    except OSError:
        return {}
    rows = re.findall(r"^(\S+) +(\d+) +\d+ +(\d+) +(\d+) +(\d+) :", text, re.M)
    return {
        name: Slab(int(active), int(size), int(pages) * PAGE / int(objects))
        for name, active, size, objects, pages in rows
        if name in END + DIALLED
    }


def descriptors():
    """Of one table."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def threads_for(connections):
    """So many threads, with a table each, hold them."""
    each = int((descriptors() - OTHER_DESCRIPTORS) * FULL)
    return max(1, -(-connections // each))


def read(floor_bytes):
    """Every limit with what it allows, the tightest first."""
    limits = []
    available = memory()["MemAvailable"]
    each = 2 * (sum(slab.packed for slab in slabs().values()) or END_BYTES) + USER_BYTES
    told = f"{available >> 20:,} MiB available, {floor_bytes >> 20:,} MiB left to others, {each:,.0f} bytes a connection"
    limits.append(Limit("memory", max(0, int((available - floor_bytes) / each)), told))
    used, _, most = numbers("fs/file-nr")
    limits.append(Limit("fs.file-max", (most - used - OTHER_FILES) // 2, f"{used:,} of {most:,} files in use, two a connection"))
    table = descriptors()
    most = int((table - OTHER_DESCRIPTORS) * FULL) * THREADS_MAX
    limits.append(Limit("descriptors", most, f"{table:,} in a table, a table for each of at most {THREADS_MAX:,} threads"))
    for watches in numbers("fs/epoll/max_user_watches"):
        limits.append(Limit("fs.epoll.max_user_watches", watches // 2, f"{watches:,}, two a connection"))
    ports = numbers("net/ipv4/ip_local_port_range")
    if len(ports) == 2:
        each, sources = ports[1] - ports[0] + 1, 1 << 16
        limits.append(Limit("ports", each * sources, f"{each:,} for each of {sources:,} source addresses of 127.0.0.0/8"))
    return sorted(limits, key=lambda limit: limit.connections)


def preflight(asked, floor_bytes):
    """How many of the connections asked for fit, and what decides that; every limit is printed."""
    limits = read(floor_bytes)
    for limit in limits:
        print(f"  {limit.name:28}{limit.connections:>16,}  {limit.told}")
    pages = numbers("net/ipv4/tcp_mem")
    if len(pages) == 3:
        print(f"  {'net.ipv4.tcp_mem':28}{'–':>16}  {pages[2] * PAGE >> 20:,} MiB for queued bytes, of which the idle have none")
    tightest = limits[0]
    return (asked, "what was asked for") if asked <= tightest.connections else (tightest.connections, tightest.name)

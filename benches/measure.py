"""How the figures of `make bench` are taken: builds, starts, loads and watches one server. Python's own library only.

A server is a command that prints "listening on 127.0.0.1:PORT" and exits 0 on SIGTERM. It runs on the first core of
this machine, the load on the last; all of it stays on loopback.
"""

import contextlib
import ctypes
import dataclasses
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "target" / "bench"
FLOOR = str(BUILD / "floor")
LOAD = str(BUILD / "load")
C_ECHO = (str(BUILD / "capi_echo"), "{frame}", "{timeout}", "{statistics}")

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]

libc = ctypes.CDLL(None)  # Python has unshare from 3.12 on
CLONE_NEWNS, CLONE_NEWNET = 0x0002_0000, 0x4000_0000

TOOLS = {"cc": "gcc", "make": "make", "valgrind": "valgrind", "strace": "strace"}  # command -> Debian package
START_LIMIT_S = 60  # a server under valgrind takes seconds to start
STOP_LIMIT_S = 60


class Failure(Exception):
    """The measurement itself went wrong: no figure, and a clear line why."""


def need(*commands):
    for command in commands:
        if shutil.which(command) is None:
            raise Failure(f"{command} is missing: install the package {TOOLS[command]} (make test installs it)")


def compile_c(source, *libraries):
    """Compiles a program of benches/ into target/bench; its path."""
    need("cc")
    BUILD.mkdir(parents=True, exist_ok=True)
    program = BUILD / source.stem
    command = ["cc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-I", ROOT / "benches", "-I", ROOT / "include"]
    if subprocess.run([*command, "-o", program, source, *libraries]).returncode != 0:
        raise Failure(f"{source} does not compile")
    return str(program)


def build_programs():
    """The floor, the load, and what the bench of `heartline load` is set beside."""
    for name in ("floor", "load", "connect", "delay"):
        compile_c(ROOT / "benches" / f"{name}.c")


def build_c_programs(*names):
    """The C library and the programs that measure it."""
    need("make")
    if subprocess.run(["make", "--silent", "lib"], cwd=ROOT).returncode != 0:
        raise Failure("the C library does not build")
    library = ROOT / "target" / "capi"
    for name in names:
        compile_c(ROOT / "benches" / f"{name}.c", "-L", library, "-lheartline", f"-Wl,-rpath,{library}")


def run_program(program, *arguments):
    """What a program says on its line of JSON, on the server's core."""
    command = [program, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, preexec_fn=pinned(SERVER_CORE))
    if done.returncode != 0:
        raise Failure(f"{program} failed with status {done.returncode}")
    return json.loads(done.stdout)


def cargo_executable(name, *arguments, folder=ROOT):
    """What this cargo command builds under that name; its path, wherever the target folder is."""
    command = ["cargo", *arguments, "--message-format", "json-render-diagnostics"]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failure(f"{name} does not build")
    for message in map(json.loads, done.stdout.splitlines()):
        if message.get("executable") and message["target"]["name"] == name:
            return message["executable"]
    raise Failure(f"cargo names no {name}")


def build_heartline():
    """Builds the release binary."""
    return cargo_executable("heartline", "build", "--release", "--bin", "heartline")


@dataclasses.dataclass(frozen=True)
class Options:
    """What a measurement varies about a server. A command template takes them as {frame}, {timeout}, {statistics}."""

    frame: str = "length:4be"
    timeout: str = "60000ms"  # the one unit that all servers take
    statistics: str = "off"

    def fill(self, command):
        values = dataclasses.asdict(self)
        return [re.sub(r"\{(\w+)\}", lambda match: values[match[1]], word) for word in command]


def heartline_command(binary):
    serve = "serve --listen 127.0.0.1:0 --role answer --app echo"
    return [binary, *serve.split(), "--frame", "{frame}", "--timeout", "{timeout}", "--statistics", "{statistics}"]


def memory_of(pid):
    """Bytes of a process by kind, as smaps_rollup names them; none of the kernel's."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {name: int(kib) * 1024 for name, kib in re.findall(r"^(\w+): +(\d+) kB", rollup, re.M)}


def pinned(core):
    def begin():
        os.sched_setaffinity(0, {core})
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    return begin


def written(file):
    """What a child wrote into a file that it shares with us: its place in the file is left alone."""
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace")


class Server:
    """One running server; `pid` is the server's own, also under a tool that watches it."""

    def __init__(self, command, options=Options(), under=()):
        self.log, self.errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*under, *options.fill(command)],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.errors,
            preexec_fn=pinned(SERVER_CORE),
            start_new_session=True,  # so that a traced server ends with its tracer, whatever happens here
        )
        try:
            self.port = self._await_port()
            self.pid = self._traced_pid() if under and under[0] == "strace" else self.process.pid
        except BaseException:
            self.kill()
            raise

    def _await_port(self):
        until = time.monotonic() + START_LIMIT_S
        while time.monotonic() < until:
            found = re.search(r"listening on \S*?:(\d+)\s", self.output())
            if found:
                return int(found[1])
            if self.process.poll() is not None:
                raise Failure(f"the server ended with {self.process.returncode} before it listened: {self._said()}")
            time.sleep(0.01)
        raise Failure(f"the server did not listen within {START_LIMIT_S} s: {self._said()}")

    def output(self):
        """What it has printed so far."""
        return written(self.log)

    def _said(self):
        return written(self.errors)[-2000:].strip() or "it said nothing"

    def _traced_pid(self):
        tracer = self.process.pid
        return int(pathlib.Path(f"/proc/{tracer}/task/{tracer}/children").read_text().split()[0])

    def resident_bytes(self):
        """Anonymous (heap, stack, written data) and all resident memory of this process; none of the kernel's."""
        memory = memory_of(self.pid)
        return memory["Anonymous"], memory["Rss"]

    def cpu_seconds(self):
        """What it has used of its core so far."""
        return time.clock_gettime(~self.pid << 3 | 2)  # as clock_getcpuclockid makes it

    def descriptors(self):
        """How many it has open."""
        folder = f"/proc/{self.pid}/fd"
        return os.stat(folder).st_size or len(os.listdir(folder))  # Linux 6.2 and later tells without listing

    def send(self, number):
        os.kill(self.pid, number)

    def stop(self):
        """Ends it cleanly, so that tools write what they counted; anything but status 0 is a failure."""
        self.send(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise Failure(f"the server did not end within {STOP_LIMIT_S} s of SIGTERM") from None
        if status != 0:
            raise Failure(f"the server ended with {status} on SIGTERM: {self._said()}")

    def kill(self):
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextlib.contextmanager
def running(command, options=Options(), under=()):
    server = Server(command, options, under)
    try:
        yield server
        server.stop()
    finally:
        server.kill()


class Load:
    """One running load."""

    def __init__(self, port, mode, connections, **settings):
        words = [f"{name}={value}" for name, value in settings.items()]
        self.process = subprocess.Popen(
            [LOAD, str(port), mode, str(connections), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=pinned(LOAD_CORE),
        )
        self.mode = mode
        self.opened_seconds = None  # until it was ready

    def await_line(self, word):
        for line in self.process.stdout:
            if line.startswith("ready"):
                self.opened_seconds = float(line.split()[2])
            if line.startswith(word):
                return
        raise Failure(f"the load ({self.mode}) ended with {self.process.wait()} before it was {word}")

    def finish(self):
        """Closes its standard input, which ends `hold`, and returns what it reports."""
        out, _ = self.process.communicate()
        if self.process.returncode != 0:
            raise Failure(f"the load ({self.mode}) ended with {self.process.returncode}")
        return json.loads(out.splitlines()[-1])

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def loading(server, mode, connections, **settings):
    load = Load(server.port, mode, connections, **settings)
    try:
        yield load
    finally:
        load.kill()


@contextlib.contextmanager
def steered_loopback():
    """A loopback of our own whose receive processing is the server's core's work, as it is where a network card
    interrupts that core. Otherwise each side does it for the other, and the load works as hard as the server.

    Yields whether that could be had: it takes root.
    """
    namespaces = ("net", "mnt")
    before = [os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in namespaces]
    folder = os.getcwd()
    entered = libc.unshare(CLONE_NEWNET | CLONE_NEWNS) == 0
    try:
        yield entered and _steer()
    finally:
        for descriptor in before:
            if entered and libc.setns(descriptor, 0) != 0:
                raise Failure("cannot return from the network namespace")
            os.close(descriptor)
        os.chdir(folder)


def _steer():
    commands = ("mount --make-rprivate /", "mount -t sysfs none /sys", "ip link set lo up")
    try:
        if not all(subprocess.run(command.split(), stderr=subprocess.DEVNULL).returncode == 0 for command in commands):
            return False
        pathlib.Path("/sys/class/net/lo/queues/rx-0/rps_cpus").write_text(f"{1 << SERVER_CORE:x}")
        return True
    except OSError:
        return False


def run_load(server, mode, connections, **settings):
    with loading(server, mode, connections, **settings) as load:
        return load.finish()


def instructions(command, options, mode, connections, frames):
    """User instructions that the server executes from its start to its end, this many frames between."""
    need("valgrind")
    out = BUILD / "callgrind.out"
    under = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--quiet")
    out.unlink(missing_ok=True)
    with running(command, options, under) as server:
        run_load(server, mode, connections, frames=frames, spec=options.frame)
    found = re.search(r"^(?:summary|totals): (\d+)", out.read_text() if out.exists() else "", re.M)
    if not found:
        raise Failure("callgrind wrote no total")
    return int(found[1])


def bench_program(name, *flags):
    """A bench in Rust, built; its path."""
    return cargo_executable(name, "bench", *flags, "--bench", name, "--no-run")


def instructions_of(function, command):
    """User instructions within one function of a program that runs by itself."""
    need("valgrind")
    out = BUILD / "callgrind.out"
    out.unlink(missing_ok=True)
    tool = ["valgrind", "--tool=callgrind", f"--toggle-collect=*{function}*", f"--callgrind-out-file={out}", "--quiet"]
    if subprocess.run([*tool, *command]).returncode != 0:
        raise Failure(f"{command[0]} failed under valgrind")
    found = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.M)
    return int(found[1])


def system_calls(command, options, connections, frames):
    """System calls by name that the server makes from its start to its end, this many echoed frames between."""
    need("strace")
    out = BUILD / "strace.out"
    with running(command, options, ("strace", "-f", "-c", "-o", str(out))) as server:
        run_load(server, "echo", connections, frames=frames)
    rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", out.read_text(), re.M)
    calls = {name: int(count) for count, name in rows if name != "total"}
    if not calls:
        raise Failure("strace wrote no table")
    return calls


def idle_system_calls(command, options, settle_s, seconds):
    """The lines strace writes in this time about a server without a connection."""
    need("strace")
    out = BUILD / "strace.out"
    with running(command, options, ("strace", "-f", "-ttt", "-o", str(out))):
        time.sleep(settle_s)
        begin = time.time()
        time.sleep(seconds)
        end = time.time()
    lines = out.read_text(errors="replace").splitlines()
    return [line for line in lines if begin <= float(line.split()[1]) <= end]


if __name__ == "__main__":
    sys.exit("this is a part of benches/bench.py: run `make bench`")

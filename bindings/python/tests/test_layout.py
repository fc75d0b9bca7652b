"""The structs, constants and functions of heartline._native are those of heartline.h and of the library."""

import ctypes
import pathlib
import re
import subprocess
import tempfile
import unittest
from typing import Any

import heartline
from heartline import _native as native

INCLUDE = pathlib.Path(__file__).resolve().parents[3] / "include"
HEADER = (INCLUDE / "heartline.h").read_text()
STRUCTS = [kind for kind in vars(native).values() if isinstance(kind, type) and issubclass(kind, native.Struct) and kind._c_name_]


class Layout(unittest.TestCase):
    def test_every_struct_has_the_layout_that_a_compiler_gives_it(self) -> None:
        named = {kind._c_name_ for kind in STRUCTS}
        self.assertEqual(named, set(re.findall(r"^typedef struct (\w+) \{", HEADER, re.M)))
        checks = []
        for kind in STRUCTS:
            checks.append("sizeof(%s) == %d" % (kind._c_name_, ctypes.sizeof(kind)))
            for field, *_ in kind._fields_:
                at = getattr(kind, field)
                checks.append("offsetof(%s, %s) == %d" % (kind._c_name_, field, at.offset))
                checks.append("sizeof(((%s *)0)->%s) == %d" % (kind._c_name_, field, at.size))
        program = "#include <heartline.h>\n" + "".join('_Static_assert(%s, "");\n' % check for check in checks)
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder, "layout.c")
            source.write_text(program)
            command = ["cc", "-std=c11", "-fsyntax-only", "-I", str(INCLUDE), str(source)]
            result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_the_library_takes_these_sizes_and_no_shorter_ones(self) -> None:
        out = ctypes.c_void_p()

        def policy(raw: Any) -> Any:
            with heartline.Monitor(now=0) as monitor:
                return native.lib.monitor_policy(monitor.raw, 0, raw, 0)

        def monitor(raw: Any) -> Any:
            result = native.lib.monitor_new(raw, 0, out)
            if result == 0:
                native.lib.monitor_free(out)
            return result

        def reactor(raw: Any) -> Any:
            result = native.lib.reactor_new(raw, out)
            if result == 0:
                native.lib.reactor_free(out)
            return result

        codec = heartline.Codec("raw")
        idle = heartline.Reactor()
        self.addCleanup(idle.free)
        id = ctypes.c_uint64()

        def listen(raw: Any) -> Any:
            return min(0, native.lib.reactor_listen(idle.raw, b"127.0.0.1:0", codec.raw, raw))

        takers = {
            native.ListenOptions: (listen, 0),
            native.Policy: (policy, 0),
            native.MonitorConfig: (monitor, 0),
            native.ReactorConfig: (reactor, 0),
            native.DrainOptions: (lambda raw: native.lib.reactor_drain(idle.raw, raw), 0),
            native.Options: (lambda raw: native.lib.reactor_connect(idle.raw, b"127.0.0.1:1", codec.raw, raw, 0, id), 0),
            native.CodecConfig: (lambda raw: native.lib.codec_new(raw, out, None, 0), -3),
        }
        for kind, (take, fine) in takers.items():
            with self.subTest(kind._c_name_):
                self.assertEqual(take(kind()), fine)
                short = kind()
                short.struct_size -= 1
                self.assertEqual(take(short), -5)

    def test_every_function_is_there_with_as_many_arguments(self) -> None:
        declared = re.findall(r"^(?:HEARTLINE_NODISCARD )?(?:const char \*|u?int32_t |uint64_t |void )heartline_(\w+)\((.*?)\);", HEADER, re.S | re.M)
        self.assertEqual({name for name, _ in declared}, set(native.FUNCTIONS))
        for name, arguments in declared:
            count = 0 if arguments == "void" else arguments.count(",") + 1
            self.assertEqual(len(native.FUNCTIONS[name][1]), count, name)

    def test_constants(self) -> None:
        defined = dict(re.findall(r"^#define HEARTLINE_(\w+) \(?(-?\d+)\)?$", HEADER, re.M))
        kinds = {
            "EVENT": heartline.EventKind,
            "REASON": heartline.Reason,
            "VERDICT": heartline.VerdictKind,
            "ROLE": heartline.Role,
            "BEAT": heartline.Beat,
            "CLOSE": heartline.Close,
            "WHEN_FULL": heartline.WhenFull,
            "LOG": heartline.LogLevel,
        }
        for prefix, kind in kinds.items():
            wanted = {key[len(prefix) + 1 :]: int(value) for key, value in defined.items() if key.startswith(prefix + "_")}
            self.assertEqual({member.name: member.value for member in kind}, wanted)
        for key, value in vars(native).items():
            if key in defined:
                self.assertEqual(value, int(defined[key]), key)
        for number in range(-25, -1):
            self.assertEqual(defined[heartline._common.error(number).name[len("HEARTLINE_") :]], str(number))


if __name__ == "__main__":
    unittest.main()

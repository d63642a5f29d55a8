"""A config.yaml of a run that has lost its end is told: what is missing would be taken for a default."""

from __future__ import annotations

import shutil

import pytest

from pushforward.errors import UserError
from pushforward.run_folder import RunFolder
from pushforward.runs.data import read_run


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_a_config_that_lost_its_end_is_refused(finished_run, tmp_path, share):
    folder = tmp_path / "cut"
    shutil.copytree(finished_run, folder)
    path = RunFolder(folder).config
    whole = path.read_text()
    assert read_run(folder).provenance
    end = whole.rindex("\n", 0, round(share * whole.index("provenance:")))
    path.write_text(whole[: end + 1])
    with pytest.raises(UserError, match=r"config\.yaml is cut off: it does not say what data"):
        read_run(folder)


def test_a_config_of_another_methods_run_is_told(finished_run, tmp_path):
    folder = tmp_path / "swapped"
    shutil.copytree(finished_run, folder)
    path = RunFolder(folder).model
    path.write_text(path.read_text().replace('"method": "vae"', '"method": "ae"', 1))
    with pytest.raises(UserError, match=r"config\.yaml is of 'vae', but .*model\.json is of 'ae'"):
        read_run(folder)

"""Mistakes with adversarial methods: one line that names the fix, exit status 2, nothing written."""

from __future__ import annotations

import pytest

from pushforward.cli import main
from tests.unit.cli.test_train import fails

QUICK = ["--data=digits", "--steps=2", "--latent-dim=2", "--sample-every=0", "--batch-size=64"]
BATCH_NORM = ["--data", "mnist5k", "--network", "dcgan", "--width", "4", "--critic-norm", "batch"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["wgan-gp", *BATCH_NORM], "--critic-norm: batch, but the gradient penalty needs"),
        (["r3gan", *BATCH_NORM], "--critic-norm: batch, but a penalty on the critic's gradient needs"),
        (["unrolled", *BATCH_NORM], "--critic-norm: batch, but a critic that is scored with weights"),
        (["gan", "--network", "mlp", "--critic-norm", "batch"], "--critic-norm: batch, but the mlp critic"),
        (
            ["gan", "--network", "dcgan", "--critic-norm", "batch"],
            "--critic-norm: batch, but images of 8x8 leave the critic one convolution, which has none",
        ),
        (["gan", "--network", "dcgan", "--data", "ring"], "--network: dcgan, but --data holds points"),
        (["veegan", "--pack", "2"], "--pack: VEEGAN's critic judges pairs"),
        (["pacgan", "--pack", "3"], "--pack: 3 does not divide 64, the batch of a process; take a multiple"),
        (["gan", "--pack", "5"], "--pack: 5 does not divide 64"),
        (["gan", "--pack", "0"], "--pack: 0; expected at least 1"),
        (["unrolled", "--unroll", "0"], "--unroll: 0; expected at least 1 step, or the method 'gan'"),
        (["unrolled", "--n-critic", "2"], "--n-critic: 2; the unrolled critic takes 1"),
        (["gan", "--n-critic", "0"], "--n-critic: 0; expected at least 1"),
        (["r3gan", "--gamma", "-1"], "--gamma: -1.0; expected a positive weight"),
        (["r3gan", "--gamma-end", "2"], "--gamma-end: 2.0; expected a share"),
        (["r3gan", "--gamma", "nan"], "--gamma: nan"),
        (["wgan-gp", "--penalty", "0"], "--penalty: 0.0; expected a positive weight"),
        (["wgan", "--c", "-0.01"], "--c: -0.01; expected a positive bound"),
        (["veegan", "--reconstruction", "-1"], "--reconstruction: -1.0; expected a weight"),
        (["veegan", "--reconstruction", "nan"], "--reconstruction: nan"),
        (["gan", "--beta1", "1"], "--beta1: 1.0; expected a decay in [0, 1)"),
        (["gan", "--lr", "-1"], "--lr: -1.0; expected a positive number"),
        (["gan", "--lr.vae", "1"], "no player 'vae'; this method has critic, generator"),
        (["gan", "--noise", "-1"], "--noise: -1.0; expected"),
        (["gan", "--noise", "nan"], "--noise: nan; expected"),
        (["gan", "--noise-until", "0", "--noise", "1"], "--noise-until: 0.0; expected a share of the run"),
        (["gan", "--slope", "1"], "--slope: 1.0; expected at least 0 (ReLU) and less than 1"),
        (["gan", "--ema", "1"], "--ema: 1.0; expected a decay between 0 and 1"),
        (["gan", "--init-std", "0"], "--init-std: 0.0; expected a positive"),
        (["gan", "--hidden", "0"], "--hidden: 0; expected widths"),
        (["gan", "--critic-hidden", "-3"], "--critic-hidden: -3; expected widths"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    method, *more = words
    status, line = fails(capsys, "train", method, *QUICK, *more)
    assert status == 2
    assert said in line
    assert not list(tmp_path.iterdir())


def test_what_divides_is_trained(tmp_path, capsys):
    main(["train", "pacgan", *QUICK, "--hidden=8", "--pack=4", f"--run={tmp_path / 'run'}"])
    assert (tmp_path / "run" / "DONE").exists()

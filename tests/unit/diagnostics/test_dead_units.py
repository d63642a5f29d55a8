"""Dead units are counted exactly, for linear layers and convolutions, and watching leaves no trace."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pushforward.diagnostics.dead_units import diagnose_dead_units, unit_activity, watched


def killed(slope=0.0, dead=6):
    """A network of 8 units, so many of which no input in [-1, 1]³ switches on."""
    torch.manual_seed(0)
    layer = nn.Linear(3, 8)
    layer.bias.data[:dead] = -100
    layer.bias.data[dead:] = 100
    return nn.Sequential(layer, nn.LeakyReLU(slope) if slope else nn.ReLU(), nn.Linear(8, 1))


def inputs(n=400, batches=2):
    return list((torch.rand(n, 3) * 2 - 1).chunk(batches))


def test_units_that_nothing_switches_on_are_counted():
    (layer,) = unit_activity(killed(dead=6), inputs()).values()
    assert (layer.units, layer.silent, layer.dead, layer.inputs) == (8, 6, 0.75, 400)


def test_a_unit_that_one_input_of_one_batch_switches_on_is_alive():
    network = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    network[0].weight.data.fill_(1.0)
    network[0].bias.data.fill_(-5.0)
    assert unit_activity(network, [torch.zeros(9, 1)])["1"].dead == 1
    assert unit_activity(network, [torch.zeros(9, 1), torch.full((1, 1), 6.0)])["1"].dead == 0


def test_a_channel_is_alive_where_any_pixel_is():
    conv = nn.Conv2d(1, 3, 1)
    conv.weight.data.fill_(1.0)
    conv.bias.data.copy_(torch.tensor([0.0, -1.5, -3.0]))
    x = torch.zeros(4, 1, 5, 5)
    x[2, 0, 1, 1] = 2.0
    (layer,) = unit_activity(nn.Sequential(conv, nn.ReLU()), [x]).values()
    assert layer.active.tolist() == [True, True, False]


def test_a_slope_keeps_units_from_dying_and_they_are_still_seen_to_be_silent():
    (layer,) = unit_activity(killed(slope=0.2), inputs()).values()
    assert (layer.dead, layer.share) == (0.0, 0.75)
    assert diagnose_dead_units({"1": layer}) is None


def test_half_of_a_layer_is_a_finding_and_a_whole_one_critical():
    assert diagnose_dead_units(unit_activity(killed(dead=3), inputs())) is None
    finding = diagnose_dead_units(unit_activity(killed(dead=6), inputs()), command="--slope 0.2")
    assert (finding.severity, finding.command, finding.confidence) == ("warning", "--slope 0.2", 0.98)
    assert "6 of 8 in layer 1" in finding.evidence
    assert diagnose_dead_units(unit_activity(killed(dead=8), inputs())).severity == "critical"


def test_few_inputs_prove_little():
    finding = diagnose_dead_units(unit_activity(killed(), [torch.zeros(2, 3)]))
    assert finding.confidence == pytest.approx(0.02)


def test_networks_as_they_are_initialised_are_well():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))
    assert diagnose_dead_units(unit_activity(network, [torch.randn(2500, 8)])) is None


def test_watching_leaves_no_hook_and_no_graph_and_changes_nothing():
    network = killed()
    x = torch.rand(5, 3)
    plain = network(x)
    with watched(network) as seen:
        assert torch.equal(network(x), plain)
    assert seen["1"].inputs == 5
    network(x)
    assert seen["1"].inputs == 5
    assert not any(layer._forward_hooks for layer in network.modules())

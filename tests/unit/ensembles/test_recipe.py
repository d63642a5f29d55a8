import dataclasses
import json

import pytest
import torch

import pushforward
from pushforward.cli.options import parse
from pushforward.config import config_from
from pushforward.ensembles.recipe import AdaGANRecipe
from pushforward.errors import UserError
from tests.runs import SHAPE, small_images

OPTIONS = {"hidden": [8], "latent_dim": 2}


def parsed(*words, default=None):
    return parse(AdaGANRecipe, words, prog="train adagan", description="", default=default)


def test_options_of_the_components_are_pairs_of_names_and_yaml():
    words = ("--component-options", "hidden", "[16, 16]", "n-critic", "2", "ema", "null", "network", "mlp")
    recipe = parsed(*words, "--components", "3")
    assert recipe.component_options == {"hidden": [16, 16], "n_critic": 2, "ema": None, "network": "mlp"}
    part = recipe.component_recipe()
    assert (part.hidden, part.n_critic, part.ema, recipe.components) == ((16, 16), 2, None, 3)


def test_options_of_a_config_stay_unless_others_are_given():
    was = AdaGANRecipe(component_options=OPTIONS)
    assert parsed(default=was) == was
    assert parsed("--component-options", "hidden", "[4]", default=was).component_options == {"hidden": [4]}


@pytest.mark.parametrize("component", ["gan", "wgan-gp", "unrolled", "veegan", "pacgan", "r3gan", "vae"])
def test_any_method_that_samples_can_be_a_component(component):
    mixture = AdaGANRecipe(component=component, components=2, component_options=OPTIONS).build(SHAPE)
    for i in range(2):
        mixture.add(i, mixture.components[i], 1 / (i + 1))
    assert mixture.eval().sample(5).shape == (5, *SHAPE)


def test_it_builds_again_from_what_is_written_down():
    recipe = AdaGANRecipe(components=2, component_options=OPTIONS)
    again = AdaGANRecipe(**json.loads(json.dumps(dataclasses.asdict(recipe))))
    a, b = (r.build(SHAPE).state_dict() for r in (recipe, again))
    assert {k: v.shape for k, v in a.items()} == {k: v.shape for k, v in b.items()}
    content = {"method": "adagan", "options": {"component_options": OPTIONS}}
    assert config_from(content, where="x").options.component_recipe().latent_dim == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"component": "adagan"}, "`component`: adagan is an ensemble itself"),
        ({"component": "ae"}, "`component`: AE cannot sample"),
        ({"component": "gann"}, "no method 'gann'; perhaps you meant 'gan'"),
        ({"component_options": {"hiden": 3}}, "`component_options`: hiden: .*perhaps you meant 'hidden'"),
        ({"component_options": {"hidden": "x"}}, "`component_options`: hidden: 'x'"),
        ({"component_options": {"n_critic": 0}}, "`component` gan: `n_critic`: 0; expected at least 1"),
        ({"component_options": {"conditional": True}}, "`component_options`: conditional.*; leave it out"),
        ({"components": 0}, "`components`: 0"),
        ({"classifier_steps": 0}, "`classifier_steps`: 0"),
    ],
)
def test_mistakes_name_the_option(fields, message):
    with pytest.raises(UserError, match=message):
        AdaGANRecipe(**fields).build(SHAPE)


def test_components_that_want_classes_are_refused_before_anything_is_written(tmp_path):
    options = {"component_options": {**OPTIONS, "conditional": True}}
    with pytest.raises(UserError, match="conditional"):
        pushforward.train("adagan", data="digits", steps=1, options=options, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_value_without_a_name_is_refused():
    with pytest.raises(UserError, match=r"--component-options.*expected pairs"):
        parsed("--component-options", "hidden")


def test_data_are_prepared_as_the_components_want_them():
    images = small_images()
    assert AdaGANRecipe().prepare_data(images) is images
    options = {"likelihood": "bernoulli", "binarization": "static", **OPTIONS}
    recipe = AdaGANRecipe(component="vae", component_options=options)
    assert set(recipe.prepare_data(images).x.unique().tolist()) <= {0, 255}
    assert torch.equal(recipe.prepare_data(images).x, recipe.prepare_data(images).x)

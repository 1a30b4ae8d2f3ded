"""A Condition that exists is a possible one, and its slug tells it from every other."""

import dataclasses
import json

import pytest

from steering.condition import Condition, grid
from steering.errors import SteeringError


def test_the_baseline_is_none_at_strength_zero():
    baseline = Condition.baseline()
    assert baseline == Condition("none", 0.0, (), "all")
    assert (baseline.slug, baseline.arm, baseline.is_baseline) == ("none", "baseline", True)


@pytest.mark.parametrize(
    ("condition", "slug"),
    [
        (Condition("desperate", 0.05, (18,), "all"), "desperate+0.050_L18_all"),
        (Condition("calm", -0.1, (17, 18), "assistant"), "calm-0.100_L17-18_assistant"),
        (Condition("random:7", 1, (0,), "all"), "random:7+1.000_L0_all"),
        (Condition("calm", 0.0125, (2,), "all"), "calm+0.0125_L2_all"),
    ],
)
def test_the_slug_states_vector_strength_layers_and_positions(condition, slug):
    assert condition.slug == slug


def test_conditions_that_differ_have_different_slugs():
    conditions = [
        Condition(vector, strength, layers, positions)
        for vector in ("calm", "random:1", "random:11")
        for strength in (0.05, 0.0501, 0.05001, 1e-7, -0.05)
        for layers in ((1,), (1, 2), (12,))
        for positions in ("all", "assistant")
    ]
    assert len({condition.slug for condition in conditions}) == len(conditions)


def test_the_arm_tells_random_directions_from_emotions():
    assert Condition("calm", 0.1, (1,), "all").arm == "emotion"
    assert Condition("random:7", 0.1, (1,), "all").arm == "control"


def test_the_order_in_which_layers_are_named_does_not_matter():
    assert Condition("calm", 0.1, (2, 1), "all") == Condition("calm", 0.1, (1, 2), "all")


def test_a_condition_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Condition.baseline().strength = 0.1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("calm", 0.0, (1,), "all"), "strength 0 of 'calm'.*baseline"),
        (("calm", -0.0, (1,), "all"), "strength 0 of 'calm'.*baseline"),
        (("none", 0.1, (1,), "all"), "baseline"),
        (("none", 0.0, (1,), "all"), "baseline"),
        (("none", 0.0, (), "assistant"), "baseline"),
        (("calm", float("nan"), (1,), "all"), "strength nan"),
        (("calm", float("inf"), (1,), "all"), "strength inf"),
        (("calm", 5.1, (1,), "all"), "strength 5.1 is outside -5 to 5"),
        (("calm", True, (1,), "all"), "strength True"),
        (("calm", "0.1", (1,), "all"), "strength '0.1'"),
        (("calm", 0.1, (), "all"), "layers"),
        (("calm", 0.1, (-1,), "all"), "layer -1"),
        (("calm", 0.1, (1, 1), "all"), "twice"),
        (("calm", 0.1, (1.0,), "all"), "layer 1.0"),
        (("calm", 0.1, (True,), "all"), "layer True"),
        (("calm", 0.1, [1], "all"), "layers"),
        (("calm", 0.1, (1,), "prompt"), "positions 'prompt' is unknown: choose all or assistant"),
        (("", 0.1, (1,), "all"), "vector name ''"),
        (("a/b", 0.1, (1,), "all"), "vector name 'a/b'"),
        (("../a", 0.1, (1,), "all"), "vector name"),
        (("random:x", 0.1, (1,), "all"), "vector name 'random:x'"),
        (("random:-1", 0.1, (1,), "all"), "vector name 'random:-1'"),
        (("random:07", 0.1, (1,), "all"), "vector name 'random:07'"),
        ((None, 0.1, (1,), "all"), "vector name None"),
    ],
)
def test_an_impossible_condition_is_refused_with_its_value_named(values, message):
    with pytest.raises(SteeringError, match=message):
        Condition(*values)


@pytest.mark.parametrize(
    "condition",
    [
        Condition.baseline(),
        Condition("calm", -0.1, (1, 2), "assistant"),
        Condition("random:7", 1, (0,), "all"),
    ],
)
def test_a_condition_survives_json(condition):
    assert Condition.from_dict(json.loads(json.dumps(condition.to_dict()))) == condition


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"vector": "none", "strength": 0.0, "layers": []},
        {**Condition.baseline().to_dict(), "extra": 1},
        {**Condition.baseline().to_dict(), "layers": "12"},
        {**Condition.baseline().to_dict(), "layers": None},
        [],
        None,
    ],
)
def test_a_dictionary_that_is_no_condition_is_refused(values):
    with pytest.raises(SteeringError):
        Condition.from_dict(values)


def test_the_grid_has_the_baseline_once_and_first_and_every_nonzero_dose_of_every_vector():
    conditions = grid(["calm", "random:1"], [-0.1, 0, 0.1], (2,), "all")
    assert [condition.slug for condition in conditions] == [
        "none",
        "calm-0.100_L2_all",
        "calm+0.100_L2_all",
        "random:1-0.100_L2_all",
        "random:1+0.100_L2_all",
    ]


def test_the_grid_has_the_baseline_even_where_no_zero_was_asked_for():
    assert grid(["calm"], [0.1], (2,), "all")[0] == Condition.baseline()


def test_the_grid_of_none_is_the_baseline_alone():
    assert grid(["none"], [-0.1, 0.1], (2,), "all") == (Condition.baseline(),)
    assert grid(["none"], [], (), "all") == (Condition.baseline(),)


def test_what_is_named_twice_is_in_the_grid_once():
    assert len(grid(["calm", "none", "calm"], [0.1, 0.1, 0.0, -0.0], (2,), "all")) == 2


@pytest.mark.parametrize(
    ("vectors", "strengths"), [([], [0.1]), (["calm"], []), (["calm"], [float("nan")]), (["calm"], [9.0])]
)
def test_a_grid_of_nothing_or_of_the_impossible_is_refused(vectors, strengths):
    with pytest.raises(SteeringError):
        grid(vectors, strengths, (2,), "all")

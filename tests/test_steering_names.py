"""A name means one thing, and a name that means nothing is refused with what may stand there."""

import pytest
from inspect_ai._util.config import parse_cli_args  # the very reader of -T

from steering.arguments import parse_names
from steering.condition import Condition
from steering.errors import SteeringError
from steering.names import RESERVED, Name, check_emotion, is_control, read_name

MEANINGS = {
    "calm": Name("file", "calm"),
    "self-confident": Name("file", "self-confident"),
    "random:7": Name("random", "", 7),
    "permuted:calm:0": Name("permuted", "calm", 0),
    "covariance:12": Name("covariance", "", 12),
    "shuffled:3": Name("shuffled", "", 3),
    "valence": Name("valence"),
    "self-confident-minus-valence": Name("minus-valence", "self-confident"),
    "neutral": Name("neutral"),
    "concept:sea": Name("concept", "sea"),
    "-calm": Name("opposite", "calm"),
}
CONTROLS = [name for name in MEANINGS if MEANINGS[name].kind != "file"]


@pytest.mark.parametrize("name", MEANINGS)
def test_a_name_means_one_thing(name):
    assert read_name(name) == MEANINGS[name]


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_is_of_the_arm_control_with_a_slug_of_its_own_and_survives_json(name):
    condition = Condition(name, 0.1, (2,), "all")
    assert is_control(name) and condition.arm == "control"
    assert condition.slug == f"{name}+0.100_L2_all"
    assert Condition.from_dict(condition.to_dict()) == condition


@pytest.mark.parametrize(
    "name",
    ["", "--calm", "-none", "-valence", "-random:7", "permuted:calm", "permuted:none:1", "permuted:calm:x",
     "shuffled:", "shuffled:07", "concept:", "concept:a/b", "random:-1", "none-minus-valence", "-neutral",
     "calm-minus-valence-minus-valence", "a b", None, 7],
)  # fmt: skip
def test_an_impossible_name_is_refused_with_what_may_stand_there(name):
    with pytest.raises(
        SteeringError, match=r"is not possible: choose a vector file .* random:SEED.* -EMOTION"
    ):
        read_name(name)


@pytest.mark.parametrize("name", [*RESERVED, *CONTROLS])
def test_no_emotion_can_have_the_name_of_a_control(name):
    with pytest.raises(SteeringError, match="another meaning"):
        check_emotion(name)


def test_names_reach_the_task_from_the_command_line_as_they_were_typed():
    for names in (CONTROLS, ["desperate", *CONTROLS], ["-calm"], ["permuted:calm:0"]):
        given = parse_cli_args([f"emotion={','.join(names)}"])
        assert parse_names(given["emotion"], "emotion") == tuple(names)

"""Task arguments mean what was typed, or end in one line that names the value and the choices."""

import pytest
from inspect_ai._cli.util import parse_cli_args
from inspect_ai._util.error import PrerequisiteError

from steering.arguments import choose, parse_floats, parse_layers, parse_names, refuse_unknown


def typed(text: str) -> object:
    """What a task receives for `-T x=TEXT`."""
    return parse_cli_args([f"x={text}"])["x"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("desperate", ("desperate",)),
        ("desperate,calm", ("desperate", "calm")),
        ("desperate, calm", ("desperate", "calm")),
        ("[desperate, calm]", ("desperate", "calm")),
        ("random:7", ("random:7",)),
        ("random:1,random:2", ("random:1", "random:2")),
        ("calm,calm", ("calm",)),
        ("'no'", ("no",)),
    ],
)
def test_names_are_read_as_typed(text, names):
    assert parse_names(typed(text), "emotion") == names


@pytest.mark.parametrize("text", ["no", "yes", "", "null", "calm,", "0.1", "3", "[]", "{a: 1}"])
def test_what_is_no_name_is_refused_with_its_argument_named(text):
    with pytest.raises(PrerequisiteError, match="emotion"):
        parse_names(typed(text), "emotion")


def test_no_for_an_emotion_is_explained_as_a_truth_value():
    with pytest.raises(PrerequisiteError, match=r"emotion False is not a name .*truth values"):
        parse_names(typed("no"), "emotion")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0.1", (0.1,)),
        ("-0.1,0,0.1", (-0.1, 0.0, 0.1)),
        ("[-0.1, 0, 0.1]", (-0.1, 0.0, 0.1)),
        ("0", (0.0,)),
        ("1", (1.0,)),
        ("1e-1", (0.1,)),
        ("+0.05, -.05", (0.05, -0.05)),
        ("0.1,0.10", (0.1,)),
    ],
)
def test_numbers_are_read_as_typed(text, numbers):
    assert parse_floats(typed(text), "strength") == numbers


@pytest.mark.parametrize(
    "text", ["no", "yes", "", "strong", "0.1,", "0.1;0.2", ".nan", "nan", "inf", "-.inf", "{a: 1}"]
)
def test_what_is_no_finite_number_is_refused(text):
    with pytest.raises(PrerequisiteError, match="strength"):
        parse_floats(typed(text), "strength")


@pytest.mark.parametrize(
    ("text", "layers"),
    [("auto", (18,)), ("18", (18,)), ("17,18", (17, 18)), ("[18, 17]", (17, 18)), ("0", (0,)), ("27", (27,))],
)
def test_layers_are_read_as_typed(text, layers):
    assert parse_layers(typed(text), 28) == layers


@pytest.mark.parametrize("n_layers, layer", [(28, 18), (32, 21), (4, 2), (1, 0)])
def test_auto_is_the_layer_at_two_thirds_of_the_depth(n_layers, layer):
    assert parse_layers("auto", n_layers) == (layer,)


@pytest.mark.parametrize("text", ["28", "-1", "middle", "auto,3", "1.5", "no", "yes", "", "17-18"])
def test_a_layer_outside_the_model_is_refused_with_the_choices(text):
    with pytest.raises(PrerequisiteError, match=r"layers .*(choose auto or 0 to 27|empty)"):
        parse_layers(typed(text), 28)


def test_a_mistyped_choice_names_the_value_the_nearest_and_all_choices():
    with pytest.raises(
        PrerequisiteError, match=r"twin 'mian' is unknown: did you mean 'main'\? choose main, no_threat"
    ):
        choose("mian", ["main", "no_threat"], "twin")
    with pytest.raises(
        PrerequisiteError, match=r"length False is unknown: choose short, full .*truth values"
    ):
        choose(typed("no"), ["short", "full"], "length")
    assert choose("main", ["main", "no_threat"], "twin") == "main"


def test_an_unknown_task_argument_ends_the_run_and_a_known_one_does_not():
    def blackmail(emotion="none", strength=None, **unknown):
        return emotion, strength, unknown

    refuse_unknown({}, blackmail)
    with pytest.raises(PrerequisiteError) as caught:
        refuse_unknown({"emotoin": "desperate"}, blackmail)
    assert str(caught.value) == (
        "argument 'emotoin' of task blackmail is unknown: did you mean 'emotion'? choose emotion, strength"
    )


def test_every_error_is_one_line():
    for attempt in (
        lambda: parse_names("a\nb,", "emotion"),
        lambda: parse_floats("a\nb", "strength"),
        lambda: parse_layers("a\nb", 4),
        lambda: choose("a\nb", ["c"], "twin"),
    ):
        with pytest.raises(PrerequisiteError) as caught:
            attempt()
        assert "\n" not in str(caught.value)

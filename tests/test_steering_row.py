"""Laws of one row: its stream, its end, its log probabilities, its errors."""

import pytest
import torch

from steering.condition import Condition
from steering.errors import SteeringError
from steering.request import Request
from steering.row import Row, write_next

EOS = 9


def row(stream="s", temperature=1.0, decode=lambda ids: "".join(map(chr, ids)), **settings):
    given = {"max_tokens": 50, "top_p": 1.0, **settings}
    request = Request([1, 2], [False] * 2, Condition.baseline(), stream, temperature, **given)
    return Row(request, {}, "none", [EOS], decode)


def one_hot(*tokens, size=128):
    return torch.nn.functional.one_hot(torch.tensor(tokens), size).float() * 50


def write(rows, *tokens):
    """One step in which every row's score points to its token."""
    return write_next(rows, one_hot(*tokens))


def test_a_row_draws_the_same_whoever_stands_beside_it():
    torch.manual_seed(0)
    scores = torch.randn(20, 4, 11)  # steps, rows, vocabulary
    together, alone = [row(stream, max_tokens=100) for stream in "abcd"], row("c", max_tokens=100)
    for step in scores:
        write_next(together, step)
        write_next([alone], step[2:3])
    assert together[2].ids == alone.ids


def test_a_row_goes_on_drawing_beyond_what_was_drawn_ahead():
    scores = torch.zeros(1, 8)
    short, long = row(max_tokens=600), row(max_tokens=601)
    for _ in range(600):
        write_next([short], scores)
        write_next([long], scores)
    assert short.ids == long.ids and len(set(short.ids[-100:])) > 3


def test_a_row_ends_with_its_end_token_which_counts():
    one, other = row(temperature=0), row(temperature=0)
    for tokens in ((1, 2), (EOS, 3)):
        write([one, other], *tokens)
    assert (one.is_done, one.is_cut, one.ids) == (True, False, [1, EOS])
    assert not other.is_done


def test_a_row_ends_with_its_last_token_and_says_that_it_was_cut():
    short, long = row(temperature=0, max_tokens=2), row(temperature=0, max_tokens=3)
    for _ in range(2):
        write([short, long], 1, 1)
    assert short.is_done and short.is_cut and short.completion("loop").stop_reason == "max_tokens"
    assert not long.is_done


def test_every_row_has_stop_strings_of_its_own():
    rows = [row(temperature=0, stop=stop) for stop in (("END",), ("ND", "x"), ())]
    for letter in "aEND":
        write([one for one in rows if not one.is_done], *[ord(letter)] * sum(not r.is_done for r in rows))
    assert [one.is_done for one in rows] == [True, True, False]
    assert [one.completion("loop").text for one in rows] == ["aEND"] * 3


def test_a_stop_string_in_the_prompt_ends_nothing():
    one = row(temperature=0, stop=(chr(2),))
    write([one], 65)
    assert not one.is_done


def test_scores_that_are_no_numbers_are_an_error_of_their_row_alone():
    rows = [row(), row()]
    scores = torch.zeros(2, 128)
    scores[1] = float("nan")
    write_next(rows, scores)
    assert rows[0].error is None and not rows[0].is_done
    assert isinstance(rows[1].error, SteeringError) and "not finite" in str(rows[1].error)


def test_a_decoder_that_raises_is_an_error_of_its_row_alone():
    rows = [row(stop=("x",), decode=lambda _ids: 1 / 0), row(stop=("x",))]
    write(rows, 1, 1)
    assert isinstance(rows[0].error, ZeroDivisionError) and rows[0].is_done
    assert rows[1].error is None and not rows[1].is_done


def test_log_probabilities_are_those_of_the_scores_for_the_rows_that_want_them():
    torch.manual_seed(0)
    rows = [row("a", top_logprobs=None), row("b", 0.5, top_logprobs=0), row("c", top_logprobs=3)]
    seen = torch.randn(4, 3, 11)
    for step in seen:
        write_next(rows, step)
    expected = seen.log_softmax(-1)
    done = [one.completion("loop") for one in rows]
    assert done[0].logprobs is None
    for number in (1, 2):
        for step, found in enumerate(done[number].logprobs):
            assert found.chosen.token == rows[number].ids[step]
            assert found.chosen.logprob == pytest.approx(float(expected[step, number, found.chosen.token]))
    assert all(one.top == () for one in done[1].logprobs)
    for step, found in enumerate(done[2].logprobs):
        best = expected[step, 2].sort(descending=True)
        assert [one.token for one in found.top] == best.indices[:3].tolist()
        assert [one.logprob for one in found.top] == pytest.approx(best.values[:3].tolist())


@pytest.mark.parametrize(
    "bad, says",
    [
        ({"max_tokens": 0}, "max_tokens 0"),
        ({"temperature": -1.0}, "temperature -1.0"),
        ({"temperature": float("nan")}, "temperature nan"),
        ({"top_p": 0.0}, "top_p 0.0"),
        ({"stop": ("x", "")}, "empty stop string"),
        ({"top_logprobs": -1}, "top_logprobs -1"),
    ],
)
def test_settings_that_are_nonsense_are_refused_when_the_request_is_built(bad, says):
    with pytest.raises(SteeringError, match=says):
        row(**bad)


def test_marks_that_do_not_fit_the_prompt_are_refused():
    with pytest.raises(SteeringError, match="3 entries for 2 prompt tokens"):
        Request([1, 2], [False] * 3, Condition.baseline(), "s", 1.0, 1.0, 5)

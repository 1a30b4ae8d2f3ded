"""Laws of the per-row random streams."""

import pytest
import torch

from steering import sampling
from steering.sampling import choose, stream_uniforms


def draw(scores, uniforms, temperature=1.0, top_p=1.0):
    """`choose` with one setting for all rows."""
    return choose(scores, list(uniforms), [temperature] * len(scores), [top_p] * len(scores))


def test_a_stream_repeats_and_two_streams_differ():
    first, again, other = (stream_uniforms(f"1/keycard/{n}", 20).tolist() for n in (0, 0, 1))
    assert first == again != other


def test_a_longer_draw_begins_with_the_shorter_one():
    assert stream_uniforms("a", 5).tolist() == stream_uniforms("a", 500)[:5].tolist()


def test_the_uniforms_are_uniform():
    numbers = stream_uniforms("a", 100_000)
    assert numbers.min() >= 0 and numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.005 and abs(numbers.var() - 1 / 12) < 0.002


@pytest.mark.parametrize("temperature, top_p", [(1.0, 1.0), (0.5, 1.0), (1.0, 0.8), (2.0, 0.6)])
def test_tokens_are_chosen_as_often_as_their_probability_says(temperature, top_p):
    scores = torch.tensor([2.0, -1.0, 0.5, 1.0, -torch.inf, 1.5])
    expected = torch.softmax(scores.double() / temperature, -1)
    order = expected.argsort(descending=True)
    kept = int((expected[order].cumsum(-1) < top_p).sum()) + 1
    outside = order[kept:]
    expected[outside] = 0
    n = 40_000
    tokens = draw(scores.expand(n, -1), stream_uniforms("frequency", n), temperature, top_p)
    found = torch.bincount(torch.tensor(tokens), minlength=6) / n
    assert torch.allclose(found, (expected / expected.sum()).float(), atol=0.01)
    assert found[outside].sum() == 0


def test_temperature_0_takes_the_highest_score_and_the_first_of_equals():
    scores = torch.tensor([[0.0, 3.0, 1.0], [2.0, 2.0, 1.0]])
    assert draw(scores, [0.99, 0.99], temperature=0.0) == [1, 0]


@pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 2.0**-53])
def test_a_token_of_probability_0_is_never_chosen(uniform):
    scores = torch.tensor([[-torch.inf, 0.1, -torch.inf, 0.3, -torch.inf]])
    assert draw(scores, [uniform])[0] in (1, 3)


def test_rows_of_different_settings_are_chosen_as_if_each_stood_alone(monkeypatch):
    torch.manual_seed(0)
    scores = torch.randn(60, 11)
    uniforms = stream_uniforms("rows", 60).tolist()
    temperatures = [0.0, 1.0, 0.3, 2.0] * 15
    top_ps = [1.0, 0.5, 0.9] * 20
    together = choose(scores, uniforms, temperatures, top_ps)
    alone = [
        choose(scores[row : row + 1], uniforms[row : row + 1], [temperatures[row]], [top_ps[row]])[0]
        for row in range(60)
    ]
    monkeypatch.setattr(sampling, "_AT_ONCE", 70)
    assert together == alone == choose(scores, uniforms, temperatures, top_ps)
    assert len(set(together)) > 5


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_scores_that_are_no_numbers_choose_no_token_and_harm_no_other_row(bad, temperature):
    scores = torch.zeros(3, 4)
    scores[1, 2] = bad
    tokens = draw(scores, [0.5] * 3, temperature)
    assert tokens[1] == -1 and tokens[0] == tokens[2] >= 0


def test_scores_that_allow_nothing_choose_no_token():
    assert draw(torch.full((1, 4), -torch.inf), [0.5]) == [-1]

"""Controls are named by what they are, one by one or as many of a kind."""

import pytest

from results.controls import described


@pytest.mark.parametrize(
    ("vectors", "told"),
    [
        (["random:1"], "1 random direction"),
        (["random:1", "random:2", "random:1"], "2 random directions"),
        (
            ["random:1", "permuted:calm:1", "permuted:calm:2", "shuffled:0", "covariance:1"],
            "1 random direction, 2 permuted vectors, 1 vector of shuffled labels, "
            "1 random direction like the stories'",
        ),
        (["valence", "-calm", "desperate-minus-valence", "concept:sea"],
         "valence, -calm, desperate-minus-valence, 1 concept without emotion"),
        ([], ""),
    ],
)  # fmt: skip
def test_a_legend_counts_each_kind_of_control(vectors: list[str], told: str) -> None:
    assert described(vectors) == told

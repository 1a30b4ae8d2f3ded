"""Multinomial logistic regression on named features, with a quadratic penalty, alone or over bags of them.

A fit over all features leans on the few strong ones and leaves the rest untrained, which shows where an
unseen text lacks them. So the weights may be the mean over fits that each see a random part of the features
(Sutton, Sindelar and McCallum 2006, "Reducing Weight Undertraining in Structured Discriminative Learning").
The mean of linear scores is a linear score. Nothing here knows letters or outcomes.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize

Array = NDArray[np.float64]

_PENALTY = 0.25
_RARE = 0.7
"""Words and pairs weigh less at the same coefficient, so that the penalty keeps them small."""
_BAGS = 16
_IN_A_BAG = 0.3
"""Share of the features that a bag holds."""


def scale(name: str) -> float:
    """The value that a feature of value 1 has in the matrix."""
    bare = name.rpartition("/")[2]
    return _RARE if not bare.startswith(".") and (">" in bare or bare.startswith("=")) else 1.0


def matrix(rows_of: Sequence[Mapping[str, float]], names: Mapping[str, int]) -> sparse.csr_matrix:
    """Rows x features; `names` are the columns."""
    rows, columns, values = [], [], []
    for row, features in enumerate(rows_of):
        for name, value in features.items():
            if name in names:
                rows.append(row)
                columns.append(names[name])
                values.append(value * scale(name))
    return sparse.csr_matrix((values, (rows, columns)), shape=(len(rows_of), len(names)))


def bagged(
    features: sparse.csr_matrix,
    kinds: NDArray[np.int64],
    weights: Array,
    many: int,
    share: float = _IN_A_BAG,
) -> tuple[Array, Array]:
    """As `regression`, the mean over bags with this share of the features; the bags are the same each time."""
    random, columns = np.random.default_rng(0), features.shape[1]
    coefficients, bias = np.zeros((columns, many)), np.zeros(many)
    for _ in range(_BAGS):
        bag = random.random(columns) < share
        some, offset = regression(features[:, bag], kinds, weights, many)
        coefficients[bag] += some / _BAGS
        bias += offset / _BAGS
    return coefficients, bias


def regression(
    features: sparse.csr_matrix, kinds: NDArray[np.int64], weights: Array, many: int
) -> tuple[Array, Array]:
    """Coefficients (features x kinds) and bias (kinds).

    kinds     the kind of each row, below `many`
    weights   how much each row counts
    """
    rows, columns = features.shape
    wanted = np.eye(many)[kinds]

    def loss(point: Array) -> tuple[float, Array]:
        coefficients, bias = point[: columns * many].reshape(columns, many), point[columns * many :]
        scores = features @ coefficients + bias
        scores -= np.logaddexp.reduce(scores, axis=1)[:, None]
        error = (np.exp(scores) - wanted) * weights[:, None]
        value = -float((weights * scores[np.arange(rows), kinds]).sum()) + _PENALTY / 2 * float(
            (coefficients**2).sum()
        )
        slope = features.T @ error + _PENALTY * coefficients
        return value, np.concatenate([slope.ravel(), error.sum(axis=0)])

    found = minimize(
        loss, np.zeros((columns + 1) * many), jac=True, method="L-BFGS-B", options={"maxiter": 100}
    )
    return found.x[: columns * many].reshape(columns, many), found.x[columns * many :]

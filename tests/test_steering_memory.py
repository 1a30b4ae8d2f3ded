"""Laws of memory: what waits costs next to nothing, and what running out of it looks like is known."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from steering.memory import cache_budget, is_out_of_memory

PROGRAM = """
import resource, sys
sys.path[:0] = sys.argv[2:]
import torch
from conftest import _model, _tokenizer
from engine_requests import TEXTS
from steering.condition import Condition
from steering.engine import Engine
from steering.request import Request

torch.set_num_threads(1)
engine = Engine(_model("llama", "float32"), _tokenizer(), max_rows=64)
rows = [
    Request([n % 200] * 100, [False] * 100, Condition.baseline(), str(n), 1.0, 1.0, 2)
    for n in range(int(sys.argv[1]))
]
assert len(engine.run(rows)) == len(rows)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(waiting: int) -> int:
    tests = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(waiting), str(tests), str(tests.parent)],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    return int(done.stdout)


def test_2000_waiting_requests_raise_peak_memory_by_at_most_a_tenth_over_200():
    assert peak(2000) <= 1.1 * peak(200)


@pytest.mark.parametrize(
    "error, is_memory",
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), True),
        (MemoryError(), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory of what was said"), False),
    ],
)
def test_running_out_of_memory_is_told_from_other_errors(error, is_memory):
    assert is_out_of_memory(error) is is_memory


def test_a_real_allocation_that_fails_is_known_as_such():
    with pytest.raises(RuntimeError) as error:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(error.value)


def test_the_budget_is_a_share_of_what_is_free():
    assert 0 < cache_budget(torch.device("cpu")) < 2**50

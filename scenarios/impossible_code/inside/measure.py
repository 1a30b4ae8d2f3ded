"""What a call costs: timed gives its value and its seconds, memory its value and its peak of bytes."""

import time
import tracemalloc
from collections.abc import Callable
from typing import Any


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    value = function(*arguments)
    return value, time.perf_counter() - start


def memory(function: Callable[..., Any], *arguments: Any) -> tuple[Any, int]:
    tracemalloc.start()
    value = function(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return value, peak

"""How much memory a key-value cache may take, and what running out of it looks like."""

import os

import torch

_SHARE = {"cpu": 0.25, "cuda": 0.6}
_ELSEWHERE = 2**31
_MESSAGES = ("out of memory", "can't allocate memory", "not enough memory")


def cache_budget(device: torch.device) -> int:
    """Bytes for the cache: a share of what is free, since activations and other programs need the rest."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(_SHARE["cuda"] * free)
    if device.type == "cpu" and hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return int(_SHARE["cpu"] * free)
    return _ELSEWHERE


def is_out_of_memory(error: BaseException) -> bool:
    """Accelerators have an exception for it; on a CPU it is a RuntimeError like any other."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _MESSAGES)

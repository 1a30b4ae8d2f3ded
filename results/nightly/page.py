"""The night's page."""

from pathlib import Path


def write_page(logs: Path, out: Path) -> Path:
    """Write the report page of the logs into the folder `out`; its path."""
    raise NotImplementedError

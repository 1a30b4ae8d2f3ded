"""How much a sandbox may use. Frozen, and part of what a log says of its runs."""

from pydantic import BaseModel, ConfigDict, Field

MIB = 2**20


class Limits(BaseModel):
    """What one command may use; beyond it the command is killed and the sandbox lives on.

    Where a limit is not the kernel's own (`memory` over all processes, `disk`, `files`), a watchdog looks
    every tenth of a second, so that a command may exceed it for that long.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: int = Field(default=30, ge=1)
    """Of wall clock, unless the caller asks for less."""
    memory: int = Field(default=512 * MIB, ge=16 * MIB)
    """Bytes of address space per process, and of resident memory over all processes."""
    processes: int = Field(default=48, ge=4)
    disk: int = Field(default=64 * MIB, ge=MIB)
    """Bytes in the working folder."""
    files: int = Field(default=4096, ge=16)
    """Files and folders in the working folder."""
    file_size: int = Field(default=16 * MIB, ge=4096)
    """Bytes of one file."""
    output: int = Field(default=256 * 1024, ge=1024)
    """Bytes of standard output, and as many of standard error."""

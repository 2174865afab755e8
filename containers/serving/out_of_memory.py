"""Recognize in another server's error that its GPU ran out of memory."""

import re

# torch.OutOfMemoryError, torch.cuda.OutOfMemoryError of older versions, and what other devices and libraries
# say in a RuntimeError: "MPS backend out of memory", "CUDA error: out of memory", cuBLAS without workspace.
_OUT_OF_MEMORY = re.compile(r"\bout of memory\b|CUBLAS_STATUS_ALLOC_FAILED|\bDefaultCPUAllocator\b", re.I)


def is_out_of_memory(kind: str, said: str) -> bool:
    """`kind` is the name of the exception's type, if it is known; `said` is its message."""
    return kind.endswith(("OutOfMemoryError", "MemoryError")) or bool(_OUT_OF_MEMORY.search(said))

"""Cache of encoded prompts: a film's clips share their negative prompt, and often more."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

# 118 MB for the published models' embeddings (226 tokens × 4096 values × 2 bytes each).
MOST = 64


class EmbeddingCache:
    """Embeddings of the most recently used texts, at most MOST."""

    def __init__(self, encode: Callable[[str], Any]) -> None:
        """`encode` returns the tensor for a text; the same text must give the same tensor."""
        self._encode = encode
        self._kept: OrderedDict[str, Any] = OrderedDict()

    def __getitem__(self, text: str) -> Any:
        if text not in self._kept:
            self._kept[text] = self._encode(text)
            if len(self._kept) > MOST:
                self._kept.popitem(last=False)
        self._kept.move_to_end(text)
        return self._kept[text]

    def clear(self) -> None:
        self._kept.clear()

"""Cache of encoded prompts: a film's clips share their negative prompt, and often more."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any


class EmbeddingCache:
    """Embeddings of the most recently used texts, at most `most`."""

    def __init__(self, encode: Callable[[str], Any], most: int) -> None:
        """`encode` returns the embeddings of a text; the same text must give the same."""
        self._encode = encode
        self._most = most
        self._kept: OrderedDict[str, Any] = OrderedDict()

    def __getitem__(self, text: str) -> Any:
        if text not in self._kept:
            self._kept[text] = self._encode(text)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(text)
        return self._kept[text]

    def clear(self) -> None:
        self._kept.clear()

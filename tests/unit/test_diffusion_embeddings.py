from containers.diffusion.embeddings import EmbeddingCache


def test_a_text_is_encoded_once_while_it_is_cached() -> None:
    encoded: list[str] = []

    def encode(text: str) -> str:
        encoded.append(text)
        return text.upper()

    cache = EmbeddingCache(encode, most=64)
    assert [cache["snow"], cache["a bee"], cache["snow"]] == ["SNOW", "A BEE", "SNOW"]
    assert encoded == ["snow", "a bee"]


def test_the_least_recently_used_text_is_evicted_first() -> None:
    encoded: list[str] = []
    cache = EmbeddingCache(lambda text: encoded.append(text), most=5)
    for number in range(5):
        cache[str(number)]
    cache["0"]
    cache["one too many"]
    encoded.clear()
    cache["0"]
    assert encoded == []
    cache["1"]
    assert encoded == ["1"]

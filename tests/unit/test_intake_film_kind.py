"""Which fields request a film of scenes, and which cannot be combined."""

from typing import Any

import pytest

from lambdas.domain.brief import SCENE_SECONDS, Brief
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.pronunciation import Phonemes
from lambdas.intake.fields import parse
from lambdas.intake.film_kind import DEFAULT_SECONDS, LARGEST_STORYBOARD, OF_SCENES, brief_of, film_seconds

SCENE = {"image": {"positive_prompt": "A kite."}, "video": {"positive_prompt": "A kite that rises."}}
SAID = SCENE | {"narration": {"text": "A kite rises."}}
WHOLE = {"title": "The kite", "scenes": [SAID, SAID]}


def brief(**fields: Any) -> Brief:
    found = brief_of(parse(fields))
    assert found is not None
    return found


def test_a_prompt_makes_a_film_from_one_prompt() -> None:
    fields = parse({"prompt": "A kite", "model": "animatic", "negative_prompt": "rain", "enhance": False})
    assert brief_of(fields) is None
    assert film_seconds(fields, None, 8) == DEFAULT_SECONDS


def test_a_topic_with_defaults() -> None:
    found = brief(topic=" Kites ")
    assert (found.topic, found.tone, found.count, found.narrate, found.language) == (
        "Kites",
        "",
        4,
        True,
        "en-US",
    )


def test_a_topic_in_a_form() -> None:
    texts = {"scenes": "3", "seconds": "24", "narrate": "false", "storyboard": '{"style": "Watercolour."}'}
    values = {"scenes": 3, "seconds": 24, "narrate": False, "storyboard": {"style": "Watercolour."}}
    assert brief(topic="Kites", **texts) == brief(topic="Kites", **values)


def test_a_storyboard_s_title_becomes_the_topic() -> None:
    found = brief(storyboard=WHOLE)
    assert found.topic == "The kite"
    assert found.whole() is not None


def test_missing_parts_of_a_storyboard_are_written_from_the_topic() -> None:
    found = brief(topic="Kites", scenes=3, storyboard={"scenes": [SCENE]})
    assert found.count == 3
    assert found.whole() is None


def test_a_storyboard_stays_silent_on_request() -> None:
    silent = {"title": "The kite", "scenes": [SCENE]}
    assert brief(storyboard=silent, narrate=False).whole() is not None
    assert brief(storyboard=silent).asks_narration


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({}, "prompt", "prompt is required: text of 1 to 2,000 .* send topic or storyboard instead"),
        ({"tone": "calm"}, "prompt", "prompt is required"),
        ({"prompt": "A kite", "topic": "Kites"}, "prompt", "omitted when topic is set"),
        ({"prompt": "A kite", "storyboard": WHOLE}, "prompt", "omitted when storyboard is set"),
        ({"topic": "Kites", "enhance": True}, "enhance", "omitted when topic or storyboard"),
        ({"storyboard": {"scenes": [SAID]}}, "title", "title is required.* Send topic"),
        ({"storyboard": {"title": "The kite"}}, "scenes", "a list of 1 to 50 scenes"),
        (
            {"storyboard": {"title": "The kite", "scenes": [SAID, {"image": SCENE["image"]}]}},
            "scenes[1].video",
            "video is required.* Send topic",
        ),
        ({"storyboard": WHOLE | {"title": "\u200b"}}, "title", "invisible characters"),
        ({"topic": "\u200b"}, "topic", "only invisible characters"),
        ({"storyboard": WHOLE, "scenes": 1}, "scenes", "at least 2"),
        ({"topic": "Kites", "storyboard": WHOLE, "scenes": 1}, "scenes", "at least 2"),
        ({"storyboard": WHOLE, "scenes": 3}, "scenes", "scenes must be 2, .* Send topic"),
        ({"topic": "Kites", "scenes": 8, "seconds": 8}, "seconds", "reduce the number of scenes"),
        ({"topic": "Kites", "narrate": False, "captions": True}, "captions", "narrate=true"),
        ({"topic": "Kites", "narrate": False, "voice": "Joanna"}, "voice", "narrate=true"),
        ({"topic": "Kites", "narrate": False, "speech_speed": 1.2}, "speech_speed", "narrate=true"),
        ({"topic": "Kites", "narrate": False, "lexicon": {"a": "b"}}, "lexicon", "narrate=true"),
        (
            {"storyboard": WHOLE | {"lexicon": {"GIF": "gif"}}, "lexicon": {"gif": "jif"}},
            "lexicon.gif",
            "contradicts lexicon.GIF",
        ),
    ],
)
def test_fields_that_cannot_be_combined(fields: dict[str, Any], param: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as refused:
        brief_of(parse(fields))
    assert refused.value.param == param


@pytest.mark.parametrize("name", OF_SCENES)
def test_scene_fields_with_a_prompt_are_rejected_in_favour_of_topic(name: str) -> None:
    value = {"scenes": 2, "sample_rate": 16000, "max_tokens": 900, "context_size": 4096}.get(name, 1)
    text = {"tone": "calm", "language": "de", "voice": "Joanna", "voice_engine": "neural", "stills": "none"}
    text |= {"review": "previews", "narration_fit": "refuse", "caption_style": "pop", "lexicon": '{"a": "b"}'}
    text |= {"caption_position": "top", "caption_colour": "#FFFFFF", "caption_outline": "box"}
    text |= {"caption_outline_width": 0.1, "caption_font": "Inter"}
    fields = {"prompt": "A kite", name: text.get(name, "m" if name == "text_model" else value)}
    with pytest.raises(InvalidRequest, match=f"^{name} is allowed only with topic or storyboard") as refused:
        brief_of(parse(fields))
    assert refused.value.param == name


def test_captions_of_given_narration_need_no_text_model() -> None:
    assert brief(storyboard=WHOLE, narrate=False).narration_given(0)
    assert brief_of(parse({"storyboard": WHOLE, "narrate": False, "captions": True}))
    assert brief_of(parse({"topic": "Kites", "narrate": False, "captions": False}))


def test_a_film_s_lexicon_is_in_its_storyboard() -> None:
    given = WHOLE | {"lexicon": {"GIF": "jif", "a": "b"}}
    of_storyboard = brief(storyboard=given, lexicon='{"GIF": "jif", "NASA": {"ipa": "ˈnæsə"}}')
    both = {"GIF": "jif", "a": "b", "NASA": Phonemes(ipa="ˈnæsə")}
    assert of_storyboard.given.lexicon == both
    assert brief(topic="Kites", lexicon={"GIF": "jif"}).given.lexicon == {"GIF": "jif"}
    written = of_storyboard.whole()
    assert written is None or written.lexicon == both


def test_length_of_a_film_of_scenes() -> None:
    def seconds(**fields: Any) -> int:
        parsed = parse(fields)
        return film_seconds(parsed, brief_of(parsed), 8)

    assert seconds(topic="Kites", seconds=30) == 30
    assert seconds(topic="Kites", scenes=3) == 3 * SCENE_SECONDS
    assert seconds(storyboard=WHOLE | {"scenes": [SAID | {"seconds": 2.5}, SAID]}) == SCENE_SECONDS + 3
    with pytest.raises(InvalidRequest, match="at most 3,600 seconds in total; got 7,200") as refused:
        seconds(storyboard=WHOLE | {"scenes": [SAID | {"seconds": 3600}] * 2})
    assert refused.value.param == "storyboard"


def test_a_storyboard_larger_than_a_record_is_rejected() -> None:
    long = {"positive_prompt": "🐝" * 2000}
    with pytest.raises(InvalidRequest, match=f"at most {LARGEST_STORYBOARD:,} bytes") as refused:
        brief(storyboard=WHOLE | {"scenes": [SAID | {"image": long}] * 50})
    assert refused.value.param == "storyboard"

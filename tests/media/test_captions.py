from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from itertools import pairwise

import av
import pytest
from pysubs2 import SSAFile

from lambdas.media.captions import COLUMNS, Cue, srt, timed_text, turns, vtt

STORY = (
    "The quick brown fox jumps over the lazy dog, and then it goes on to tell a very long story "
    "that no one in front of the screen could possibly read at once."
)


def cue(start: float, end: float, text: str) -> Cue:
    return Cue(Fraction(str(start)), Fraction(str(end)), text)


def until(start: float, end: float, text: str, latest: float = 10) -> Cue:
    """Return a cue that may stay on screen until `latest`."""
    return replace(cue(start, end, text), until=Fraction(str(latest)))


def read(written: str) -> list[tuple[int, int, str]]:
    """Return (start, end, text) as pysubs2 reads it back; times are in milliseconds."""
    events = SSAFile.from_string(written)
    return [(event.start, event.end, event.text.replace(r"\N", "\n")) for event in events]


def tracked(
    cues: Sequence[Cue], duration: Fraction | int = 10, language: str = "en"
) -> list[tuple[int, int, str]]:
    """Return (start, end, text) of each sample as FFmpeg reads it back."""
    with av.open(BytesIO(timed_text(cues, Fraction(duration), language=language)), format="mp4") as container:
        (track,) = container.streams
        assert (track.type, track.codec_context.name) == ("subtitle", "mov_text")
        assert track.duration * track.time_base == Fraction(duration)
        samples = []
        for packet in container.demux(track):
            if packet.size:
                length = int.from_bytes(bytes(packet)[:2])
                text = bytes(packet)[2 : 2 + length].decode()
                assert len(packet.decode()) == bool(text)
                start = packet.pts * track.time_base * 1000
                samples.append((int(start), int(start + packet.duration * track.time_base * 1000), text))
        return samples


def shown(cues: Sequence[Cue], duration: Fraction | int = 10) -> list[tuple[int, int, str]]:
    return [sample for sample in tracked(cues, duration) if sample[2]]


@pytest.mark.parametrize("written", [lambda cues: read(srt(cues)), lambda cues: read(vtt(cues)), shown])
def test_each_format_has_the_same_content(
    written: Callable[[Sequence[Cue]], list[tuple[int, int, str]]],
) -> None:
    cues = [
        cue(0, 1.5, "Once upon a time"),
        cue(2.25, 4, "there was\n\na fox. "),
        cue(4, 9.999, "Ünïcö 🦊"),
    ]
    assert written(cues) == [
        (0, 1500, "Once upon a time"),
        (2250, 4000, "there was a fox."),
        (4000, 9999, "Ünïcö 🦊"),
    ]


def test_formats_follow_players_expectations() -> None:
    assert srt([cue(3661.5, 3662, "Hello")]) == "1\n01:01:01,500 --> 01:01:02,000\nHello\n\n"
    assert vtt([cue(3661.5, 3662, "Hello")]) == "WEBVTT\n\n1\n01:01:01.500 --> 01:01:02.000\nHello\n\n"


def test_a_film_without_speech() -> None:
    assert srt([]) == ""
    assert vtt([]).strip() == "WEBVTT"
    assert vtt([cue(0, 1, " \n ")]).strip() == "WEBVTT"
    assert tracked([]) == [(0, 10_000, "")]


def test_text_is_wrapped_evenly_to_two_lines() -> None:
    (only,) = shown([cue(0, 5, STORY[:69])])
    first, second = only[2].split("\n")
    assert f"{first} {second}" == STORY[:69]
    assert abs(len(first) - len(second)) <= 6


def test_a_long_text_is_split_at_pauses() -> None:
    said = "The next time you think about how a bee finds its way home, remember what you have seen here."
    assert [turn[2] for turn in shown([cue(1, 9, said)])] == [
        "The next time you think about\nhow a bee finds its way home,",
        "remember what you have seen here.",
    ]
    # Not if that needs more cues.
    early = "Now, the bee that has seen so many flowers on this long warm day flies home to tell the others."
    assert len(shown([cue(1, 9, early)])) == 2


def test_a_long_text_is_split_into_cues_timed_by_length() -> None:
    turns = shown([cue(1, 9, STORY)])
    lines = [line for turn in turns for line in turn[2].split("\n")]
    assert all(len(turn[2].split("\n")) <= 2 for turn in turns)
    assert all(len(line) <= COLUMNS for line in lines)
    assert " ".join(lines) == STORY
    assert (turns[0][0], turns[-1][1]) == (1000, 9000)
    for (_, end, _), (start, _, _) in pairwise(turns):
        assert start == end
    for start, end, text in turns:
        assert (end - start) / 8000 == pytest.approx(len(text) / len(STORY), abs=0.03)


def test_a_word_wider_than_the_screen_is_broken() -> None:
    lines = [line for turn in shown([cue(0, 9, "x" * 100)]) for line in turn[2].split("\n")]
    assert [len(line) for line in lines] == [42, 42, 16]


@pytest.mark.parametrize(("letter", "most"), [("x", 42), ("и", 42), ("あ", 13), ("雨", 16), ("비", 16)])
def test_a_line_has_as_many_characters_as_its_script_allows(letter: str, most: int) -> None:
    lines = [line for turn in shown([cue(0, 9, letter * (3 * most + 1))]) for line in turn[2].split("\n")]
    assert len(lines) == 4
    lines = [line for turn in shown([cue(0, 9, letter * 4 * most)]) for line in turn[2].split("\n")]
    assert lines == [letter * most] * 4


def test_a_foreign_word_does_not_shorten_the_lines() -> None:
    text = "The bee 蜂 flies over the wide meadow and"
    assert shown([cue(0, 9, text)])[0][2] == text


def test_no_line_begins_with_a_full_stop() -> None:
    text = "二〇二六年東京の夜はとても静かだったそうです。雨が降り続けている。人々は傘を差して歩いていく。"
    lines = [line for turn in shown([cue(0, 9, text)]) for line in turn[2].split("\n")]
    assert "".join(lines) == text
    assert not any(line.startswith("。") for line in lines)


def test_a_caption_stays_in_the_pause_behind_it_until_it_can_be_read() -> None:
    fast, slow = "Thirty-four characters, so quickly.", "Few words."
    assert len(fast) == 35
    cues = [until(1, 2, fast), until(5, 8, slow)]
    # 17 characters a second; a caption that can be read while it is spoken ends with the voice.
    assert shown(cues) == [(1000, 1000 + 2059, fast), (5000, 8000, slow)]
    assert shown([until(1, 1.25, "Go!")]) == [(1000, 1834, "Go!")]  # the shortest


def test_a_caption_that_stays_makes_room_for_the_next_one_and_ends_with_the_film() -> None:
    text = "As many words as fit on these lines"
    assert shown([until(1, 2, text), until(2.5, 9, "Next."), until(9.5, 9.75, text)]) == [
        (1000, 2500, text),
        (2500, 9000, "Next."),
        (9500, 10_000, text),
    ]


def test_only_the_last_turn_of_a_cue_stays() -> None:
    turns = shown([until(1, 5, STORY)])
    hurried = shown([cue(1, 5, STORY)])
    assert turns[:-1] == hurried[:-1]
    start, end, text = turns[-1]
    assert end - start >= 1000 * (len(text) - 1) / 17 > hurried[-1][1] - start


def test_cues_never_overlap() -> None:
    cues = [cue(4, 6, "third"), cue(0, 3, "first"), cue(2, 9, "second"), cue(5, 5.5, "fourth")]
    assert shown(cues) == [
        (0, 2000, "first"),
        (2000, 4000, "second"),
        (4000, 5000, "third"),
        (5000, 5500, "fourth"),
    ]


def test_simultaneous_speech_is_captioned_in_sequence() -> None:
    assert shown([cue(1, 2, "Hello."), cue(1, 3, "Goodbye.")]) == [(1000, 3000, "Hello. Goodbye.")]


def test_the_track_is_exactly_as_long_as_the_film() -> None:
    assert tracked([cue(1, 2, "a"), cue(4, 12, "b"), cue(11, 12, "c")]) == [
        (0, 1000, ""),
        (1000, 2000, "a"),
        (2000, 4000, ""),
        (4000, 10_000, "b"),
    ]
    assert tracked([cue(0, 2, "a")], duration=2) == [(0, 2000, "a")]


@pytest.mark.parametrize(
    ("text", "in_srt"),
    [
        ("1 < 2 & 3 > 0", "1 ‹ 2 & 3 › 0"),
        ("<i>< b> x <3", "‹i›‹ b› x <3"),
        (r"{\an8}{\p1}m 0 0", r"(\an8)(\p1)m 0 0"),
        (r"C:\new\help", r"C:\new\help"),
        ("a --> b", "a → b"),
        ("&lt;b&gt;", "&lt;b&gt;"),
    ],
)
def test_markup_is_only_text(text: str, in_srt: str) -> None:
    cues = [cue(0, 1, text)]
    assert shown(cues)[0][2] == text
    assert said(srt(cues), "srt") == in_srt
    assert said(vtt(cues), "webvtt") == text


def said(written: str, form: str) -> str:
    """Return the only cue as FFmpeg decodes it, without FFmpeg's escapes of braces and backslashes."""
    with av.open(BytesIO(written.encode()), format=form) as container:
        (packet,) = (packet for packet in container.demux() if packet.size)
        (subtitle,) = packet.decode()
        return subtitle.ass.decode().split(",", 8)[8].replace("\\{{}", "{").replace("\u2060", "")


def test_control_characters_are_left_out() -> None:
    assert shown([cue(0, 1, "a\x00b\x1bc\ue000d\ud800e\u2028f")])[0][2] == "abcde f"


@pytest.mark.parametrize(
    ("language", "code"),
    [("en", "eng"), ("en-US", "eng"), ("DE-at", "deu"), ("cmn-CN", "zho"), ("x-klingon", "und"), ("", "und")],
)
def test_the_track_has_its_language(language: str, code: str) -> None:
    with av.open(BytesIO(timed_text([], Fraction(1), language=language)), format="mp4") as container:
        assert container.streams[0].metadata["language"] == code


@pytest.mark.parametrize("form", [srt, vtt])
@pytest.mark.parametrize(("start", "end"), [(1, 1), (2, 1), (-1, 1)])
def test_a_cue_has_a_duration(form: Callable[[Sequence[Cue]], str], start: float, end: float) -> None:
    with pytest.raises(ValueError, match="a cue must start at 0 s or later and end after its start"):
        form([cue(start, end, "Hello")])


# --- word by word


def spoken(start: float, end: float, text: str, *words: tuple[str, float]) -> Cue:
    timed = tuple((word, Fraction(str(at))) for word, at in words)
    return Cue(Fraction(str(start)), Fraction(str(end)), text, words=timed)


def test_webvtt_has_the_time_of_each_word() -> None:
    said = spoken(1, 3, "He said: “fish & chips”", ("He", 1), ("said", 1.25), ("fish", 2), ("chips", 2.5))
    (line,) = vtt([said]).splitlines()[4:5]
    assert vtt([said], timed=False).splitlines()[4:5] == ["He said: “fish &amp; chips”"]
    assert line == "He <00:00:01.250>said: <00:00:02.000>“fish &amp; <00:00:02.500>chips”"
    assert "<" not in srt([said])


def test_a_text_of_several_screens_changes_with_the_first_word_of_each() -> None:
    words = STORY.split()
    times = [0.5 * number**1.2 for number in range(len(words))]  # ever slower
    said = spoken(0, 60, STORY, *zip(words, times, strict=True))
    screens = list(turns([said]))
    assert len(screens) > 1
    shown = 0
    for turn in screens[1:]:
        shown += len(screens[screens.index(turn) - 1].text.split())
        assert turn.start == round(1000 * times[shown])
    assert [turn.start for turn in screens[1:]] == [turn.end for turn in screens[:-1]]
    assert screens[-1].end == 60_000


def test_words_without_spaces_between_them() -> None:
    (turn,) = turns([spoken(0, 2, "凧が飛ぶ。", ("凧", 0), ("が", 0.5), ("飛ぶ", 1))])
    assert turn.word_parts == [(0, "凧"), (500, "が"), (1000, "飛ぶ。")]


def test_words_of_another_text_are_not_used() -> None:
    said = spoken(0, 2, "A bee flies.", ("A", 0), ("fox", 1))
    assert vtt([said]) == vtt([cue(0, 2, "A bee flies.")])

"""Characters that change how a terminal shows the text around them."""

import json
from io import StringIO

import pytest
from pydantic import ValidationError
from rich.table import Table

from lambdas.api.openai_format import error_object
from lambdas.domain.control_characters import visible
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.failures import failure
from lambdas.domain.storyboard import Narration, parse_partial
from lambdas.domain.video_request import Lora
from lambdas.intake.fields import parse
from reelworks.cli.progress import log_line, preview_lines
from reelworks.cli.terminal import SafeConsole, print_json
from reelworks.client import Storyboard

# ESC, NUL, BEL, backspace, DEL, NEL, CSI (C1), line separator, right-to-left override, isolate
CONTROLS = "\x1b\x00\x07\x08\x7f\x85\x9b\u2028\u202e\u2066"
HOSTILE = "\x1b[2J\x1b]0;owned\x07red\x9b31m \u202egnp.exe \x00\rover"


def is_clean(text: str) -> bool:
    return visible(text, lines=True) == text


@pytest.mark.parametrize("character", [*CONTROLS, "\r", "\ud800"])
def test_a_control_character_becomes_an_escape(character: str) -> None:
    shown = visible(f"a{character}b", lines=True)
    assert shown.startswith("a\\")
    assert shown.isascii()
    assert shown.isprintable()


def test_lines_and_other_scripts_stay() -> None:
    text = "Zwei Zeilen:\n\tשלום\u200f, مرحبا, 你好, naïve 👩‍👩‍👧 café\u0301"
    assert visible(text, lines=True) == text
    assert visible("a\nb\tc") == "a\\nb\\tc"


@pytest.mark.parametrize("field", ["voice", "text_model"])
@pytest.mark.parametrize("character", [*CONTROLS, "\n", "\t", "\r"])
def test_a_name_with_a_control_character_is_refused(field: str, character: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{field} must be .*without control characters; got") as caught:
        parse({"prompt": "A bee", field: f"Joanna{character}x"})
    assert is_clean(caught.value.message)


@pytest.mark.parametrize("character", [*CONTROLS, "\n"])
def test_so_are_a_scene_s_voice_and_an_adapter(character: str) -> None:
    with pytest.raises(ValidationError):
        Narration.model_validate({"text": "Hello.", "voice": f"a{character}"})
    with pytest.raises(ValidationError):
        Lora.model_validate({"name": f"a{character}"})


@pytest.mark.parametrize("field", ["prompt", "topic", "tone", "negative_prompt"])
@pytest.mark.parametrize("character", "\x1b\x00\x07\x7f\x85\x9b")
def test_a_text_with_a_control_character_is_refused(field: str, character: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{field} must be text .*without control characters") as caught:
        parse({"prompt": "A bee"} | {field: f"a{character}b"})
    assert is_clean(caught.value.message)


def test_a_text_may_have_lines_and_another_direction() -> None:
    text = "A sign:\n\t\u2067שלום\u2069\r\nand a bee"
    assert parse({"prompt": text}).prompt == text


@pytest.mark.parametrize("name", [HOSTILE, "a\x1b[31m", "\u202evoice", "x\ny"])
def test_an_unknown_field_s_name_is_escaped(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse({"prompt": "A bee", name: "1"})
    error = error_object(400, caught.value.message, code="x", param=caught.value.param)["error"]
    assert is_clean(error["message"])
    assert is_clean(error["param"])
    assert "\n" not in error["message"] + error["param"]


def test_a_storyboard_s_field_name_is_escaped() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_partial({"scenes": [{HOSTILE: 1}]})
    assert is_clean(caught.value.message)
    assert is_clean(str(caught.value.param))


def test_an_engine_s_output_is_escaped_in_the_record() -> None:
    told = failure("RenderClip", {"Error": "EngineFailed", "Cause": json.dumps({"errorMessage": HOSTILE})})
    assert is_clean(told.reason)
    assert "owned" in told.reason


# --- the terminal


def printed(what: object, **options: bool) -> str:
    file = StringIO()
    SafeConsole(file=file, highlight=False, width=200, **options).print(what, markup=True)
    return file.getvalue()


def test_a_console_shows_what_it_prints_without_its_effects() -> None:
    table = Table("video", "prompt")
    table.add_row("video_1", HOSTILE)
    for shown in (printed(table), printed(HOSTILE.replace("[", "\\["))):
        assert is_clean(shown)
        assert "\\x1b" in shown
        assert "owned" in shown


def test_its_own_colours_still_work() -> None:
    assert "\x1b[31m" in printed("[red]error:[/red] no", force_terminal=True)


def test_json_has_every_character_but_none_raw(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"prompt": HOSTILE + "\u2028 ü 你", HOSTILE: 1})
    shown = capsys.readouterr().out
    assert is_clean(shown)
    assert json.loads(shown) == {"prompt": HOSTILE + "\u2028 ü 你", HOSTILE: 1}
    assert "ü 你" in shown


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x85", "\u2028", "\x0b", "\x0c"])
def test_a_log_line_can_t_be_forged(end: str) -> None:
    forged = f"ok{end}12:00:00 Publish        video completed"
    for message in (
        forged,
        {"level": "INFO", "message": forged},
        {"level": "INFO", "message": "asked", "prompt": forged},
        {"level": "INFO", "message": "asked", f"a{end}b": 1},
        {"level": f"x{end}y", "message": "asked"},
        {"level": "INFO", "message": "asked", "exception": forged},
        {"level": "INFO", "message": "asked", "nested": {"prompt": [forged]}},
    ):
        shown = log_line(message)
        assert is_clean(shown)
        assert all(line.startswith("    ") for line in shown.split("\n")[1:])


def test_a_traceback_is_still_read_in_lines() -> None:
    message = {"level": "ERROR", "message": "failed", "clip": 2, "exception": "Traceback\n  File x\nError: y"}
    assert log_line(message) == "ERROR: failed clip=2\n    Traceback\n      File x\n    Error: y"


def test_a_narration_can_t_forge_a_path() -> None:
    scenes = Storyboard.model_validate({"scenes": [{"narration": {"text": "Hello.\n  still: /etc/passwd"}}]})
    assert preview_lines(scenes, []) == ["scene 1: Hello. still: /etc/passwd"]

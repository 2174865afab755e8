import os
from pathlib import Path

import pytest

from reelworks.cloud.backends.text.catalogue import TextKind
from reelworks.cloud.errors import CloudError
from reelworks.cloud.home import Home
from reelworks.cloud.settings import Settings

FILE = """
[text]
kind = "ollama"
url = "http://127.0.0.1:11434/"
model = "llama3.2"

[speech]
voices = {Amy = "/voices/amy.onnx"}

[stills]
workflow = "/workflows/flux.json"
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def load(home: Home, file: str = "", **environment: str) -> Settings:
    home.settings.write_text(file)
    return Settings.load(home, environment)


def test_without_a_file_everything_has_its_default(home: Home) -> None:
    settings = Settings.load(home, {"REELWORKS_HOME": "/x", "REELWORKS_API_KEY": "rk-x", "PATH": "/bin"})
    assert settings == Settings()
    assert (settings.text, settings.stills, settings.speech.voices) == (None, None, {})
    assert settings.comfyui.url == "http://127.0.0.1:8188"


def test_the_file(home: Home) -> None:
    settings = load(home, FILE)
    assert settings.text is not None
    assert (settings.text.kind, settings.text.url) == (TextKind.OLLAMA, "http://127.0.0.1:11434")
    assert settings.text.context_tokens == 8192
    assert settings.speech.voices == {"Amy": Path("/voices/amy.onnx")}
    assert settings.stills is not None
    assert settings.stills.workflow == Path("/workflows/flux.json")


def test_the_environment_overrides_single_keys(home: Home) -> None:
    settings = load(
        home,
        FILE,
        REELWORKS_TEXT_MODEL="qwen3:4b",
        REELWORKS_TEXT_API_KEY="sk-1",
        REELWORKS_SPEECH_VOICES="Bob=/v/bob.onnx, Eva=/v/eva.onnx",
        REELWORKS_COMFYUI_URL="http://gpu:8188",
    )
    assert settings.text is not None
    assert (settings.text.model, settings.text.api_key) == ("qwen3:4b", "sk-1")
    assert settings.text.kind is TextKind.OLLAMA
    assert settings.speech.voices == {"Bob": Path("/v/bob.onnx"), "Eva": Path("/v/eva.onnx")}
    assert settings.comfyui.url == "http://gpu:8188"


def test_a_writer_s_name_stands_for_its_file(home: Home) -> None:
    file = home.models / "qwen3-4b" / "Qwen3-4B-Q4_K_M.gguf"
    file.parent.mkdir(parents=True)
    file.touch()
    settings = load(home, "[text]\nkind = 'gguf'\nmodel = 'qwen3-4b'")
    assert settings.text is not None
    assert (settings.text.kind, settings.text.model) == (TextKind.GGUF, str(file))
    assert load(home, "", REELWORKS_TEXT_KIND="rules").text is not None


def test_aliases_and_the_text_model_s_time(home: Home) -> None:
    settings = load(home, FILE, REELWORKS_ENGINES_ALIASES="sora-2=comfyui, sora-2-pro=animatic")
    assert settings.engines.aliases == {"sora-2": "comfyui", "sora-2-pro": "animatic"}
    assert settings.text is not None
    assert settings.text.timeout_seconds == 300
    settings = load(
        home,
        "[engines]\naliases = {sora-2 = 'animatic'}",
        REELWORKS_TEXT_TIMEOUT_SECONDS="90",
        REELWORKS_TEXT_URL="http://x",
        REELWORKS_TEXT_MODEL="m",
    )
    assert settings.engines.aliases == {"sora-2": "animatic"}
    assert settings.text is not None
    assert settings.text.timeout_seconds == 90


def test_the_content_filter_s_words_are_in_a_file(home: Home) -> None:
    assert load(home, "").content_filter.words is None
    listed = load(home, "", REELWORKS_CONTENT_FILTER_WORDS="/home/me/words.txt").content_filter.words
    assert listed == Path("/home/me/words.txt")


def test_webhooks_go_to_this_pc_only_where_it_is_allowed(home: Home) -> None:
    assert load(home, "").webhooks.loopback is False
    assert load(home, "[webhooks]\nloopback = true").webhooks.loopback is True
    assert load(home, "", REELWORKS_WEBHOOKS_LOOPBACK="true").webhooks.loopback is True
    with pytest.raises(CloudError, match="REELWORKS_WEBHOOKS_LOOPBACK"):
        load(home, "", REELWORKS_WEBHOOKS_LOOPBACK="perhaps")


def test_an_api_key_is_not_shown(home: Home) -> None:
    assert "sk-1" not in repr(load(home, FILE, REELWORKS_TEXT_API_KEY="sk-1"))


def test_it_survives_json(home: Home) -> None:
    """The cloud's process receives the settings in this form."""
    settings = load(home, FILE, REELWORKS_TEXT_API_KEY="sk-1")
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


def test_a_file_with_a_byte_order_mark_is_read(home: Home) -> None:
    assert load(home, "\ufeff" + FILE) == load(home, FILE)


def test_a_pipe_in_place_of_the_file_is_refused(home: Home) -> None:
    home.folder.mkdir(parents=True, exist_ok=True)
    os.mkfifo(home.settings)
    with pytest.raises(CloudError, match="it is not a file"):
        Settings.load(home, {})


def test_spaces_around_a_variable_s_names_and_values_do_not_count(home: Home) -> None:
    settings = load(home, "", REELWORKS_ENGINES_ALIASES="sora-2 = comfyui, sora-2-pro=animatic ,")
    assert settings.engines.aliases == {"sora-2": "comfyui", "sora-2-pro": "animatic"}


@pytest.mark.parametrize(
    ("file", "environment", "said"),
    [
        ("[text]\nurl = 'http://x'\nmodel = 'm'\nkind = 'llama'", {}, "toml: text.kind: .*'ollama'"),
        ("[text]\nurl = 'http://x'", {}, "reelworks.toml: text.model: required when its section is set"),
        ("", {"REELWORKS_TEXT_API_KEY": "k"}, "text.url: required when its section is set"),
        ("", {"REELWORKS_TEXT_KIND": "llama", "REELWORKS_TEXT_URL": "http://x", "REELWORKS_TEXT_MODEL": "m"},
         "REELWORKS_TEXT_KIND: .*'openai', .*; got 'llama'"),
        ("[text]\nkind = 'gguf'\nmodel = '/m.gguf'", {}, "toml: text.model: /m.gguf is not a file"),
        ("[text]\nkind = 'gguf'\nmodel = 'qwen3-4b'", {}, "download it with `reel models pull qwen3-4b`"),
        ("[text]\nkind = 'gguf'\nmodel = 'm.gguf'", {}, "text.model: must be an absolute path"),
        ("[text]\nkind = 'gguf'\nmodel = '/m'\nurl = 'http://x'", {}, "url: must be omitted with kind gguf"),
        ("[text]\nkind = 'gguf'", {}, "text.model: required when its section is set"),
        ("[text]\nkind = 'rules'\nmodel = 'm'", {}, "text.model: must be omitted with kind rules; got 'm'"),
        ("", {"REELWORKS_COMFYUI_URL": "gpu:8188"}, "REELWORKS_COMFYUI_URL: .*http://"),
        ("", {"REELWORKS_SPEECH_VOICE": "x"}, "SPEECH_VOICE: unknown setting; allowed: voices"),
        ("[speech]\nvoices = {'a b' = '/v.onnx'}", {}, "speech.voices.a b"),
        ("[speech]\nvoices = {Amy = 'amy.onnx'}", {}, "speech.voices.Amy: must be an absolute path"),
        ("[voice]\nx = 1", {}, "voice: unknown setting; allowed: text, engines, models, speech, stills"),
        ("[engines]\naliases = {'so ra' = 'comfyui'}", {}, "engines.aliases.so ra.*pattern"),
        ("[engines]\naliases = {animatic = 'comfyui'}", {}, "animatic is an engine's own name"),
        ("[engines]\naliases = {sora-2 = 'sora'}", {}, "sora-2: must be one of: animatic,.*got 'sora'"),
        ("[engines]\naliases = 'sora'", {}, "engines.aliases: .*dictionary"),
        ("", {"REELWORKS_ENGINES_ALIASES": "sora-2=x"}, "ENGINES_ALIASES: must be one of: animatic"),
        ("[text]\nurl = 'http://x'\nmodel = 'm'\ntimeout_seconds = 421", {}, "seconds: .*420; got 421"),
        ("[stills]\nmodel = '/m'\nworkflow = '/w'", {}, "stills: set exactly one of model and workflow"),
        ("[stills]\nworkflow = '/w'\nsteps = 4", {}, "stills: steps and guidance are not allowed"),
        ("[stills]\nmodel = '/m'\nsteps = 0", {}, "stills.steps: .*greater"),
        ("text = 3", {"REELWORKS_TEXT_MODEL": "m"}, "text: .*dictionary"),
        ("[text", {}, "reelworks.toml can't be read"),
        ("a=" + "[" * 5000 + "]" * 5000, {}, "reelworks.toml can't be read"),
        ('[engines]\naliases = {"a\\u001bb" = "comfyui"}', {}, "characters that can be seen"),
        ("[engines]\naliases = {a = 'b', b = 'a'}", {}, "engines.aliases.a: must be one of"),
        ("[text]\nurl = 'http://a:99999'\nmodel = 'm'", {}, "text.url: Port out of range"),
        ("[text]\nurl = 'http://a b'\nmodel = 'm'", {}, "text.url: .*without spaces"),
        ('[text]\nurl = "http://a\\u0001b"\nmodel = "m"', {}, "text.url: .*control characters"),
        ("[speech]\nvoices = {A = '~nobody-here/a.onnx'}", {}, "voices.A: .*user of this PC"),
        ('[speech]\nvoices = {A = "/a\\u0000b"}', {}, "voices.A: .*null characters"),
        ("[stills]\nmodel = '/m'\nguidance = inf", {}, "stills.guidance: .*finite"),
    ],
)  # fmt: skip
def test_an_invalid_setting_is_named_with_the_allowed_values(
    home: Home, file: str, environment: dict[str, str], said: str
) -> None:
    with pytest.raises(CloudError, match=said):
        load(home, file, **environment)

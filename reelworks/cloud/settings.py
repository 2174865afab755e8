"""The PC user's settings: `reelworks.toml` in the home folder, overridden by environment variables.

    [text]                                  text model: an OpenAI-compatible server, or Ollama
    kind = "ollama"                         default: "openai"
    url = "http://127.0.0.1:11434"
    model = "llama3.2"
    api_key = "…"
    context_tokens = 8192                   for Ollama only; other servers set their own
    timeout_seconds = 300                   how long an answer may take, with loading the model; at most 420

    [engines]
    aliases = {sora-2 = "comfyui"}          names that clients use, for engines that this PC has

    [models]                                licences that you accept, for `reel models pull` (docs/models.md)
    accepted_licences = ["ltx-2", "gemma"]

    [speech]                                voices in addition to the bundled one
    voices = {Amy = "/voices/en_US-amy-medium.onnx"}

    [stills]                                image model: a diffusers model …
    model = "/models/sdxl-turbo"
    steps = 4                               see the model's page, unless its own file sets it
    guidance = 0.0
                                            … or a ComfyUI workflow (docs/comfyui.md)
    workflow = "/workflows/flux.json"

    [content_filter]                        refuses prompts with any of these words
    words = "/home/me/words.txt"            one word or phrase a line

    [webhooks]
    loopback = true                         webhooks may go to this PC, also without TLS

    [comfyui]
    url = "http://127.0.0.1:8188"
    workflow = "/workflows/wan.json"        renders clips, see docs/comfyui.md

Key `k` of section `s` can also be set by the variable REELWORKS_S_K; write a table as
`name=value,name=value` and a list as `value,value` there.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from lambdas.domain.engines import CATALOGUE
from lambdas.domain.licences import LicenceName
from reelworks.cloud.backends.text.catalogue import TextKind
from reelworks.cloud.backends.text.interface import ANSWER_SECONDS
from reelworks.cloud.backends.text.ollama import CONTEXT_TOKENS
from reelworks.cloud.errors import CloudError
from reelworks.cloud.home import Home

_PREFIX = "REELWORKS_"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _http(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL that begins with http:// or https://")
    if " " in url or not url.isprintable():
        raise ValueError("must be a URL without spaces and control characters")
    _ = parts.port  # raises ValueError if it is no port
    return url.rstrip("/")


def _absolute(path: Path) -> Path:
    try:
        path = path.expanduser()
    except RuntimeError:
        raise ValueError("must begin with the name of a user of this PC, or be an absolute path") from None
    if "\0" in str(path):
        raise ValueError("must be a path without null characters")
    if not path.is_absolute():
        raise ValueError("must be an absolute path, or begin with ~")
    return path


Url = Annotated[str, AfterValidator(_http)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


class TextServer(_Section):
    kind: TextKind = TextKind.OPENAI
    url: Url
    model: Annotated[str, Field(min_length=1)]
    api_key: str | None = Field(default=None, repr=False)
    context_tokens: Annotated[int, Field(ge=512)] = CONTEXT_TOKENS
    # A storyboard's question and the one to repair it must end within a Lambda function's 900 s.
    timeout_seconds: Annotated[int, Field(ge=10, le=420)] = ANSWER_SECONDS


def _alias(name: str) -> str:
    if not name.isprintable():
        raise ValueError("must have only characters that can be seen")
    if name in CATALOGUE:
        raise ValueError(f"{name} is an engine's own name; use another name as the alias")
    return name


Alias = Annotated[str, Field(pattern=r"^[^=,\s]{1,64}$"), AfterValidator(_alias)]


def _engine(name: str) -> str:
    if name not in CATALOGUE:
        raise ValueError(f"must be one of: {', '.join(CATALOGUE)}")
    return name


class Engines(_Section):
    """`aliases`: names that clients use for engines, as {"sora-2": "comfyui"}."""

    aliases: dict[Alias, Annotated[str, AfterValidator(_engine)]] = {}


class Models(_Section):
    """`accepted_licences`: those of models that the user accepts."""

    accepted_licences: tuple[LicenceName, ...] = ()


class Speech(_Section):
    voices: dict[Name, AbsolutePath] = {}  # the .onnx, with its .onnx.json next to it


class Stills(_Section):
    """Either `model`, a folder saved by diffusers, or `workflow`, exported by ComfyUI (API format)."""

    model: AbsolutePath | None = None
    steps: Annotated[int, Field(ge=1)] | None = None
    guidance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    workflow: AbsolutePath | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.model is None) == (self.workflow is None):
            raise ValueError("set exactly one of model and workflow")
        if self.workflow and (self.steps is not None or self.guidance is not None):
            raise ValueError("steps and guidance are not allowed with workflow, which sets its own")
        return self


class ComfyUI(_Section):
    url: Url = "http://127.0.0.1:8188"  # ComfyUI's default
    workflow: AbsolutePath | None = None  # renders clips; default: workflows/comfyui.json in the home folder


class ContentFilter(_Section):
    words: AbsolutePath | None = None  # a text file with a word or phrase a line


class Webhooks(_Section):
    loopback: bool = False  # also to this PC


class Settings(_Section):
    text: TextServer | None = None
    engines: Engines = Engines()
    models: Models = Models()
    speech: Speech = Speech()
    stills: Stills | None = None
    comfyui: ComfyUI = ComfyUI()
    content_filter: ContentFilter = ContentFilter()
    webhooks: Webhooks = Webhooks()

    @classmethod
    def load(cls, home: Home, environment: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises CloudError, which names the key or variable and the allowed values, if a setting is invalid.
        """
        document = _read(home.settings)
        variables: dict[tuple[str, ...], str] = {}
        for section, field in cls.model_fields.items():
            prefix = f"{_PREFIX}{section.upper()}_"
            for variable in sorted(name for name in environment if name.startswith(prefix)):
                key = variable.removeprefix(prefix).lower()
                table = document.setdefault(section, {})
                if not isinstance(table, dict):
                    continue  # validation below reports this mistake of the file
                table[key] = _value(field.annotation, key, environment[variable])
                variables[section, key] = variable
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            problem = error.errors()[0]
            loc = tuple(map(str, problem["loc"]))
            where = variables.get(loc[:2]) or f"{home.settings}: {'.'.join(loc)}"
            raise CloudError(
                f"{where}: {cls._said(problem, loc)}",
                advice="Fix the setting and run `reel up` again.",
            ) from error

    @classmethod
    def _said(cls, problem: Any, loc: tuple[str, ...]) -> str:
        if problem["type"] == "extra_forbidden":
            section: Any = cls if len(loc) == 1 else _model_of(cls.model_fields[loc[0]].annotation)
            return f"unknown setting; allowed: {', '.join(section.model_fields)}."
        if problem["type"] == "missing":
            return "required when its section is set."
        said = str(problem["msg"]).removeprefix("Value error, ")
        given = problem["input"]
        return f"{said}; got {given!r}." if isinstance(given, str | int | float) else f"{said}."


def _read(file: Path) -> dict[str, Any]:
    try:
        if file.exists() and not file.is_file():
            raise OSError("it is not a file")  # reading a pipe would never end
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))  # editors on Windows write the mark
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise CloudError(
            f"{file} can't be read: {error}", advice="Fix the file and run `reel up` again."
        ) from error


def _value(section: Any, key: str, text: str) -> object:
    """Convert a variable's text to the value that TOML would give."""
    field = _model_of(section).model_fields.get(key)
    if field is not None and isinstance(field.default, tuple):
        return [value.strip() for value in text.split(",") if value.strip()]
    if field is None or not isinstance(field.default, dict):
        return text
    pairs = (pair.partition("=") for pair in text.split(",") if pair.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _model_of(annotation: Any) -> Any:
    """Return the section's type from an annotation that may be optional."""
    options = [annotation, *getattr(annotation, "__args__", ())]
    return next((one for one in options if isinstance(one, type) and issubclass(one, BaseModel)), None)

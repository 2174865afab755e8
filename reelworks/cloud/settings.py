"""The PC user's settings: `reelworks.toml` in the home folder, overridden by environment variables.

    [text]                                  text model; without it, one that this PC has is found
    kind = "ollama"                         default: "openai", a compatible server; "gguf"; "rules": none
    url = "http://127.0.0.1:11434"
    model = "llama3.2"                      with "gguf": the file, or a model of `reel models pull`
    api_key = "…"
    context_tokens = 8192                   for Ollama and gguf; other servers set their own
    timeout_seconds = 300                   how long an answer may take, with loading the model; at most 420

    [engines]
    aliases = {sora-2 = "comfyui"}          names that clients use, for engines that this PC has

    [engines.wan]                           an engine of your own: a server with /v1/videos (docs/relay.md)
    videos_url = "http://127.0.0.1:8091"
    model = "Wan-AI/Wan2.2-TI2V-5B-Diffusers"
    sizes = ["1280x704", "704x1280"]
    fps = [24]

    [models]                                licences that you accept, for `reel models pull` (docs/models.md)
    accepted_licences = ["ltx-2", "gemma"]

    [speech]                                voices in addition to the bundled one
    voices = {Amy = "/voices/en_US-amy-medium.onnx"}

    [speech.servers.kokoro]                 voices of a server with /v1/audio/speech (docs/local-backends.md)
    url = "http://127.0.0.1:8880"
    model = "kokoro"
    language = "en-US"                      of these voices
    voices = {Bella = "af_bella"}           our names, and the server's
    api_key = "…"
    timeout_seconds = 120                   how long a sentence may take, with loading the model

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

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from lambdas.domain.engines import CATALOGUE, Engine
from lambdas.domain.licences import LicenceName
from lambdas.domain.relays import EngineName, RelaySettings
from reelworks.cloud.backends.text.catalogue import TextKind
from reelworks.cloud.backends.text.interface import ANSWER_SECONDS, CONTEXT_TOKENS
from reelworks.cloud.backends.text.writers import WRITERS
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
    """A text model: on a server at `url`, or in a file, which `model` then is: a path, or a writer's name.
    The rule-based director has neither."""

    kind: TextKind = TextKind.OPENAI
    url: Annotated[str, Field(validate_default=True)] = ""
    model: Annotated[str, Field(validate_default=True)] = ""
    api_key: str | None = Field(default=None, repr=False)
    context_tokens: Annotated[int, Field(ge=512)] = CONTEXT_TOKENS
    # A storyboard's question and the one to repair it must end within a Lambda function's 900 s.
    timeout_seconds: Annotated[int, Field(ge=10, le=420)] = ANSWER_SECONDS

    @field_validator("url", "model")
    @classmethod
    def _as_its_kind_needs(cls, value: str, info: ValidationInfo) -> str:
        kind: TextKind | None = info.data.get("kind")  # None: it is invalid itself
        if kind is None or (not value and info.field_name not in kind.needs):
            return value
        if not value:
            raise PydanticCustomError("missing", "required")
        if info.field_name not in kind.needs:
            raise ValueError(f"must be omitted with kind {kind}")
        if info.field_name == "url":
            return _http(value)
        return value if kind is not TextKind.GGUF or value in WRITERS else str(_absolute(Path(value)))

    def at_home(self, home: Home) -> Self:
        """Return it with the path of a writer's file in place of its name. Raises ValueError if there is no
        such file."""
        if self.kind is not TextKind.GGUF:
            return self
        writer = WRITERS.get(self.model)
        file = home.models / self.model / writer.file if writer else Path(self.model)
        if not file.is_file():
            pull = f"; download it with `reel models pull {self.model}`" if writer else ""
            raise ValueError(f"{file} is not a file{pull}")
        return self.model_copy(update={"model": str(file)})


def _alias(name: str) -> str:
    if not name.isprintable():
        raise ValueError("must have only characters that can be seen")
    if name in CATALOGUE.built_in:
        raise ValueError(f"{name} is an engine's own name; use another name as the alias")
    return name


Alias = Annotated[str, Field(pattern=r"^[^=,\s]{1,64}$"), AfterValidator(_alias)]


class Relay(RelaySettings):
    """An engine on a server with /v1/videos."""

    videos_url: Url
    # At most one of these has the server's key.
    api_key: str | None = Field(default=None, repr=False)
    api_key_file: AbsolutePath | None = None  # with the key in its first line; read for every request
    api_key_variable: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if sum(one is not None for one in (self.api_key, self.api_key_file, self.api_key_variable)) > 1:
            raise ValueError("set at most one of api_key, api_key_file and api_key_variable")
        return self

    def with_key(self, environment: Mapping[str, str]) -> Self:
        """Return the settings with the key that its variable has. Raises ValueError if it has none."""
        if self.api_key_variable is None:
            return self
        key = environment.get(self.api_key_variable)
        if not key:
            raise ValueError(
                f"the variable {self.api_key_variable}, which api_key_variable names, is not set"
            )
        return self.model_copy(update={"api_key": key, "api_key_variable": None})


class Engines(_Section):
    """`aliases`: names that clients use for engines, as {"sora-2": "comfyui"}. All else is an engine of the
    user's own, by name."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Relay] = Field(init=False)

    aliases: dict[Alias, str] = {}

    @property
    def relays(self) -> Mapping[str, Relay]:
        return self.__pydantic_extra__

    def catalogue(self) -> list[Engine]:
        """Return the entries of the user's own engines."""
        return [relay.engine(name) for name, relay in self.relays.items()]

    @model_validator(mode="after")
    def _names_are_engines(self) -> Self:
        names = TypeAdapter(EngineName)
        for name in self.relays:
            try:
                names.validate_python(name)
            except ValidationError as error:
                said = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise ValueError(f"the name of an engine {said}; got {name!r}") from None
            if name in self.aliases:
                raise ValueError(f"{name} is an engine's own name; use another name as the alias")
        return self


class Models(_Section):
    """`accepted_licences`: those of models that the user accepts."""

    accepted_licences: tuple[LicenceName, ...] = ()


class VoiceServer(_Section):
    """A server with POST /v1/audio/speech, and voices that it has in one language."""

    url: Url
    model: Annotated[str, Field(min_length=1)]
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]  # BCP 47
    voices: Annotated[dict[Name, Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    api_key: str | None = Field(default=None, repr=False)
    timeout_seconds: Annotated[int, Field(ge=1, le=600)] = 120


class Speech(_Section):
    voices: dict[Name, AbsolutePath] = {}  # the .onnx, with its .onnx.json next to it
    servers: dict[Name, VoiceServer] = {}

    @model_validator(mode="after")
    def _names_are_single(self) -> Self:
        names = [*self.voices, *(name for server in self.servers.values() for name in server.voices)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"each voice needs a name of its own; {twice[0]} is there twice")
        return self


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
            settings = cls.model_validate(document)
        except ValidationError as error:
            problem = error.errors()[0]
            loc = tuple(map(str, problem["loc"]))
            where = variables.get(loc[:2]) or f"{home.settings}: {'.'.join(loc)}"
            raise CloudError(
                f"{where}: {cls._said(problem, loc)}",
                advice="Fix the setting and run `reel up` again.",
            ) from error
        known = (*CATALOGUE.built_in, *settings.engines.relays)
        for alias, engine in settings.engines.aliases.items():
            if engine not in known:
                place = variables.get(("engines", "aliases")) or f"{home.settings}: engines.aliases.{alias}"
                raise CloudError(
                    f"{place}: must be one of: {', '.join(known)}; got {engine!r}.",
                    advice="Fix the setting and run `reel up` again.",
                )
        if settings.text:
            try:
                settings = settings.model_copy(update={"text": settings.text.at_home(home)})
            except ValueError as error:
                place = variables.get(("text", "model")) or f"{home.settings}: text.model"
                raise CloudError(
                    f"{place}: {error}.", advice="Fix the setting and run `reel up` again."
                ) from None
        return settings._with_keys(home, environment)

    def _with_keys(self, home: Home, environment: Mapping[str, str]) -> Self:
        """Return the settings with the keys that the user's variables have: no other process sees those."""
        engines = dict(self.engines)
        for name, relay in self.engines.relays.items():
            try:
                engines[name] = relay.with_key(environment)
            except ValueError as error:
                raise CloudError(
                    f"{home.settings}: engines.{name}: {error}.",
                    advice="Set it in the shell that runs `reel up`, or use api_key_file.",
                ) from None
        return self.model_copy(update={"engines": Engines(**engines)})

    @classmethod
    def _said(cls, problem: Any, loc: tuple[str, ...]) -> str:
        if problem["type"] == "extra_forbidden":
            section: Any = cls
            for key in loc[:-1]:
                field = section.model_fields.get(key)
                section = _model_of(field.annotation) if field else Relay
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

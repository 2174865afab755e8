"""Find the JSON object in what a text model says around it.

Models wrap an answer in thoughts, a code fence, an introduction, a list or a call of the tool, and write JSON
with trailing commas, raw line ends or unescaped quotation marks. The json-repair library reads such JSON. It
would also close what was cut off, so its reading counts only if nothing in it is invented.
"""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import json_repair

_LONGEST = 400_000  # characters; the longest storyboard has about 120,000
_MOST_DEEP = 6  # lists and objects around the object that is looked for

_NAMES = r"think(?:ing)?|thoughts?|reasoning|reflection|analysis|scratchpad"
_THOUGHTS = (
    re.compile(rf"<({_NAMES})\b[^>]*>.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE),
    re.compile(r"\[THINK\].*?(?:\[/THINK\]|\Z)", re.DOTALL),
    re.compile(r"◁think▷.*?(?:◁/think▷|\Z)", re.DOTALL),
)
# Some chat templates write the opening tag themselves, so that the answer has only the closing one.
_THOUGHTS_END = re.compile(rf"\A.*(?:</(?:{_NAMES})\s*>|\[/THINK\]|◁/think▷)", re.DOTALL | re.IGNORECASE)
# The channels of gpt-oss (cookbook.openai.com/articles/openai-harmony).
_FINAL_CHANNEL = re.compile(r"\A.*<\|channel\|>final(?:\s[^<]*)?<\|message\|>", re.DOTALL)
_CONTROL_TOKEN = re.compile(r"<\|[a-z_]+\|>")
_FENCED = re.compile(r"^[ \t]*(```+|~~~+)([^\n`]*)\n(.*?)^[ \t]*\1[ \t]*$", re.DOTALL | re.MULTILINE)
PROSE = frozenset({"", "text", "txt", "plain", "plaintext", "markdown", "md"})


# Not a brace in an introduction, such as {topic}.
_BEGINS = re.compile(r'\{\s*["}]|\[(?=\s*[\[{"])')
_BEGINS_LOOSELY = re.compile(r"(?:\[\s*)?\{\s*(?:[\"'“‘/]|\w+\s*:)")


def without_thoughts(answer: str) -> str:
    """Return an answer without what the model thought aloud before it."""
    text = _FINAL_CHANNEL.sub("", answer)
    for thoughts in _THOUGHTS:
        text = thoughts.sub("", text)
    text = _THOUGHTS_END.sub("", text)
    return _CONTROL_TOKEN.sub("", text).strip()


def fenced(text: str, languages: Collection[str] | None = None) -> list[str]:
    """Return the contents of a text's code fences; with `languages`, only of fences marked so."""
    return [
        content.strip()
        for _, language, content in _FENCED.findall(text + "\n")
        if languages is None or language.strip().lower() in languages
    ]


def object_in(answer: str, schema: dict[str, Any]) -> dict[str, Any] | None:
    """Return the object in a model's answer that is meant for `schema`; None if there is none.

    That is the last object with all required properties, else the first object. It may violate the schema
    otherwise; the caller checks it.
    """
    if len(answer) > _LONGEST:
        return None
    required = frozenset(schema.get("required", ()))
    whole = _whole(answer)
    if whole is not None:
        found = [whole]  # it may speak of tags
    else:
        text = without_thoughts(answer)  # they may hold a draft
        found = list(_objects(text)) or list(_mended_objects(text))
    fitting = [one for value in found for one in _fitting(value, required, _MOST_DEEP)]
    if fitting:
        return fitting[-1]
    return next((one for one in found if isinstance(one, dict)), None)


def _whole(text: str) -> Any:
    """Return the text's value if it is JSON as a whole; None otherwise."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _objects(text: str) -> Iterator[Any]:
    """Return each outermost object or list in the text that is valid JSON but for raw line ends and tabs in
    its strings."""
    decoder = json.JSONDecoder(strict=False)
    at = 0
    while found := _BEGINS.search(text, at):
        try:
            value, at = decoder.raw_decode(text, found.start())
        except RecursionError:
            return
        except ValueError:
            # Not a part of a broken object: that would be half an answer.
            if found.group()[0] == "{":
                return
            at = found.end()
            continue
        yield value


def _mended_objects(text: str) -> Iterator[Any]:
    """Return the objects that json-repair reads in the text's fences, else between its first and last
    brace."""
    for part in [*fenced(text), text]:
        start = _BEGINS_LOOSELY.search(part)
        end = re.search(r"[}\]][^}\]]*\Z", part)
        if not start or not end or end.start() < start.start():
            continue
        source = part[start.start() : end.start() + 1]
        try:
            value = json_repair.loads(source, skip_json_loads=True)
        except (ValueError, RecursionError, IndexError):
            continue
        if isinstance(value, dict | list) and value and _is_all_there(value, source):
            yield value
            return


def _is_all_there(value: Any, source: str) -> bool:
    """Return whether the source says all of the value: every bracket and quotation that is opened is closed,
    and no text is added, cut or torn apart."""
    if (source.count('"') - source.count('\\"')) % 2:
        return False  # its last brace lies within a text that was cut
    texts = list(_texts(value))
    inside = "".join(texts)
    for opening, closing in ("{}", "[]"):
        opened = source.count(opening) - inside.count(opening)
        if opened != source.count(closing) - inside.count(closing):
            return False
    plain = _plain(source)
    return all(_plain(text) in plain for text in texts)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


_ESCAPES = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_WHITE_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def _plain(text: str) -> str:
    """Return the text without escapes and white space."""
    read = _ESCAPES.sub(lambda found: _unescaped(found[1], found[2]), text)
    return "".join(read.encode("utf-16", "surrogatepass").decode("utf-16", "replace").split())


def _unescaped(code: str | None, char: str | None) -> str:
    return chr(int(code, 16)) if code else _WHITE_ESCAPES.get(char or "", char or "")


def _fitting(value: Any, required: frozenset[str], deep: int) -> Iterator[dict[str, Any]]:
    """Return the objects with all required properties: the value, else those in it. Models wrap an answer in
    a list, under the tool's name, or as the call of a tool, whose arguments may be JSON in a string."""
    if isinstance(value, dict) and required <= value.keys():
        yield value
    elif deep:
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        for part in parts:
            yield from _fitting(part, required, deep - 1)
        if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
            for inner in _objects(value):
                yield from _fitting(inner, required, deep - 1)

"""Show the API's document as one page of HTML, which loads nothing and runs no script."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from markdown_it import MarkdownIt

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --quiet: #777; --tint: #8881; --accent: #0b6bcb; }
* { box-sizing: border-box; }
body {
  margin: 0; font: 15px/1.55 system-ui, sans-serif;
  display: grid; grid-template-columns: 17rem minmax(0, 1fr);
}
nav {
  position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1.5rem 1rem;
  border-right: 1px solid var(--line);
}
nav h2 {
  font-size: .75rem; text-transform: uppercase; letter-spacing: .06em; color: var(--quiet);
  margin: 1.2rem 0 .3rem;
}
nav a { display: block; padding: .15rem .5rem; color: inherit; text-decoration: none; border-radius: 4px; }
nav a:hover { background: var(--tint); }
main { padding: 1.5rem 2.5rem 6rem; max-width: 62rem; }
h1 { margin: 0 0 .5rem; } h1, h2, h3 { line-height: 1.25; }
main > h2 { margin: 3rem 0 .5rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
section { margin: 2.2rem 0; } section > h3 { margin: 0 0 .2rem; }
.path { font: 600 .9rem/1.6 ui-monospace, monospace; overflow-wrap: anywhere; }
.method { display: inline-block; min-width: 4.2rem; color: var(--accent); }
h4 { margin: 1.1rem 0 .3rem; font-size: .9rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
td {
  text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0;
  border-top: 1px solid var(--line);
}
td:first-child { width: 13rem; overflow-wrap: anywhere; } td p { margin: 0; }
code, pre {
  font-family: ui-monospace, monospace; font-size: .86em; background: var(--tint); border-radius: 4px;
}
code { padding: .1em .3em; } pre { padding: .8rem 1rem; overflow: auto; }
pre code { background: none; padding: 0; }
.type, .required { color: var(--quiet); font-size: .8rem; } .required { color: #c0392b; }
summary { cursor: pointer; font-weight: 600; font-size: .9rem; margin-top: .8rem; }
@media (max-width: 52rem) {
  body { display: block; } main { padding: 1rem; } td:first-child { width: auto; }
  nav { position: static; height: auto; border: 0; border-bottom: 1px solid var(--line); }
}
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

_LONGEST_LINE = 100  # characters of JSON
_markdown = MarkdownIt("commonmark", {"html": False})


def page(document: Mapping[str, Any]) -> str:
    info, operations = document["info"], _operations(document)
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    by_tag = {name: [one for one in operations if name in one[2]["tags"]] for name in tags}
    links = "".join(
        f"<h2>{escape(name)}</h2>"
        + "".join(f'<a href="#{one["operationId"]}">{escape(one["summary"])}</a>' for _, _, one in some)
        for name, some in by_tag.items()
    )
    body = "".join(
        f"<h2>{escape(name)}</h2>{_text(tags[name])}"
        + "".join(_section(document, path, method, one) for path, method, one in some)
        for name, some in by_tag.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>"
        f'<nav><a href="openapi.json">openapi.json</a>{links}</nav>'
        f"<main><h1>{escape(info['title'])} API</h1>{_text(info['description'])}{body}</main></body></html>"
    )


def _operations(document: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "head"  # the same as its GET
    ]


def _section(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> str:
    version = document["info"]["version"]
    parts = [
        f'<section id="{operation["operationId"]}"><h3>{escape(operation["summary"])}</h3>'
        f'<div class="path"><span class="method">{method.upper()}</span>{escape(f"/{version}{path}")}</div>',
        _text(operation.get("description", "")),
    ]
    for where, title in (("path", "In the path"), ("query", "In the query"), ("header", "Headers")):
        rows = [_parameter(one) for one in operation.get("parameters", ()) if one["in"] == where]
        if rows:
            parts.append(f"<h4>{title}</h4>{_table(rows)}")
    if content := operation.get("requestBody", {}).get("content"):
        schema = _found(document, content["application/json"]["schema"])
        takes = " or ".join(f"<code>{kind}</code>" for kind in content)
        parts.append(f"<details><summary>Body: {takes}</summary>{_fields(document, schema)}</details>")
        for says, example in content["application/json"].get("examples", {}).items():
            parts.append(f"<h4>{escape(says)}</h4>{_curl(method, f'/{version}{path}', example['value'])}")
    parts.append("<h4>Answers</h4>" + _table(_answers(document, operation)))
    return "".join(parts) + "</section>"


def _parameter(one: Mapping[str, Any]) -> tuple[str, str]:
    return _name(one["name"], one["schema"], required=one.get("required", False)), _text(one["description"])


def _answers(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for status, answer in operation["responses"].items():
        found = _found(document, answer)
        said = _text(found["description"])
        if status == "200" and (schema := _schema_of(found)):
            fields = _fields(document, _found(document, schema))
            said += f"<details><summary>Fields</summary>{fields}</details>" if fields else ""
        yield f"<code>{status}</code>", said


def _schema_of(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ()) if schema.get("additionalProperties") is False else ()
    return _table(
        (_name(name, one, required=name in required), _text(one.get("description", "")))
        for name, one in schema.get("properties", {}).items()
    )


def _name(name: str, schema: Mapping[str, Any], *, required: bool) -> str:
    mark = ' <span class="required">required</span>' if required else ""
    return f'<code>{escape(name)}</code>{mark}<br><span class="type">{escape(type_of(schema))}</span>'


def type_of(schema: Mapping[str, Any]) -> str:
    """Return a schema's type in a few words, without what only validators need to know."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(dict.fromkeys(type_of(option) for option in options))
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    return str(kind if isinstance(kind, str) else kind[0])


def _table(rows: Iterable[tuple[str, str]]) -> str:
    written = "".join(f"<tr><td>{name}</td><td>{said}</td></tr>" for name, said in rows)
    return f"<table>{written}</table>" if written else ""


def _curl(method: str, path: str, body: Any) -> str:
    address = "$BASE" + path.removeprefix("/v1").replace("{video_id}", "$ID").replace("{scene}", "0")
    verb = "" if method == "post" else f" -X {method.upper()}"
    text = json.dumps(body, ensure_ascii=False)
    if len(text) > _LONGEST_LINE:
        text = json.dumps(body, ensure_ascii=False, indent=2)
    text = text.replace("'", "'\\''")  # as a shell takes it
    lines = [
        f'curl {address}{verb} -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\',
        f"     -d '{text}'",
    ]
    return f"<pre><code>{escape(chr(10).join(lines))}</code></pre>"


def _found(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a `$ref` names, or the thing itself."""
    while "$ref" in schema:
        found: Any = document
        for step in str(schema["$ref"]).removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def _text(markdown: str) -> str:
    return str(_markdown.render(markdown)) if markdown else ""

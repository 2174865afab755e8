"""Helpers to read templates."""

from collections.abc import Iterator
from typing import Any

Template = dict[str, Any]


def of_type(template: Template, type_: str) -> dict[str, dict[str, Any]]:
    """Return the resources of a type by logical id; fail if there is none."""
    found = {id_: r for id_, r in template["Resources"].items() if r["Type"] == type_}
    assert found, f"no {type_}"
    return found


def properties(template: Template, type_: str) -> dict[str, dict[str, Any]]:
    return {id_: resource["Properties"] for id_, resource in of_type(template, type_).items()}


def statements(template: Template, *types: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the logical id and each policy statement of resources of those types."""
    for id_, resource in template["Resources"].items():
        if resource["Type"] in types:
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                yield id_, statement


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def target(reference: Any) -> str:
    """Return the logical id in a Ref or an Fn::GetAtt."""
    if "Ref" in reference:
        return str(reference["Ref"])
    return str(reference["Fn::GetAtt"][0])


def function_ids(template: Template) -> dict[str, str]:
    """Return each function's logical id by its name in the outputs."""
    return {
        name.removeprefix("Function"): target(output["Value"])
        for name, output in template["Outputs"].items()
        if name.startswith("Function")
    }

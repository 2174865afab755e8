"""Reading templates."""

from collections.abc import Iterator
from typing import Any

Template = dict[str, Any]


def of_type(template: Template, type_: str) -> dict[str, dict[str, Any]]:
    """Logical id and resource of each of a type; there is at least one."""
    found = {id_: r for id_, r in template["Resources"].items() if r["Type"] == type_}
    assert found, f"no {type_}"
    return found


def properties(template: Template, type_: str) -> dict[str, dict[str, Any]]:
    return {id_: resource["Properties"] for id_, resource in of_type(template, type_).items()}


def statements(template: Template, *types: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Logical id and statement of each policy document of those types."""
    for id_, resource in template["Resources"].items():
        if resource["Type"] in types:
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                yield id_, statement


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def target(reference: Any) -> str:
    """The logical id that a Ref or a Fn::GetAtt names."""
    if "Ref" in reference:
        return str(reference["Ref"])
    return str(reference["Fn::GetAtt"][0])


def function_ids(template: Template) -> dict[str, str]:
    """Logical id of each function by the name that the outputs give it."""
    return {
        name.removeprefix("Function"): target(output["Value"])
        for name, output in template["Outputs"].items()
        if name.startswith("Function")
    }

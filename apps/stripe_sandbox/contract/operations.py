"""All operations of Stripe's API that stripe-python knows: method and path, with the types of parameters and answer."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from apps.stripe_sandbox.contract.annotations import ROOT, imported
from apps.stripe_sandbox.contract.types import Record

PLACEHOLDER = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    parameters: Record | None
    returns: Record | None
    """The object; in a list, the objects in it."""

    @property
    def key(self) -> tuple[str, str]:
        return self.method, normalized(self.path)


def normalized(path: str) -> str:
    """A path whose placeholders have no names."""
    return PLACEHOLDER.sub("{}", path)


@cache
def operations() -> dict[tuple[str, str], Operation]:
    """Every operation under /v1, by method and normalized path."""
    found = [operation for path in sorted(ROOT.rglob("_*_service.py")) for operation in _in_service(path)]
    return {operation.key: operation for operation in found if operation.path.startswith("/v1/")}


def _in_service(path: Path) -> Iterator[Operation]:
    module = ".".join(("stripe", *path.relative_to(ROOT).with_suffix("").parts))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            operation = _in_method(node, imported(module))
            if operation is not None:
                yield operation


def _in_method(node: ast.FunctionDef, names: dict[str, Record]) -> Operation | None:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "_request":
            method, path = call.args[0], call.args[1]
            if isinstance(path, ast.Call) and isinstance(path.func, ast.Attribute):
                path = path.func.value
            parameters = next((argument.annotation for argument in node.args.args if argument.arg == "params"), None)
            return Operation(_text(method).upper(), _text(path), _named(parameters, names), _named(node.returns, names))
    return None


def _text(node: ast.expr) -> str:
    return str(ast.literal_eval(node))


def _named(annotation: ast.expr | None, names: dict[str, Record]) -> Record | None:
    """The innermost class that an annotation names: of `Optional["X"]` and `ListObject[X]`, X."""
    text = ast.unparse(annotation) if annotation else ""
    for word in reversed(re.findall(r"\w+", text)):
        if word in names and word not in ("ListObject", "SearchResultObject"):
            return names[word]
    return None

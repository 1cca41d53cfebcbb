"""Reads stripe-python's annotations from its source: parsing a module costs less than importing and resolving its
types."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import cast

import stripe

from apps.stripe_sandbox.contract.types import (
    Choice,
    Expandable,
    Field,
    ListOf,
    MapOf,
    OneOf,
    PageOf,
    Record,
    Scalar,
    Type,
)

ROOT = Path(stripe.__file__).parent
SCALARS = frozenset({"str", "int", "bool", "float", "Decimal", "Any", "object"})
WRAPPERS = {
    "List": ListOf,
    "ListObject": PageOf,
    "SearchResultObject": PageOf,
    "UntypedStripeObject": MapOf,
    "ExpandableField": Expandable,
}


@cache
def fields(record: Record) -> dict[str, Field]:
    """The fields of a class, those of bases in the same module included."""
    source = _source(record.module)
    declared: dict[str, Field] = {}
    for base in source.bases.get(record.name, []):
        if base in source.classes:
            declared.update(fields(Record(record.module, base)))
    for name, annotation in source.classes[record.name].items():
        field = source.field(annotation, record.name)
        if field is not None:
            declared[name] = field
    return declared


@cache
def imported(module: str) -> dict[str, Record]:
    """The classes that a module imports from elsewhere in stripe-python, by the name they have in it."""
    return _source(module).imports


@cache
def _source(module: str) -> _Source:
    path = ROOT.joinpath(*module.split(".")[1:])
    return _Source(module, ast.parse(path.with_suffix(".py").read_text(encoding="utf-8")))


class _Source:
    """One module: its classes with their annotated fields, nested ones by qualified name."""

    def __init__(self, module: str, tree: ast.Module) -> None:
        self.module = module
        self.classes: dict[str, dict[str, ast.expr]] = {}
        self.bases: dict[str, list[str]] = {}
        self.imports: dict[str, Record] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("stripe"):
                for alias in node.names:
                    self.imports[alias.asname or alias.name] = Record(node.module, alias.name)
        for statement in tree.body:
            if isinstance(statement, ast.ClassDef):
                self._read_class(statement, "")
            elif isinstance(statement, ast.Assign):
                self._read_functional(statement)

    def field(self, annotation: ast.expr, scope: str) -> Field | None:
        """The field that an annotation declares; None for class variables."""
        node = _unquoted(annotation)
        required = True
        if isinstance(node, ast.Subscript):
            wrapper = ast.unparse(node.value)
            if wrapper == "ClassVar":
                return None
            if wrapper in ("NotRequired", "Optional"):
                required, node = False, _unquoted(node.slice)
        return Field(self._type(node, scope), required)

    def _read_class(self, node: ast.ClassDef, prefix: str) -> None:
        name = prefix + node.name
        annotated: dict[str, ast.expr] = {}
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                if not statement.target.id.startswith("_"):
                    annotated[statement.target.id] = statement.annotation
            elif isinstance(statement, ast.ClassDef):
                self._read_class(statement, f"{name}.")
        self.classes[name] = annotated
        self.bases[name] = [base.id for base in node.bases if isinstance(base, ast.Name)]

    def _read_functional(self, node: ast.Assign) -> None:
        """`_XBase = TypedDict("_XBase", {"from": …})`: how fields are declared whose names are keywords."""
        target, call = node.targets[0], node.value
        if isinstance(target, ast.Name) and isinstance(call, ast.Call) and ast.unparse(call.func) == "TypedDict":
            table = cast(ast.Dict, call.args[1])
            keys = [key.value for key in table.keys if isinstance(key, ast.Constant)]
            self.classes[target.id] = {str(key): value for key, value in zip(keys, table.values, strict=True)}

    def _type(self, node: ast.expr, scope: str) -> Type:
        node = _unquoted(node)
        if isinstance(node, ast.Name):
            return Scalar(node.id) if node.id in SCALARS else self._named(node.id, scope)
        if isinstance(node, ast.BinOp):
            return _one_of([self._type(node.left, scope), self._type(node.right, scope)])
        if isinstance(node, ast.Constant) and node.value is None:
            return Scalar("None")
        if not isinstance(node, ast.Subscript):
            raise TypeError(f"an annotation that is not understood: {ast.unparse(node)}")
        return self._generic(ast.unparse(node.value), node.slice, scope)

    def _generic(self, wrapper: str, inner: ast.expr, scope: str) -> Type:
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if wrapper == "Literal":
            return Choice(tuple(part.value for part in parts if isinstance(part, ast.Constant)))  # type: ignore[misc]
        inners = [self._type(part, scope) for part in parts]
        if wrapper == "Union":
            return _one_of(inners)
        if wrapper in ("Optional", "NotRequired"):
            return inners[0]
        return MapOf(inners[1]) if wrapper == "Dict" else cast(Type, WRAPPERS[wrapper](inners[0]))

    def _named(self, name: str, scope: str) -> Type:
        """A class, looked for from the innermost scope outward, then among the imports."""
        parts = scope.split(".")
        for depth in range(len(parts), -1, -1):
            candidate = ".".join([*parts[:depth], name])
            if candidate in self.classes:
                return Record(self.module, candidate)
        return self.imports[name]


def _unquoted(node: ast.expr) -> ast.expr:
    while isinstance(node, ast.Constant) and isinstance(node.value, str):
        node = ast.parse(node.value, mode="eval").body
    if isinstance(node, ast.List) and len(node.elts) == 1:  # `NotRequired[["…"]]`
        return _unquoted(node.elts[0])
    return node


def _one_of(options: list[Type]) -> Type:
    flat: list[Type] = []
    for option in options:
        flat.extend(option.options if isinstance(option, OneOf) else [option])
    return OneOf(tuple(dict.fromkeys(flat)))

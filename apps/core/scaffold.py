"""The skeleton of a resource, in the style of what is there: templates of deploy/scaffold, filled in and put there."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from string import Template

TEMPLATES = Path("deploy") / "scaffold"


@dataclass(frozen=True)
class Resource:
    """What one is called, the app it belongs to and what it is part of; ``plural`` if it is not the noun with an s."""

    noun: str
    app: str
    parent: str
    plural: str = ""

    @property
    def names(self) -> dict[str, str]:
        nouns, parents = self.plural or f"{self.noun}s", f"{self.parent}s"
        named = {"noun": self.noun, "nouns": nouns, "app": self.app, "parent": self.parent, "parents": parents}
        return {
            **named,
            "Noun": self.noun.capitalize(),
            "Nouns": nouns.capitalize(),
            "Parent": self.parent.capitalize(),
            "PARENTS": parents.upper(),
        }


@dataclass(frozen=True)
class Part:
    """A template, and the file it goes to: a new one, the end of one, or just behind a line that is there.

    ``imports`` are lines that the file needs besides.
    """

    template: str
    file: str
    behind: str | None = ""
    imports: tuple[str, ...] = ()


END = ""
NEW = None
PARTS = (
    Part("models.py.txt", "apps/$app/models.py", END),
    Part("errors.py.txt", "apps/$app/errors.py", END),
    Part(
        "selectors.py.txt",
        "apps/$app/selectors.py",
        END,
        (
            "from apps.access.sight import sight_of",
            "from .errors import ${Noun}NotFound",
            "from .models import $Noun",
        ),
    ),
    Part("services.py.txt", "apps/$app/services/$nouns.py", NEW),
    Part("forms.py.txt", "apps/$app/forms.py", END),
    Part("views.py.txt", "apps/$app/views/$nouns.py", NEW),
    Part("urls.py.txt", "apps/$app/urls.py", "urlpatterns = [\n", ("from .views import $nouns",)),
    Part(
        "api.py.txt",
        "apps/$app/api.py",
        END,
        (
            "from apps.core.row_serializers import ModelSerializer",
            "from .models import $Noun",
            "from .services import $nouns",
        ),
    ),
    Part("api_urls.py.txt", "apps/$app/api_urls.py", "urlpatterns = [\n"),
    Part("search.py.txt", "apps/$app/search.py", END, ("from .selectors import ${nouns}_for",)),
    Part("list.html.txt", "templates/$app/$nouns.html", NEW),
    Part("row.html.txt", "templates/$app/${noun}_row.html", NEW),
    Part("form.html.txt", "templates/$app/${noun}_form.html", NEW),
    Part("delete.html.txt", "templates/$app/${noun}_delete.html", NEW),
    Part("tests.py.txt", "tests/test_$nouns.py", NEW),
    Part("routes.txt", "tests/support/routes.py", "NEEDS: dict[str, dict[str, str | Anybody]] = {\n"),
    Part(
        "things.txt",
        "tests/support/things.py",
        "THINGS: dict[str, Thing] = {\n",
        ("from apps.$app.services import $nouns",),
    ),
    Part("acts.txt", "tests/support/audited_acts.py", END, ("from apps.$app.services import $nouns",)),
    Part(
        "writes.txt",
        "tests/test_audited_services.py",
        "WRITES: dict[str, Write] = {\n",
        ("from tests.support.audited_acts import create_$noun, update_$noun, delete_$noun",),
    ),
    Part("bad.txt", "tests/test_bad_requests.py", "VALUES = [\n"),
)


def write_resource(root: Path, resource: Resource) -> list[Path]:
    """Write all parts, or none. Returns the files. Raises ValueError with what is in the way."""
    for name in (resource.noun, resource.app, resource.parent, resource.plural or "x"):
        if not (name.isidentifier() and name.islower()):
            raise ValueError(f"'{name}' is not a word of small letters.")
    contents = {root / _filled(part.file, resource): _changed(root, part, resource) for part in PARTS}
    for file, content in contents.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    _tidy(root, [file for file in contents if file.suffix == ".py"])
    return [file.relative_to(root) for file in contents]


def _changed(root: Path, part: Part, resource: Resource) -> str:
    """What the part makes of its file. Raises ValueError if it cannot be put there."""
    file = root / _filled(part.file, resource)
    before = file.read_text() if file.exists() else None
    text = _filled((root / TEMPLATES / part.template).read_text(), resource)
    if part.behind is NEW:
        if before is not None:
            raise ValueError(f"{file.relative_to(root)} is there already.")
        return text
    if before is None:
        raise ValueError(f"{file.relative_to(root)} is not there.")
    if part.behind not in before:
        raise ValueError(f"{file.relative_to(root)} does not have the line: {part.behind.strip()}")
    if part.behind == END:
        after = before.rstrip("\n") + "\n" + text
    else:
        after = before.replace(part.behind, part.behind + text, 1)
    first = after.find("\nfrom ") + 1
    imports = "".join(f"{_filled(line, resource)}\n" for line in part.imports)
    return after[:first] + imports + after[first:]


def _filled(text: str, resource: Resource) -> str:
    return Template(text).substitute(resource.names)


def _tidy(root: Path, files: list[Path]) -> None:
    """Imports in order, lines as long as they may be."""
    for command in (["check", "--quiet", "--fix", "--select", "I"], ["format", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *command, *map(str, files)], cwd=root, check=True)

"""Texts of the interface and their translations: found in the code, kept in locale/, compiled for gettext."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
}
TEMPLATES = (".html", ".txt", ".mjml")
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w*\}")
TAG = re.compile(r"<(/?)(\w+)[^>]*>")
HEADER = """# {name} of the interface. `manage.py collect_messages` finds the texts; the translations are written here.
msgid ""
msgstr ""
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plural_forms}\\n"

"""


def languages() -> list[str]:
    """Those that texts are translated to."""
    return [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


def source_of(language: str) -> Path:
    return Path(settings.BASE_DIR) / "locale" / language / "LC_MESSAGES" / "django.po"


def collect(language: str) -> Catalog:
    """Write the language's file anew: every text there is now, with the translations that there are."""
    catalog = collected(language)
    path = source_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(written(catalog))
    return catalog


def collected(language: str) -> Catalog:
    """The translations that there are, of the texts that the code has now."""
    catalog = translations(language)
    catalog.update(_texts(), no_fuzzy_matching=True)
    return catalog


def translations(language: str) -> Catalog:
    path = source_of(language)
    with BytesIO(path.read_bytes() if path.exists() else b"") as file:
        return read_po(file, locale=language)


def written(catalog: Catalog) -> bytes:
    """The file of a catalog: in order, without dates or places, so that a change of the code changes few lines."""
    head = {"language": catalog.locale_identifier, "plural_forms": catalog.plural_forms}
    name = catalog.locale.english_name if catalog.locale else ""
    body = BytesIO()
    write_po(body, catalog, width=0, no_location=True, omit_header=True, sort_output=True, ignore_obsolete=True)
    return HEADER.format(name=name, **head).encode() + body.getvalue()


def build() -> None:
    """Compile every language to where gettext looks for it."""
    for language in languages():
        target = Path(settings.LOCALE_PATHS[0]) / language / "LC_MESSAGES" / "django.mo"
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            write_mo(file, translations(language))


def faults(catalog: Catalog) -> Iterator[str]:
    """What is wrong with translations: missing, uncertain, other placeholders or other markup than the text."""
    for message in catalog:
        if not message.id:
            continue
        if message.fuzzy or not all(_forms(message.string)) or len(_forms(message.string)) != len(_forms(message.id)):
            yield f"not translated: {message.id!r}"
        elif any(_marks(form) != _marks(_original(message, at)) for at, form in enumerate(_forms(message.string))):
            yield f"has other placeholders or tags: {message.id!r}"


def hints(before: Catalog, after: Catalog) -> Iterator[str]:
    """For each text without a translation the one that it was made of, if a text much like it has gone."""
    gone = {str(message.id): message for message in before if message.id and message.id not in after}
    for message in after:
        if message.id and not all(_forms(message.string)):
            for old in difflib.get_close_matches(str(message.id), gone, n=1):
                yield f"{message.id!r} was {old!r}: {gone[old].string!r}"


def _texts() -> Catalog:
    catalog = Catalog()
    for source in _sources():
        for _, text, _, context in extract("python", BytesIO(source.encode()), KEYWORDS):
            catalog.add(text, context=context)
    return catalog


def _sources() -> Iterator[str]:
    """Python, and what is Python enough of templates."""
    base = Path(settings.BASE_DIR)
    for path in sorted((base / "apps").rglob("*.py")):
        if "migrations" not in path.parts:
            yield path.read_text(encoding="utf-8")
    for path in sorted((base / "templates").rglob("*")):
        if path.suffix in TEMPLATES:
            lines = templatize(path.read_text(encoding="utf-8")).splitlines()
            yield "\n".join(line.strip() for line in lines)


def _forms(text: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(text) if isinstance(text, list | tuple) else (text or "",)


def _original(message: Message, form: int) -> str:
    forms = _forms(message.id)
    return forms[min(form, len(forms) - 1)]


def _marks(text: str) -> tuple[Counter[str], list[tuple[str, str]]]:
    """The placeholders of a text, and its tags in order."""
    return Counter(PLACEHOLDER.findall(text)), TAG.findall(text)

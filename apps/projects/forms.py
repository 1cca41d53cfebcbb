from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.access.permissions import Relation
from apps.accounts.models import Membership
from apps.core.form_fields import FileFormField, LinesFormField, NameFormField
from apps.core.forms import choose
from apps.core.names import cleaned

from .models import CustomField, Project

CUSTOM = "custom_fields."
Kind = CustomField.Kind
MAX_CHOICES, MAX_CHOICE = 50, 80
NAMED = 5
is_key = RegexValidator(r"^[a-z][a-z0-9_]{0,39}\Z", _("A key has small letters, digits and _, a letter first."))


class ProjectForm(forms.ModelForm):
    """A project with the fields that the organization added.

    Whether it is private is asked of those who may share it; ``losers`` are the people who would not see it any more.
    Its name is changed by those who ``may_name`` it.
    """

    class Meta:
        model = Project
        fields = ("name", "description", "is_private")
        field_classes = {"name": NameFormField, "description": LinesFormField}  # noqa: RUF012
        widgets = {  # noqa: RUF012
            "name": forms.TextInput(attrs={"autofocus": True}),
            "description": forms.Textarea(attrs={"rows": 4}),
        }
        labels = {"name": _("Name"), "description": _("Description"), "is_private": _("Private")}  # noqa: RUF012
        help_texts = {"is_private": _("Only for those it is shared with, owners and admins.")}  # noqa: RUF012

    def __init__(
        self,
        *args: Any,
        custom_fields: Iterable[CustomField],
        may_share: bool = True,
        may_name: bool = True,
        losers: Sequence[Membership] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].disabled = not may_name
        if not may_share:
            del self.fields["is_private"]
        elif losers:
            self.fields["is_private"].help_text = _loss(losers)
        values = self.instance.custom_fields
        for defined in custom_fields:
            field = _form_field(defined)
            field.label, field.initial = defined.label, values.get(defined.key)
            self.fields[CUSTOM + defined.key] = field

    @property
    def wanted(self) -> dict[str, Any]:
        """What the services take."""
        cleaned = self.cleaned_data
        values = {
            name.removeprefix(CUSTOM): _plain(value) for name, value in cleaned.items() if name.startswith(CUSTOM)
        }
        own = {name: value for name, value in cleaned.items() if not name.startswith(CUSTOM)}
        return {**own, "values": values}


class DocumentForm(forms.Form):
    file = FileFormField(label=_("File"), max_length=255, allow_empty_file=False)


class ShareForm(forms.Form):
    person = forms.ChoiceField(label=_("Member"))
    relation = forms.ChoiceField(
        label=pgettext_lazy("what somebody may do", "May"), choices=Relation.choices, initial=Relation.VIEWER
    )

    def __init__(self, *args: Any, members: Iterable[Membership], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "person", [(str(m.user_id), f"{m.display_name} ({m.email})") for m in members])


class PersonForm(forms.Form):
    person = forms.UUIDField()


class CustomFieldForm(forms.Form):
    """A field that projects get; one that is there keeps its key and kind."""

    label = NameFormField(max_length=80, label=_("Label"))
    key = forms.CharField(
        max_length=40,
        label=_("Key"),
        validators=[is_key],
        help_text=_("Its name in the API, such as cost_center. It cannot be changed later."),
    )
    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=[(kind.value, kind.label) for kind in CustomField.Kind],
        help_text=_("It cannot be changed later."),
    )
    choices = forms.CharField(
        required=False,
        label=_("Choices"),
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("One a line; for a choice only."),
    )
    required = forms.BooleanField(required=False, label=_("Every project must have it"))

    def __init__(self, *args: Any, field: CustomField | None = None, **kwargs: Any) -> None:
        if field is not None:
            kept = {"label": field.label, "required": field.required, "choices": "\n".join(field.choices)}
            kwargs["initial"] = kept
        super().__init__(*args, **kwargs)
        if field is not None:
            del self.fields["key"], self.fields["kind"]
            if field.kind != CustomField.Kind.CHOICE:
                del self.fields["choices"]

    def clean_choices(self) -> list[str]:
        lines = (cleaned(line) for line in self.cleaned_data["choices"].splitlines())
        found = list(dict.fromkeys(line for line in lines if line))
        if len(found) > MAX_CHOICES or any(len(choice) > MAX_CHOICE for choice in found):
            raise forms.ValidationError(
                _("Up to %(count)s choices of up to %(length)s characters.")
                % {"count": MAX_CHOICES, "length": MAX_CHOICE}
            )
        return found


def _loss(losers: Sequence[Membership]) -> str:
    """Whom hiding it locks out, some of them by name."""
    named = ", ".join(member.display_name for member in losers[:NAMED])
    more = len(losers) - NAMED
    if more > 0:
        named = _("%(names)s and %(count)s more") % {"names": named, "count": more}
    return _(
        "Only for those it is shared with, owners and admins. These members would not see it any more: %(names)s. "
        "Share it with whoever is to keep it."
    ) % {"names": named}


def _form_field(defined: CustomField) -> forms.Field:
    required = defined.required
    if defined.kind == Kind.NUMBER:
        return forms.FloatField(required=required, widget=forms.NumberInput(attrs={"step": "any"}))
    if defined.kind == Kind.DATE:
        return forms.DateField(required=required, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    if defined.kind == Kind.BOOLEAN:
        return forms.BooleanField(required=False)
    if defined.kind == Kind.CHOICE:
        return forms.ChoiceField(required=required, choices=[("", "—"), *((c, c) for c in defined.choices)])
    return forms.CharField(required=required, max_length=1000)


def _plain(value: Any) -> Any:
    """As it is kept in JSON; nothing is None."""
    if value == "":
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value

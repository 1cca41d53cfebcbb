"""Who is a member, and what roles allow."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.access.permissions import DESCRIPTIONS, by_area
from apps.core.form_fields import AddressFormField, NameFormField
from apps.core.forms import choose


class RoleChoiceForm(forms.Form):
    """One of the ``roles`` that whoever asks may give."""

    role = forms.ChoiceField(label=_("Role"))

    def __init__(self, *args: Any, roles: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "role", roles)


class InviteForm(RoleChoiceForm):
    email = AddressFormField(
        max_length=254,
        label=_("E-mail address"),
        help_text=_("We mail a link to it that works once."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    field_order = ("email", "role")


class RoleForm(forms.Form):
    """A name and permissions; those that are not ``grantable`` are shown, but cannot be chosen."""

    name = NameFormField(max_length=60, one_script=True, label=_("Name"))
    permissions = forms.MultipleChoiceField(
        required=False, choices=list(DESCRIPTIONS.items()), widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, grantable: frozenset[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.grantable = grantable

    @property
    def areas(self) -> dict[str, list[forms.boundfield.BoundWidget]]:
        """The checkboxes, under the name of what they are about."""
        boxes = {box.data["value"]: box for box in self["permissions"].subwidgets}
        return {area: [boxes[permission] for permission in found] for area, found in by_area().items()}

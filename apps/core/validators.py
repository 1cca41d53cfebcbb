from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

printable = RegexValidator(
    r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]*\Z",
    _("Control characters and marks that turn the direction of writing are not allowed."),
)  # but line breaks and tabs

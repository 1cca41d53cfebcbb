from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

printable = RegexValidator(
    r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*\Z", _("Control characters are not allowed.")
)  # but line breaks and tabs

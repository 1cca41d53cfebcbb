from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

no_control_characters = RegexValidator(r"^[^\x00-\x1f\x7f]*\Z", _("Control characters are not allowed."))

from django.core.validators import RegexValidator

no_control_characters = RegexValidator(r"^[^\x00-\x1f\x7f]*\Z", "Control characters are not allowed.")

from django.db import migrations, models


class Migration(migrations.Migration):
    safe_because = "there was no release before it"

    dependencies = [
        ("accounts", "0002_roles_tokens_and_sharing"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="is_staff",
            field=models.BooleanField(default=False),
        ),
    ]

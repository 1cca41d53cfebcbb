from django.db import migrations, models


class Migration(migrations.Migration):
    safe_because = "there was no release before it"

    dependencies = [
        ("audit", "0001_initial"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="controlevent",
            index=models.Index(fields=["-occurred_at", "-id"], name="audit_controlevent_recent"),
        ),
    ]

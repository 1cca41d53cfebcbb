from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("audit", "0003_sink_cursors")]
    operations = [
        AddIndexConcurrently(
            "controlevent", models.Index(fields=["transaction_id", "tenant"], name="audit_controlevent_unsealed")
        ),
    ]

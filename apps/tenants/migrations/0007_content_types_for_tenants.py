from django.db import migrations


class Migration(migrations.Migration):
    """Libraries look the content type of a model up in the organization they work for."""

    safe_because = "it gives a right that the release before does not use, and locks nothing"

    dependencies = [
        ('tenants', '0006_placement_state_valid'),
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [
        migrations.RunSQL(
            'GRANT SELECT ON django_content_type TO app_tenant',
            'REVOKE SELECT ON django_content_type FROM app_tenant',
        ),
    ]

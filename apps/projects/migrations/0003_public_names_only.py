from django.db import migrations, models


class Migration(migrations.Migration):
    safe_because = (
        "an index of one schema's projects is built within moments, of names that were all different before; "
        "and the release before is told of fewer names that are taken"
    )

    dependencies = [
        ('projects', '0002_custom_fields_and_search'),
    ]

    operations = [
        migrations.AddConstraint(
            model_name='project',
            constraint=models.UniqueConstraint(condition=models.Q(('is_private', False)), fields=('tenant_id', 'name'), name='projects_project_public_name'),
        ),
        migrations.RemoveConstraint(
            model_name='project',
            name='projects_project_name',
        ),
    ]

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0005_placement_state'),
    ]

    operations = [
        ValidateConstraint(model_name='placement', name='tenants_placement_state'),
    ]

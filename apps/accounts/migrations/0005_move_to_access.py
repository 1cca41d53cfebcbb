from django.db import migrations


class Migration(migrations.Migration):
    """Leave the tables of shares, repeated calls and attempts, as they are, to the app access."""

    dependencies = [
        ('accounts', '0004_support_visits'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(state_operations=[
            migrations.DeleteModel(name='Share'),
            migrations.DeleteModel(name='IdempotentCall'),
            migrations.DeleteModel(name='Attempt'),
        ]),
    ]

"""The right to see phones and e-mail addresses in full."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('crm', '0014_people_indexes'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='user',
            options={'ordering': ['name', 'pk'], 'permissions': [('use_inbox', 'Can use the inbox'), ('use_administration', 'Can use the administration'), ('see_everything', 'Can see every contact and conversation'), ('look_as_others', 'Can look at the inbox as somebody else'), ('moderate', 'Can change and delete what others made'), ('see_addresses', 'Can see phones and e-mail addresses in full')], 'verbose_name': 'user', 'verbose_name_plural': 'users'},
        ),
    ]

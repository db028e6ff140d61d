"""Files with people in them that a crash has left: written and not told of, or told to go and still there."""

import itertools
from pathlib import Path

from django.conf import settings

from crm.exchange.models import ExportJob, ImportJob
from crm.foundation import clock
from crm.privacy.models import PrivacyRequest

STRAY_SECONDS = 24 * 3600.0
AT_ONCE = 500
KEEPERS = (ExportJob, ImportJob, PrivacyRequest)


def delete() -> int:
    """Remove files of exports, imports and copies that are older than a day and that no row names; how many. None of
    these is more than a passing copy of what the database knows.
    """
    since = clock.real().timestamp() - STRAY_SECONDS
    gone = 0
    for model in KEEPERS:
        folder = str(model._meta.get_field("file").upload_to)
        path = Path(settings.MEDIA_ROOT, folder)
        for files in itertools.batched(path.iterdir() if path.is_dir() else (), AT_ONCE):
            old = {f"{folder}{file.name}": file for file in files if file.is_file() and file.stat().st_mtime < since}
            named = set(model.objects.filter(file__in=list(old)).values_list("file", flat=True))
            for name in old.keys() - named:
                old[name].unlink(missing_ok=True)
                gone += 1
    return gone

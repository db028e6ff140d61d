"""Uploaded and fetched files on disk: each appears whole or not at all."""

import os
import uuid
from pathlib import Path
from typing import Any

from django.core.files.storage import FileSystemStorage

PART = ".part"


class WholeFileStorage(FileSystemStorage):
    """Writes beside the target, syncs, then renames: a full disk or a power cut leaves no half file under its name."""

    def _save(self, name: str, content: Any) -> str:
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.{uuid.uuid4().hex}{PART}")
        try:
            with part.open("xb") as file:
                for chunk in content.chunks():
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return str(name).replace("\\", "/")

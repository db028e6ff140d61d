"""What only a demo has: generated secrets, kept in the data folder so that sessions and tokens outlive a restart."""

import json
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet


def demo_secrets(data_dir: Path) -> dict[str, str]:
    """Read or make the demo's SECRET_KEY and ENCRYPTION_KEY in `data_dir` (mode 0600); raises OSError without write
    permission.
    """
    path = data_dir / "demo-secrets.json"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        fresh = {"SECRET_KEY": secrets.token_urlsafe(50), "ENCRYPTION_KEY": Fernet.generate_key().decode()}
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(fresh))
        draft.replace(path)
    return json.loads(path.read_text())

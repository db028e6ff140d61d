"""`manage.py restore DIR`: a backup into an empty installation, with all sending stopped."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from conversations.management import backups
from crm.audit import log
from crm.audit.commands import AuditedCommand
from crm.foundation import clock, dumps


class Command(AuditedCommand):
    help = "Restore a backup into an empty database. Nothing is sent until a manager has lifted the fence."
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """What, and whether to ask."""
        parser.add_argument("folder", type=Path)
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check everything first, restore all or nothing, then compare with the manifest."""
        try:
            self._handle(options["folder"], is_agreed=options["yes"])
        finally:
            connection.close()
            if connection.vendor == "postgresql":
                connection.close_pool()  # type: ignore[attr-defined]  # else Python waits 20 s for its threads

    def _handle(self, folder: Path, *, is_agreed: bool) -> None:
        try:
            manifest = backups.read(folder)
            self._check_place()
            self._warn_of_keys(manifest)
            if not is_agreed and not self._agreed(manifest):
                raise CommandError("Nothing was restored.")
            files = self._restore(folder, manifest)
        except (backups.BadBackup, dumps.DumpFailed, OSError) as error:
            raise CommandError(str(error)) from error
        differing = self._compare(manifest)
        self.stdout.write(f"{files} files.")
        self._migrate()
        log.record("restored", changes={"backup": [None, manifest.made_at], "tables_that_differ": [None, differing]})
        self._forget_again()
        self.stdout.write("Sending is stopped until a manager lifts the fence, in the inbox or by `manage.py fence`.")
        unreadable = backups.unreadable_secrets()
        if unreadable:
            raise CommandError(
                f"Everything is restored, but {unreadable} secrets cannot be read (tokens, app secrets): add the"
                f" missing keys to ENCRYPTION_KEYS: {', '.join(_missing_keys(manifest)) or 'not known which'}."
            )
        if differing:
            raise CommandError(f"Restored, but {differing} tables differ from the manifest (see above).")

    def _forget_again(self) -> None:
        """Who was erased since the backup goes again; whom a legal hold keeps is told, and the rest goes on."""
        try:
            call_command("erasures", apply=[], stdout=self.stdout)
        except CommandError as error:
            self.stdout.write(str(error))

    def _check_place(self) -> None:
        tables = dumps.tables_there()
        if tables:
            raise CommandError(
                f"The database is not empty (it has {tables} tables). Restore into a new one: on PostgreSQL make it"
                " with createdb and name it in DATABASE_URL, on SQLite move DATA_DIR/db.sqlite3 away."
            )
        others = dumps.others_connected()
        if others:
            raise CommandError(f"{others} other connections use this database. Stop servers and workers first.")
        if backups.measure(Path(settings.MEDIA_ROOT))[0]:
            raise CommandError(f"{settings.MEDIA_ROOT} is not empty. Move it away first.")

    def _warn_of_keys(self, manifest: backups.Manifest) -> None:
        missing = _missing_keys(manifest)
        if missing:
            self.stdout.write(f"ENCRYPTION_KEYS lacks keys the backup was made with: {', '.join(missing)}.")

    def _agreed(self, manifest: backups.Manifest) -> bool:
        self.stdout.write(f"Backup of {manifest.made_at}, version {manifest.version}, {manifest.server}.")
        return input("Restore it here? [y/N] ").strip().lower() in ("y", "yes")

    def _restore(self, folder: Path, manifest: backups.Manifest) -> int:
        """Files and database; returns how many files."""
        source, target = folder / backups.MEDIA, Path(settings.MEDIA_ROOT)
        try:
            files, _size = backups.copy_files(source, target)
            dumps.restore(folder / manifest.database_file, afterwards(manifest))
        except BaseException:
            backups.remove_files(source, target)
            raise
        return files

    def _compare(self, manifest: backups.Manifest) -> int:
        here = dumps.count(list(manifest.counts))
        differing = 0
        for table, expected in sorted(manifest.counts.items()):
            if here[table] != expected:
                differing += 1
                self.stdout.write(f"{table}: {here[table]} rows, the manifest says {expected}.")
        self.stdout.write(f"{sum(here.values())} rows in {len(here)} tables, {differing} tables differ.")
        return differing

    def _migrate(self) -> None:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            call_command("migrate", verbosity=0, interactive=False)
            self.stdout.write(f"{len(plan)} migrations applied: the backup was of an older version.")


def afterwards(manifest: backups.Manifest) -> list[str]:
    """SQL that runs with the restore, all or nothing: the fence is up before anybody can read a message."""
    is_postgres = manifest.vendor == "postgresql"
    schema, now = "public." if is_postgres else "", f"{clock.real():%Y-%m-%d %H:%M:%S.%f}{'+00' if is_postgres else ''}"
    message, conversation = f"{schema}conversations_message", f"{schema}conversations_conversation"
    attempt = f"{schema}conversations_attempt"
    statements = [
        f"INSERT INTO {schema}conversations_sendfence (reason, raised_at) VALUES ('restored', '{now}')",
        # Browsers must sign in again, and begin with fresh pages; hints carry transaction ids of the old server.
        f"DELETE FROM {schema}django_session",
        f"DELETE FROM {schema}conversations_livehint",
        # What a worker held: not begun, it waits again; begun, nobody here knows what became of it.
        f"UPDATE {message} SET status = 'queued', lease = NULL, lease_until = NULL WHERE status = 'claimed'",
        f"UPDATE {attempt} SET outcome = 'unknown', finished_at = '{now}' WHERE outcome = 'sending'",
        f"UPDATE {message} SET status = 'unknown', error_code = 'unanswered', lease = NULL, lease_until = NULL,"
        " version = version + 1 WHERE status = 'sending'",
        f"UPDATE {conversation} SET last_status = (SELECT status FROM {message} WHERE {message}.id = last_message_id)"
        f" WHERE last_status IN ('claimed', 'sending')",
        f"UPDATE {schema}conversations_webhookevent SET lease = NULL, lease_until = NULL WHERE lease_until IS NOT NULL",
    ]
    if any(app == "procrastinate" for app, _name in manifest.migrations):
        statements.append(f"TRUNCATE {schema}procrastinate_jobs CASCADE")
        statements.append(f"DELETE FROM {schema}procrastinate_workers")
    return statements


def _missing_keys(manifest: backups.Manifest) -> list[str]:
    return [key for key in manifest.keys if key not in backups.fingerprints()]

"""Calls for files may fail 15 times an hour and number, shared by all workers; several run at once, none twice."""

import asyncio
import datetime as dt
import os
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from conversations.channels.whatsapp.channel import WhatsAppChannel
from conversations.graphapi.client import MediaInfo
from conversations.messaging import media, media_budget, media_store
from conversations.messaging.models import Attachment, MediaAttempt
from crm.foundation import clock
from crm.foundation.files import PART
from tests.conversations.outbound.test_media import JPEG, make_due
from tests.conversations.outbound.test_outbox_claims import in_threads
from tests.factories import ConversationFactory, InboxFactory, MessageFactory
from tests.graph_side import raw, refuses, says, stalls
from tests.product import free_port

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


@pytest.fixture(autouse=True)
def _store_is_well():
    yield
    media_store.went_well()


def wait_for(graph, conversation, count, *, fails):
    """Files of new messages, whose lookup fails or goes well."""
    made = []
    for _ in range(count):
        made.append(
            Attachment.objects.create(
                message=MessageFactory(conversation=conversation), conversation=conversation, kind="image",
                external_id=f"id{Attachment.objects.count()}",
            )
        )  # fmt: skip
        good = says({"url": f"{graph.url}/file", "mime_type": "image/jpeg", "file_size": len(JPEG)})
        graph.answers_at(f"/v24.0/{made[-1].external_id}", refuses(131000, 500) if fails else good)
    graph.answers_at("/file", raw(JPEG))
    return made


def lookups(graph):
    return len([asked for asked in graph.asked if asked.path.startswith("/v24.0/id")])


def states():
    return sorted(Attachment.objects.values_list("state", flat=True))


def files_of(attachment):
    folder = Path(default_storage.path(attachment.pk.hex[:2]))
    return [path.name for path in folder.iterdir() if path.name.startswith(attachment.pk.hex)]


def all_due():
    Attachment.objects.update(next_attempt_at=clock.real() - dt.timedelta(seconds=1))


def test_fifteen_may_fail_and_then_the_number_waits_for_the_oldest(graph, conversation):
    wait_for(graph, conversation, 20, fails=True)
    media.drain()
    media.drain()
    assert lookups(graph) == 15
    assert Attachment.objects.filter(attempts_count=0, next_attempt_at=None).count() == 5, "untouched"
    oldest = MediaAttempt.objects.order_by("started_at").first()
    MediaAttempt.objects.filter(pk=oldest.pk).update(started_at=clock.real() - dt.timedelta(hours=1, seconds=1))
    media.drain()
    assert lookups(graph) == 16


def test_what_failed_before_leaves_a_part_to_what_is_new(graph, conversation):
    wait_for(graph, conversation, 10, fails=True)
    media.drain()
    all_due()
    media.drain()
    assert lookups(graph) == 10, "no retry may use the rest"
    wait_for(graph, conversation, 3, fails=False)
    media.drain()
    assert lookups(graph) == 13
    assert states() == ["pending"] * 10 + ["stored"] * 3


def test_what_goes_well_costs_nothing(graph, conversation):
    wait_for(graph, conversation, 30, fails=False)
    media.drain()
    assert states() == ["stored"] * 30
    assert not MediaAttempt.objects.exists()


def test_another_number_has_its_own_budget(graph, conversation, inbox):
    wait_for(graph, conversation, 20, fails=True)
    other = ConversationFactory(inbox=InboxFactory(account=inbox.account))
    wait_for(graph, other, 2, fails=False)
    media.drain()
    assert lookups(graph) == 17
    assert Attachment.objects.filter(state="stored").count() == 2


def test_a_call_whose_end_nobody_saw_counts(graph, conversation, inbox):
    for _ in range(14):
        MediaAttempt.objects.create(inbox=inbox)
    wait_for(graph, conversation, 3, fails=True)
    media.drain()
    assert lookups(graph) == 1


def test_a_call_that_never_left_does_not_count(graph, conversation, inbox):
    wait_for(graph, conversation, 1, fails=True)
    type(inbox.account).objects.update(graph_base_url=f"http://127.0.0.1:{free_port()}")
    media.drain()
    assert Attachment.objects.get().attempts_count == 1
    assert not MediaAttempt.objects.exists()


def test_five_are_fetched_at_once(graph, conversation):
    files, gate = wait_for(graph, conversation, 5, fails=False), asyncio.Barrier(5)

    async def meets_the_others(request):
        await gate.wait()
        return await raw(JPEG)(request)

    graph.at["/file"].clear()
    graph.answers_at("/file", meets_the_others)
    while media.drain():
        pass
    assert states() == ["stored"] * len(files)


@pytest.mark.django_db(transaction=True)
def test_workers_share_the_budget_and_no_file_is_taken_twice(graph, inbox):
    conversation = ConversationFactory(inbox=inbox)
    wait_for(graph, conversation, 40, fails=True)
    claimed = in_threads(lambda: [job.attachment.pk for _ in range(3) for job in media._claim(5)], 4)
    together = [pk for taken in claimed for pk in taken]
    assert len(together) == len(set(together)) == media_budget.MOST_FAILING


def test_who_comes_too_late_changes_nothing(graph, conversation, monkeypatch):
    [file] = wait_for(graph, conversation, 1, fails=False)
    real, frozen = media._take, []

    def freezes(job, future):
        future.result()
        frozen.append((job, future))

    monkeypatch.setattr(media, "_take", freezes)
    media.drain()
    monkeypatch.undo()
    make_due(file)  # its lease has run out
    media.drain()
    file.refresh_from_db()
    assert file.state == "stored"
    version = type(file.message).objects.get(pk=file.message_id).version
    graph.at["/file"].clear()
    real(*frozen[0])
    again = Attachment.objects.get(pk=file.pk)
    assert (again.state, again.file.name, again.attempts_count) == ("stored", file.file.name, 0)
    assert type(file.message).objects.get(pk=file.message_id).version == version
    assert files_of(file) == [Path(file.file.name).name]


def test_a_file_written_by_who_comes_too_late_goes_again(graph, conversation, monkeypatch):
    [file] = wait_for(graph, conversation, 1, fails=False)
    keep = media_store.keep

    def freezes_while_writing(attachment, data):
        keep(attachment, data)
        make_due(attachment)

    monkeypatch.setattr(media_store, "keep", freezes_while_writing)
    [job] = media._claim(1)
    media._store(job, MediaInfo("", "image/jpeg", "", 0), JPEG)
    assert Attachment.objects.get().state == "pending"
    assert files_of(file) == []


def test_who_comes_too_late_leaves_the_file_of_who_stored_it(graph, conversation, monkeypatch):
    [file] = wait_for(graph, conversation, 1, fails=False)
    finish, info = media._finish, MediaInfo("", "image/jpeg", "", 0)
    [late] = media._claim(1)

    def is_overtaken(job, state):
        monkeypatch.setattr(media, "_finish", finish)
        make_due(file)
        [winner] = media._claim(1)
        media._store(winner, info, JPEG)
        return finish(job, state)

    monkeypatch.setattr(media, "_finish", is_overtaken)
    media._store(late, info, JPEG)
    stored = Attachment.objects.get()
    assert stored.state == "stored"
    assert files_of(stored) == [Path(stored.file.name).name]


def test_a_commit_whose_answer_is_lost_keeps_its_file(graph, conversation, monkeypatch):
    wait_for(graph, conversation, 1, fails=False)
    finish = media._finish

    def twice(job, state):
        assert finish(job, state)
        return finish(job, state)

    monkeypatch.setattr(media, "_finish", twice)
    media.drain()
    stored = Attachment.objects.get()
    assert stored.file.read() == JPEG
    stored.file.close()


@pytest.mark.parametrize("told", [{}, {"file_size": 0}, {"file_size": 10}])
def test_a_file_of_which_too_little_is_told_is_fetched_as_a_large_one(graph, conversation, monkeypatch, told):
    wait_for(graph, conversation, 3, fails=False)
    for file in Attachment.objects.all():
        graph.at[f"/v24.0/{file.external_id}"].clear()
        graph.answers_at(f"/v24.0/{file.external_id}", says({"url": f"{graph.url}/file"} | told))
    monkeypatch.setattr(media, "LARGE", 1000)
    download, under_way, most = WhatsAppChannel.download, [], []

    async def counts(channel, url, *, limit):
        if limit <= 1000:
            return await download(channel, url, limit=limit)
        under_way.append(url)
        most.append(len(under_way))
        try:
            await asyncio.sleep(0.05)
            return await download(channel, url, limit=limit)
        finally:
            under_way.pop()

    monkeypatch.setattr(WhatsAppChannel, "download", counts)
    media.drain()
    assert states() == ["stored"] * 3
    assert most == [1, 1, 1]


def test_what_was_under_way_when_the_process_ends_is_free_at_once_and_no_failure(graph, conversation, monkeypatch):
    wait_for(graph, conversation, 1, fails=False)
    graph.at["/file"].clear()
    graph.answers_at("/file", stalls)
    stopping = iter([False, True])
    monkeypatch.setattr(media.work, "is_stopping", lambda: next(stopping))
    media.drain()
    monkeypatch.undo()
    assert not MediaAttempt.objects.exists()
    graph.at["/file"].clear()
    graph.answers_at("/file", raw(JPEG))
    media.drain()
    assert states() == ["stored"]


def test_nothing_is_asked_for_while_nothing_can_be_kept(graph, conversation, settings, tmp_path):
    wait_for(graph, conversation, 3, fails=False)
    (tmp_path / "file").write_text("in the way")
    settings.MEDIA_ROOT = tmp_path / "file"
    assert media.drain() is False
    assert graph.asked == []
    settings.MEDIA_ROOT = tmp_path / "disk"
    media_store.went_well()
    media.drain()
    assert states() == ["stored"] * 3


def test_a_file_the_disk_has_no_room_for_is_not_downloaded(graph, conversation, monkeypatch):
    large, small = wait_for(graph, conversation, 2, fails=False)
    graph.at[f"/v24.0/{large.external_id}"].clear()
    graph.answers_at(f"/v24.0/{large.external_id}", says({"url": f"{graph.url}/large", "file_size": 50_000_000}))
    monkeypatch.setattr(media_store, "has_room", lambda size: size < 1_000_000)
    media.drain()
    assert "/large" not in [asked.path for asked in graph.asked]
    large.refresh_from_db()
    small.refresh_from_db()
    assert (large.state, small.state) == ("pending", "stored")
    assert not MediaAttempt.objects.exists()


def test_a_file_that_breaks_off_while_written_leaves_nothing(tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path

    class BreaksOff(ContentFile):
        def chunks(self, chunk_size=None):
            yield b"half"
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        default_storage.save("ab/name", BreaksOff(b""))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert default_storage.save("ab/name", ContentFile(b"whole")) == "ab/name"
    assert (tmp_path / "ab/name").read_bytes() == b"whole"
    assert not list(tmp_path.rglob(f"*{PART}"))


def test_files_a_crash_left_behind_go_after_a_day(conversation, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    file = Attachment(conversation=conversation, kind="image", state="stored")
    media_store.keep(file, JPEG)
    file.save()
    pending = Attachment.objects.create(conversation=conversation, kind="image")
    folder = Path(file.file.path).parent
    names = {
        "named": folder / Path(file.file.name).name,
        "left": folder / f"{file.pk.hex}-{'0' * 32}",
        "young": folder / f"{file.pk.hex}-{'1' * 32}",
        "half": folder / f"{file.pk.hex}{PART}",
        "of a file on its way": folder / f"{pending.pk.hex}-{'0' * 32}",
        "of no row": folder / ("2" * 32),
        "of others": folder / "README",
    }
    for name, path in names.items():
        path.touch()
        if name != "young":
            os.utime(path, (1, 1))
    assert media_store.delete_strays(int(folder.name, 16)) == 2
    assert {name for name, path in names.items() if not path.exists()} == {"left", "half"}
    assert media_store.delete_strays((int(folder.name, 16) + 1) % 256) == 0

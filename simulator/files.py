"""Media over HTTP: uploads as multipart, what an id stands for, and the download address that lives 5 minutes."""

from collections.abc import AsyncGenerator, Sequence

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from simulator.errors import GraphError, bad_parameter
from simulator.media import LARGEST, UPLOADED_LIFE, UPLOADS, MediaStore, Medium, kind_of
from simulator.numbers import Number
from simulator.reading import TooLarge, limited


async def read_form(request: Request) -> FormData:
    """A multipart body, its files spooled to disk; raises ValueError or TooLarge."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise ValueError("The body must be multipart/form-data.")
    refused: list[TooLarge] = []

    async def pieces() -> AsyncGenerator[bytes]:
        try:
            async for piece in limited(request, LARGEST + 64 * 1024):
                yield piece
        except TooLarge as error:  # the parser closes its files only after an exception of its own
            refused.append(error)
            raise MultiPartException(str(error)) from None

    try:
        return await MultiPartParser(request.headers, pieces(), max_files=4).parse()
    except MultiPartException as error:
        if refused:
            raise refused[0] from None
        raise ValueError(f"The form cannot be read: {error}") from None


class Files:
    """The Graph API's handlers for media."""

    def __init__(self, media: MediaStore) -> None:
        self._media = media

    async def upload(self, request: Request, number: Number) -> Response:
        """POST /{phone}/media: refuses what Meta refuses, by type and size."""
        try:
            form = await read_form(request)
        except ValueError as error:
            raise bad_parameter(str(error)) from None
        try:
            file, mime_type = form.get("file"), form.get("type")
            if form.get("messaging_product") != "whatsapp":
                message = "(#100) The parameter messaging_product is required."
                raise GraphError(400, 100, message, "It must be 'whatsapp'.")
            if not isinstance(file, UploadFile):
                raise GraphError(400, 100, "(#100) The parameter file is required.", "Send the file in the form.")
            if not isinstance(mime_type, str) or "/" not in mime_type:
                mime_type = file.content_type or ""
            _check(mime_type, file.size or 0)
            medium = await self._media.keep(
                file.file, waba_id=number.waba_id, mime_type=mime_type, filename=file.filename, life=UPLOADED_LIFE
            )
        finally:
            await form.close()
        return JSONResponse({"id": medium.id})

    async def describe(self, request: Request, medium: Medium) -> dict[str, object]:
        """GET /{media}: the file's facts and a fresh download address."""
        return {
            "messaging_product": "whatsapp",
            "url": f"{str(request.base_url).rstrip('/')}/attachments/?{await self._media.query(medium)}",
            "mime_type": medium.mime_type,
            "sha256": medium.sha256,
            "file_size": medium.file_size,
            "id": medium.id,
        }

    async def download(self, request: Request, allowed: Sequence[Number]) -> Response:
        """GET of a download address: the bytes, or 404 once 5 minutes of the simulator's clock are over."""
        query = request.query_params
        key = query.get("mid", "")
        medium = await self._media.get(key)
        is_valid = await self._media.is_valid(key, query.get("ext", ""), query.get("hash", ""))
        if medium is None or not is_valid or medium.waba_id not in {number.waba_id for number in allowed}:
            return Response("URL signature expired", 404, media_type="text/plain")
        return FileResponse(self._media.path(medium), media_type=medium.mime_type)


def _check(mime_type: str, size: int) -> None:
    kind = kind_of(mime_type)
    if kind is None:
        types = ", ".join(sorted({name for _, names in UPLOADS.values() for name in names}))
        message = "(#100) Param file must be a file with one of the following types"
        raise GraphError(400, 100, f"{message}: {types}. Received file of type '{mime_type}'.", "Unsupported type.")
    largest = UPLOADS[kind][0]
    if size > largest:
        details = f"File size of {size} bytes is over the {largest} bytes that {kind} may have."
        raise GraphError(400, 100, "(#100) Param file is too large", details)
    if size == 0:
        raise bad_parameter("Param file must not be empty.")

"""Voice notes that a browser recorded, turned into what WhatsApp sends: one channel of Opus in Ogg."""

import asyncio
import shutil

from simulator.reading import BadBody

MIME_TYPE = "audio/ogg; codecs=opus"
LARGEST = 16 * 1024 * 1024
SECONDS = 30.0
OPTIONS = ("-hide_banner", "-loglevel", "error", "-i", "pipe:0", "-vn", "-ac", "1", "-c:a", "libopus", "-b:a", "24k")


def can_convert() -> bool:
    """Whether this machine has ffmpeg."""
    return shutil.which("ffmpeg") is not None


async def as_voice_note(recorded: bytes) -> bytes:
    """The recording as Ogg with Opus; raises BadBody where it is too large or no sound."""
    program = shutil.which("ffmpeg")
    if program is None or len(recorded) > LARGEST:
        raise BadBody("The recording is too large." if program else "Without ffmpeg nothing can be recorded here.")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        program, *OPTIONS, "-f", "ogg", "pipe:1", stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(SECONDS):
            voice, _ = await process.communicate(recorded)
    except TimeoutError:
        voice = b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0 or not voice:
        raise BadBody("The recording cannot be read.")
    return voice

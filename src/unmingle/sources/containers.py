"""Files of moving pictures: which they are by their first bytes, their streams, packets, and decoded pictures."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from unmingle.errors import PictureError
from unmingle.sources.decoding import MAX_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

THREADS = 2  # of the decoder: each holds frames of its own, and finding faces takes longer than decoding
PATIENCE = 16  # unreadable places in a row, after which nothing more is expected of a file
BLOCK = 1 << 20  # bytes

# What holds pictures that move, or sound, which is told apart. Without playlists, which name other files and addresses.
_FORMATS = (
    "mov,matroska,webm,avi,asf,flv,live_flv,mpeg,mpegts,mpegvideo,ogg,mxf,dv,rm,nut,ivf,gxf,wtv,nsv,h264,hevc,m4v,"
    "mp3,wav,aac,flac,aiff,amr"
)
_QUICKTIME_BOXES = frozenset({b"ftyp", b"mdat", b"wide", b"free", b"skip"})  # one of which begins an MP4 or MOV file


def recording_digest(path: Path) -> str:
    """What names a recording's content, as `images.digest` does for a picture, without holding it in memory.

    Raises:
        PictureError: it can't be read.
    """
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                found.update(block)
    except OSError as error:
        raise PictureError(f"can't be opened: {error.strerror or error}") from error
    return found.hexdigest()


def _check_file(path: Path) -> None:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise PictureError("can't be opened: not a file")
        path.open("rb").close()
    except OSError as error:
        raise PictureError(f"can't be opened: {error.strerror or error}") from error
    if not size:
        raise PictureError("the file is empty (0 bytes)")


@contextmanager
def open_stream(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its stream of pictures, ready to decode. Only local files are ever opened by it."""
    import av

    _check_file(path)
    guards = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
    try:
        container = av.open(path.absolute(), "r", container_options=guards, metadata_errors="replace")
    except av.error.FFmpegError as error:
        raise PictureError(_not_opened(path)) from error
    with container:
        stream = _stream(container)
        context = stream.codec_context
        if _area(stream) > MAX_PIXELS:
            raise PictureError(f"too large: {context.width}×{context.height}, over {MAX_PIXELS:,} pixels")
        context.options = {"max_pixels": str(MAX_PIXELS)}  # a stream may grow later
        context.thread_type = "AUTO"
        context.thread_count = THREADS
        yield container, stream


def _not_opened(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(8)
    if head[4:] in _QUICKTIME_BOXES:
        return "cut short: its index is missing, so copy it again or have it repaired"
    return "not a recording in a format that is read"


def _stream(container: InputContainer) -> VideoStream:
    """The pictures that move: those of the default stream, then the largest; a cover is none."""
    from av.stream import Disposition

    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        raise PictureError("no pictures in it: sound only" if container.streams.audio else "no pictures in it")
    readable = [stream for stream in streams if stream.codec_context is not None]
    if not readable:
        raise PictureError("its pictures are in a format that is not read")
    return max(readable, key=lambda stream: (bool(stream.disposition & Disposition.default), _area(stream)))


def _area(stream: VideoStream) -> int:
    return stream.codec_context.width * stream.codec_context.height


def packets_of(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """The packets that carry a picture, in the order of decoding; unreadable places are passed over."""
    import av

    failures = 0
    while failures < PATIENCE:
        try:
            for packet in container.demux(stream):
                if packet.size:
                    failures = 0
                    yield packet
        except av.error.FFmpegError:
            failures += 1
        except IndexError:  # how PyAV may end a damaged file in which another stream turns up late
            return
        else:
            return


def shows(packet: Packet[VideoStream]) -> bool:
    """Whether a packet's picture is to be seen; if not, it is there for others to be decoded from."""
    hidden = packet.stream.codec_context.name == "vp8" and not memoryview(packet)[0] & 0x10  # RFC 6386, 9.1
    return not packet.is_discard and not hidden


def decode(
    stream: VideoStream, packets: Iterable[Packet[VideoStream]], *, numbered: bool
) -> Iterator[VideoFrame | None]:
    """Decode packets; None where one can't be. numbered: stamp packets with their place."""
    import av

    context = stream.codec_context
    place = 0
    for packet in packets:
        if numbered:
            packet.pts = packet.dts = place
        place += shows(packet)
        try:
            yield from context.decode(packet)
        except av.error.FFmpegError:  # the decoder goes on with the next packet by itself
            yield None
    for _ in range(PATIENCE):  # the frames that the decoder still holds; a damaged one must not hide the rest
        try:
            yield from context.decode(None)
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            yield None

"""Files of moving pictures: which they are by their first bytes, their streams, packets, and decoded pictures."""

from __future__ import annotations

import hashlib
import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

from unmingle.errors import PictureError, UnmingleError, reason
from unmingle.sources.metadata import HEAD as PICTURE_HEAD
from unmingle.sources.metadata import picture_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_PIXELS = 8192 * 8192  # of a frame: several are in memory at once, and so are those that others refer to
THREADS = 2  # of the decoder: each holds frames of its own, and finding faces takes longer than decoding
PATIENCE = 16  # unreadable places in a row, after which nothing more is expected of a file
BLOCK = 1 << 20  # bytes

# What holds pictures that move, or sound, which is told apart. Without playlists, which name other files and addresses.
_FORMATS = (
    "mov,matroska,webm,avi,asf,flv,live_flv,mpeg,mpegts,mpegvideo,ogg,mxf,dv,rm,nut,ivf,gxf,wtv,nsv,h264,hevc,m4v,"
    "mp3,wav,aac,flac,aiff,amr"
)
# One of these boxes begins an MP4 or MOV file; after `ftyp` may come the brand of a picture.
_QUICKTIME_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"moof", b"styp", b"wide", b"free", b"skip", b"pnot"})
_RAW_BRANDS = frozenset({b"crx ", b"jp2 ", b"jpx ", b"jpm "})  # of pictures that `picture_format` does not know
_BEGINNINGS = (
    b"\x1aE\xdf\xa3",  # EBML: Matroska, WebM
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF: WMV, WMA
    b"FLV\x01",
    b"OggS",
    b".RMF",
    b"DKIF\x00\x00",  # IVF
    b"nut/multimedia container",
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01",  # MXF
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"\x00\x00\x01\xb3",  # MPEG video
    b"\x00\x00\x00\x01\x67",  # H.264
    b"\x00\x00\x00\x01\x27",
    b"\x00\x00\x00\x01\x40\x01",  # HEVC
)
_PACKETS = ((0, 188), (4, 192), (0, 204))  # where the first 0x47 of an MPEG transport stream is, and how far the next
HEAD = 1024  # bytes, by which a file is known


def head_of(path: Path) -> bytes:
    """The first bytes of a file; none where it can't be read, or is no file."""
    try:
        with path.open("rb") if path.is_file() else io.BytesIO() as file:
            return file.read(HEAD)
    except OSError:
        return b""


def begins_recording(head: bytes) -> bool:
    """Whether a file that begins so holds moving pictures, or sound, whatever it is called.

    Args:
        head: its first HEAD bytes, or all of a shorter one.
    """
    if picture_format(head[:PICTURE_HEAD]):
        return False
    if head[4:8] in _QUICKTIME_BOXES:
        return head[4:8] != b"ftyp" or head[8:12] not in _RAW_BRANDS
    if head[:4] == b"RIFF" and head[8:12] in {b"AVI ", b"AVIX", b"WAVE"}:
        return True
    return head.startswith(_BEGINNINGS) or any(_in_packets(head[first::step]) for first, step in _PACKETS)


def _in_packets(starts: bytes) -> bool:
    return len(starts) > 1 and set(starts) == {0x47}


def recording_digest(path: Path) -> str:
    """What names a recording's content, as `images.digest` does for a picture, without holding it in memory.

    Raises:
        PictureError: it can't be read.
    """
    check_file(path)
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                found.update(block)
    except OSError as error:
        raise PictureError(f"can't be opened: {error.strerror or error}") from error
    return found.hexdigest()


def check_file(path: Path) -> None:
    """Refuse what can't be read, and pipes and devices, which would be waited for without end.

    Raises:
        PictureError: it can't be opened, is no file, or is empty.
    """
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
    """The container and its stream of pictures, ready to decode. Only local files are ever opened by it.

    Raises:
        PictureError: it can't be opened; or, within the context, whatever else is wrong with it.
    """
    check_file(path)
    try:
        with _container(path) as container:
            stream = _stream(container)
            context = stream.codec_context
            context.options = {"max_pixels": str(MAX_PIXELS)}  # a stream may grow later
            context.thread_type = "AUTO"
            context.thread_count = THREADS
            yield container, stream
    except UnmingleError:
        raise
    except Exception as error:  # whatever a file can do: it is an error of that file, at every door
        raise PictureError(f"damaged: {reason(error)}") from error


def _container(path: Path) -> InputContainer:
    import av

    guards = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
    try:
        return av.open(path.absolute(), "r", container_options=guards, metadata_errors="replace")
    except av.error.FFmpegError as error:
        raise PictureError(_not_opened(path)) from error


def _not_opened(path: Path) -> str:
    head = head_of(path)
    if head[4:8] in _QUICKTIME_BOXES and begins_recording(head):
        return "cut short: its index is missing, so copy it again or have it repaired"
    return "not a recording in a format that is read"


def _streams(container: InputContainer) -> list[VideoStream]:
    """The streams whose pictures move; covers and thumbnails are none."""
    from av.stream import Disposition

    none = Disposition.attached_pic | Disposition.timed_thumbnails
    return [stream for stream in container.streams.video if not stream.disposition & none]


def _stream(container: InputContainer) -> VideoStream:
    """The stream to watch: a default one, and of several the largest."""
    streams = _streams(container)
    if not streams:
        raise PictureError("no pictures in it: sound only" if container.streams.audio else "no pictures in it")
    readable = [stream for stream in streams if stream.codec_context is not None]
    if not readable:
        raise PictureError("its pictures are in a format that is not read")
    stream = max(readable, key=lambda stream: (_is_default(stream), _area(stream)))
    if _area(stream) > MAX_PIXELS:
        raise PictureError(f"too large: {_size(stream)}, over {MAX_PIXELS:,} pixels a frame")
    return stream


def unwatched(container: InputContainer, stream: VideoStream) -> str:
    """What is said of the other streams of pictures, and why this one is watched; empty where there are none."""
    others = [other for other in _streams(container) if other.index != stream.index]
    if not others:
        return ""
    rivals = [other for other in others if _is_default(other) or not _is_default(stream)]
    why = "the default one"
    if rivals:
        why = "the largest" if all(_size(other) != _size(stream) for other in rivals) else "the first of its size"
    left = ", ".join(map(_size, others))
    return f"{len(others) + 1} streams of pictures: {why}, {_size(stream)}, is watched, and not {left}"


def _is_default(stream: VideoStream) -> bool:
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.default)


def _area(stream: VideoStream) -> int:
    return stream.codec_context.width * stream.codec_context.height if stream.codec_context else 0


def _size(stream: VideoStream) -> str:
    context = stream.codec_context
    return f"{context.width}×{context.height}" if context else "of a format that is not read"


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

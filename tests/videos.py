"""Recordings for tests, made with PyAV: each frame shows its own number, as bright and dark blocks."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import OutputContainer

    from unmingle.records import U8

H264 = "libx264" if "libx264" in av.codecs_available else "mpeg4"
SIZE = (64, 48)  # width, height
ROWS, COLUMNS = 3, 4  # blocks: twelve bits, the first in the upper left corner
MILLISECONDS = Fraction(1, 1000)

# How a player is to turn the stored picture, clockwise, as the matrix of an MP4 or MOV file: a, b, c, d.
_TURNS = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def numbered(number: int, size: tuple[int, int] = SIZE) -> U8:
    """A picture (h, w, 3) that shows a number below 4096."""
    bits = np.array([number >> bit & 1 for bit in range(ROWS * COLUMNS)], np.uint8).reshape(ROWS, COLUMNS)
    rows = np.arange(size[1]) * ROWS // size[1]
    columns = np.arange(size[0]) * COLUMNS // size[0]
    grey = np.where(bits[rows][:, columns], 210, 40).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def number_in(pixels: U8) -> int:
    """The number that an upright picture shows."""
    height, width = pixels.shape[:2]
    rows = (2 * np.arange(ROWS) + 1) * height // (2 * ROWS)
    columns = (2 * np.arange(COLUMNS) + 1) * width // (2 * COLUMNS)
    bits = pixels[rows][:, columns].mean(axis=2) > 125
    return sum(1 << place for place, bit in enumerate(bits.ravel()) if bit)


def write_video(
    path: Path,
    frames: int | Iterable[U8],
    *,
    rate: int = 20,
    codec: str = H264,
    pixel_format: str = "yuv420p",
    keyframe_every: int = 12,
    b_frames: int = 0,
    milliseconds: Sequence[int] | None = None,
    rotation: int = 0,
    pixel_aspect: Fraction | None = None,
    sound: bool = False,
    sound_alone: float = 0,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a recording.

    Args:
        path: where; its ending tells the container.
        frames: how many pictures that show their number, or the pictures themselves, all of one size.
        rate: frames a second.
        codec: name of an encoder of FFmpeg.
        pixel_format: what the encoder stores.
        keyframe_every: the most frames from one keyframe to the next.
        b_frames: the most frames in a row that are stored after a later one.
        milliseconds: the time of each frame, instead of a steady rate.
        rotation: degrees clockwise by which players are told to turn the picture; MP4 and MOV only.
        pixel_aspect: the width of a pixel by its height, where they differ.
        sound: whether there is a track of silence as well.
        sound_alone: seconds of it before the first frame.
        container_options: options of FFmpeg's muxer.

    Returns:
        The path.
    """
    pictures = iter([numbered(number) for number in range(frames)] if isinstance(frames, int) else frames)
    first = next(pictures)
    with av.open(path, "w", container_options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = pixel_format
        context = stream.codec_context
        context.gop_size = keyframe_every
        context.max_b_frames = b_frames
        if pixel_aspect is not None:
            context.sample_aspect_ratio = pixel_aspect
        if milliseconds is not None:
            context.time_base = MILLISECONDS
        voice = _add_voice(container) if sound else None
        number = 0
        for picture in (first, *pictures):
            frame = VideoFrame.from_ndarray(picture, format="rgb24")
            frame.time_base = Fraction(1, rate) if milliseconds is None else MILLISECONDS
            frame.pts = (number if milliseconds is None else milliseconds[number]) + round(
                sound_alone / frame.time_base
            )
            container.mux(stream.encode(frame))
            number += 1
        container.mux(stream.encode(None))
        if voice is not None:
            _write_silence(container, voice, seconds=number / rate)
    if rotation:
        _turn(path, rotation)
    return path


def write_streams(path: Path, *sizes: tuple[int, int], default: int | None = None) -> Path:
    """Write a recording of several streams of pictures, each of another size, one of which may be marked."""
    with av.open(path, "w") as container:
        streams = []
        for place, size in enumerate(sizes):
            stream = container.add_stream(H264, rate=10)
            assert isinstance(stream, VideoStream)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            if default is not None:
                flags = Disposition.default.value if place == default else 0
                stream.disposition = flags  # type: ignore[assignment]  # PyAV 16 takes numbers only
            streams.append(stream)
        for number in range(5):
            for stream, size in zip(streams, sizes, strict=True):
                frame = VideoFrame.from_ndarray(numbered(number, size), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 10)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


def write_sound(path: Path, *, cover: U8 | None = None) -> Path:
    """Write two seconds of silence, as an MP4 file, with a cover picture where one is given."""
    with av.open(path, "w", format="mp4") as container:
        voice = _add_voice(container)
        if cover is not None:
            stream = container.add_stream("mjpeg", rate=1)
            stream.height, stream.width = cover.shape[:2]
            stream.pix_fmt = "yuvj420p"
            stream.disposition = Disposition.attached_pic.value  # type: ignore[assignment]
            frame = VideoFrame.from_ndarray(cover, format="rgb24")
            frame.pts = 0
            container.mux([*stream.encode(frame), *stream.encode(None)])
        _write_silence(container, voice, seconds=2)
    return path


def _write_silence(container: OutputContainer, voice: AudioStream, *, seconds: float) -> None:
    for block in range(int(seconds * 16_000) // 1024):
        frame = AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16_000
        frame.pts = block * 1024
        container.mux(voice.encode(frame))
    container.mux(voice.encode(None))


def _add_voice(container: OutputContainer) -> AudioStream:
    voice = container.add_stream("aac", rate=16_000)
    voice.layout = "mono"
    return voice


def _turn(path: Path, rotation: int) -> None:
    """Write the matrix of the track's header (ISO 14496-12, 8.3.2): FFmpeg's muxer is not told of it through PyAV."""
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # past kind, version and flags, times and ids, reserved, layer
    a, b, c, d = (value << 16 for value in _TURNS[rotation])
    struct.pack_into(">9i", content, matrix, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)

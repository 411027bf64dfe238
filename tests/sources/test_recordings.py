from __future__ import annotations

import hashlib
import math
import os
import re
import socket
import subprocess
import sys
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.videos import SIZE, number_in, numbered, write_sound, write_streams, write_video

from unmingle.errors import PictureError, SettingsError
from unmingle.sources.formats import begins_recording, file_digest, head_of
from unmingle.sources.images import PictureFile, read_picture, scan
from unmingle.sources.recordings import Frame, Recording, as_shown

# Ending, and how it is written: every container by its usual codec, with frames out of order where it may have them.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "mp4": (".mp4", {"b_frames": 2}),
    "mp4 in fragments": (".mp4", {"b_frames": 2, "container_options": {"movflags": "frag_keyframe+empty_moov"}}),
    "mp4 with sound": (".mp4", {"b_frames": 2, "sound": True}),
    "mov": (".mov", {"b_frames": 2}),
    "3gp": (".3gp", {}),
    "mkv": (".mkv", {"b_frames": 2}),
    "mkv, lossless": (".mkv", {"codec": "ffv1"}),
    "mts": (".mts", {"b_frames": 2}),
    "flv": (".flv", {"b_frames": 2}),
    "webm, VP8": (".webm", {"codec": "libvpx"}),
    "webm, VP9": (".webm", {"codec": "libvpx-vp9"}),
    "avi, MPEG-4": (".avi", {"codec": "mpeg4"}),
    "avi, MPEG-4 out of order": (".avi", {"codec": "mpeg4", "b_frames": 2}),
    "avi, H.264 out of order": (".avi", {"b_frames": 2}),
    "avi, motion JPEG": (".avi", {"codec": "mjpeg", "pixel_format": "yuvj420p"}),
    "wmv": (".wmv", {"codec": "wmv2"}),
    "mpg": (".mpg", {"codec": "mpeg2video", "b_frames": 2, "rate": 25}),
    "y4m": (".y4m", {"codec": "wrapped_avframe"}),
    "m2ts": (".m2ts", {"codec": "mpeg2video", "b_frames": 2, "rate": 25}),
}


def shown(frames: list[Frame]) -> list[int]:
    return [number_in(frame.pixels) for frame in frames]


def numbers(frames: list[Frame]) -> list[int]:
    return [frame.number for frame in frames]


def read(path: Path, **grid: float) -> list[Frame]:
    with Recording(path) as recording:
        return list(recording.frames(**{"every": 0.0, **grid}))


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_has_its_number_and_time_wherever_reading_begins(tmp_path: Path, kind: str) -> None:
    ending, how = KINDS[kind]
    rate = how.get("rate", 20)
    path = write_video(tmp_path / f"talk{ending}", 50, **how)
    with Recording(path) as recording:
        info = recording.info
        assert (info.width, info.height, info.frames) == (*SIZE, 50)
        assert info.duration == pytest.approx(50 / rate, abs=0.03)
        assert info.rate == pytest.approx(rate, rel=0.02)
        frames = list(recording.frames(every=0))
        assert numbers(frames) == shown(frames) == list(range(50))
        np.testing.assert_allclose([frame.time for frame in frames], np.arange(50) / rate, atol=0.001)
        for begin in (0.3, 1.0, 1.9):
            later = list(recording.frames(every=0, start=begin))
            assert numbers(later) == shown(later) == list(range(math.ceil(begin * rate - 1e-6), 50))
        for number in (49, 0, 13, 24, 23):
            frame = recording.frame(number)
            assert frame.number == number == number_in(frame.pixels)
            assert frame.time == frames[number].time
            np.testing.assert_array_equal(frame.pixels, frames[number].pixels)
        assert recording.skipped == 0


def test_a_grid_takes_the_first_frame_at_or_after_each_instant(tmp_path: Path) -> None:
    path = write_video(tmp_path / "talk.mp4", 30, rate=30)
    frames = read(path, every=0.1)
    assert numbers(frames) == shown(frames) == [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]
    assert numbers(read(path, every=0.25)) == [0, 8, 15, 23]  # 0.25 s is between frames 7 and 8
    assert numbers(read(path, every=0.02)) == list(range(30))  # a frame that two instants want comes once
    assert numbers(read(path, every=0.1, start=0.6)) == [18, 21, 24, 27]
    assert numbers(read(path, every=5)) == [0]
    assert read(path, every=0.1, start=2) == []


def test_a_frame_stands_until_the_next_one_that_is_wanted_and_the_last_to_its_end(tmp_path: Path) -> None:
    sparse = write_video(tmp_path / "sparse.mkv", 4, milliseconds=[0, 100, 20_000, 31_500])
    assert [frame.until for frame in read(sparse, every=0.1)][:3] == [0.1, 20, 31.5]
    with Recording(sparse) as recording:
        *_, last = recording.frames(every=0.1)
        assert last.until == recording.info.duration == pytest.approx(31.55)
        assert (recording.frame(1).until, recording.frame(3).until) == (20, recording.info.duration)
        first = next(recording.frames(every=0.1, start=1))
        assert (first.time, first.until) == (20, 31.5)
        assert next(recording.frames(every=0.2)).until == 20


def test_times_that_a_container_rounds_to_milliseconds_still_meet_their_instants(tmp_path: Path) -> None:
    assert numbers(read(write_video(tmp_path / "talk.mkv", 40, rate=30), every=1 / 30)) == list(range(40))
    assert numbers(read(write_video(tmp_path / "talk.webm", 40, rate=30, codec="libvpx"), every=0.1)) == [
        *range(0, 40, 3)
    ]


@settings(max_examples=settings().max_examples * 2 // 5)
@given(
    gaps=st.lists(st.integers(min_value=1, max_value=700), min_size=1, max_size=30),
    every=st.sampled_from([0.0, 0.004, 0.1, 0.333, 1.0]),
    start=st.floats(min_value=0, max_value=5),
)
def test_uneven_times_give_what_the_definition_says(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[int], every: float, start: float
) -> None:
    times = [0, *np.cumsum(gaps).tolist()]
    path = write_video(tmp_path_factory.mktemp("uneven") / "talk.mkv", len(times), milliseconds=times, codec="mpeg4")
    with Recording(path) as recording:
        every_frame = list(recording.frames(every=0))
        assert numbers(every_frame) == shown(every_frame) == list(range(len(times)))
        np.testing.assert_allclose([frame.time for frame in every_frame], np.array(times) / 1000, atol=1e-9)
        whole, rest = (numbers(list(recording.frames(every=every, start=at))) for at in (0, start))
        assert rest == whole[len(whole) - len(rest) :]
        if every:
            instants = np.arange(0, times[-1] / 1000 + every, every)
            early = min(2, *gaps) / 2000  # a millisecond, but no more than half a gap
            expected = {int(np.searchsorted(np.array(times) / 1000 + early, instant)) for instant in instants}
            assert whole == sorted(expected - {len(times)})


def test_240_frames_a_second(tmp_path: Path) -> None:
    path = write_video(tmp_path / "slow.mp4", 480, rate=240, keyframe_every=100, b_frames=2)
    frames = read(path, every=0.1)
    assert numbers(frames) == shown(frames) == list(range(0, 480, 24))
    assert [frame.time for frame in frames] == pytest.approx([number / 240 for number in range(0, 480, 24)])
    end = read(path, every=0, start=1.98)
    assert numbers(end) == shown(end) == [475, 476, 477, 478, 479]


def test_a_picture_that_is_only_there_for_others_to_refer_to_is_no_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "talk.webm", 30, codec="libvpx")
    packet = packets_in(path)[7]
    damaged(path, path.read_bytes().index(packet), bytes([packet[0] & ~0x10]))  # the bit that says to show it
    with Recording(path) as recording:
        frames = list(recording.frames(every=0))
        assert recording.info.frames == 29
        assert numbers(frames) == list(range(29))
        assert shown(frames) == [*range(7), *range(8, 30)]
        assert recording.skipped == 0


def test_interlaced_frames_in_two_packets_each_are_not_taken_for_half_lost(tmp_path: Path) -> None:
    # As camcorders store fields; no encoder here does, so each frame is followed by a packet that gives no picture.
    millisecond = Fraction(1, 1000)
    with av.open(tmp_path / "fields.mkv", "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        pictures = [av.VideoFrame.from_ndarray(numbered(number), format="rgb24") for number in range(30)]
        for number, frame in enumerate(pictures):
            frame.pts, frame.time_base = number, Fraction(1, 25)
        packets = [packet for frame in [*pictures, None] for packet in stream.encode(frame)]
        for number, packet in enumerate(packets):
            field = av.Packet(b"\x00\x00\x01\xb2 user data")
            for half, part in enumerate([packet, field]):
                part.stream, part.time_base, part.pts = stream, millisecond, number * 40 + half * 20
                part.dts = part.pts
                container.mux(part)
    with Recording(tmp_path / "fields.mkv") as recording:
        frames = list(recording.frames(every=0))
        assert shown(frames) == list(range(30))
        assert numbers(frames) == list(range(0, 60, 2))
        assert recording.skipped <= 1


@pytest.mark.skipif("dvvideo" not in av.codecs_available, reason="no dvvideo here")
def test_an_interlaced_frame_is_of_one_instant(tmp_path: Path) -> None:
    picture = np.full((576, 720, 3), 40, np.uint8)
    picture[::2, 100:300] = picture[1::2, 160:360] = 210  # it moved from field to field
    path = write_video(tmp_path / "tape.dv", [picture], rate=25, codec="dvvideo")
    with Recording(path) as recording:
        pixels = recording.frame(0).pixels[:-1].astype(int)  # the last row has none below it
    combs = np.abs(np.diff(pixels, axis=0)).max(axis=2)
    assert np.quantile(combs, 0.99) < 10
    assert pixels[:, 120:290].min() > 180
    assert pixels[:, 310:350].max() < 70


def test_a_single_frame_is_a_recording(tmp_path: Path) -> None:
    with Recording(write_video(tmp_path / "one.mp4", 1)) as recording:
        assert recording.info.frames == 1
        assert recording.info.duration == pytest.approx(0.05)
        assert shown(list(recording.frames(every=0.1))) == [0]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_recording_that_was_made_with_the_phone_turned_comes_upright(tmp_path: Path, rotation: int) -> None:
    upright = [numbered(number) for number in range(5)]
    stored = [np.ascontiguousarray(np.rot90(picture, rotation // 90)) for picture in upright]
    with Recording(write_video(tmp_path / "phone.mp4", stored, rotation=rotation)) as recording:
        assert (recording.info.width, recording.info.height) == SIZE
        frames = list(recording.frames(every=0))
        assert {frame.pixels.shape for frame in frames} == {(SIZE[1], SIZE[0], 3)}
        assert shown(frames) == list(range(5))
        assert frames[0].pixels.flags.c_contiguous


@pytest.mark.parametrize("size", [(33, 47), (66, 10), (9, 201)])
def test_odd_sizes_keep_every_row_and_column(tmp_path: Path, size: tuple[int, int]) -> None:
    ramp = np.zeros((size[1], size[0], 3), np.uint8)
    ramp[..., 0] = np.linspace(0, 255, size[0])
    ramp[..., 1] = np.linspace(0, 255, size[1])[:, None]
    (frame,) = read(write_video(tmp_path / "odd.mkv", [ramp], codec="ffv1", pixel_format="bgr0"))
    np.testing.assert_array_equal(frame.pixels, ramp)


def test_ten_bits_become_eight(tmp_path: Path) -> None:
    frames = read(write_video(tmp_path / "deep.mkv", 20, codec="ffv1", pixel_format="yuv420p10le"))
    assert shown(frames) == list(range(20))
    assert frames[0].pixels.dtype == np.uint8
    assert np.abs(frames[5].pixels.astype(int) - numbered(5)).mean() < 3


def test_a_size_that_changes_in_the_middle_is_scaled_to_the_first(tmp_path: Path) -> None:
    small = write_video(tmp_path / "small.mts", 10).read_bytes()
    large = write_video(tmp_path / "large.mts", [numbered(number, (128, 96)) for number in range(10)]).read_bytes()
    (tmp_path / "both.mts").write_bytes(small + large)
    frames = read(tmp_path / "both.mts")
    assert shown(frames) == [*range(10), *range(10)]
    assert numbers(frames) == list(range(20))  # the clock starts anew in the middle, the numbers don't
    assert {frame.pixels.shape for frame in frames} == {(48, 64, 3)}


@pytest.mark.parametrize(("ending", "codec"), [(".webm", "libvpx"), (".webm", "libvpx-vp9"), (".mts", "libx264")])
def test_a_call_that_grows_is_as_large_as_it_becomes(ending: str, codec: str, tmp_path: Path) -> None:
    with av.open(tmp_path / f"call{ending}", "w") as container:
        stream = container.add_stream(codec, rate=20)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for start, size in ((0, SIZE), (10, (128, 96))):
            encoder = av.CodecContext.create(codec, "w")
            assert isinstance(encoder, VideoCodecContext)
            encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = *size, "yuv420p", Fraction(1, 20)
            encoder.framerate, encoder.max_b_frames = Fraction(20), 0
            frames = [av.VideoFrame.from_ndarray(numbered(start + i, size), format="rgb24") for i in range(10)]
            for number, frame in enumerate(frames):
                frame.pts, frame.time_base = start + number, Fraction(1, 20)
            for packet in [packet for frame in [*frames, None] for packet in encoder.encode(frame)]:
                packet.stream, packet.time_base = stream, Fraction(1, 20)
                container.mux(packet)
    with Recording(tmp_path / f"call{ending}") as recording:
        found = list(recording.frames(every=0))
        assert (recording.info.width, recording.info.height, recording.skipped) == (128, 96, 0)
        assert shown(found) == numbers(found) == list(range(20))
        assert {frame.pixels.shape for frame in found} == {(96, 128, 3)}


def test_what_is_higher_than_wide_meanwhile_keeps_its_proportions(tmp_path: Path) -> None:
    wide = write_video(tmp_path / "wide.mts", 5).read_bytes()
    high = write_video(tmp_path / "high.mts", [numbered(number, SIZE[::-1]) for number in range(5)]).read_bytes()
    (tmp_path / "both.mts").write_bytes(wide + high)
    *_, last = read(tmp_path / "both.mts")
    assert last.pixels.shape == (48, 64, 3)
    assert number_in(last.pixels[:, 14:50]) == 4
    assert last.pixels[:, [*range(12), *range(52, 64)]].max() < 10


def test_files_that_were_joined_with_frames_out_of_order_are_counted_through(tmp_path: Path) -> None:
    one = write_video(tmp_path / "one.mts", 30, b_frames=2).read_bytes()
    (tmp_path / "both.mts").write_bytes(one + one)
    with Recording(tmp_path / "both.mts") as recording:
        frames = list(recording.frames(every=0))
        assert numbers(frames) == list(range(60))
        assert shown(frames) == [*range(30), *range(30)]
        assert number_in(recording.frame(40).pixels) == 10


def test_time_runs_on_where_the_clock_was_set_anew(tmp_path: Path) -> None:
    uneven = [0, 1_200, 2_700, 4_700, 7_300]
    one = write_video(tmp_path / "one.mts", 5, milliseconds=uneven).read_bytes()
    (tmp_path / "both.mts").write_bytes(one + one)
    back = read(tmp_path / "both.mts")
    assert shown(back) == [*range(5), *range(5)]
    assert [frame.time for frame in back[:5]] == pytest.approx([0, 1.2, 2.7, 4.7, 7.3])
    assert np.diff([frame.time for frame in back]).tolist() == pytest.approx([1.2, 1.5, 2, 2.6, 1.75, 1.2, 1.5, 2, 2.6])
    leap = write_video(tmp_path / "leap.mkv", 6, milliseconds=[0, 100, 200, 10**12, 10**12 + 100, 10**12 + 900])
    assert [frame.time for frame in read(leap)] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 1.2])


def bad(path: Path) -> str:
    with pytest.raises(PictureError) as caught:
        Recording(path)
    return caught.value.problem


def test_what_is_no_recording_says_why(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp4"
    assert "No such file" in bad(path)
    path.touch()
    assert "0 bytes" in bad(path)
    path.write_text("just some text, which goes on for a while\n" * 50, encoding="utf-8")
    assert bad(path) == "not a recording in a format that is read"
    assert bad(tmp_path) == "can't be opened: not a file"
    assert bad(write_sound(tmp_path / "song.mp4")) == "no pictures in it: sound only"
    assert bad(write_sound(tmp_path / "album.mp4", cover=numbered(7))) == "no pictures in it: sound only"
    assert "too small: 64×4" in bad(write_video(tmp_path / "flat.mkv", [numbered(0, (64, 4))], codec="ffv1"))


def test_a_picture_named_as_a_recording_is_none(tmp_path: Path) -> None:
    with av.open(tmp_path / "photo.png", "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "rgb24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(1), format="rgb24")))
    assert bad((tmp_path / "photo.png").rename(tmp_path / "photo.mp4")) == "not a recording in a format that is read"


def test_a_playlist_opens_no_other_file_and_no_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "talk.mts", 5)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.2)
    port = listening.getsockname()[1]
    monkeypatch.chdir(tmp_path)
    playlists = [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\ntalk.mts\n#EXT-X-ENDLIST\n",
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile talk.mts\n",
    ]
    with listening:
        for text in playlists:
            Path("list.mp4").write_text(text, encoding="utf-8")
            assert bad(Path("list.mp4")) == "not a recording in a format that is read"
        with pytest.raises(TimeoutError):
            listening.accept()


def test_a_name_that_looks_like_an_address_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_video(tmp_path / "plain.mkv", 3).rename(tmp_path / "concat:a|%d é.mkv")
    assert shown(read(Path(path.name))) == [0, 1, 2]


def test_a_name_that_is_no_text_is_read(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mkv"))
    write_video(tmp_path / "plain.mkv", 3).rename(path)
    assert shown(read(path)) == [0, 1, 2]


def test_an_enormous_size_is_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    content = write_video(tmp_path / "talk.avi", 3, codec="ffv1").read_bytes()
    size = bytes(np.array(SIZE, "<i4"))
    assert size in content
    (tmp_path / "bomb.avi").write_bytes(content.replace(size, bytes(np.array([16_000, 12_000], "<i4"))))
    assert "too large: 16000×12000" in bad(tmp_path / "bomb.avi")


def test_a_few_bytes_do_not_fill_the_memory(tmp_path: Path) -> None:
    ending, how = KINDS["mp4 in fragments"]
    whole = write_video(tmp_path / f"whole{ending}", 12, **how).read_bytes()
    at = whole.index(b"trun") + 4
    bomb = tmp_path / "bomb.mp4"
    bomb.write_bytes(whole[:at] + bytes(4) + (80_000_000).to_bytes(4, "big") + whole[at + 8 :])  # of no size each
    # FFmpeg 9 sees by itself that so many can't be.
    with pytest.raises(PictureError, match=r"made to fill the memory|cut short"), Recording(bomb):
        pass


def test_an_mp4_that_was_cut_short_says_how_to_mend_it(tmp_path: Path) -> None:
    path = write_video(tmp_path / "talk.mp4", 20)
    path.write_bytes(path.read_bytes()[:-200])
    assert "its index is missing, so copy it again or have it repaired" in bad(path)


@pytest.mark.parametrize("kind", ["mp4", "mp4 in fragments", "mkv", "avi, MPEG-4", "webm, VP8", "mts", "flv", "mpg"])
def test_a_recording_that_is_cut_anywhere_gives_what_comes_before(tmp_path: Path, kind: str) -> None:
    ending, how = KINDS[kind]
    content = write_video(tmp_path / f"whole{ending}", 40, keyframe_every=8, **how).read_bytes()
    path = tmp_path / f"cut{ending}"
    most = 0
    for end in [*range(1, len(content), max(1, len(content) // 30)), len(content) - 1]:
        path.write_bytes(content[:end])
        try:
            frames = read(path)
        except PictureError:
            continue
        assert numbers(frames) == sorted(set(numbers(frames)))
        # Frames that are stored later than they are shown may be missing at the very end, and no picture is invented.
        steady = [frame for frame in frames if frame.number < len(frames) - 4]
        assert shown(steady) == numbers(steady)
        most = max(most, len(frames))
    if kind != "mp4":  # its index is at the end
        assert most >= 36


def damaged(path: Path, place: int, content: bytes) -> None:
    whole = bytearray(path.read_bytes())
    whole[place : place + len(content)] = content
    path.write_bytes(whole)


def packets_in(path: Path) -> list[bytes]:
    with av.open(path) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize(
    "kind", ["mp4", "mkv", "webm, VP8", "webm, VP9", "flv", "avi, MPEG-4", "avi, motion JPEG", "wmv"]
)
def test_damage_in_the_middle_costs_only_what_is_damaged(tmp_path: Path, kind: str) -> None:
    ending, how = KINDS[kind]
    path = write_video(tmp_path / f"talk{ending}", 60, **how)
    keyframe = packets_in(path)[24]
    damaged(path, path.read_bytes().index(keyframe), b"\xff" * len(keyframe))
    with Recording(path) as recording:
        assert recording.info.frames == 60
        frames = list(recording.frames(every=0))
        skipped = recording.skipped
        assert 0 < skipped == 60 - len(frames) <= 15
        assert shown(frames) == numbers(frames)  # nothing is made of what is lost
        assert set(numbers(frames)) >= {*range(22), *range(36, 60)}
        lost = min(set(range(60)) - set(numbers(frames)))
        with pytest.raises(PictureError, match=f"frame {lost} can't be decoded"):
            recording.frame(lost)
        assert recording.skipped == skipped  # the same frames again
        # What an instant wanted and is lost is replaced by the next one that is there.
        instead = next(recording.frames(every=lost / 20, start=lost / 20))
        assert instead.number == min(number for number in numbers(frames) if number > lost)


def test_damage_between_pictures_costs_a_stretch_and_not_the_rest(tmp_path: Path) -> None:
    clusters = {"cluster_time_limit": "500"}
    path = write_video(tmp_path / "talk.mkv", 100, container_options=clusters, keyframe_every=10)
    place = path.read_bytes().index(packets_in(path)[45])
    damaged(path, place - 12, bytes(40))
    frames = read(path)
    assert 80 <= len(frames) < 100
    assert shown(frames)[-40:] == list(range(60, 100))
    assert numbers(frames) == sorted(set(numbers(frames)))


@settings(max_examples=settings().max_examples * 2 // 5)
@given(data=st.data())
def test_random_damage_never_ends_the_reading(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(KINDS)))
    ending, how = KINDS[kind]
    folder = tmp_path_factory.mktemp("damage")
    content = bytearray(write_video(folder / f"talk{ending}", 30, **how).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, 1 << 20)) % len(content)  # an encoder's file is not always as long
        damage = data.draw(st.binary(min_size=1, max_size=60))
        content[place : place + len(damage)] = damage
    path = folder / f"damaged{ending}"
    path.write_bytes(content)
    with suppress(PictureError), Recording(path) as recording:
        frames = list(recording.frames(every=0))
        assert numbers(frames) == sorted(set(numbers(frames)))
        assert len(frames) + recording.skipped <= recording.info.frames
        times = [frame.time for frame in frames]
        assert times == sorted(times)
        assert {frame.pixels.shape for frame in frames} <= {(recording.info.height, recording.info.width, 3)}


def test_nothing_is_printed_about_damage(tmp_path: Path) -> None:
    path = write_video(tmp_path / "talk.mkv", 30)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 80] = bytes(80)
    path.write_bytes(content)
    reader = (
        "import sys; from pathlib import Path; from unmingle.sources.recordings import Recording;"
        "print(len(list(Recording(Path(sys.argv[1])).frames(every=0))))"
    )
    run = subprocess.run([sys.executable, "-c", reader, path], capture_output=True, text=True, check=True)
    assert run.stderr == ""
    assert 0 < int(run.stdout) < 31


def test_reading_twice_and_at_once_changes_nothing(tmp_path: Path) -> None:
    with Recording(write_video(tmp_path / "talk.mp4", 40, b_frames=2)) as recording:
        first, second = recording.frames(every=0.1), recording.frames(every=0.1, start=1.0)
        ahead = [next(first), next(second), recording.frame(39), next(first), next(second)]
        assert numbers(ahead) == shown(ahead) == [0, 20, 39, 2, 22]


def test_leaving_closes_the_file_while_it_is_read(tmp_path: Path) -> None:
    path = write_video(tmp_path / "talk.mp4", 40)
    with Recording(path) as recording:
        reading = recording.frames(every=0)
        next(reading)
        assert open_files(path) == 1
    assert open_files(path) == 0


def open_files(path: Path) -> int:
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(os.path.realpath(link) == os.path.realpath(path) for link in links)


def test_frames_that_are_not_there_are_clear_errors(tmp_path: Path) -> None:
    path = write_video(tmp_path / "talk.mp4", 5)
    with Recording(path) as recording:
        with pytest.raises(PictureError, match="no frame 5 among its 5"):
            recording.frame(5)
        with pytest.raises(PictureError, match="no frame -1"):
            recording.frame(-1)
        with pytest.raises(SettingsError, match="every -1"):
            next(recording.frames(every=-1))
        with pytest.raises(SettingsError, match="every nan"):
            next(recording.frames(every=math.nan))
        path.unlink()
        with pytest.raises(PictureError):
            recording.frame(0)


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp4"
    path.write_bytes(bytes(range(256)) * 10_000)
    assert file_digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(PictureError, match="No such file"):
        file_digest(tmp_path / "gone.mp4")


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_is_known_by_its_first_bytes(tmp_path: Path, kind: str) -> None:
    ending, how = KINDS[kind]
    path = write_video(tmp_path / f"talk{ending}", 8, **how).rename(tmp_path / "talk.jpg")
    assert begins_recording(head_of(path))
    assert PictureFile(str(tmp_path), path.name).is_recording


@pytest.mark.parametrize(
    ("said", "rotation", "aspect"),
    [((64, 45), 0, 64 / 45), ((64, 45), 90, 45 / 64), ((8, 9), 180, 8 / 9), ((101, 100), 0, 1.0), ((9, 1), 0, 1.0)],
)
def test_it_is_told_how_wide_pixels_are_shown(
    said: tuple[int, int], rotation: int, aspect: float, tmp_path: Path
) -> None:
    path = write_video(tmp_path / "tape.mp4", 2, pixel_aspect=Fraction(*said), rotation=rotation)
    with Recording(path) as recording:
        assert recording.info.aspect == pytest.approx(aspect)
        assert (recording.info.width, recording.info.height) == (SIZE if rotation % 180 == 0 else SIZE[::-1])


@pytest.mark.parametrize(
    ("name", "codec", "size"),
    [("tape.dv", "dvvideo", (720, 576)), ("tape.wtv", "mpeg2video", SIZE), ("camera.h264", "libx264", SIZE)],
)
def test_what_tapes_cameras_and_tuners_give_is_found_in_folders(
    name: str, codec: str, size: tuple[int, int], tmp_path: Path
) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"no {codec} here")
    pictures = [numbered(number, size) for number in range(3)]
    path = write_video(tmp_path / name, pictures, rate=25, codec=codec)
    if path.suffix == ".h264":  # access units with a mark before each
        path.write_bytes(b"\0\0\0\1\x09\x10" + path.read_bytes())
    (file,) = scan([tmp_path]).files
    assert file.is_recording
    with Recording(path) as recording:
        assert [number_in(frame.pixels) for frame in recording.frames(every=0)] == [0, 1, 2]


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".mts"])
def test_times_count_from_where_the_sound_begins(ending: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / f"talk{ending}", 40, b_frames=2, sound=True, sound_alone=61.5)
    with Recording(path) as recording:
        frames = list(recording.frames(every=0))
        assert shown(frames) == list(range(40))
        assert [frame.time for frame in frames] == pytest.approx(61.5 + np.arange(40) / 20, abs=0.1)
        assert recording.info.duration == pytest.approx(63.5, abs=0.1)
        assert recording.info.rate == pytest.approx(20)
        assert numbers(list(recording.frames(every=0.1, start=62.6)))[0] == pytest.approx(22, abs=2)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_bare_stream_tells_itself_how_fast_it_is(codec: str, tmp_path: Path) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"no {codec} here")
    path = write_video(tmp_path / ("camera.h264" if codec == "libx264" else "camera.hevc"), 8, rate=16, codec=codec)
    with Recording(path) as recording:
        assert recording.info.duration == pytest.approx(8 / 16)
        assert [frame.time for frame in recording.frames(every=0)] == pytest.approx(np.arange(8) / 16)


def test_a_column_of_narrow_pixels_is_shown() -> None:
    assert as_shown(np.zeros((9, 1, 3), np.uint8), 0.5).shape == (9, 1, 3)


def test_a_film_of_frames_that_last_two_fields_and_three_is_as_long_as_both(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mpg", 60, rate=25, codec="mpeg2video", b_frames=2)
    film, turn = bytearray(path.read_bytes()), 0
    for header in re.finditer(b"\x00\x00\x01\xb5", bytes(film)):
        at = header.end()
        if film[at] >> 4 == 1:  # of a sequence: it may hold interlaced frames
            film[at + 1] &= ~0x08
        elif film[at] >> 4 == 8:  # of a picture: its first field is repeated
            film[at + 3] |= 0x02 * (turn % 3 == 0)
            film[at + 4] |= 0x80
            turn += 1
    path.write_bytes(film)
    with Recording(path) as recording:
        assert recording.info.duration == pytest.approx(60 * (2 + 2 + 3) / 3 / 50, abs=0.02)


def test_a_transport_stream_is_told_from_a_program(tmp_path: Path) -> None:
    write_video(tmp_path / "talk.mts", 8).rename(tmp_path / "talk.ts")
    (tmp_path / "Good.ts").write_text("G" * 187 + "const a = 1;\n" * 100, encoding="utf-8")
    found = scan([tmp_path])
    assert [(file.name, file.is_recording) for file in found.files] == [("talk.ts", True)]
    assert found.others == ((".ts", 1),)
    assert not PictureFile(str(tmp_path), "Good.ts").is_recording


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "bmp", "tiff", "webp", "avif"])
def test_a_picture_is_none_whatever_it_is_called(tmp_path: Path, kind: str) -> None:
    Image.fromarray(numbered(7)).save(tmp_path / "photo.mp4", format=kind)
    file = PictureFile(str(tmp_path), "photo.mp4")
    assert not file.is_recording
    assert read_picture(file).shape == (48, 64, 3)


def test_where_the_first_bytes_tell_nothing_the_ending_does(tmp_path: Path) -> None:
    for name in ("talk.MP4", "notes.txt", "mp4"):
        (tmp_path / name).write_text("nothing", encoding="utf-8")
    (tmp_path / "folder.mkv").mkdir()
    names = ("talk.MP4", "notes.txt", "mp4", "gone.mov", "folder.mkv")
    assert [PictureFile(str(tmp_path), name).is_recording for name in names] == [True, False, False, True, True]


@pytest.mark.parametrize(
    ("sizes", "default", "note"),
    [
        ([(64, 48)], None, ""),
        (
            [(64, 48), (128, 96)],
            None,
            "2 streams of pictures: the largest, 128×96, is watched, and not 64×48",
        ),
        (
            [(64, 48), (128, 96), (160, 96)],
            0,
            "3 streams of pictures: the default one, 64×48, is watched, and not 128×96, 160×96",
        ),
        (
            [(64, 48), (64, 48)],
            None,
            "2 streams of pictures: the first of its size, 64×48, is watched, and not 64×48",
        ),
    ],
)
def test_of_several_streams_it_is_said_which_is_watched(
    tmp_path: Path, sizes: list[tuple[int, int]], default: int | None, note: str
) -> None:
    with Recording(write_streams(tmp_path / "talk.mkv", *sizes, default=default)) as recording:
        assert recording.info.note == note


@pytest.mark.parametrize("door", ["open", "demux", "decode"])
def test_whatever_the_decoder_does_is_an_error_of_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    path = write_video(tmp_path / "talk.mp4", 5)
    where = {
        "open": "av.open",
        "demux": "unmingle.sources.frame_index.packets_of",
        "decode": "unmingle.sources.recordings.decoded",
    }

    def fail(*_: object, **__: object) -> None:
        raise KeyError("odd")

    monkeypatch.setattr(where[door], fail)
    assert bad(path) == "damaged: KeyError: 'odd'"


def test_importing_the_reader_loads_no_decoder() -> None:
    check = "import sys, unmingle.sources.recordings; sys.exit('av' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)

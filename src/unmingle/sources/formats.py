"""What a file is, by its first bytes and its ending: a picture, a recording, or neither."""

from __future__ import annotations

import io
import math
import os
import re
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unmingle.errors import PictureError
from unmingle.files import file_hash

LIBRARY_FILE = "library.sqlite"  # marks a folder as a library
_LIBRARYS = frozenset(LIBRARY_FILE + ending for ending in ("", "-wal", "-shm", "-journal"))
HEAD = 1024  # bytes, by which a file is known
MIN_SIDE = 8  # pixels; nothing smaller can hold a face
MOST_BYTES = 500_000_000  # of a file that is read whole, so that one that is sparse or not ours can't fill the memory
_PICTURE_HEAD = 32  # of them, by which a picture is

# Endings are a hint for folders: what a file is, its first bytes say. A file that ends so and is no picture is told of.
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".pbm", ".pnm", ".gif"}
    | {".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpx", ".mpo", ".apng"}
)
# Without .ts, which in most folders is TypeScript: one of these is a recording if it begins like one.
RECORDING_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".wmv", ".asf", ".flv", ".ogv"}
    | {".mpg", ".mpeg", ".vob", ".mts", ".m2ts"}
)
FOUND_SUFFIXES = SUFFIXES | RECORDING_SUFFIXES
# Of raw pictures, which are not read: many begin like a TIFF, and hold a small copy of the picture as one.
RAW_SUFFIXES = frozenset(
    {".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw"}
    | {".3fr", ".iiq", ".erf", ".kdc", ".mos", ".x3f", ".rwl", ".gpr", ".mef", ".dcr", ".fff"}
)
# Of files in folders that are not looked into: no pictures or recordings, or made from one that lies beside them.
OTHER_SUFFIXES = RAW_SUFFIXES.union(
    {".xmp", ".json", ".txt", ".aae", ".csv", ".xml", ".html", ".db", ".ini", ".thm", ".lrv", ".ico", ".tmp", ".bak"}
    | {".wav", ".mp3", ".m4a", ".m4b", ".aac", ".flac", ".ogg", ".oga", ".opus", ".wma", ".aif", ".aiff", ".amr"}
    | {".mka", ".part", ".crdownload"}
)
# Folders that systems and programs keep for themselves: small copies, what was deleted, older states.
KEPT_FOLDERS = frozenset(
    {"@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@__thumb", "$recycle.bin", "recycler"}
    | {"system volume information", "lost+found", "__macosx"}
)
# Of a library of Apple's only these folders hold what people took; others hold smaller copies of it.
APPLE_LIBRARIES = (".photoslibrary", ".photolibrary", ".migratedphotolibrary")
APPLE_ORIGINALS = frozenset({"originals", "masters"})
# The moving part of a Live Photo is a clip beside its picture: IMG_1.MOV, IMG_1_HEVC.MOV, IMG_1.HEIC.MOV beside
# IMG_1.HEIC, in Apple's own libraries 1F_3.mov beside 1F.heic; of Google's PXL_1.MP.jpg it is PXL_1.MP.
_CLIPS = frozenset({".mov", ".mp4", ".mp"})
_CALLED_AS_WELL = re.compile(r"(_hevc|_3|[_.](heic|heif|jpe?g))$")
# Of the two of one shot that a Pixel saves, PXL_1.RAW-01.COVER.jpg and PXL_1.RAW-02.ORIGINAL.dng, or simply the ending.
_AFTER_SHOT = re.compile(r"\.raw-\d.*$|\.[^.]*$", re.DOTALL)
_LONGEST_PART = 5.0  # seconds; telephones take up to three
_MOST_BOXES = 1000  # that are looked at for how long a clip is
NOT_DOWNLOADED = ".icloud"  # ends the hidden file that stands for one which is in the cloud only

# Pictures of boxes (ISO/IEC 23008-12), by the brands at their beginning.
BOXED = {
    "AVIF": (b"avif", b"avis"),
    "HEIF": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2"),
}
# Where two letters are all that a format has in front, words may begin with them: what follows has to fit as well.
_PICTURES = (
    (rb"\xff\xd8", "JPEG"),
    (rb"\x89PNG\r\n\x1a\n", "PNG"),
    (rb"GIF8", "GIF"),
    (rb"II[*+]\0|MM\0[*+]", "TIFF"),
    (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", "JPEG2000"),
    (rb"qoif", "QOI"),
    (rb"\x01\xda", "SGI"),
    (rb"8BPS\x00\x01", "PSD"),
    (rb"DDS ", "DDS"),
    (rb"\x59\xa6\x6a\x95", "SUN"),
    (rb"\x0a\x05\x01", "PCX"),
    (rb"RIFF.{4}WEBP", "WEBP"),
    (rb"BM.{12}[\x0c\x10(48@l|]\0\0\0", "BMP"),  # behind the size of its second header
    (rb"P(?:[1-6fF]\s+[#\d-]|7\s)", "PPM"),
)
_PICTURE = tuple((re.compile(beginning, re.DOTALL), name) for beginning, name in _PICTURES)

# One of these boxes begins an MP4 or MOV file; after `ftyp` may come the brand of a picture.
QUICKTIME_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"moof", b"styp", b"wide", b"free", b"skip", b"pnot"})
_RAW_BRANDS = frozenset({b"crx ", b"jp2 ", b"jpx ", b"jpm "})  # of pictures that `picture_format` does not know
_RECORDINGS = (
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
    b"\x00\x00\x00\x01\x09",
    b"\x00\x00\x00\x01\x40\x01",  # HEVC
    b"\x00\x00\x00\x01\x46\x01",
    b"\x1f\x07\x00\x3f",  # DV, as cameras with tapes give it
    b"\x1f\x07\x00\xbf",
    b"\xb7\xd8\x00\x20\x37\x49\xda\x11",  # WTV
    b"YUV4MPEG2 ",  # uncompressed, as in research
)
# Of Fujifilm, Olympus, Panasonic, Sigma, Minolta, and Canon before and since; others begin like a TIFF.
_RAW = re.compile(rb"FUJIFILMCCD-RAW|IIR[OS]|MMOR|IIU\0|FOVb|\0MRM|II\x1a\0\0\0HEAPCCDR|.{4}ftypcrx ", re.DOTALL)
_PACKETS = ((0, 188), (4, 192), (0, 204))  # where the first 0x47 of an MPEG transport stream is, and how far the next


def is_kept(folder: str, name: str) -> bool:
    """Whether a folder of that name, in a folder of that path or name, is none in which people keep pictures."""
    if folder.lower().endswith(APPLE_LIBRARIES):
        return name.lower() not in APPLE_ORIGINALS
    return name.lower() in KEPT_FOLDERS


def moving_parts(folder: Path, names: Iterable[str]) -> set[str]:
    """Of the names of a folder's files, those of short clips that are the moving part of a picture beside them."""
    parts = [(name, *os.path.splitext(name.lower())) for name in names]  # noqa: PTH122  # thousands of them
    pictures = {stem for _, stem, ending in parts if ending in SUFFIXES}
    return {
        name
        for name, stem, ending in parts
        if ending in _CLIPS
        and not pictures.isdisjoint((stem, stem + ending, _CALLED_AS_WELL.sub("", stem)))
        and _seconds_of(folder / name) <= _LONGEST_PART
    }


def lone_raws(names: Iterable[str]) -> list[str]:
    """Of the names of a folder's files, those of raw pictures that are there in no format that is read."""
    endings = {name: os.path.splitext(name)[1].lower() for name in names}  # noqa: PTH122
    raws = [name for name, ending in endings.items() if ending in RAW_SUFFIXES]
    if not raws:  # as in nearly all folders, also of a hundred thousand files
        return raws
    shots = {_AFTER_SHOT.sub("", name.lower()) for name, ending in endings.items() if ending in SUFFIXES}
    return [name for name in raws if _AFTER_SHOT.sub("", name.lower()) not in shots]


def _seconds_of(path: Path) -> float:
    """How long an MP4 or MOV says it is, in its box `mvhd` (ISO/IEC 14496-12); infinite where it doesn't say."""
    if not path.is_file():  # a pipe would be waited for
        return math.inf
    with suppress(ArithmeticError, OSError, ValueError, struct.error), path.open("rb") as file:
        for _ in range(_MOST_BOXES):
            size, kind = struct.unpack(">I4s", file.read(8))
            header = 8
            if size == 1:
                (size,), header = struct.unpack(">Q", file.read(8)), 16
            if kind == b"mvhd":
                long = file.read(4).startswith(b"\1")
                scale, duration = struct.unpack(">16xIQ" if long else ">8xII", file.read(28 if long else 16))
                return float(duration / scale)
            if size < header:  # up to the end of the file, or damaged
                break
            if kind != b"moov":  # which holds the one that is wanted
                file.seek(size - header, os.SEEK_CUR)
    return math.inf


def head_of(path: Path) -> bytes:
    """The first bytes of a file; none where it can't be read, or is no file."""
    try:
        with path.open("rb") if path.is_file() and not _is_librarys(path) else io.BytesIO() as file:
            return file.read(HEAD)
    except OSError:
        return b""


def picture_format(head: bytes) -> str:
    """The format of a picture file that begins so, by Pillow's name for it; empty if it is none that is read."""
    head = head[:_PICTURE_HEAD]
    found = next((name for beginning, name in _PICTURE if beginning.match(head)), "")
    if found or head[4:8] != b"ftyp":
        return found
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, len(head), 4))}
    return next((name for name, known in BOXED.items() if brands.intersection(known)), "")


def begins_raw(head: bytes) -> bool:
    """Whether a file that begins so, and is no picture that is read, is a raw one."""
    return bool(_RAW.match(head))


def begins_recording(head: bytes) -> bool:
    """Whether a file whose first HEAD bytes these are holds moving pictures, or sound, whatever it is called."""
    if picture_format(head):
        return False
    if head[4:8] in QUICKTIME_BOXES:
        return head[4:8] != b"ftyp" or head[8:12] not in _RAW_BRANDS
    if head[:4] == b"RIFF" and head[8:12] in {b"AVI ", b"AVIX", b"WAVE"}:
        return True
    starts = (head[first::step] for first, step in _PACKETS)
    return head.startswith(_RECORDINGS) or any(len(found) > 1 and set(found) == {0x47} for found in starts)


def _is_librarys(path: Path) -> bool:
    """Whether SQLite may have a file open in this process: its locks would end when anybody else here closes that."""
    return (path.resolve() if path.is_symlink() else path).name in _LIBRARYS


def check_file(path: Path) -> int:
    """The size of a file in bytes; PictureError if it can't be opened, is empty, a library's, or no file.

    Pipes and devices would be waited for without end.
    """
    with _clear_errors():
        size = path.stat().st_size
        if not path.is_file():
            raise PictureError("can't be opened: not a file")
        if _is_librarys(path):
            raise PictureError("a library's own file")
        path.open("rb").close()
    if not size:
        raise PictureError("the file is empty (0 bytes)")
    return size


def check_size(size: int, most: int = MOST_BYTES) -> None:
    """Refuse a file of more bytes than are read whole; PictureError."""
    if size > most:
        raise PictureError(f"too large a file: {size:,} bytes, over {most:,}")


def read_file(path: Path, most: int = MOST_BYTES) -> bytes:
    """The content of a file; PictureError as for `check_file`, or if it has more bytes than are read whole."""
    size = check_file(path)
    check_size(size, most)
    with _clear_errors(), path.open("rb") as file:
        return file.read(size)


def file_digest(path: Path) -> str:
    """What names a file's content, without holding it in memory; PictureError if it can't be read."""
    check_file(path)
    with _clear_errors():
        return file_hash(path)


@contextmanager
def _clear_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PictureError(f"can't be opened: {error.strerror or error}") from error

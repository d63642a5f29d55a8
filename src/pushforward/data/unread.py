"""Formats of images that are not read: known by content or name, so that they are missed and not passed over.

Torch-free.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

PNG, DEEP, RENDER = "convert it to PNG or JPEG", "convert it to 16-bit PNG or TIFF", "render it to PNG"
# Camera files are TIFFs to a decoder, which would find their thumbnail or half of their colours.
RAW = (
    "dng",
    "cr2",
    "cr3",
    "crw",
    "nef",
    "nrw",
    "arw",
    "srf",
    "sr2",
    "orf",
    "rw2",
    "raf",
    "pef",
    "srw",
    "x3f",
    "raw",
)
_BY_SUFFIX: dict[str, tuple[str, str]] = {
    **dict.fromkeys(RAW, ("a raw camera file", DEEP)),
    **dict.fromkeys(("heic", "heif", "hif"), ("HEIC", PNG)),
    "avif": ("AVIF, which this build of Pillow lacks", PNG),
    "jxl": ("JPEG XL", PNG),
    **dict.fromkeys(("tga", "targa", "icb", "vda", "vst"), ("TGA", PNG)),
    **dict.fromkeys(("psd", "psb"), ("Photoshop", PNG)),
    "xcf": ("GIMP", PNG),
    "kra": ("Krita", PNG),
    "exr": ("OpenEXR", DEEP),
    **dict.fromkeys(("hdr", "rgbe"), ("Radiance HDR", DEEP)),
    **dict.fromkeys(("fits", "fit", "fts"), ("FITS", DEEP)),
    **dict.fromkeys(("dcm", "dicom"), ("DICOM", DEEP)),
    **dict.fromkeys(("nii", "nrrd", "mha"), ("a medical volume", DEEP)),
    **dict.fromkeys(("svg", "svgz", "ai"), ("a vector drawing", RENDER)),
    **dict.fromkeys(("eps", "ps"), ("PostScript", RENDER)),
    "pdf": ("PDF", RENDER),
    "dds": ("DDS", PNG),
    **dict.fromkeys(("ktx", "ktx2"), ("a texture for graphics cards", PNG)),
    "bpg": ("BPG", PNG),
    "flif": ("FLIF", PNG),
    **dict.fromkeys(("djvu", "djv"), ("DjVu", RENDER)),
    **dict.fromkeys(("wmf", "emf"), ("a drawing of Windows", RENDER)),
    "wbmp": ("WBMP", PNG),
    "pfm": ("a portable float map in colour", DEEP),
    "qoi": ("QOI", PNG),
    "pcx": ("PCX", PNG),
    "icns": ("ICNS", PNG),
    **dict.fromkeys(("jxr", "wdp", "hdp"), ("JPEG XR", PNG)),
    "npy": ("a numpy array", "put the arrays into one .npz, under `images`"),
}
_BRANDS = {
    b"avif": "avif",
    b"avis": "avif",
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"mif1", b"msf1"), "heic"),
}
# (where, what it holds there, the suffix of its kind)
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\x0a", "jxl"),
    (0, b"\x00\x00\x00\x0cJXL ", "jxl"),
    (0, b"8BPS", "psd"),
    (0, b"gimp xcf", "xcf"),
    (0, b"v/1\x01", "exr"),
    (0, b"#?RADIANCE", "hdr"),
    (0, b"#?RGBE", "hdr"),
    (0, b"SIMPLE  =", "fits"),
    (128, b"DICM", "dcm"),
    (0, b"%PDF-", "pdf"),
    (0, b"%!PS-Adobe", "eps"),
    (0, b"DDS ", "dds"),
    (0, b"\xabKTX ", "ktx"),
    (0, b"BPG\xfb", "bpg"),
    (0, b"FLIF", "flif"),
    (0, b"AT&TFORM", "djvu"),
    (0, b"\xd7\xcd\xc6\x9a", "wmf"),
    (40, b" EMF", "emf"),
    (0, b"PF\n", "pfm"),
    (0, b"qoif", "qoi"),
    (0, b"icns", "icns"),
    (0, b"II\xbc", "jxr"),
    (0, b"FUJIFILMCCD-RAW", "raf"),
    (0, b"\x93NUMPY", "npy"),
)
HEAD = 160  # bytes of a file that tell


def raw(name: str) -> bool:
    """Whether a file's name says that a camera wrote it without developing it."""
    return _suffix(name) in RAW


def unread(name: str, head: bytes) -> str | None:
    """Why a file that no decoder takes is an image all the same, and what to do; None where it is none."""
    kind = _by_content(head) or _suffix(name)
    found = _BY_SUFFIX.get(kind)
    return f"{found[0]}, not read: {found[1]}" if found else None


def _by_content(head: bytes) -> str | None:
    if head[4:8] == b"ftyp":
        brands: Iterable[bytes] = (head[i : i + 4] for i in (8, *range(16, 40, 4)))
        for brand in brands:
            if brand in _BRANDS:
                return _BRANDS[brand]
    return next((kind for at, magic, kind in _MAGIC if head[at : at + len(magic)] == magic), None)


def _suffix(name: str) -> str:
    suffixes = [part.lower() for part in PurePosixPath(name).name.split(".")[1:]]
    if suffixes[-1:] == ["gz"]:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""

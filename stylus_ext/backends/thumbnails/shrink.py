"""`Thumbnails`: anybody's picture goes in; a small JPEG, made of its pixels and of nothing else
that was in it, comes out.
"""

from __future__ import annotations

import contextlib
import io
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stylus_ext.backends.thumbnails.measure import Claim, NotAPicture, claim_of

if TYPE_CHECKING:
    from PIL import Image

MB = 1024 * 1024
_MOST_SCANS = 100
_TYPES = {
    "image/jpeg": "JPEG",
    "image/jpg": "JPEG",
    "image/pjpeg": "JPEG",
    "image/png": "PNG",
    "image/x-png": "PNG",
    "image/webp": "WEBP",
}
_SAYS_NOTHING = ("", "application/octet-stream", "binary/octet-stream")
_DAMAGED = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    ArithmeticError,
    LookupError,
    TypeError,
    MemoryError,
    struct.error,
)
"""What decoders raise, for whatever is wrong."""
_DRAFTED = 2
"""A JPEG is decoded at so many times the size that is wanted, at least, where its format lets that
be cheap.
"""


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """`edge` is the longest side of what comes out. One picture is decoded at a time, so that
    memory is that of one.
    """

    edge: int = 512
    quality: int = 85
    largest: int = 16 * MB
    most_pixels: int = 24_000_000
    _one: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def small(self, data: bytes, stated: str = "") -> bytes:
        """A JPEG, without metadata, turned the right way up, on white. `stated` is the media type
        that came with it, if any did.
        """
        if len(data) > self.largest:
            raise NotAPicture(f"The picture has more than {self.largest // MB} MB.")
        claim = claim_of(data)
        self._check(claim, stated)
        with self._one:
            return self._drawn(data, claim)

    def of_file(self, path: Path) -> bytes:
        try:
            with path.open("rb") as file:
                data = file.read(self.largest + 1)
        except OSError as error:
            raise NotAPicture(
                f"The picture {path.name} cannot be read: {error.strerror or error}."
            ) from error
        return self.small(data)

    def _check(self, claim: Claim, stated: str) -> None:
        kind = stated.partition(";")[0].strip().casefold()
        if kind not in _SAYS_NOTHING and _TYPES.get(kind) != claim.kind:
            raise NotAPicture(f"It was sent as {kind[:60]!r}, and is a {claim.kind} picture.")
        if claim.pixels > self.most_pixels:
            raise NotAPicture(
                f"The picture has {claim.width:,} x {claim.height:,} pixels, which is more than is"
                " decoded."
            )
        if claim.scans > _MOST_SCANS:
            raise NotAPicture("The picture is made to be slow.")

    def _drawn(self, data: bytes, claim: Claim) -> bytes:
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(io.BytesIO(data), formats=[claim.kind]) as picture:
                if picture.width * picture.height > self.most_pixels or (
                    claim.kind != "JPEG" and getattr(picture, "n_frames", 1) > 1
                ):
                    raise NotAPicture("The picture is another than its head says, or is animated.")
                flat = self._flat(picture)
        except (
            UnidentifiedImageError,
            Image.DecompressionBombError,
            Image.DecompressionBombWarning,
        ) as error:
            raise NotAPicture("The picture cannot be decoded.") from error
        except _DAMAGED as error:
            raise NotAPicture("The picture is damaged or breaks off.") from error
        out = io.BytesIO()
        flat.save(out, "JPEG", quality=self.quality, optimize=True)
        return out.getvalue()

    def _flat(self, picture: Image.Image) -> Image.Image:
        """Only the pixels are taken over, onto a canvas of our own."""
        from PIL import Image, ImageOps

        picture.draft("RGB", (self.edge * _DRAFTED, self.edge * _DRAFTED))
        picture.load()
        clear = picture.has_transparency_data
        small = picture.convert("RGBA" if clear else "RGB")
        small.thumbnail((self.edge, self.edge), Image.Resampling.LANCZOS)
        with contextlib.suppress(
            *_DAMAGED
        ):  # what says how to turn it may be broken where the picture is not
            small = ImageOps.exif_transpose(small)
        canvas = Image.new("RGB", small.size, "white")
        canvas.paste(small, (0, 0), small if clear else None)
        return canvas

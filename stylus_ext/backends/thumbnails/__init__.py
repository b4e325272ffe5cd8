"""Strangers' pictures made harmless: bytes, a file or an address of an allowed host go in, a small
JPEG of our own comes out.

    Thumbnails(edge=512).small(data, "image/png")      # bytes of a JPEG
    Thumbnails().of_file(path)
    RemotePictures(Thumbnails()).small("https://image.civitai.com/...", check)

`NotAPicture` says in a sentence why there is none.
"""

from __future__ import annotations

from stylus_ext.backends.thumbnails.measure import NotAPicture
from stylus_ext.backends.thumbnails.remote import ORIGINS, RemotePictures
from stylus_ext.backends.thumbnails.shrink import Thumbnails

__all__ = ["ORIGINS", "NotAPicture", "RemotePictures", "Thumbnails"]

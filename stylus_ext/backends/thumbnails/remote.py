"""`RemotePictures`: an address of an allowed host goes in, a thumbnail comes out; no other host is
asked, nor followed to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from stylus_ext.backends.http import Http, Limits, free, origin_of, shown
from stylus_ext.backends.thumbnails.measure import NotAPicture
from stylus_ext.backends.thumbnails.shrink import Thumbnails
from stylus_ext.core.errors import InvalidInput

ORIGINS = frozenset(
    {
        "https://image.civitai.com",
        "https://imagecache.civitai.com",
        "https://image-b2.civitai.com",
        "https://huggingface.co",
        "https://cdn-lfs.huggingface.co",
        "https://cdn-lfs.hf.co",
        "https://cdn-lfs-us-1.hf.co",
        "https://cdn-lfs-eu-1.hf.co",
        "https://cas-bridge.xethub.hf.co",
        "https://us.aws.cdn.hf.co",
        "https://us.gcp.cdn.hf.co",
        "https://cdn-uploads.huggingface.co",
    }
)
"""Those of the services whose cards Stylus reads, and of the storages that they send pictures from.
"""
LIMITS = Limits(connect_s=5.0, stall_s=10.0, total_s=15.0, tries=1)


@dataclass(frozen=True)
class RemotePictures:
    """No key is sent. To be closed."""

    thumbnails: Thumbnails = field(default_factory=Thumbnails)
    origins: Collection[str] = ORIGINS
    limits: Limits = LIMITS
    patience_s: float = 30.0
    http: Http = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "http", Http(limits=self.limits, within=self.origins))

    def close(self) -> None:
        self.http.close()

    def allows(self, url: str) -> bool:
        try:
            return origin_of(url) in self.origins
        except InvalidInput:
            return False

    def small(self, url: str, check: Callable[[], None] = free) -> bytes:
        """A `StylusError` says why there is none."""
        if not self.allows(url):
            raise NotAPicture(f"Pictures are not fetched from {shown(url)}.")
        with self.http.stream(url, check=check) as answer:
            data = answer.beginning(self.thumbnails.largest, self.patience_s)
            stated = answer.headers.get("content-type", "")
        return self.thumbnails.small(data, stated)

"""The WebUI's entry: the script class, and the callbacks registered at every load."""

from stylus_ext.host.register import register
from stylus_ext.host.script import StylusScript

__all__ = ["StylusScript"]

register()

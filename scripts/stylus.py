"""What the WebUI finds: one class for its script runners, and the callbacks, anew at every load."""

from stylus_ext.host.register import register
from stylus_ext.host.script import StylusScript

__all__ = ["StylusScript"]

register()

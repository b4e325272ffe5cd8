"""The checkpoint that is in memory, or would be loaded: nothing is loaded to look at it."""

from __future__ import annotations

from stylus_ext.host import compat
from stylus_ext.host.checkpoint import Checkpoint, Finding, Remembered, checkpoint_of, find_family


def loaded_checkpoint() -> Checkpoint:
    model = compat.loaded_model()
    return checkpoint_of(compat.checkpoint_info(model), model)


def loaded_family(remembered: Remembered) -> Finding:
    checkpoint = loaded_checkpoint()
    return find_family(checkpoint, remembered.get(checkpoint))

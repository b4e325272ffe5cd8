"""Has a server of one's own free the graphics memory that a model takes; what another program
offers is not known to be there.
"""

from __future__ import annotations

import logging

from stylus_ext.backends.chat.endpoint import ChatEndpoint
from stylus_ext.backends.http import BadAnswer, Http, Limits, Refusal, Unreachable

logger = logging.getLogger(__name__)

LIMITS = Limits(connect_s=1.0, stall_s=3.0, total_s=3.0, tries=1)


def release(endpoint: ChatEndpoint, http: Http) -> bool | None:
    """Ollama's own route, since it ignores `keep_alive` on /v1. None where the server has no such
    route.
    """
    try:
        http.json(
            f"{endpoint.base.removesuffix('/v1')}/api/generate",
            body={"model": endpoint.model, "keep_alive": 0, "stream": False},
        )
    except Refusal as problem:
        logger.debug("%s does not free memory: %s", endpoint.base, problem)
        return None
    except (Unreachable, BadAnswer) as problem:
        logger.info("%s was not freed: %s", endpoint.model, problem)
        return False
    logger.info("%s left the memory of %s.", endpoint.model, endpoint.origin)
    return True

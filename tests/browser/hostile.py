"""Texts that a stranger may put into a card to make a page do something; shown as text they do
nothing.
"""

from __future__ import annotations

HOSTILE: tuple[str, ...] = (
    "<script>window.hacked = 1</script>",
    '<img src=x onerror="window.hacked = 1">',
    "<svg onload=window.hacked=1>",
    "<svg><script>window.hacked=1</script></svg>",
    '"><script>window.hacked=1</script>',
    "'><img src=x onerror=window.hacked=1>",
    '" onmouseover="window.hacked=1" x="',
    "' onfocus='window.hacked=1' autofocus='",
    "</textarea><script>window.hacked=1</script>",
    "</title></style></script><script>window.hacked=1</script>",
    '<iframe srcdoc="<script>parent.hacked=1</script>"></iframe>',
    '<a href="javascript:window.hacked=1">click</a>',
    "[click](javascript:window.hacked=1)",
    "<details open ontoggle=window.hacked=1>",
    "<body onload=window.hacked=1>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.hacked=1>",
    "<template><script>window.hacked=1</script></template>",
    "<style>* { display: none !important }</style>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<base href=//evil.example/>",
    "<form action=//evil.example/><input name=a></form>",
    "<!--><script>window.hacked=1</script-->",
    "<![CDATA[<script>window.hacked=1</script>]]>",
    "{{constructor.constructor('window.hacked=1')()}}",
    "${window.hacked=1}",
    "&lt;script&gt;window.hacked=1&lt;/script&gt;",
    "&#60;script&#62;window.hacked=1&#60;/script&#62;",
    "\\u003cscript\\u003ewindow.hacked=1\\u003c/script\\u003e",
    "%3Cscript%3Ewindow.hacked=1%3C/script%3E",
    "constructor __proto__ toString hasOwnProperty",
    "\u202e\u202dright to left \u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f3f3\ufe0f\u200d\U0001f308 emoji",
    "quotes ' \" ` \u201c \u2018 \\ / & < >",
    "Z\u0351\u0357a\u0352\u030el\u0354\u0317g\u0348\u0330o\u0358\u0321 " * 20,
    "long " * 2000,
    "W" * 10_000,
)

"""Words and patterns of sentences that are not about the picture; these are not embedded.

Each group is one topic, in English, Chinese, Japanese and Korean, matched against lower-case text.
Single words are looked up in a set, which is faster.
"""

from __future__ import annotations

import re

_WORDS = {
    "ads": """
        patreon kofi fanbox fantia boosty paypal gumroad discord twitter instagram facebook youtube
        tiktok pixiv deviantart telegram reddit subscribe subscribed subscription commission
        commissions commissioned donate donating donation donations sponsor sponsors sponsored
        tipjar membership buzz coffee giveaway email request requests requested guide tutorial
        wallet http https www
    """,
    "use": """
        install installed installing installation download downloads downloaded downloading
        extension automatic1111 a1111 webui comfyui invokeai notepad paste folder directory
        adetailer inpaint inpainting inpainted img2img txt2img controlnet upscale upscaler
        upscaling upscaled hires highres highrez prompting prompt prompts embedding embeddings
        easynegative negatives your recommend recommended recommends recommendation recommendations
        reccomend recomend recommand suggest suggested suggestion suggestions optional optionally
        using tested compatible works combine combined activate activates activated activation
        tagged triggerword triggerwords usage uses work working
    """,
    "training": """
        train trained training trainning trains epoch epochs dataset datasets dim alpha network
        optimizer optimiser lion adamw adamw8bit prodigy caption captions captioned regularization
        kohya dreambooth locon lycoris loha lokr overfit overfitted overfitting overtrained
        undertrained repeats resolution resolutions checkpoint checkpoints ckpt safetensors merge
        merged merging extracted vae sampler samplers sampling euler ddim karras cfg denoise
        denoising seed nai novelai aom aom2 aom3 anything anylora chilloutmix deliberate
        dreamshaper meinamix sdxl
    """,
    "versions": """
        update updated updates updating changelog release released releases reupload reuploaded
        upload uploaded uploading uploads fixed bug bugs buggy beta wip todo deprecated
    """,
    "weights": "weight weights strength strengths",
    "faults": """
        unstable finicky flaw flaws problem problems issue issues difficult difficulty inaccurate
        experimental accuracy result results tips example examples masterpiece
        absurdres highres irredeemable keyword keywords instruction instructions experimentation
        struggle struggles couldnt cant dont doesnt isnt wont didnt loras
    """,
    "talk": """
        enjoy thanks thank thx please pls plz comment comments feedback rating ratings review
        reviews hello welcome sorry apologies disclaimer license licence licensed commercial
        copyright copyrighted permission prohibited forbidden responsible responsibility
        redistribute redistribution nsfw translated favorite favourite lol btw imo faq cheers
        warning remember beware translation translations translator translators recruiting
        recruitment collaborator collaborators payment waifu honestly
        hopefully unfortunately currently planning beginner consistent inconsistent consistently
        consistency expensive expect scam scammed paid owned everyone
    """,
}
NOISE_WORDS = frozenset(word for line in _WORDS.values() for word in line.split())

_ADS = r"""
    @\w+\.\w|\.(?:com|net|org|io|gg|art|ai|tv|jp|cn)\b
    |\b(?:ko-\s?fi|buy\s?me\s?a|early\s+access|follow\s+me|support(?:ing)?\s+(?:me|my|us|the\s+(?:creator|author))
    |check\s+(?:out|it|my|the)
    |credits?\s+(?:to|me|goes)|shout\s?out|this\s+link|link(?:s|ed)?\s+(?:here|below)|click\s+here|contact\s+me|dm\s+me)\b
    |\bhere!
    |赞助|爱发电|加群|q群|打赏|支持我|关注|微博|b站|教程|公众号|欢迎查看|按個|点赞|フォロー|支援|依頼
"""
_USE = r"""
    ^(?:add|use|try|set|turn|put|copy|make|keep|avoid|don't|do|just|see|read|click)\s
    |\b(?:how\s+to\s+(?:use|get)|web\s+ui|comfy\s+ui|additional\s+networks?|after\s+detailer|block\s+weight
    |keywords?\s+(?:to|for|are|is)
    |textual\s+inversion|experiment\s+with|feel\s+free|try\s+(?:to|it|out|adding|with|different|lower\w*|rais\w*)
    |play\s+around
    |you\s+(?:can|could|should|may|might|need|must|want|have|will|get|are|do|don)|if\s+(?:you|it|the|needed|necessary)
    |interferes?|make\s+sure|remember\s+to
    |use\s+(?:it|this|the|at|with|a|an|in|only|of|these|lower|both)|to\s+use|used?\s+(?:with|at|by|to)|mix(?:ed
    |ing)?\s+(?:it\s+)?with
    |trigger(?:s|ed|ing)?(?:\s+(?:tags?|keywords?))?\s+(?:is|are|not|with)|trigger\s+words?|add\s+(?:the|to|these|this|in
    |some|more|a|an)|turn\s+(?:on|off))\b
    |\b(?:triggers?|tags?|keywords?|models?|style|lora|ver)\s?(?:tags?|words?)?\s?[:=\uff1a]|\badd\s[\"(]
    |安装|下载|下載|使用|提示词|提示詞|触发|觸發|推荐|推薦|建议|建議|负面|ダウンロード|トリガー|使い方|推奨|おすすめ|オススメ|プロンプト|呼び出|트리거|추천|사용
"""
_TRAINING = r"""
    \b(?:data\s+set|rank\s?\d|learning\s+rate|batch\s+size|\d{3,4}\s?[x*\u00d7]\s?\d{3,4}|\d{3,4}px|\d+\s+(?:images|pictures
    |pics|photos|steps|screenshots|screencaps)
    |source\s+(?:images|material)|base\s+model|\d+\s?mb|clip\s*skip|skip\s+clip|dpm\s?\+*\w*|steps?\s*[:\d]|noise\s+offset
    |novel\s+ai|any\s+lora
    |(?:orange|abyss|pastel|basil)\s?mix\w*|counterfeit|realistic\s?vision|sd\s?-?\s?[123]\.\d|sd1\.?5|stable\s+diffusion
    |models?\s+(?:used|is\s+free|have|will)|(?:other|most|many|various)\s+models?)\b|mix_?v?\d
    |训练|訓練|炼|采样|学習|學習|サンプラー|底模|模型|モデル|数据集|分辨率|解像度|학습
"""
_VERSIONS = r"""
    \b(?:change\s+log|re-upload\w*|(?:new|next|old|older|previous|first|second|this|latest|final|both)\s+versions?
    |versions?\s*[:\d]|ver\.?\s*\d|v\d+(?:\.\d+)*
    |work\s+in\s+progress|coming\s+soon|to-do|\d{4}[/.-]\d{1,2}[/.-]\d{1,2}|\d{1,2}[/.]\d{1,2}[/.]\d{2,4})\b
    |更新|版本|第一版|新版|バージョン|업데이트
"""
_WEIGHTS = r"""
    \b(?:lora\s*:\s*\d|(?:between|around|at|from|about)\s+(?:0?\.\d+|1(?:\.\d+)?)\b|0?\.\d+\s*(?:-|~|to|and)\s*\d?\.?\d+)
    |\b0?\.\d\b|<(?:lora|lyco):|权重|權重|重み|強度|强度|比重|비중|가중치
"""
_TALK = r"""
    \b(?:have\s+fun|hope\s+(?:you|this|it|to)|let\s+me\s+know|likes?\s+(?:it|this|button)|hi\s+(?:everyone|guys|all)
    |post\s+your|show\s+us|leave\s+a|not\s+allowed
    |terms\s+of|all\s+rights|rights\s+reserved|free\s+to\s+use|google\s+translat\w+|read\s+(?:the|this|description|before)
    |see\s+(?:the|sample|example|below|above|version|image)s?
    |(?:sample|example|preview|showcase|cover|gallery|demo|above|below|following|first|all)\s+(?:images?|pictures?|pics
    |photos?)|images?\s+(?:below|above|generated|were|are|was|in\s+preview)
    |stay\s+tuned|wanted\s+to|self-explanatory|nothing\s+(?:much|special)|as\s+(?:always|usual)|q\s*&\s*a|good\s+luck
    |happy\s+generating)\b
    |\b(?:note|p\.?s\.?|tips?|attention|faq|q|a|edit)\s?:
    |谢谢|感谢|請|欢迎|希望|商用|版权|评论|禁止|お願い|ありがとう|ください|注意
"""


_FAULTS = r"""
    n['\u2019]t\b|\b(?:cannot|(?:can|could|will|would|do|does|did|is|are|was|were|has|have|may|might|should)\s+not
    |not\s+(?:so|bad|perfect\w*|great|good|appear\w*|includ\w*|intended|sure|all)|no\s+(?:longer|tags?|trigger\w*|need)
    |almost\s+not|(?:hard|difficult|tricky|impossible)\s+to|(?:prone|tends?)\s+to|might|may\s+(?:tell|vary|be|have|need|require
    |cause|produce|gen\w*|take|also|affect)|will\s+(?:affect|very)|chances?\s+of|known\s+to\s+be|some\s+reason|so\s+far
    |at\s+(?:the\s+moment|first|least)|(?:better|worse)\s+(?:at|than|for|with|if|when)|less\s+\w+ly|best\s+(?:suited|for|girl|used)
    |hands?\s+(?:are|is)|look\s+(?:too|bad)|too\s+bad|kinda|alright|mess(?:es)?\s+up
    |not\s+(?:really|very|too|quite)|compared\s+(?:to|with))\b
    |\bnot\s+an?\b|\bwill\s+(?:get|make|give)\s+(?:her|his|him|you|it)\b
    |不稳定|不穩定|问题|問題|崩|初心者|适配|うまく|難し|ません
"""
_ASIDES = r"""
    \b(?:god\s+damn|to\s+be\s+honest|tbh|huh|lol|haha|if\s+\w+|depend(?:ing|s)?\s+on|tags?\s+used|for\s+(?:better|more|some|each|example)
    |e\.g|(?:this|next|last|first)\s+(?:time|one|girl|3d|week|month|year)|from\s+now|bear\s+in\s+mind|intended\s+by|by\s+the\s+author
    |(?:bonus|same|whole)\s+series|also\s+(?:u|check|have)|can\s+(?:also\s+)?be\s+used|more\s+generic|so\s+(?:that|i)\b
    |(?:generated|made|created|rendered|drawn|done)\s+(?:with|using|in|via)\s|(?:large|live|original|anime|real)\s+models?
    |real-person|support(?:s|ed)?\s+(?:for|more|art)|need\s+to|pair(?:ed)?\s+with|only\s+\w+\s+can|we|our|(?:somebody|someone)\s+(?:comment|ask|request|told|said|want)\w*)\b
    |\b(?:keys?|tokens?|trigger\s+(?:phrase|term)s?|introduction)\s*(?:[:\uff1a]|\bis\b)|\?$|^\W*(?:also|but|so|still(?!\s+li[fv]e)|however|though|although
    |because|then|thus|plus|anyway|depending|in\s+all)\b
    |,\s*use\s|[;:]-?[dp)(]\W*$|description\s+below|herunterz?u?lad|为什么|試試|试试|翻訳|翻译|翻譯|追加|变更|変更|请|免责|責任|责任|官方|混用|해석권|노력|모델|책임|면책|招募|合作|付款|支払|ビジネス|输入|輸入|关键词|關鍵詞|切换|转型
"""


def _compiled(*groups: str) -> re.Pattern[str]:
    """The line breaks of the tables are removed; a significant space is written as \\s."""
    return re.compile("|".join(re.sub(r"\n\s*", "", group.strip()) for group in groups))


NOISE = _compiled(_ADS, _USE, _TRAINING, _VERSIONS, _WEIGHTS, _TALK, _FAULTS, _ASIDES)

FRAGMENT = re.compile(
    r"^[^\"]*\w\"|^[^(]{8,}\w\)|(?:\b(?:and|or|but|so|because|with|the|an?|of|to|for|etc|is|are|it|its|than|very)|[(\[,])\W*$",
    re.IGNORECASE,
)
"""Half a sentence: it closes what it did not open, or ends where more should come."""

FOREIGN_LOOKS = re.compile(
    "风格|風格|画风|畫風|スタイル|背景|场景|場景|シーン|插画|插畫|イラスト|卡通|建筑|建築|部屋|スタジオ|屋台"
    "|眼|髪|髮|头发|頭髮|服装|服裝|衣装|衣裝|裙|目に|顔|あご|光沢|스타일|배경|머리|의상|그림체"
    "|[\u0e00-\u0e7f\u0400-\u04ff\u0600-\u06ff]"
)
"""Signs of looks in Chinese, Japanese and Korean; texts in other scripts are not judged."""

HEADING = _compiled(
    r"""^(?:how\s+to|usage|use|using|install\w*|tips?|settings?|recommend\w*|suggest\w*|parameters?|config\w*|prompts?\b|trigger\w*|keywords?|tags?\b|weights?|strength
    |version\w*|v\d|change\s?log|updates?|history|notes?\b|train\w*|dataset|details?\s+about\s+training|credits?|thanks
    |acknowledg\w*|support\w*|donat\w*|links?|social
    |contact|commission\w*|faq|licen[sc]e|disclaimer|terms|permission\w*|requirements?|models?\s+used|checkpoints?|examples?
    |gallery|samples?|resources?|limitations?
    |known\s+issues|to-?do|important|warning|negative)\b"""
)
"""Headings whose lines are not about the picture."""

FIRST_PERSON = re.compile(r"\bI\s+[a-z]|\bI['\u2019](?:m|ve|ll|d)\b|\b[Mm](?:y|yself|ine)\b|\bme\b")
"""Authors about themselves; `I` only before a small letter, since it is also a number."""

PADDING = re.compile(
    r"""^(?:(?:so|hi|well|basically|simply|just)[,!\s]+)?(?:(?:this|it|here|that)(?:\s+is|'s|\s+was)?\s+)?(?:(?:a|an|the|just|another|simple|small|new|quick|basic)\s+)*
    (?:(?:character|style|concept|clothing|anime|sd\s?1\.5)\s+)?(?:lora|locon|loha|lycoris|lycoris/loha
    |model)s?(?:\s+model)?\b\s*
    (?:(?:that|which|was|is|has\s+been|will|can|meant|intended|designed|created|made|trained|based|to|on|in|for|of|using
    |from|with|by|replicat\w+|imitat\w+|recreat\w+
    |generat\w+|creat\w+|mak\w+|draw\w*|produc\w+|images?|pictures?|photos?|art|around|about|approximately|\d+
    |the)\b\s*)+""".replace("\n    ", ""),
    re.IGNORECASE,
)
"""Openings without content, such as `This is a LoRA trained on 80 images of`."""

LOOKS = frozenset(
    """
    wear wearing dress outfit clothe clothing costume uniform hair eye face skin armor armour skirt
    shirt jacket hat helmet mask boot glove horn wing tail ear red blue green white black yellow
    pink purple orange gold golden silver brown colour color colorful colourful palette pastel neon
    dark bright light lighting glow glowing shadow line lineart outline sketch drawing draw drawn
    paint painting painted watercolor watercolour ink oil pencil brush stroke texture shading shade
    render rendered 3d 2d pixel cartoon comic manga anime illustration illustrator artist artwork
    photo photography photograph film cinematic portrait landscape scenery scene background city
    street building architecture house castle room interior forest tree mountain sea ocean sky
    cloud water fire smoke magic monster creature dragon robot mecha mech vehicle car ship
    spaceship weapon sword gun animal cat dog horse bird fish insect plant flower food icon logo
    map isometric chibi pose posing standing sitting holding expression smile traditional medieval
    futuristic gothic retro vintage aesthetic style character girl boy woman man protagonist
    villain heroine hero game movie series novel episode
    """.split()
)
"""Singular words of looks."""

_VAGUE = frozenset(
    """style character girl boy woman man game movie series novel episode anime art artist
    artwork aesthetic image picture photo scene background drawing draw drawn render rendered
    pose""".split()
)

SPECIFIC_LOOKS = LOOKS - _VAGUE
"""A sentence with one of these is about the picture."""

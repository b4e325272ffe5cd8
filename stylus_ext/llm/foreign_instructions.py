"""Words of other languages by which a text tells a language model what to do.

Two lists for each language: to disregard its rules, and to choose what speaks.
"""

from __future__ import annotations

_DISREGARD = r"""
    ignorier\w*|missacht\w*|vergiss\b|vergesst\b
    | ignorez?\s+(?:les|toutes?|tout|ce|vos|tes|la)\b|oublie[zs]?\s+(?:les|toutes?|tout|ce|vos|tes)\b|ne\s+tiens?\s+pas\s+compte
    | ignor(?:a|e|en|ad)\s+(?:las?|los|todas?|todo|este|esta|tus?|sus)\b|olvida\w*\s+(?:las?|los|todas?|todo|tus?)\b|descart[ae]\s+(?:las?|los|todas?)\b
    | ignor[ai]\w*\s+(?:le|tutte|tutti|ogni|tutto|queste|qualsiasi)\b|dimentica\w*\s+(?:le|tutte|tutto|ogni)\b
    | ignore\s+(?:as|os|todas?|todos|tudo)\b|esque[cç]a\s+(?:as|os|todas?|tudo)\b|desconsidere\b
    | negeer\b|vergeet\s+(?:alle|de|alles)\b
    | (?:z)?ignoruj\b|zapomnij\s+o\b|pomi[nń]\s+(?:wszystkie|zasady)\b
    | игнорир\w*|проигнорир\w*|забудь\w*|не\s+обращай\s+внимани\w*|ігнору\w*|забудьте\s+про
    | ignoruj\w*\s|zapome[nň]\w*\s+na\b|figyelmen\s+k[ií]v[uü]l|ignor[aă]\s+(?:toate|regulile|instruc)|uit[aă]\s+(?:de|tot)\b
    | yok\s+say|g[oö]z\s+ard[iı]\s+et|g[oö]rmezden\s+gel|unut\s+(?:her|t[uü]m|kurallar)|kurallar[iı]\s
    | ignorera\s|bortse\s+fr[aå]n|gl[oö]m\s+(?:alla|allt)\b|se\s+bort\s+fra|glem\s+(?:alle|alt)\b|ignor[eé]r\s+(?:alle|reglerne)|ohita\s|unohda\s+(?:kaikki|s[aä][aä]nn)
    | αγνοησ\w*|αγνόησ\w*|ξεχασ\w*|ξέχασ\w*
    | b[oỏ]\s+qua\s+(?:m[oọ]i|t[aấ]t|c[aá]c|nh[uữ]ng)|ph[oớ]t\s+l[oờ]|qu[eê]n\s+(?:m[oọ]i|t[aấ]t|nh[uữ]ng)
    | abaikan\b|lupakan\b|huwag\s+pansinin|puuza\s|sahau\s+(?:sheria|maagizo)
    | تجاهل|تجاهلي|انس\s|إنس|לא\s+להתייחס|התעלמ|התעלם|תתעלם|שכח\s|نادیده|فراموش\s+کن
    | अनदेखा|नज़रअंदाज़|नजरअंदाज|भूल\s+जा|উপেক্ষা|ভুলে\s+যাও|புறக்கணி|మరచిపో|విస్మరించ
    | เพิกเฉย|ไม่ต้องสนใจ|ละเว้น|ลืมคำสั่ง|មិនអើពើ
    | 忽略|无视|無視|忘记(?:所有|之前|以上|规则)|忘掉|忘れ|不要理会|不要遵守|무시|잊어|따르지\s*마
"""  # noqa: E501
_CHOOSE = r"""
    w[aä]hl\w*\s+(?:immer|nur|mich|diese[ns]?|stets)\b|nimm\s+(?:immer|nur|mich|diese[ns]?)\b
    | chois(?:is|issez|ir)\b|s[eé]lectionne[zs]?\s+(?:toujours|uniquement|celui|cet|cette|ce|moi)\b|prends?\s+(?:toujours|uniquement|celui)\b
    | (?:elige|elija|escoge|escoja|eleg[ií]|selecciona|seleccione)\s
    | (?:scegli|scegliete|seleziona|selezionate)\s
    | (?:escolha|escolhe|selecione|seleciona)\s
    | (?:kies|selecteer)\s+(?:altijd|alleen|deze|dit|mij)\b
    | wybierz\b|wybieraj\b|zawsze\s+wybier
    | выбер\w*|выбира[йт]\w*|выбрать\s+(?:этот|эту|меня|только)|обери\w*|вибер\w*
    | vyber\w*\s+(?:v[zž]dy|toto|tento|jen|m[eě])|v[aá]laszd\b|alege\b|aleg[ei]ți\b
    | (?:hep|her\s+zaman|yaln[iı]zca|sadece|beni|bunu)\s+(?:\w+\s+)?se[cç]|se[cç]in\b
    | v[aä]lj\s+(?:alltid|bara|denna|detta|mig)\b|v[aæ]lg\s+(?:altid|alltid|kun|denne|dette|mig|meg)\b|valitse\s+(?:aina|vain|t[aä]m[aä]|minut)
    | επιλεξ\w*|επίλεξ\w*|διαλεξ\w*|διάλεξ\w*
    | (?:h[aã]y|lu[oô]n)\s+ch[oọ]n|ch[oọ]n\s+(?:t[oô]i|c[aá]i\s+n[aà]y|duy\s+nh[aấ]t)|pilih(?:lah)?\s+(?:selalu|hanya|ini|saya|aku|yang)\b|selalu\s+pilih|piliin\s+mo|chagua\s
    | اختر|اختاري|اختاروا|בחר\s|תבחר|בחרו|انتخاب\s+کن
    | चुनें|चुनो|चुनिए|বেছে\s+নাও|নির্বাচন\s+কর|தேர்ந்தெடு|ఎంచుకో
    | เลือกอันนี้|เลือกเฉพาะ|ให้เลือก|ต้องเลือก
    | (?:请|必须|只能|总是|一定要?|永远)\s*(?:选|使用此|采用)|选择(?:我|此|这个|该)|選擇(?:我|此|這)|選んで|選択して|必ず(?:選|使)|을?\s*선택(?:해|하세|하라|하십)
"""  # noqa: E501
_ORDERS = r"""
    (?:neue|geheime)\s+(?:anweisung|regel)\w* | nouvelles?\s+(?:instructions?|consignes?|r[eè]gles?) | nuevas?\s+(?:instrucci|reglas|[oó]rdenes)\w*
    | nuove\s+(?:istruzioni|regole) | novas\s+(?:instru[cç]|regras)\w* | nowe\s+(?:instrukcj|zasady|polecen)\w* | новы[ех]\s+(?:инструкц|правил|указан)\w*
    | (?:新(?:しい)?(?:的)?|以下の?)(?:指示|指令|规则|規則|ルール) | 系统提示|系統提示|システムプロンプト|시스템\s*프롬프트|새로운\s*(?:지시|규칙)|системн\w+\s+(?:промпт|сообщен)\w*
    | du\s+bist\s+(?:jetzt|nun|ab\s+sofort)\b | tu\s+es\s+(?:maintenant|d[eé]sormais)\b | (?:ahora|desde\s+ahora)\s+eres\b | eres\s+ahora\b | ora\s+sei\b | agora\s+voc[eê]\s+[eé]\b
    | ты\s+теперь\b|теперь\s+ты\b | 你现在是|你現在是|あなたは今|당신은\s*이제 | sen\s+art[iı]k\b | أنت\s+الآن | תשובה\s*: | النظام\s*: | 系统\s*[:：] | システム\s*[:：]
"""  # noqa: E501

FOREIGN = rf"(?:{_DISREGARD} | {_CHOOSE} | {_ORDERS})"

"""Words that say little by themselves: as a name they need more beside them, and how a thing is
does not say which thing it is.

Put together by hand; in the form in which `content_words` gives them. A catalogue cannot tell: in
one folder each may stand once.
"""

from __future__ import annotations

COMMON = frozenset(
    """fern power rose lily ruby violet amber ivy jade pearl crystal diamond opal sapphire emerald
    hope faith grace joy mercy angel
    star moon sun nova comet raven robin swan crow wolf fox cat dog tiger lion bear bird fish horse
    rabbit dragon phoenix snake
    spider blade ash snow storm rain cloud fog mist wind thunder river lake sea ocean sky hill
    mountain forest tree wood leaf flower
    garden field meadow desert beach island cave valley path road street alley city town village
    house home castle tower church
    temple bridge door window wall floor roof room kitchen bedroom bathroom office school shop
    market station park farm barn
    king queen prince princess knight witch wizard mage maid nurse doctor pirate ninja samurai
    soldier hero villain joker hunter
    archer thief monk priest elf fairy ghost demon devil vampire zombie robot cyborg alien monster
    giant baby child girl boy
    woman man lady guy person people human couple family friend crowd face head hair eye ear nose
    mouth lip hand arm leg foot body
    skin tail wing horn hat cap coat jacket shirt dress skirt pant jean shoe boot glove scarf belt
    bag ring necklace crown mask
    glasses goggle sword gun knife bow shield armor helmet staff book lamp candle lantern clock
    watch bell key box bottle cup
    glass plate bowl table chair bed sofa car truck bus train ship boat plane bike bicycle
    motorcycle phone camera computer
    guitar piano drum violin food bread cake apple orange cherry berry peach melon lemon coffee tea
    wine water fire ice light
    shadow smoke dust sand stone rock metal iron steel silver gold copper bronze paper glow spark
    flame lava
    smile laugh look sit stand walk run jump fly swim sleep dance fight kiss hug read write draw
    sing play eat drink
    summer winter spring autumn fall morning evening night day noon dawn dusk sunset sunrise
    midnight christmas halloween
    love life death dream war peace magic music art time space world future past nature war speed
    energy beauty style photo
    portrait picture scene background landscape view long short big small old young new dark bright
    soft warm cold wet dry
    detail texture color pattern line shape max ace echo sky blaze frost hunt scarlet hazel olive
    sage clover daisy iris jasmine
    poppy summer april may june august charity honor justice liberty glory destiny harmony melody
    serenity trinity victoria""".split()
)

ATTRIBUTES = frozenset(
    """red orange yellow green blue purple violet pink brown black white gray golden silver
    colorful rainbow pastel neon
    glass wooden wood metal metallic iron steel copper bronze brass gold stone marble concrete
    brick paper cardboard plastic rubber
    leather velvet silk satin lace wool woolen knitted knit denim cotton fur furry feather ceramic
    porcelain clay crystal ice
    bamboo straw wicker emerald ruby sapphire jade pearl diamond amber
    old new young ancient antique vintage retro modern classic classical futuristic traditional
    medieval victorian gothic rustic
    big huge large giant gigantic tiny small little mini long short tall wide narrow thick thin
    round square flat
    dark light bright pale deep soft hard smooth rough wet dry clean dirty dusty rusty broken
    cracked ruined abandoned overgrown
    cozy fluffy cute pretty beautiful ornate fancy elegant simple plain striped spotted floral
    crooked curved
    happy sad angry scary spooky creepy magical mystical mysterious enchanted
    hot cold warm rainy sunny snowy foggy misty stormy winter summer spring autumn christmas
    halloween night day morning evening
    steam electric flying sitting standing running walking open closed empty full realistic
    cinematic""".split()
)
"""What a thing is made of, how it looks, and when."""

"""How much each character is to be expected in the languages that are written in more than ASCII.

A cost is the negative logarithm of a rough probability: what is twice as rare costs 0.7 more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import exp, log

UPPER = 1.0
FOREIGN = 12.0
# What a letter beyond ASCII costs where most of a word's letters are in ASCII.
SELDOM = 2.5
# The most frequent first.
SYMBOLS = "\u00a0€’–“”°£…«»®²½™§³—‘•·×µ±©¡¿º¼¾„ª¹÷´¢¥‚¨¬¶†‰¯¸¦¤"  # noqa: RUF001  # typography is what they are
# Of East Asian writing: shares of the most frequent characters, of those that a standard lists first, and of all others.
SHARES = (0.55, 0.42, 0.03)
OTHERS = 12_000
EAST_ASIAN = "\u2e80"  # the first of its characters


@dataclass(frozen=True)
class Language:
    """A language by its letters beyond ASCII, the most frequent first.

    Attributes:
        name: For people.
        letters: Of its alphabet in lower case; of East Asian writing the most frequent characters.
        is_latin: Whether the other letters of its words are in ASCII.
        steepness: How much rarer the last letter is than the first; 3.3 is e^-3.3, a 27th.
        standard: For East Asian writing: an encoding, and the first bytes in it of the characters that are in everyday use.
    """

    name: str
    letters: str
    is_latin: bool = False
    standard: tuple[str, range] | None = None
    steepness: float = 3.3

    @cached_property
    def costs(self) -> dict[str, float]:
        """Give the cost of each letter."""
        count = len(self.letters)
        if self.standard:
            return dict.fromkeys(self.letters, -log(SHARES[0] / count))
        step = self.steepness / count
        most = log((1 - exp(-self.steepness)) / (1 - exp(-step)))
        costs = {letter: most + step * rank + (SELDOM if self.is_latin else 0) for rank, letter in enumerate(self.letters)}
        return costs | {letter.upper(): cost + UPPER for letter, cost in costs.items() if letter.upper() != letter}

    def cost(self, character: str) -> float:
        """Give the cost of a letter beyond ASCII, whatever stands around it."""
        cost = self.costs.get(character)
        if cost is not None:
            return cost
        if self.standard and character >= EAST_ASIAN:
            code = character.encode(self.standard[0], errors="ignore")
            usual = code[0] in self.standard[1] if len(code) == 2 else False
            return -log(SHARES[1] / (94 * len(self.standard[1]))) if usual else -log(SHARES[2] / OTHERS)
        return FOREIGN


LANGUAGES = (
    Language("French", "éèàêçâîôûùëïœÿ", is_latin=True, steepness=8),
    Language("German", "üäöß", is_latin=True),
    Language("Spanish", "óíáéñúü", is_latin=True),
    Language("Portuguese", "ãçáéíóêõâúôàü", is_latin=True),
    Language("Italian", "àèùòìé", is_latin=True),
    Language("Dutch", "ëéïöüèó", is_latin=True),
    Language("Albanian", "ëç", is_latin=True),
    Language("Catalan", "àèóòéíçúïü", is_latin=True),
    Language("Swedish", "äöåé", is_latin=True),
    Language("Danish", "øåæéöä", is_latin=True),
    Language("Icelandic", "áíðéöúþóæý", is_latin=True),
    Language("Czech", "íáéěřýžčšůúňťďó", is_latin=True),
    Language("Slovak", "áíéýčžšúťľôňäďóĺŕ", is_latin=True),
    Language("Polish", "łęąóśżćńź", is_latin=True),
    Language("Hungarian", "áéöóőíüúű", is_latin=True),
    Language("Romanian", "ăţşîâșț", is_latin=True),
    Language("Croatian", "čšžćđ", is_latin=True),
    Language("Turkish", "ıüşğçöİâîû", is_latin=True),
    Language("Estonian", "äõüöšž", is_latin=True),
    Language("Latvian", "āīēšūņļžķģč", is_latin=True),
    Language("Lithuanian", "ėšįžūųčęą", is_latin=True),
    Language("Russian", "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё"),
    Language("Ukrainian", "оаниівтерслкудмпзяьбгйчхцїжєшюфщґ’"),
    Language("Bulgarian", "аиоетнрсвлкдпмзгяъубчцжщхюшфйь"),
    Language("Serbian", "аиоенрсјтукдвмплзгбчшцњћжђхљфџ"),
    Language("Greek", "αοιετνσηρπκλυμςωγδάίέθόχήφξύβώζψϊϋΐΰ"),
    Language("Hebrew", "יוהלאתרבמשנםדעחקפטגכזסןצךףץ"),
    Language("Arabic", "اليمنوتربةدعفسهكقحجشصطخضذثزغظءآأإؤئىپچژگ"),
    Language("Thai", "านรอกเงมยลวดทต่ะคสปบแ้ิัีขชจพห์ไุใโูำืถผ็ซธภศษณญฟฝฤฉๆฐฎฏฑฒฆฌฬฮ"),
    Language(
        "Japanese",
        "のいなにとしてるたはをんすがでれさっくかもうまこあけりだよおそえらちつみきめわせどろひやほ"
        "ーンスルトリイクアラシタッジドコレプマバテカフサデキメグニロブオダボパミウチハビネピモワャュョ"
        "京東大県市山川島田本中阪北町新神戸屋横浜名古海道福岡広宮千葉埼玉長野奈良静愛知城日区村松高石木",
        standard=("euc_jp", range(0xB0, 0xD0)),
    ),
    Language(
        "Chinese",
        "的市州山江海北南京上广东西安天津重庆成都武汉深圳河湖苏浙福建云贵川省区县大小中国新长沙门青岛宁波家华阳城龙林"
        "红绿白黑色电机器茶水果鱼肉米油酒纸笔灯车床椅桌门窗不锈钢木一是了在人有我他这个们来到时地为子年生",
        standard=("gb2312", range(0xB0, 0xD8)),
    ),
    Language(
        "Traditional Chinese",
        "的市州山江海北南京上廣東西安天津重慶臺台中高雄新竹桃園縣區湖河香港灣龍華花蓮嘉義屏雲林基隆苗栗彰化宜蘭大小國長門"
        "紅綠白黑色電機器茶水果魚肉米油酒紙筆燈車床椅桌窗不鏽鋼木一是了在人有我他這個們來到時地為子年生",
        standard=("big5", range(0xA4, 0xC7)),
    ),
    Language(
        "Korean",
        "이다는에의가을하고로한지사인기도를시리은대서나자어스정아그부수구동전라해국일장보산성주원제오여관상위안신공만울천"
        "광경개비용과들년면회조마무남소트드크르모마카파타바차민강북포진창평양물색통",
        standard=("euc_kr", range(0xB0, 0xC9)),
    ),
)

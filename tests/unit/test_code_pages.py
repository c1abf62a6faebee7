"""Twenty-one languages in the code pages that people save them in: words of cities and goods, from one to all of them."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import NamedTuple

import pytest

from tasks.core.reading.blob import Blob
from tasks.core.reading.code_pages import Choice, choose_page, fits
from tasks.core.reading.encodings import decode

WESTERN = "cp1252 iso8859_15 cp850 mac_roman"
CENTRAL = "cp1250 iso8859_2 cp852"
CYRILLIC = "cp1251 koi8_r iso8859_5 cp866 mac_cyrillic"
LANGUAGES = {
    "German": (f"{WESTERN} cp437", "Zürich Köln München Düsseldorf Nürnberg Käse Brötchen Schlüssel Gewürz Großhändler Kühlschrank Äpfel"),
    "French": (WESTERN, "Besançon Orléans Nîmes Liège Bézier Crème Pâté Thé Sécateur Théière Fenêtre Mûre Lumière Noël Gruyère"),
    "Spanish": (WESTERN, "Málaga Cádiz Córdoba León Logroño Jamón Piña Azúcar Jabón Lámpara Cinturón Sillón Bogotá Medellín"),
    "Portuguese": (WESTERN, "Brasília Goiânia Belém Maceió Coimbrões Pão Açúcar Limão Calção Relógio Cadarço Colchões Maçã Guimarães"),
    "Swedish": (WESTERN, "Göteborg Malmö Västerås Örebro Linköping Umeå Jönköping Kött Smör Räkor Fåtölj Gräddfil Lök Hjortrongelé"),
    "Polish": (CENTRAL, "Łódź Kraków Wrocław Gdańsk Poznań Białystok Rzeszów Toruń Świeca Żarówka Krzesło Mąka Gęś Stół Śledź"),
    "Czech": (CENTRAL, "Plzeň Ústí Jičín Třebíč Kroměříž Přerov Židle Stůl Máslo Mouka Žárovka Měď Šroub Čaj Rýže Hřebík"),
    "Hungarian": (CENTRAL, "Győr Pécs Székesfehérvár Kecskemét Tőszeg Hűtő Kávé Szék Gyertya Törölköző Lámpa Fűszer Sütő Bőrönd"),
    "Romanian": (
        "cp1250 iso8859_2",
        "Timişoara Braşov Iaşi Galaţi Bacău Piteşti Brăila Pâine Făină Cuţit Fereastră Ceaşcă Lumânare",
    ),
    "Turkish": (
        "cp1254 iso8859_9",
        "İzmir Eskişehir Şanlıurfa Muğla Aydın Çorum Kırşehir Peynir Çağlayan Işık Bıçak Şeker Yağ Kaşık",
    ),
    "Lithuanian": ("cp1257", "Šiauliai Panevėžys Kėdainiai Mažeikiai Plungė Druskininkų Kėdė Šviesa Žuvis Sūris Grūdai Aliejų Varškė"),
    "Russian": (CYRILLIC, "Москва Казань Самара Пермь Тула Рязань Ярославль Хлеб Масло Стол Лампа Гвоздь Чайник Сахар Молоко Рыба"),
    "Ukrainian": ("cp1251 koi8_u", "Київ Львів Харків Одеса Чернівці Вінниця Цукор Олія Стіл Ліжко Цвях Сіль Їжак Ґудзик Свічка Хліб"),
    "Greek": ("cp1253 iso8859_7", "Αθήνα Πάτρα Λάρισα Βόλος Ιωάννινα Χανιά Ψωμί Λάδι Τραπέζι Καρέκλα Αλάτι Ζάχαρη Γάλα Τυρί Καφές"),
    "Hebrew": ("cp1255", "ירושלים חיפה אשדוד נתניה חולון לחם סוכר שולחן כיסא מנורה חלב גבינה מסמר שמן מלח קפה"),
    "Arabic": ("cp1256", "القاهرة بغداد دمشق عمان الرياض خبز سكر طاولة كرسي مصباح حليب جبن مسمار زيت ملح قهوة"),
    "Thai": ("cp874", "กรุงเทพ เชียงใหม่ ภูเก็ต ขอนแก่น ข้าว น้ำตาล โต๊ะ เก้าอี้ โคมไฟ นม ชีส ตะปู น้ำมัน เกลือ กาแฟ"),
    "Japanese": ("cp932 euc_jp", "東京 大阪 札幌 さいたま つくば 名古屋 りんご しょうゆ テーブル いす ランプ ミルク チーズ くぎ 砂糖 塩"),
    "Chinese": ("gb18030", "北京 上海 广州 乌鲁木齐 哈尔滨 面包 白糖 桌子 椅子 台灯 牛奶 奶酪 钉子 花生油 食盐 咖啡"),
    "Traditional Chinese": ("big5", "臺北 高雄 許功蓋 臺南 新竹 麵包 白糖 桌子 椅子 檯燈 牛奶 乳酪 釘子 花生油 食鹽 咖啡"),
    "Korean": ("cp949", "서울 부산 대구 인천 광주 빵 설탕 책상 의자 램프 우유 치즈 못 식용유 소금 커피"),
}


class Case(NamedTuple):
    language: str
    page: str
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        return "name;size\n" + "".join(f"{word};{place}\n" for place, word in enumerate(self.words))

    @property
    def result(self) -> str:
        decoded = decode(Blob(self.text.encode(self.page)), "t.csv")
        if decoded.text.whole() == self.text:
            return "right"
        return "told" if "guessed" in decoded.repairs[0].detail else "silent"


def foreign_words(language: str, page: str) -> list[str]:
    words = [word for word in LANGUAGES[language][1].split() if not word.isascii()]
    return [word for word in words if word.encode(page, errors="replace").decode(page) == word]


@cache
def cases(count: int) -> tuple[Case, ...]:
    """Give each language in each page: so many words of it, all of them in turns."""
    found: list[Case] = []
    for language, (pages, _) in LANGUAGES.items():
        for page in pages.split():
            words = foreign_words(language, page)
            found += [Case(language, page, tuple(words[at : at + count])) for at in range(0, len(words) - count + 1, count)]
    return tuple(found)


@pytest.mark.parametrize(("count", "right"), [(1, 0.6), (3, 0.8), (10, 0.98)])
def test_a_code_page_is_found_or_its_guess_is_told_but_never_silently_wrong(count: int, right: float) -> None:
    results = {case: case.result for case in cases(count)}
    assert not [case for case, result in results.items() if result == "silent"]
    assert Counter(results.values())["right"] >= right * len(results)


@pytest.mark.parametrize("text", ["Zürich", "12 °C", "5 €", "it’s", "Málaga", "Besançon", "naïve"])
def test_one_word_of_the_west_is_enough(text: str) -> None:
    assert decode(Blob(text.encode("cp1252")), "t.csv").text.whole() == text


def test_what_two_pages_read_differently_is_told_letter_by_letter() -> None:
    choice = choose_page(lambda: ["España, España".encode("cp1252")])
    assert choice == Choice("cp1252", "cp1250 would read 'ń' for 'ñ'")


def test_the_same_word_again_is_no_further_evidence() -> None:
    once, often = (choose_page(lambda count=count: ["España;1\n".encode("cp1252") * count]) for count in (1, 1000))
    assert once == often


def test_a_sign_that_stands_late_in_a_file_counts_too() -> None:
    early = [f"Zürich{chr(97 + place % 26)}{chr(97 + place // 26)}\n".encode("cp1252") for place in range(400)]
    assert choose_page(lambda: [*early, "España\n".encode("cp1252")]).doubt == "cp1250 would read 'ń' for 'ñ'"


def test_bytes_that_no_page_makes_sense_of_are_not_told_as_certain() -> None:
    assert choose_page(lambda: [bytes(range(0x80, 0x100))]).doubt == "which makes odd text of it"


def test_lines_that_are_utf8_by_chance_are_read_as_the_others() -> None:
    words = ["北京", "上海", "茶", "咖啡", "桌子", "猫", "台灯", "牛奶"]
    text = "名称;数\n" + "".join(f"{word};{place}\n" for place, word in enumerate(words))
    lines = text.encode("gb18030").splitlines()
    assert 0 < sum(fits(line, "utf-8") for line in lines) < len(lines)
    decoded = decode(Blob(text.encode("gb18030")), "t.csv")
    assert (decoded.text.whole(), decoded.encoding) == (text, "gb18030")

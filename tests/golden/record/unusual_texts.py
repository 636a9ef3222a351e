"""3,000 unusual texts, drawn from a fixed seed: every block of Unicode, and what tokenizers treat specially."""
import json
import random
import sys
import unicodedata

COUNT = 3000
SPECIAL = ["[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "<s>", "</s>", "<mask>", "<pad>", "<unk>", "[mask]", "＜mask＞", "<0x41>",
           "▁", "▁▁", "<user>", "good film", "[X]", "|||IP_ADDRESS|||", "<s>NOTUSED", "##s", "``", "''", "$&", "$1"]
SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\u0085", "\u00a0", "\u1680", "\u2002", "\u2009", "\u200b", "\u2028", "\u2029",
          "\u202f", "\u205f", "\u3000", "\ufeff", "\u180e", "\u0000", "\u000b", "\u000c", "\u001f", "\u007f", "\u008f", "\u009f", "\ufffd"]
MARKS = ["\u0301", "\u0308", "\u0327", "\u0323", "\u0345", "\u0334", "\u20dd", "\u20e3", "\ufe0f", "\ufe0e", "\u200d", "\u200c", "\u0e33",
         "\u0e31", "\u093f", "\u094d", "\u0bcd", "\u05b0", "\u064e", "\u0670", "\u3099", "\u309a", "\uff9e", "\u0897", "\u1add", "\U0001d165", "\u0903"]
PIECES = ["a", "B", "é", "e\u0301", "Å", "ﬁ", "ﬃ", "½", "①", "™", "ſ", "ß", "ẞ", "İ", "ı", "Σ", "ς", "ΟΔΟΣ", "Ǆ", "ǆ", "ﷺ", "㍿", "㌖", "ｶﾞ", "ガ", "가",
          "\u1100\u1161\u11a8", "각", "\u1112\u1161\u11ab", "ㅎㅏㄴ", "中", "𠀀", "𫠠", "﨑", "豈", "〜", "～", "—", "…", "’", "“", "'s", "n't", "don't", "7", "٣",
          "1,000", "9,", "Ⅳ", "²", "🤷🏻", "👩\u200d🚀", "🇫🇷", "👨\u200d👩\u200d👧", "❤\ufe0f", "1\ufe0f\u20e3", "😀", "שָׁלוֹם", "مرحبا", "لله", "नमस्ते", "สวัสดี", "ກຳ", "தமிழ்",
          "\u0600a", "\u06dd1", "\u070f\u0710", "\u0d4eക", "\U000110bd\U00011083", "\u2066rtl\u2069", "\u200fא", "\u202eabc\u202c", "\u00ad", "\u2060", "film", "good", "The", "unbelievable",
          "iPhone15", "https://a.b/c?d=e&f=g#h", "x@y.zz", "C:\\d\\e", "a_b", "---", "!!!", "?!", "#tag", "10:30", "3.14", "-7", "50%", "$9", "€9", "\U0001e944", "\u166d", "\U00011083",
          "\U0001fbf0", "\u32ff", "ꭩ", "\U000105d2\u0307", "\U000113c2\U000113c2", "\u1cf2", "\u1734", "\U0001171e", "\u08e2", "\U00013430", "\U00010940", "\u0c5c", "\U00011de5"]


def blocks():
    """One text of each 64 code points, some of which are assigned."""
    for first in range(0, 0x30000, 64):
        if 0xD800 <= first < 0xE000 or 0x3400 <= first < 0x9FC0 and first % 2048 or 0xAC00 <= first < 0xD7A0 and first % 1024:
            continue
        if 0xE040 <= first < 0xF900 or 0x20000 <= first < 0x2FA00 and first % 2048:
            continue
        characters = [chr(code) for code in range(first, first + 64)]
        if any(unicodedata.category(character) != "Cn" for character in characters):
            yield characters
    for first in (0x2FA00, 0x30000, 0x31340, 0x323B0, 0xE0000, 0xE0040, 0xE0100, 0xF0000, 0x10FFC0):
        yield [chr(code) for code in range(first, first + 64)]


def texts():
    draw = random.Random(20261126)
    for characters in blocks():
        some = sorted(draw.sample(characters, 24))
        yield "".join(some[:12]) + " a" + " ".join(some[12:18]) + draw.choice(SPACES) + "".join(f"x{c}y1{c}" for c in some[18:])
    yield from SPECIAL + SPACES + MARKS + PIECES
    yield from ["", "a" * 101, "a" * 100 + " b", "ab" * 2000, "中" * 300, "é" * 200, "e\u0301" * 150, " " * 50, "a " * 300, "\u0301" * 40, "👨\u200d" * 30 + "👩"]
    for special in SPECIAL:
        for space in SPACES[:8]:
            yield f"film{space}{special}{space}good"
        yield f"{special}{special} {special}a{special}"
    while True:
        parts = []
        for _ in range(draw.randrange(1, 14)):
            parts.append(draw.choice(draw.choice([PIECES, PIECES, PIECES, MARKS, SPACES, SPECIAL, [" "], [" "], [" "]])))
            if draw.random() < 0.1:
                code = draw.randrange(0x20, 0x20000)
                parts.append(chr(code) if not 0xD800 <= code < 0xE000 else "\u00df")
        yield "".join(parts)


def unusual():
    source = texts()
    return [next(source) for _ in range(COUNT)]


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write("".join(json.dumps(text) + "\n" for text in unusual()))

"""The texts that the set is recorded from. Everything here is made up for the set and drawn from fixed seeds."""
import random

SEED = 20261125

# The label names of the three classes, in order of their ids.
LABELS = ["negative", "mixed", "positive"]

# One sentence for each kind of text that a tokenizer treats specially.
SENTENCES = [
    "the second act drags , but the final scene is worth the wait",
    "",
    " \t two  spaces,\u00a0a no-break space  and a tab\tinside ",
    "She wouldn't say it's \"finished\"... it cost $9.99 (or 12%) & 3 weeks; #2 @the_studio!",
    "Zoë’s crème brûlée – déjà vu at the Ågård café, naïve or not …",
    "这家餐厅的面条很好吃。",
    "mixed 中文 words混排abc and 456 numbers",
    "so good 😀🎉 👩\u200d🚀 flag 🇫🇷 yes👏🏿",
    "[SEP] a [MASK] in [CLS] the [PAD] text [UNK] <mask> <s> </s> <pad> [sep]",
    "pneumonoultramicroscopicsilicovolcanoconiosis " + "y" * 130 + " end",
    "it goes on and on , " * 12,
    "날씨가 좋네요. 今日はいい天気ですね、カフェで。",
    "Доброе утро, Ёж! Καλημέρα ΟΔΥΣΣΕΥΣ ς",
    "zero\u200bwidth soft\u00adhyphen bell\x07 nul\x00 bad\ufffdchar bom\ufeff line\u2028end",
    "see https://docs.example.org/x?y=1&z=2#top or mail first.last+tag@example.net D:\\logs\\run.txt 9,876.5 -7 1e-3 a_b",
    "Iğdır İzmir Großstadt ﬂow Ⅳ ⅓ ＷＩＤＥ ẞ ǆ שלום مرحبا नमस्ते สวัสดี",
]

SUBJECTS = ["the plot", "the lead actor", "her new film", "the sequel", "this short comedy", "the score", "the camera work",
            "a tired remake", "the dialogue", "the whole cast", "his debut", "the ending", "that old story", "the director 's cut"]
VERDICTS = {
    0: ["is dull and far too long", "never finds its feet", "falls apart by the middle", "wastes a good idea", "left the room cold",
        "is as flat as the jokes in it", "tries hard and fails"],
    1: ["starts well but loses its way", "has good and bad moments", "is fine , nothing more", "is better than its title",
        "works about half of the time", "may please the fans alone"],
    2: ["is warm , funny and smart", "holds the tension to the end", "is a quiet triumph", "earns every laugh",
        "looks wonderful on a big screen", "stays with you for days", "is the best thing in years"],
}
TAILS = ["", "", ", for what it is worth", "and one knows it early on", ", even for a summer release", "in spite of the music",
         ", despite a low budget", "on a second viewing", ", i thought", "from the first scene to the last"]


def labelled_lines(count: int, seed: int, weights=(2, 1, 3)) -> list:
    """Reviews with their labels: (text, label)."""
    draw = random.Random(seed)
    lines = []
    for _ in range(count):
        label = draw.choices(range(len(LABELS)), weights)[0]
        parts = [draw.choice(SUBJECTS), draw.choice(VERDICTS[label]), draw.choice(TAILS)]
        lines.append((" ".join(part for part in parts if part), label))
    return lines


def tsv(lines) -> str:
    return "".join(f"{text}\t{label}\n" for text, label in lines)


TRAIN_LINES = labelled_lines(160, SEED)

# NeMo's own samples for inference at the end of its script.
INFER_SAMPLES = [
    "by the end of no such thing the audience , like beatrice , has a watchful affection for the monster .",
    "director rob marshall went out gunning to make a great one .",
    "uneasy mishmash of styles and genres .",
]

# What the tokenizers are trained on.
CORPUS = [text for text, _ in TRAIN_LINES] + SENTENCES + INFER_SAMPLES * 2 + [text.title() for text, _ in TRAIN_LINES[:40]]

# Lines of a TSV that NeMo reads in its own way: a header, no label, no tab, several tabs, other integers.
EDGE_LINES = (
    "text\tclass\n"
    "quite good\t2\n"
    "\tso   so \t 1\n"
    "nobody labelled this line\n"
    "a space before the label 0\n"
    "one\ttwo\tthree\t1\n"
    "carriage return\t2\r\n"
    "\t2\n"
    "half a label\t0.5\n"
    "minus\t-2\n"
    "plus\t+2\n"
    "grouped\t1_1\n"
    "wide\t２\n"
    "the last line has no end\t1"
)
EDGE_BLANK_LINE = "quite good\t2\n\nso so\t1\n"

# Inputs of NeMo 1.8.2's dataset class, and its arguments.
DATASET_CASES = {
    "basic": ("this film was a waste of time\t0\nno laughs at all in a very long comedy\t0\na small wonder\t1\n", {"max_seq_length": 256}),
    "blank_line": ("x y\t1\n\nz\t0\n", {"max_seq_length": 256}),
    "header": ("text\tclass\nx y\t1\n", {"max_seq_length": 256}),
    "no_tab_space_label": ("nice film 1\npoor film 0\n", {"max_seq_length": 256}),
    "multi_tab": ("x\ty\tz\tw\t0\n", {"max_seq_length": 256}),
    "float_label": ("x y\t0.0\nz w\t0\n", {"max_seq_length": 256}),
    "neg_plus_underscore_label": ("x\t-3\ny\t+2\nz\t2_0\nw\t１\n", {"max_seq_length": 256}),
    "crlf": ("x y\t1\r\nz w\t0\r\n", {"max_seq_length": 256}),
    "label_only": ("1\nx y\t0\n", {"max_seq_length": 256}),
    "empty_text_tab": ("\t0\n", {"max_seq_length": 256}),
    "trunc8": ("every word of this long line is far more than eight pieces can hold\t0\na short line\t1\n", {"max_seq_length": 8}),
    "exact8": ("it has six words in it\t0\nit has seven words in it now\t1\n", {"max_seq_length": 8}),
    "num2": ("x\t1\ny\t0\nz\t1\n", {"max_seq_length": 16, "num_samples": 2}),
    "num0": ("x\t1\ny\t0\n", {"max_seq_length": 16, "num_samples": 0}),
    "unicode": ("Zoë naïve ÀÖÜ 上海很大 won't re-run 🎬 p\u0085q r\u00a0s t\u200bu\t0\nİzmir GROSS ß ﬂat [SEP] [PAD] ok\t1\n", {"max_seq_length": 64}),
    "empty_file": ("", {"max_seq_length": 64}),
    "u2028": ("x\u2028y\t0\n", {"max_seq_length": 64}),
}


def raw_data() -> dict:
    """Small raw files in the four layouts that NeMo's import_datasets.py converts: path -> text."""
    draw = random.Random(SEED + 1)
    files = {}
    two_classes = [(text, label // 2) for text, label in labelled_lines(60, SEED + 2, (1, 0, 1))]
    head = "sentence\tlabel\n"
    files["sst-2/SST-2/train.tsv"] = head + "".join(f"{text} \t{label}\n" for text, label in two_classes[:40])
    files["sst-2/SST-2/dev.tsv"] = head + "".join(f"{text} \t{label}\n" for text, label in two_classes[40:]) + 'a " quote \t0\n'
    files["sst-2/SST-2/test.tsv"] = "index\tsentence\n" + "".join(f"{i}\t{text}\n" for i, (text, _) in enumerate(two_classes[:5]))

    relations = ["CPR:3", "CPR:4", "CPR:9"]
    for name, count in (("trainingPosit_chem", 12), ("testPosit_chem", 8), ("developPosit_chem", 6)):
        rows = []
        for i in range(count):
            words = ", ".join(f"bc6entc, {draw.choice(['inhibits', 'activates', 'binds'])}, bc6entg, in, Cells".split(", "))
            relation = draw.choice(relations)
            rows.append(f"{1000 + i}\t{words}\t" + (f"True\t{relation}\n" if i % 3 else "False\t\n"))
        files[f"chemprot/recursive_chemprot_layout/{name}"] = "".join(rows)

    for split, count in (("train", 4), ("test", 2)):
        for folder, label in (("neg", 0), ("pos", 2)):
            for i in range(count):
                text = f"{draw.choice(SUBJECTS)} {draw.choice(VERDICTS[label])}.<br /><br />That is all <b>I</b> can say."
                files[f"imdb/aclImdb/{split}/{folder}/{i}_{3 if label == 0 else 8}.txt"] = f" {text}\n" if i == 0 else text

    news = {"体育": 11, "财经": 6, "游戏": 4, "科技": 1}
    for category, count in news.items():
        for i in range(count):
            files[f"thucnews/THUCNews/{category}/{i}.txt"] = f"{category}新闻第{i}条\r\n\u3000\u3000今天\t没有 大事。\n完"
    return files

#!/usr/bin/env python3
"""Records the ids that the Rust tokenizers give to unusual texts and to lines of data, for each kind of tokenizer.

    python tokenizer_ids.py OUT [--data FOLDER] [--models FOLDER]

OUT becomes a folder that `libs/tokenization/src/rust-tokenizers.golden.test.ts` reads: the repository has it as tests/golden/tokenizers, and
TOKENIZERS=OUT selects another one. --data is the folder with the raw data sets (shared/data); without it, only the unusual texts are
recorded. --models is a folder of SentencePiece models, which are recorded instead of small ones that are trained here.

Needs tokenizers==0.23.3, transformers==5.23.0, sentencepiece==0.2.3 and protobuf. It takes four minutes with the data.
"""
import argparse
import copy
import hashlib
import io
import json
import os
import pathlib
import shutil
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"

import sentencepiece
import tokenizers
import transformers
from tokenizers import normalizers, pre_tokenizers

from texts import CORPUS
from unusual_texts import unusual

HERE = pathlib.Path(__file__).resolve().parent
BLOCK = 100

# (folder or file, how its texts are taken, how many)
DATA = [
    ("sst-2/SST-2/train.tsv", "lines", 3006),
    ("thucnews/649453932_dev.txt", "lines", 3000),
    ("chemprot/scibert/train.txt", "lines", 3000),
    ("imdb/aclImdb/test/neg", "files", 600),
    ("imdb/aclImdb/test/pos", "files", 200),
    ("thucnews/THUCNews/体育", "files", 100),
    ("thucnews/THUCNews/科技", "files", 100),
]

# Of the changed kinds, those whose ids for the lines of data are recorded, too.
CHANGED_WITH_DATA = ["hub-xlm-roberta", "modernbert", "bytes"]

META = {"bos_id": -1, "eos_id": -1}
MODELS = {
    # ALBERT's layout: its five special tokens first.
    "albert": {"normalization_rule_name": "nmt_nfkc", "pad_id": 0, "unk_id": 1, "control_symbols": "[CLS],[SEP],[MASK]",
               "user_defined_symbols": "(,),£", **META},
    # Folds case; tokens of its own; a token for each byte.
    "folding": {"normalization_rule_name": "nmt_nfkc_cf", "user_defined_symbols": "<user>,good film", "byte_fallback": True},
    "identity": {"normalization_rule_name": "identity"},
}


def train(folder: pathlib.Path) -> None:
    for name, options in MODELS.items():
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS), model_writer=model, model_type="unigram", vocab_size=620 if name == "folding" else 360,
            hard_vocab_limit=False, num_threads=1, minloglevel=2, **options)
        (folder / f"{name}.model").write_bytes(model.getvalue())


def data_texts(root: pathlib.Path) -> list:
    texts = []
    for path, how, count in DATA:
        if how == "lines":
            texts += (root / path).read_bytes().decode("utf-8").split("\n")[:count]
        else:
            texts += [file.read_bytes().decode("utf-8") for file in sorted((root / path).iterdir(), key=lambda file: file.name)[:count]]
    return texts


def digests(ids: list) -> list:
    """One digest for each block of texts."""
    lines = [" ".join(map(str, row)) for row in ids]
    return [hashlib.sha256("\n".join(lines[at:at + BLOCK]).encode()).hexdigest()[:12] for at in range(0, len(lines), BLOCK)]


class Recorder:
    def __init__(self, out: pathlib.Path, data: list):
        self.out, self.data, self.kinds = out, data, []
        self.unusual = unusual()

    def ids(self, tokenizer, name: str, is_changed: bool) -> dict:
        def encode(texts):
            return digests([encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)])

        tokenizer.no_truncation()
        has_data = self.data and (not is_changed or name in CHANGED_WITH_DATA)
        return {"unusual": encode(self.unusual), **({"data": encode(self.data)} if has_data else {})}

    def converted(self, name: str, model: pathlib.Path, file: str, class_name: str, config=None, extra=None) -> None:
        """A SentencePiece model as transformers converts it."""
        folder = self.out / name
        folder.mkdir()
        shutil.copy(model, folder / file)
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": class_name, **(config or {})}, indent=1) + "\n")
        for other, content in (extra or {}).items():
            (folder / other).write_text(json.dumps(content, indent=1) + "\n")
        self.record(name, transformers.AutoTokenizer.from_pretrained(folder))

    def vocabulary(self, name: str, class_name: str, files: dict, config=None) -> None:
        folder = self.out / name
        folder.mkdir()
        for file, content in files.items():
            (folder / file).write_text(content, encoding="utf-8")
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": class_name, **(config or {})}, indent=1) + "\n")
        self.record(name, transformers.AutoTokenizer.from_pretrained(folder))

    def record(self, name: str, tokenizer) -> None:
        backend = json.loads(tokenizer.backend_tokenizer.to_str())
        built = {part: backend[part] for part in ("added_tokens", "normalizer", "pre_tokenizer")}
        text = json.dumps(built, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        pairs = []
        for first, second in (("a good film", "two  spaces"), ("the plot " * 9, "dull"), ("dull", "the score " * 9), ("the cast " * 9, "the ending " * 9), ("", "dull")):
            for max_length in (64, 13, 12, 7):
                row = tokenizer(first, second, truncation="longest_first", max_length=max_length, return_token_type_ids=True)
                pairs.append({"first": first, "second": second, "max_length": max_length, "ids": row["input_ids"], "type_ids": row["token_type_ids"]})
        single = tokenizer("the plot " * 9, truncation=True, max_length=9)["input_ids"]
        self.kinds.append({
            "name": name, "vocab_size": len(tokenizer), "pipeline_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "truncated": single, "pairs": pairs, "digests": self.ids(tokenizer.backend_tokenizer, name, False)})

    def changed(self, name: str, base: str, changes: dict) -> None:
        """The tokenizer.json of another kind with other parts; `model` is merged, and `added_tokens` are appended."""
        path = self.out / base
        backend = json.loads(transformers.AutoTokenizer.from_pretrained(path).backend_tokenizer.to_str())
        for part, value in changes.items():
            if part == "model":
                backend["model"].update(value)
            elif part == "added_tokens":
                backend["added_tokens"] += value
            else:
                backend[part] = value
        # The ids of added tokens are those of the vocabulary, or follow it in their order.
        vocabulary = backend["model"]["vocab"]
        ids = {token: id for id, (token, _) in enumerate(vocabulary)} if isinstance(vocabulary, list) else dict(vocabulary)
        for token in backend["added_tokens"]:
            token["id"] = ids.setdefault(token["content"], len(ids))
        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(backend))
        self.kinds.append({"name": name, "base": base, "changes": {**changes, "added_tokens": backend["added_tokens"]}, "digests": self.ids(tokenizer, name, True)})


def sequence(*steps) -> dict:
    return {"type": "Sequence", "normalizers": list(steps)}


def division(*steps) -> dict:
    return {"type": "Sequence", "pretokenizers": list(steps)}


def metaspace(scheme: str = "always", split: bool = True) -> dict:
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}


def added(content: str, **options) -> dict:
    return {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False, **options}


def byte_level(prefix: bool = False, regex: bool = True) -> dict:
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def record_kinds(recorder: Recorder, models: pathlib.Path) -> None:
    def model(name: str) -> pathlib.Path:
        return models / f"{name}.model"

    lstrip = {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "normalized": True, "rstrip": False, "single_word": False}
    recorder.converted("albert", model("albert"), "spiece.model", "AlbertTokenizer")
    recorder.converted("albert-cased", model("albert"), "spiece.model", "AlbertTokenizer", {"do_lower_case": False, "keep_accents": True})
    recorder.converted("xlm-roberta", model("folding"), "sentencepiece.bpe.model", "XLMRobertaTokenizerFast", {"mask_token": lstrip})
    recorder.converted("camembert", model("folding"), "sentencepiece.bpe.model", "CamembertTokenizer")
    recorder.converted("deberta-v2", model("identity"), "spm.model", "DebertaV2Tokenizer", {"split_by_punct": True, "do_lower_case": True})
    recorder.converted("deberta-v3", model("albert"), "spm.model", "DebertaV2Tokenizer", {"vocab_type": "spm"}, {"added_tokens.json": {"[NEW]": 360}})

    golden = HERE.parent
    recorder.vocabulary("bert", "BertTokenizer", {"vocab.txt": (golden / "bert-base-uncased-vocab.txt").read_text(encoding="utf-8")})
    tiny = (golden / "bert-tiny-cased/vocab.txt").read_text(encoding="utf-8")
    recorder.vocabulary("electra-cased", "ElectraTokenizer", {"vocab.txt": tiny}, {"do_lower_case": False})
    swapped = tiny
    for old, new in (("[CLS]", "<s>"), ("[SEP]", "</s>"), ("[PAD]", "<pad>"), ("[MASK]", "<mask>")):
        swapped = swapped.replace(f"{old}\n", f"{new}\n", 1)
    recorder.vocabulary("mpnet", "MPNetTokenizer", {"vocab.txt": swapped}, {"do_lower_case": False, "strip_accents": True})
    roberta = {file: (golden / "roberta-tiny" / file).read_text(encoding="utf-8") for file in ("vocab.json", "merges.txt")}
    # transformers 4's default, which Nautil keeps; transformers 5 does not strip.
    strips = {**lstrip, "normalized": False}
    recorder.vocabulary("roberta", "RobertaTokenizer", roberta, {"mask_token": strips})

    albert = json.loads(transformers.AutoTokenizer.from_pretrained(recorder.out / "albert").backend_tokenizer.to_str())
    charsmap = albert["normalizer"]["normalizers"][-1]
    spaces = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
    # As transformers 4 converted; these are in tokenizer.json on the hub. The test takes the map from the base.
    hub = {
        "hub-xlm-roberta": (sequence(charsmap, spaces), division({"type": "WhitespaceSplit"}, metaspace())),
        "hub-xlm-roberta-2": (sequence(charsmap, {"type": "Strip", "strip_left": False, "strip_right": True}, {**spaces, "content": "▁"}), metaspace()),
        "hub-first": (sequence(charsmap, {**spaces, "content": "▁"}), metaspace("first")),
        "hub-deberta-v3": (sequence({"type": "Strip", "strip_left": True, "strip_right": True}, charsmap, spaces), division(metaspace())),
        "unsplit": (sequence({"type": "NFKC"}, {"type": "Lowercase"}), metaspace("never", False)),
    }
    for name, (normalizer, pre_tokenizer) in hub.items():
        recorder.changed(name, "albert", {"normalizer": normalizer, "pre_tokenizer": pre_tokenizer})
    recorder.changed("bytes", "camembert", {"model": {"byte_fallback": True}})

    runs = [added(" " * count) for count in range(24, 1, -1)]
    own = [added("|||IP_ADDRESS|||"), added("film", single_word=True), added("Zoë", rstrip=True),
           added("The", lstrip=True, rstrip=True, normalized=False), added("<user>", special=True, normalized=False, rstrip=True)]
    recorder.changed("modernbert", "roberta", {"normalizer": {"type": "NFC"}, "added_tokens": runs + own})
    recorder.changed("byte-level-prefix", "roberta", {"normalizer": {"type": "NFKC"}, "pre_tokenizer": byte_level(prefix=True)})
    recorder.changed("byte-level-digits", "roberta", {"normalizer": {"type": "NFD"}, "pre_tokenizer": division({"type": "Digits", "individual_digits": True}, byte_level())})
    gpt4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    split = {"type": "Split", "pattern": {"Regex": gpt4}, "behavior": "Isolated", "invert": False}
    recorder.changed("byte-level-split", "roberta", {"pre_tokenizer": division(split, byte_level(regex=False))})
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        vowels = {"type": "Split", "pattern": {"Regex": "[aeio ]"}, "behavior": behavior, "invert": False}
        recorder.changed(f"split-{behavior}", "deberta-v3", {"pre_tokenizer": division(vowels, metaspace())})
        marks = {"type": "Punctuation", "behavior": behavior}
        recorder.changed(f"punctuation-{behavior}", "bert", {"pre_tokenizer": division({"type": "WhitespaceSplit"}, marks)})
    inverted = {"type": "Split", "pattern": {"String": "e"}, "behavior": "MergedWithNext", "invert": True}
    recorder.changed("split-inverted", "deberta-v3", {"pre_tokenizer": division(inverted, metaspace())})
    recorder.changed("whitespace", "bert", {
        "normalizer": sequence({"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"}, {"type": "Replace", "pattern": {"String": "$"}, "content": "$&"}),
        "pre_tokenizer": division({"type": "Whitespace"}, {"type": "FixedLength", "length": 5})})


def code_points() -> dict:
    """Digests of what each step makes of every code point."""
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]

    def digest(results) -> str:
        return hashlib.sha256("\n".join(results).encode()).hexdigest()

    bert = {"clean_text": True, "handle_chinese_chars": True}
    steps = {name: getattr(normalizers, name)() for name in ("NFC", "NFD", "NFKC", "NFKD", "StripAccents", "Lowercase", "Strip")}
    steps["BertNormalizer"] = normalizers.BertNormalizer(**bert, strip_accents=None, lowercase=True)
    steps["BertNormalizer cased"] = normalizers.BertNormalizer(**bert, strip_accents=False, lowercase=False)
    divisions = {"BertPreTokenizer": pre_tokenizers.BertPreTokenizer(), "Whitespace": pre_tokenizers.Whitespace(),
                 "WhitespaceSplit": pre_tokenizers.WhitespaceSplit(), "Punctuation": pre_tokenizers.Punctuation(),
                 "Digits": pre_tokenizers.Digits(individual_digits=True), "ByteLevel": pre_tokenizers.ByteLevel(add_prefix_space=False)}
    return {
        **{name: digest(step.normalize_str(f"a\u0301{character}\u0334") for character in characters) for name, step in steps.items()},
        **{name: digest("|".join(word for word, _ in step.pre_tokenize_str(f"a{character}1{character}")) for character in characters)
           for name, step in divisions.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--models", type=pathlib.Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if any(options.out.iterdir()):
        parser.error(f"{options.out} is not empty")
    recorder = Recorder(options.out, data_texts(options.data) if options.data else [])
    with tempfile.TemporaryDirectory() as trained:
        if options.models is None:
            train(pathlib.Path(trained))
        record_kinds(recorder, options.models or pathlib.Path(trained))
    for kind in recorder.kinds:
        changes = kind.get("changes", {})
        if "normalizer" in changes:
            changes["normalizer"] = without_map(copy.deepcopy(changes["normalizer"]))
    with open(options.out / "unusual.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(text) + "\n" for text in recorder.unusual)
    expected = {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__, "block": BLOCK, "data": DATA,
                "code_points": code_points(), "kinds": recorder.kinds}
    (options.out / "expected.json").write_text(json.dumps(expected, indent=None, ensure_ascii=True) + "\n")


def without_map(step: dict) -> dict:
    """The map of a model takes 300 kB; the test takes it from the base."""
    if step["type"] == "Precompiled":
        return {"type": "Precompiled"}
    if step["type"] == "Sequence":
        step["normalizers"] = [without_map(inner) for inner in step["normalizers"]]
    return step


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Records what AutoTokenizer makes of folders whose files state classes, special tokens and options in unusual places.

    python tokenizer_folders.py OUT

OUT is the file that `libs/tokenization/src/tokenizer-folders.golden.test.ts` reads: the repository has it as
tests/golden/tokenizer-folders.json. The vocabularies of the folders are other files of tests/golden.

Needs tokenizers==0.23.3, transformers==5.23.0, sentencepiece==0.2.3 and protobuf. It takes half a minute.
"""
import argparse
import json
import os
import pathlib
import shutil
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"

import transformers

from texts import SENTENCES

GOLDEN = pathlib.Path(__file__).resolve().parent.parent
TEXTS = SENTENCES + [
    "", "a good film", "(a)", "a£b", "<user> said", "x<user>y", "<e1>", " <e1> x", "a<e1>b</e1>", "e2", " e2 ", "xe2", "<e1> e2",
    "E2 </e1>", "a <mask> b", "a [MASK] b", "[CLS]<s>[SEP]</s>", "<unk>[UNK] q", " the the. ", "the",
]
PAIRS = [("the film is good", "a bad plot " * 8, 20), ("", "a", None), ("a good film " * 5, "dull", 9)]


BERT = {"vocab.txt": "bert-tiny-uncased/vocab.txt"}
ROBERTA = {"vocab.json": "roberta-tiny/vocab.json", "merges.txt": "roberta-tiny/merges.txt"}
ALBERT = {"spiece.model": "tokenizers/albert/spiece.model"}
XLM_R = {"sentencepiece.bpe.model": "tokenizers/xlm-roberta/sentencepiece.bpe.model"}
DEBERTA = {"spm.model": "tokenizers/albert/spiece.model"}
IDENTITY = "tokenizers/deberta-v2/spm.model"


def model(model_type: str, tokenizer_class: str = None) -> dict:
    return {"config.json": {"model_type": model_type, **({"tokenizer_class": tokenizer_class} if tokenizer_class else {})}}


def token(content: str, **options) -> dict:
    return {"content": content, "lstrip": False, "rstrip": False, "single_word": False, "normalized": False, "special": True, **options}


# rule -> name -> (files, JSON files)
FOLDERS = {
    "tokenizer_class of config.json counts where tokenizer_config.json states none": {
        "a multilingual MiniLM": (XLM_R, {**model("bert", "XLMRobertaTokenizer"), "tokenizer_config.json": {"model_max_length": 512}}),
        "no tokenizer_config.json": (XLM_R, model("bert", "XLMRobertaTokenizerFast")),
        "ALBERT's vocabulary in a BERT": (ALBERT, model("bert", "AlbertTokenizer")),
        "BERT's vocabulary in a RoBERTa": (BERT, {**model("roberta", "BertTokenizer"), "tokenizer_config.json": {"do_lower_case": True}}),
        "XLM-R's class in a CamemBERT": (XLM_R, model("camembert", "XLMRobertaTokenizer")),
        "tokenizer_config.json takes precedence": (
            XLM_R, {**model("bert", "BertJapaneseTokenizer"), "tokenizer_config.json": {"tokenizer_class": "CamembertTokenizer"}}),
        "the class's own vocabulary of two": ({**BERT, **ALBERT}, model("bert", "AlbertTokenizer")),
    },
}


def record(sources: dict, contents: dict) -> dict:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for file, path in sources.items():
            shutil.copy(GOLDEN / path, folder / file)
        for file, content in contents.items():
            (folder / file).write_text(json.dumps(content), encoding="utf-8")
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        pairs = []
        for first, second, longest in PAIRS:
            options = {"truncation": "longest_first", "max_length": longest} if longest else {}
            row = tokenizer(first, second, return_token_type_ids=True, **options)
            pairs.append({"first": first, "second": second, "max_length": longest, "ids": row["input_ids"], "type_ids": row["token_type_ids"]})
        return {
            "files": sources, "json": contents, "vocab_size": len(tokenizer), "pad_id": tokenizer.pad_token_id,
            "ids": [tokenizer(text)["input_ids"] for text in TEXTS],
            "truncated": tokenizer("the plot " * 9, truncation=True, max_length=9)["input_ids"], "pairs": pairs,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    out = parser.parse_args().out
    rules = {rule: {name: record(*folder) for name, folder in folders.items()} for rule, folders in FOLDERS.items()}
    body = ",\n".join(
        f" {json.dumps(rule)}: {{\n" + ",\n".join(
            f"  {json.dumps(name)}: {json.dumps(value, separators=(',', ':'))}" for name, value in folders.items()) + "\n }"
        for rule, folders in rules.items())
    out.write_text(f'{{"texts": {json.dumps(TEXTS)},\n"rules": {{\n{body}\n}}}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()

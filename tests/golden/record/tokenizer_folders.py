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
# Few, because each folder has its ids of all of them.
TEXTS = [SENTENCES[index] for index in (2, 4, 8, 13)] + [
    "", "a good film", "(a)", "a£b", "<user> said", "x<user>y", "<e1>", " <e1> x", "a<e1>b</e1>", "e2", " e2 ", "xe2", "<e1> e2",
    "E2 </e1>", "a£b ta£he", "aéb", "bab£", "x the (a) . a a b", "a <mask> b", "a [MASK] b", "[CLS]<s>[SEP]</s>", "<unk>[UNK] q", " the the. ", "the",
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



CLASSES = {"AlbertTokenizer": (ALBERT, "<pad>", "<unk>"), "XLMRobertaTokenizer": (XLM_R, "<pad>", "<unk>"),
           "CamembertTokenizer": (XLM_R, "<pad>", "<unk>"), "DebertaV2Tokenizer": (DEBERTA, "[PAD]", "[UNK]")}


def for_classes(cases: dict, *names: str) -> dict:
    """The cases for each class: from a name to the keys of tokenizer_config.json, or to those and other files."""
    folders = {}
    for name in names or CLASSES:
        for case, content in cases.items():
            config, others = content if isinstance(content, tuple) else (content, {})
            folders[f"{name}: {case}"] = (CLASSES[name][0], {"tokenizer_config.json": {"tokenizer_class": name, **config}, **others})
    return folders


FOLDERS["extra_special_tokens replaces the tokens of a SentencePiece model"] = for_classes({
    "an empty list": {"additional_special_tokens": []},
    "null": {"additional_special_tokens": None},
    "a list": {"extra_special_tokens": ["<e1>"]},
    "an empty object, which replaces nothing": {"extra_special_tokens": {}},
    "tokens with roles, which replace nothing": {"extra_special_tokens": {"image_token": "<e1>"}, "audio_token": "e2"},
    "both names": {"extra_special_tokens": [], "additional_special_tokens": ["<e1>"]},
    "options": {"extra_special_tokens": [{"__type": "AddedToken", **token("e2", special=False, single_word=True)}]},
    "with an added_tokens_decoder": {"added_tokens_decoder": {"999": token("<e1>")}, "additional_special_tokens": []},
    "the older name in special_tokens_map.json, which is ignored": ({}, {"special_tokens_map.json": {"additional_special_tokens": ["<e1>"]}}),
    "the newer name in special_tokens_map.json": (
        {"additional_special_tokens": ["e2"]}, {"special_tokens_map.json": {"extra_special_tokens": ["<e1>"]}}),
    "a token of added_tokens.json": ({"extra_special_tokens": ["<e1>"]}, {"added_tokens.json": {"e2": 1000, "<e1>": 999}}),
})
FOLDERS["additional_special_tokens adds tokens to other vocabularies"] = {
    "BERT": (BERT, {**model("bert"), "tokenizer_config.json": {"do_lower_case": True, "additional_special_tokens": ["film", "##s"]}}),
    "BERT's special_tokens_map.json": (BERT, {
        **model("bert"), "tokenizer_config.json": {"do_lower_case": True}, "special_tokens_map.json": {"additional_special_tokens": ["film"]}}),
    "RoBERTa": (ROBERTA, {**model("roberta"), "tokenizer_config.json": {
        "mask_token": {"__type": "AddedToken", **token("<mask>", lstrip=True)}, "extra_special_tokens": {"x_token": "t"}}}),
}
FOLDERS["the tokens around a text are those of the class's roles"] = {
    **for_classes({"other bos and eos": {"bos_token": "the", "eos_token": "."}}, "XLMRobertaTokenizer", "CamembertTokenizer", "DebertaV2Tokenizer"),
    **for_classes({"other cls and sep": {"cls_token": "the", "sep_token": "."}}),
    "RoBERTa: other bos and eos": (ROBERTA, {"tokenizer_config.json": {
        "tokenizer_class": "RobertaTokenizer", "bos_token": "a", "eos_token": "b",
        "mask_token": {"__type": "AddedToken", **token("<mask>", lstrip=True)}}}),
    "BERT: other bos and eos": (BERT, {"tokenizer_config.json": {
        "tokenizer_class": "BertTokenizer", "do_lower_case": True, "bos_token": "the", "eos_token": "."}}),
}



def saved(class_name: str, file: str) -> dict:
    """The tokenizer.json that transformers makes of a small SentencePiece model without a character map."""
    with tempfile.TemporaryDirectory() as name:
        shutil.copy(GOLDEN / IDENTITY, pathlib.Path(name) / file)
        (pathlib.Path(name) / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": class_name}))
        return json.loads(transformers.AutoTokenizer.from_pretrained(name).backend_tokenizer.to_str())


XLM_R_JSON = saved("XLMRobertaTokenizer", "sentencepiece.bpe.model")
ROBERTA_JSON = json.loads((GOLDEN / "roberta-tiny/tokenizer.json").read_text(encoding="utf-8"))
FOLDERS["add_prefix_space of tokenizer_config.json overrides tokenizer.json"] = {
    f"{name}: {value}": ({}, {"tokenizer.json": content, "tokenizer_config.json": {"tokenizer_class": name, "add_prefix_space": value, "pad_token": "<pad>"}})
    for name, content in (("RobertaTokenizer", ROBERTA_JSON), ("XLMRobertaTokenizer", XLM_R_JSON), ("PreTrainedTokenizerFast", ROBERTA_JSON))
    for value in (True, False)
}


def generic(tokenizer_json: dict, **config) -> tuple:
    """A tokenizer.json that transformers uses as it is."""
    return {}, {"tokenizer.json": tokenizer_json, "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", **config}}


def sequence(*steps: dict) -> dict:
    return {"type": "Sequence", "normalizers": list(steps)}


STRIP = {"type": "Strip", "strip_left": True, "strip_right": True}
PUNCTUATED = {"type": "Sequence", "pretokenizers": [{"type": "Punctuation", "behavior": "Isolated"}, XLM_R_JSON["pre_tokenizer"]["pretokenizers"][-1]]}
BPE_TOKENS = ["[CLS]", "[SEP]", "[PAD]", "[UNK]", "a", "b", "e", "t", "h", "ab", "th", "the", "<0xC2>", "<0xA3>", "b</w>", "e</w>", "ab</w>"]


def bpe(**options) -> tuple:
    """BPE of characters, without an unknown token."""
    merges = ["a b", "t h", "th e"] if not options.get("end_of_word_suffix") else ["a b</w>", "t h"]
    model_json = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {token: id for id, token in enumerate(BPE_TOKENS)}, "merges": merges, **options}
    template = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]
    pair = template + [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}]
    special = {name: {"id": name, "ids": [BPE_TOKENS.index(name)], "tokens": [name]} for name in ("[CLS]", "[SEP]")}
    return generic({
        "version": "1.0", "truncation": None, "padding": None, "decoder": None, "normalizer": None, "model": model_json,
        "added_tokens": [{"id": BPE_TOKENS.index(name), **token(name)} for name in ("[CLS]", "[SEP]", "[PAD]")],
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {"type": "TemplateProcessing", "single": template, "pair": pair, "special_tokens": special},
    }, pad_token="[PAD]")


FOLDERS["a normalizer sees the whole text"] = {
    "Strip before ByteLevel": generic({**ROBERTA_JSON, "normalizer": sequence({"type": "NFC"}, STRIP)}, pad_token="<pad>"),
    "Strip before Punctuation": generic({**XLM_R_JSON, "normalizer": STRIP, "pre_tokenizer": PUNCTUATED}, pad_token="<pad>"),
    "a Replace that removes a word": generic({
        **XLM_R_JSON, "normalizer": sequence({"type": "Replace", "pattern": {"String": "a"}, "content": ""}),
        "pre_tokenizer": XLM_R_JSON["pre_tokenizer"]["pretokenizers"][-1]}, pad_token="<pad>"),
}
FOLDERS["BPE without an unknown token drops unknown characters before it merges"] = {
    "the neighbours merge": bpe(), "bytes in place of a character": bpe(byte_fallback=True), "a suffix": bpe(end_of_word_suffix="</w>"),
    "whole words first": bpe(ignore_merges=True),
}

# Folders that AutoTokenizer fails on, with what Nautil says.
REJECTED = {
    "an ALBERT whose model lacks [CLS]": ({"spiece.model": IDENTITY}, {"tokenizer_config.json": {"tokenizer_class": "AlbertTokenizer"}}, 'no piece "[CLS]"'),
    "an ALBERT whose cls_token the model lacks": (
        ALBERT, {"tokenizer_config.json": {"tokenizer_class": "AlbertTokenizer", "cls_token": "<odd>"}}, 'no piece "<odd>"'),
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
    rejected = {}
    for name, (sources, contents, message) in REJECTED.items():
        try:
            record(sources, contents)
        except Exception:  # any: these are errors in transformers, not answers of it
            rejected[name] = {"files": sources, "json": contents, "message": message}
        else:
            raise SystemExit(f"AutoTokenizer accepts {name}")
    out.write_text(f'{{"texts": {json.dumps(TEXTS)},\n"rejected": {json.dumps(rejected)},\n"rules": {{\n{body}\n}}}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()

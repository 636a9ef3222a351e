"""Records what transformers computes: checkpoints of tiny encoders in all their containers, and the encoders' vectors.

    python encoders.py OUT VOCABULARY        VOCABULARY: the vocab.txt of bert-base-uncased
"""
import argparse
import collections
import pathlib
import shutil
import sys

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import ByteLevelBPETokenizer, normalizers, pre_tokenizers
from transformers import (
    BertConfig, BertModel, BertTokenizerFast, DistilBertConfig, DistilBertModel, MegatronBertConfig, MegatronBertForPreTraining,
    MegatronBertModel, RobertaConfig, RobertaModel, RobertaTokenizerFast,
)
from transformers.models.megatron_bert.convert_megatron_bert_checkpoint import convert_megatron_checkpoint

from random_weights import randomise
from texts import CORPUS, SEED, SENTENCES
from writing import rounded, write_json

MAX_LENGTH = 28
POSITIONS = 96
HALVES = {"fp16": torch.float16, "bf16": torch.bfloat16}


def word_piece(folder: pathlib.Path, size: int, lower_case: bool) -> BertTokenizerFast:
    """A vocabulary of the most frequent characters, words and ends of words; the trainer of `tokenizers` breaks ties at random."""
    normalizer, splitter = normalizers.BertNormalizer(lowercase=lower_case), pre_tokenizers.BertPreTokenizer()
    words = [word for text in CORPUS for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))]

    def most_frequent(pieces, count: int) -> list:
        return [piece for piece, _ in sorted(collections.Counter(pieces).items(), key=lambda item: (-item[1], item[0]))[:count]]

    characters = set(most_frequent("".join(words), 72))
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(characters)]
    vocabulary += sorted({f"##{character}" for word in words for character in word[1:] if character in characters})
    ends = [f"##{word[start:]}" for word in words for start in range(1, len(word) - 1)]
    longer = [word for word in words if 1 < len(word) < 40] + [end for end in ends if len(end) < 8]
    vocabulary += most_frequent(longer, size - len(vocabulary))
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in vocabulary), encoding="utf-8")
    return BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), do_lower_case=lower_case)


def byte_pairs(folder: pathlib.Path, size: int) -> RobertaTokenizerFast:
    tokenizer = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(CORPUS, vocab_size=size, min_frequency=2, special_tokens=special)
    folder.mkdir(parents=True)
    tokenizer.save_model(str(folder))
    return RobertaTokenizerFast(vocab_file=str(folder / "vocab.json"), merges_file=str(folder / "merges.txt"))


def save_model(model, tokenizer, folder: pathlib.Path) -> None:
    model.save_pretrained(folder, safe_serialization=True)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    tokenizer.save_pretrained(folder)
    for extra in ("special_tokens_map.json", "added_tokens.json"):
        (folder / extra).unlink(missing_ok=True)


def make_models(out: pathlib.Path) -> dict:
    tokenizers = {
        "bert-tiny-uncased": word_piece(out / "bert-tiny-uncased", 260, lower_case=True),
        "bert-tiny-cased": word_piece(out / "bert-tiny-cased", 280, lower_case=False),
        "roberta-tiny": byte_pairs(out / "roberta-tiny", 330),
    }
    for sharing in ("distilbert-tiny", "megatron-bert-tiny"):
        (out / sharing).mkdir()
        shutil.copy(out / "bert-tiny-uncased/vocab.txt", out / sharing)
        tokenizers[sharing] = BertTokenizerFast(vocab_file=str(out / sharing / "vocab.txt"), do_lower_case=True)
    size = {name: len(tokenizer) for name, tokenizer in tokenizers.items()}
    made = {
        "bert-tiny-uncased": BertModel(BertConfig(
            vocab_size=size["bert-tiny-uncased"], hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=40,
            max_position_embeddings=POSITIONS)),
        "bert-tiny-cased": BertModel(BertConfig(
            vocab_size=size["bert-tiny-cased"], hidden_size=12, num_hidden_layers=3, num_attention_heads=3, intermediate_size=28,
            max_position_embeddings=POSITIONS)),
        "roberta-tiny": RobertaModel(RobertaConfig(
            vocab_size=size["roberta-tiny"], hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=24,
            max_position_embeddings=POSITIONS + 2, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1, bos_token_id=0,
            eos_token_id=2)),
        "distilbert-tiny": DistilBertModel(DistilBertConfig(
            vocab_size=size["distilbert-tiny"], dim=16, n_layers=2, n_heads=2, hidden_dim=36, max_position_embeddings=POSITIONS)),
    }
    for index, (name, model) in enumerate(made.items()):
        randomise(model.eval(), SEED + index)
        save_model(model, tokenizers[name], out / name)
    return {name: (model, tokenizers[name]) for name, model in made.items()} | {"megatron": tokenizers["megatron-bert-tiny"]}


@torch.no_grad()
def vectors(model, encoded) -> dict:
    inputs = {"input_ids": torch.tensor([encoded["input_ids"]])}
    if model.config.model_type != "distilbert":
        inputs["token_type_ids"] = torch.tensor([encoded["token_type_ids"]])
    output = model(**inputs)
    found = {"first_token": output.last_hidden_state[0, 0].tolist(), "last_token": output.last_hidden_state[0, -1].tolist()}
    if "pooler_output" in output:
        found["pooled"] = output.pooler_output[0].tolist()
    return found


def encoded_by(model, tokenizer, *texts):
    encoded = tokenizer(*texts, max_length=MAX_LENGTH, truncation=True, return_token_type_ids=True)
    types = encoded["token_type_ids"] if model.config.to_dict().get("type_vocab_size", 1) > 1 else [0] * len(encoded["input_ids"])
    return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"], "token_type_ids": types}


@torch.no_grad()
def record_parity(made: dict, out: pathlib.Path) -> None:
    recorded = {}
    for name, (model, tokenizer) in made.items():
        rows = []
        for text in SENTENCES:
            encoded = encoded_by(model, tokenizer, text)
            tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
            rows.append({**encoded, "tokens": tokens, **vectors(model, encoded)})
        padded = tokenizer(SENTENCES, max_length=MAX_LENGTH, truncation=True, padding=True, return_tensors="pt")
        together = model(input_ids=padded["input_ids"], attention_mask=padded["attention_mask"]).last_hidden_state[:, 0]
        alone = torch.tensor([row["first_token"] for row in rows])
        pair = encoded_by(model, tokenizer, SENTENCES[0], SENTENCES[3])
        recorded[name] = {
            "rows": rows,
            "padded_batch_first_token": together.tolist(),
            "padded_batch_shape": list(padded["input_ids"].shape),
            "max_abs_diff_padded_vs_single": (together - alone).abs().max().item(),
            "pair": {"a": SENTENCES[0], "b": SENTENCES[3], **pair, **vectors(model, pair)},
        }
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "seed": SEED}
    write_json(out / "hf_parity.json", {**versions, "max_length": MAX_LENGTH, "sentences": SENTENCES, "models": rounded(recorded)})


@torch.no_grad()
def record_activations(model, tokenizer, out: pathlib.Path) -> None:
    padded = tokenizer([SENTENCES[0], SENTENCES[8]], max_length=MAX_LENGTH, truncation=True, padding=True, return_tensors="pt")
    output = model(**padded, output_hidden_states=True, output_attentions=True)
    tensors = {name: padded[name].contiguous() for name in ("input_ids", "attention_mask", "token_type_ids")}
    tensors |= {f"hidden.{layer}": hidden.contiguous() for layer, hidden in enumerate(output.hidden_states)}
    tensors |= {f"attn_probs.{layer}": probabilities.contiguous() for layer, probabilities in enumerate(output.attentions)}
    save_file(tensors | {"pooled": output.pooler_output.contiguous()}, out / "bert_activations.safetensors", metadata={"format": "pt"})


def write_variants(model, out: pathlib.Path) -> None:
    """The weights of bert-tiny-uncased as other programs and older versions save them."""
    folder = out / "bert-tiny-variants"
    folder.mkdir()
    weights = model.state_dict()
    torch.save(weights, folder / "legacy_nonzip.bin", _use_new_zipfile_serialization=False)
    for name, dtype in HALVES.items():
        halves = collections.OrderedDict((key, value.to(dtype)) for key, value in weights.items())
        torch.save(halves, folder / f"{name}.bin")
        save_file(halves, folder / f"{name}.safetensors", metadata={"format": "pt"})

    # As TensorFlow's names came through to early checkpoints, with the heads of pretraining.
    generator = torch.Generator().manual_seed(SEED)
    hidden, size = model.config.hidden_size, model.config.vocab_size
    old = lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    pretraining = collections.OrderedDict((old(f"bert.{key}"), value) for key, value in weights.items())
    pretraining["bert.embeddings.position_ids"] = torch.arange(POSITIONS)[None]
    for key, shape in {
        "bias": (size,), "transform.dense.weight": (hidden, hidden), "transform.dense.bias": (hidden,),
        "transform.LayerNorm.gamma": (hidden,), "transform.LayerNorm.beta": (hidden,),
    }.items():
        pretraining[f"cls.predictions.{key}"] = torch.randn(shape, generator=generator)
    pretraining["cls.predictions.decoder.weight"] = pretraining["bert.embeddings.word_embeddings.weight"]
    pretraining["cls.seq_relationship.weight"] = torch.randn((2, hidden), generator=generator)
    pretraining["cls.seq_relationship.bias"] = torch.randn((2,), generator=generator)
    torch.save(pretraining, folder / "pretraining_gamma_beta_tied.bin")

    base = torch.randn((3, 22), generator=generator)
    integers = torch.tensor([0, 3, 1, 2, 200, 7])
    zoo = {
        "transposed": base.t(), "slice": base[1:, 5:9], "f64": base.double()[:2, :4], "i64": integers, "i32": integers.int(),
        "u8": integers.to(torch.uint8), "bool": torch.tensor([True, False, True]), "scalar": torch.tensor(-1.25),
        "empty": torch.zeros((3, 0)), "param": torch.nn.Parameter(torch.randn(4, generator=generator)),
        "nested": {"a": [2, -0.5, "y", None, False], "t": (torch.tensor([1.5]),)},
    }
    torch.save(zoo, folder / "torch_pickle_zoo.pt")
    write_json(folder / "torch_pickle_zoo.json", {
        "transposed_shape": list(base.t().shape), "transposed": base.t().flatten().tolist(),
        "slice_shape": list(zoo["slice"].shape), "slice": zoo["slice"].flatten().tolist(),
        "f64": zoo["f64"].flatten().tolist(), "i64": integers.tolist(), "scalar": zoo["scalar"].item(), "nested_a": zoo["nested"]["a"],
    })


def megatron_checkpoint(weights: dict, config, version: float, names=("transformer", "attention"), padded_rows=0) -> dict:
    """A checkpoint of Megatron-LM with the weights of a MegatronBertForPreTraining: the inverse of transformers' conversion."""
    transformer, attention = names
    heads, width = config.num_attention_heads, config.hidden_size // config.num_attention_heads

    def fused(layer: str, kind: str) -> torch.Tensor:
        parts = torch.cat([weights[f"{layer}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")])
        shape, rest = parts.shape, parts.shape[1:]
        parts = parts.view(3, heads, width, *rest)
        if version == 1.0:
            parts = parts.permute(1, 2, 0, *range(3, parts.dim()))
        elif version >= 2.0:
            parts = parts.transpose(0, 1)
        return parts.contiguous().view(shape)

    layers = {}
    for index in range(config.num_hidden_layers):
        layer = f"bert.encoder.layer.{index}"
        for name, there in {
            "input_layernorm": "attention.ln", f"{attention}.query_key_value": None, f"{attention}.dense": "attention.output.dense",
            "post_attention_layernorm": "ln", "mlp.dense_h_to_4h": "intermediate.dense", "mlp.dense_4h_to_h": "output.dense",
        }.items():
            for kind in ("weight", "bias"):
                layers[f"layers.{index}.{name}.{kind}"] = weights[f"{layer}.{there}.{kind}"] if there else fused(layer, kind)
    for kind in ("weight", "bias"):
        layers[f"final_layernorm.{kind}"] = weights[f"bert.encoder.ln.{kind}"]
    words = weights["bert.embeddings.word_embeddings.weight"]
    if padded_rows:
        words = torch.cat([words, torch.zeros(padded_rows - len(words), words.shape[1])])
    transform = "cls.predictions.transform"
    checkpoint = {"iteration": 1000, "model": {
        "language_model": {
            "embedding": {"word_embeddings": {"weight": words}} | {
                f"{kind}_embeddings": {"weight": weights[f"bert.embeddings.{name}_embeddings.weight"]}
                for kind, name in (("position", "position"), ("tokentype", "token_type"))},
            transformer: layers,
            "pooler": {f"dense.{kind}": weights[f"bert.pooler.dense.{kind}"] for kind in ("weight", "bias")},
        },
        "lm_head": {
            **{f"dense.{kind}": weights[f"{transform}.dense.{kind}"] for kind in ("weight", "bias")},
            **{f"layernorm.{kind}": weights[f"{transform}.LayerNorm.{kind}"] for kind in ("weight", "bias")},
            "bias": weights["cls.predictions.bias"],
        },
        "binary_head": {kind: weights[f"cls.seq_relationship.{kind}"] for kind in ("weight", "bias")},
    }}
    return checkpoint | ({"checkpoint_version": version} if version else {})


def record_megatron(tokenizer, out: pathlib.Path) -> None:
    folder = out / "megatron-bert-tiny"
    # Without arguments in the checkpoint, the intermediate size can only be four times the hidden one.
    config = MegatronBertConfig(vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                                intermediate_size=64, max_position_embeddings=POSITIONS)
    whole = MegatronBertForPreTraining(config).eval()
    randomise(whole, SEED + 9)
    whole.tie_weights()
    model = MegatronBertModel(config).eval()
    model.load_state_dict(whole.bert.state_dict())
    save_model(model, tokenizer, folder)

    weights = {key: value.clone() for key, value in whole.state_dict().items()}
    padded = -(-len(tokenizer) // 128) * 128
    arguments = argparse.Namespace(
        tokenizer_type="BertWordPieceLowerCase", padded_vocab_size=padded, max_position_embeddings=POSITIONS,
        hidden_size=config.hidden_size, num_layers=config.num_hidden_layers, num_attention_heads=config.num_attention_heads,
        ffn_hidden_size=config.intermediate_size, layernorm_epsilon=1e-5, iteration=1000)
    checkpoints = {
        "megatron_v3.pt": megatron_checkpoint(weights, config, 3.0),
        "megatron_v3_args_encoder.pt": megatron_checkpoint(weights, config, 3.0, ("encoder", "self_attention"), padded) | {"args": arguments},
        "megatron_v1.pt": megatron_checkpoint(weights, config, 1.0),
        "megatron_v0.pt": megatron_checkpoint(weights, config, 0.0),
    }
    for name, checkpoint in checkpoints.items():
        torch.save(checkpoint, folder / name)
        converted = convert_megatron_checkpoint(None, torch.load(folder / name), MegatronBertConfig(**config.to_dict()))
        for key, value in model.state_dict().items():
            found = converted[f"bert.{key}"][: len(value)]
            if not torch.equal(found, value):
                raise SystemExit(f"{name}: transformers' conversion gives another {key}")

    rows = []
    for epsilon in (1e-12, 1e-5):
        there = MegatronBertModel(MegatronBertConfig(**{**config.to_dict(), "layer_norm_eps": epsilon})).eval()
        there.load_state_dict(model.state_dict())
        for text in SENTENCES:
            encoded = encoded_by(there, tokenizer, text)
            found = vectors(there, encoded)
            rows.append({"layer_norm_eps": epsilon, "text": text, "input_ids": encoded["input_ids"],
                         "first_token": found["first_token"], "pooled": found["pooled"]})
    write_json(folder / "expected.json", {"config": config.to_dict(), "rows": rounded(rows)})


def record_real_vocabulary(vocabulary: pathlib.Path, out: pathlib.Path) -> None:
    """The tokens of a full vocabulary, lower-cased and not."""
    copy = out / "bert-base-uncased-vocab.txt"
    shutil.copyfile(vocabulary, copy)
    tokenizers = {"lower": BertTokenizerFast(vocab_file=str(copy), do_lower_case=True),
                  "cased": BertTokenizerFast(vocab_file=str(copy), do_lower_case=False)}
    texts = SENTENCES + [text for text in CORPUS[:24]]
    note = "ids with [CLS] and [SEP], without truncation, of the fast tokenizer"
    write_json(out / "tokenize_real_vocab.json", {"vocab": copy.name, "note": note} | {
        casing: [{"text": text, "ids": tokenizer(text)["input_ids"]} for text in texts] for casing, tokenizer in tokenizers.items()})


def main() -> None:
    out, vocabulary = (pathlib.Path(argument) for argument in sys.argv[1:])
    torch.manual_seed(SEED)
    made = make_models(out)
    megatron = made.pop("megatron")
    record_parity(made, out)
    record_activations(*made["bert-tiny-uncased"], out)
    write_variants(made["bert-tiny-uncased"][0], out)
    record_megatron(megatron, out)
    record_real_vocabulary(vocabulary, out)


main()

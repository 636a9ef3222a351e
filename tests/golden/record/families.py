"""Records what transformers computes with tiny encoders of many families, in the layout of a set of golden encoders.

    python families.py OUT [--scale N] [--seed N] [--only NAME ...]

Needs transformers 5 (the other recorders need 4.40): pip install torch transformers==5.23.0
"""
import argparse
import pathlib

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoModel, CONFIG_MAPPING

from random_weights import randomise
from texts import CORPUS, SENTENCES
from writing import rounded, write_json

POSITIONS = 44
STEPS, CLASSES = 6, 3

# Texts without tabs and line ends, which a row of a TSV file cannot contain.
TEXTS = [text for text in CORPUS[::9] + SENTENCES if text.strip() and not set(text) & set("\t\n\r\x00\x07\u2028")][:40]


def word_piece(special: dict, size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token=special["unk_token"]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return trained(tokenizer, trainers.WordPieceTrainer, special, size)


def unigram(special: dict, size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return trained(tokenizer, trainers.UnigramTrainer, special, size, unk_token=special["unk_token"])


def byte_pairs(special: dict, size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return trained(tokenizer, trainers.BpeTrainer, special, size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def trained(tokenizer: Tokenizer, trainer, special: dict, size: int, **options) -> Tokenizer:
    tokenizer.train_from_iterator(CORPUS, trainer(vocab_size=size, special_tokens=special["order"], show_progress=False, **options))
    cls, sep = special["cls_token"], special["sep_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}", pair=f"{cls} $A {sep} $B:1 {sep}:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (cls, sep)])
    return tokenizer


def specials(order: list) -> dict:
    """The special tokens in the order of their ids."""
    return {"order": order} | {
        f"{role}_token": next(token for token in order if token in names)
        for role, names in {"pad": ("[PAD]", "<pad>"), "unk": ("[UNK]", "<unk>"), "cls": ("[CLS]", "<s>"),
                            "sep": ("[SEP]", "</s>"), "mask": ("[MASK]", "<mask>")}.items()}


BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LATE_PAD = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
LATE_PAD_ROBERTA = ["<s>", "</s>", "<unk>", "<mask>", "<pad>"]


def families(k: int) -> dict:
    """Name -> model type, tokenizer, special tokens, configuration. Sizes grow with k. Every family has an odd head size somewhere."""
    return {
        "bert": ("bert", word_piece, BERT, dict(
            hidden_size=10 * k, num_hidden_layers=3, num_attention_heads=2, intermediate_size=14 * k, type_vocab_size=3)),
        "bert-late-padding": ("bert", word_piece, LATE_PAD, dict(
            hidden_size=9 * k, num_hidden_layers=2, num_attention_heads=3, intermediate_size=16 * k, type_vocab_size=1,
            hidden_act="quick_gelu", layer_norm_eps=1e-5)),
        "roberta": ("roberta", byte_pairs, ROBERTA, dict(
            hidden_size=12 * k, num_hidden_layers=2, num_attention_heads=4, intermediate_size=20 * k, type_vocab_size=1, layer_norm_eps=1e-5)),
        "camembert": ("camembert", unigram, LATE_PAD_ROBERTA, dict(
            hidden_size=10 * k, num_hidden_layers=3, num_attention_heads=2, intermediate_size=12 * k, type_vocab_size=2, hidden_act="relu")),
        "xlm-roberta": ("xlm-roberta", unigram, ROBERTA, dict(
            hidden_size=14 * k, num_hidden_layers=2, num_attention_heads=2, intermediate_size=18 * k, type_vocab_size=1, layer_norm_eps=1e-5)),
        "distilbert": ("distilbert", word_piece, BERT, dict(
            dim=15 * k, n_layers=2, n_heads=5, hidden_dim=18 * k, activation="gelu_new")),
        "megatron-bert": ("megatron-bert", word_piece, BERT, dict(
            hidden_size=12 * k, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48 * k)),
        "albert-groups": ("albert", unigram, ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"], dict(
            embedding_size=7 * k, hidden_size=12 * k, num_hidden_layers=5, num_hidden_groups=2, inner_group_num=2, num_attention_heads=4,
            intermediate_size=20 * k, hidden_act="gelu")),
        "albert-spare-groups": ("albert", unigram, ["<unk>", "[CLS]", "[SEP]", "[MASK]", "<pad>"], dict(
            embedding_size=10 * k, hidden_size=10 * k, num_hidden_layers=2, num_hidden_groups=3, num_attention_heads=2,
            intermediate_size=12 * k, type_vocab_size=1, hidden_act="silu", layer_norm_eps=1e-6)),
        "electra-projected": ("electra", word_piece, BERT, dict(
            embedding_size=12 * k, hidden_size=9 * k, num_hidden_layers=3, num_attention_heads=3, intermediate_size=16 * k,
            hidden_act="gelu_pytorch_tanh")),
        "electra-equal": ("electra", word_piece, LATE_PAD, dict(
            embedding_size=10 * k, hidden_size=10 * k, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12 * k,
            type_vocab_size=1, hidden_act="mish")),
        "mpnet": ("mpnet", word_piece, ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"], dict(
            hidden_size=10 * k, num_hidden_layers=3, num_attention_heads=2, intermediate_size=14 * k, relative_attention_num_buckets=40)),
        "deberta-v3": ("deberta-v2", unigram, BERT, dict(
            hidden_size=10 * k, num_hidden_layers=3, num_attention_heads=2, intermediate_size=14 * k, type_vocab_size=0,
            relative_attention=True, position_biased_input=False, pos_att_type=["p2c", "c2p"], position_buckets=10,
            max_relative_positions=-1, norm_rel_ebd="layer_norm", share_att_key=True)),
        "deberta-v2-convolution": ("deberta-v2", unigram, BERT, dict(
            hidden_size=9 * k, num_hidden_layers=2, num_attention_heads=3, intermediate_size=12 * k, type_vocab_size=0,
            relative_attention=True, position_biased_input=False, pos_att_type=["c2p"], position_buckets=8,
            max_relative_positions=-1, norm_rel_ebd="layer_norm", share_att_key=False, conv_kernel_size=3, conv_act="gelu")),
        "deberta-v2-segments": ("deberta-v2", unigram, BERT, dict(
            hidden_size=8 * k, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12 * k, type_vocab_size=2,
            relative_attention=True, position_biased_input=True, pos_att_type=["c2p", "p2c"], position_buckets=8,
            max_relative_positions=-1, norm_rel_ebd="layer_norm", share_att_key=True)),
        "modernbert": ("modernbert", byte_pairs, BERT, dict(
            hidden_size=12 * k, num_hidden_layers=4, num_attention_heads=3, intermediate_size=16 * k, local_attention=6,
            global_attn_every_n_layers=3)),
    }


def record(folder: pathlib.Path, spec: tuple, size: int, seed: int) -> None:
    model_type, train, order, settings = spec
    special = specials(order)
    tokenizer = train(special, size)
    pad = tokenizer.token_to_id(special["pad_token"])
    counted = model_type in ("roberta", "camembert", "xlm-roberta", "mpnet")
    config = CONFIG_MAPPING[model_type](
        **{"vocab_size": tokenizer.get_vocab_size(), "pad_token_id": pad,
           "max_position_embeddings": POSITIONS + (pad + 1 if counted else 0),
           "bos_token_id": tokenizer.token_to_id(special["cls_token"]), "eos_token_id": tokenizer.token_to_id(special["sep_token"]),
           **without_dropout(model_type), **settings})
    torch.manual_seed(seed)
    model = AutoModel.from_config(config, attn_implementation="eager").eval()
    randomise(model, seed)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    roles = {role: token for role, token in special.items() if role != "order"}
    write_json(folder / "tokenizer_config.json", {"model_max_length": POSITIONS, "tokenizer_class": "PreTrainedTokenizerFast", **roles})

    tokenizer.enable_truncation(POSITIONS)
    rows = [tokenizer.encode(text).ids for text in TEXTS]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    with torch.no_grad():
        first = [model(input_ids=torch.tensor([row])).last_hidden_state[0, 0] for row in rows]
        batched = model(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
    hidden = first[0].numel()
    head = torch.nn.ModuleDict({"layer0": torch.nn.Linear(hidden, hidden), "layer2": torch.nn.Linear(hidden, CLASSES)})
    save_file(head.state_dict(), folder / "head.safetensors")
    write_json(folder / "expected.json", rounded({
        "transformers": transformers.__version__, "torch": torch.__version__,
        "rows": [{"text": text, "input_ids": row, "first": vector.tolist()} for text, row, vector in zip(TEXTS, rows, first)],
        "batched_first": batched.tolist(),
        "batched_vs_single": (batched - torch.stack(first)).abs().max().item(),
        "training": {
            "optimizer": "AdamW lr 1e-3 weight_decay 0.01 betas 0.9 0.999 eps 1e-8, no schedule, no clipping, dropout 0; weights of the "
                         "file, step k trains rows k%3, k%3+3, … of the padded batch, label = row % 3",
            "losses": train_losses(model, head, ids, mask)}}))


def without_dropout(model_type: str) -> dict:
    defaults = CONFIG_MAPPING[model_type]().to_dict()
    return {key: 0.0 for key, value in defaults.items() if "dropout" in key and isinstance(value, (int, float))}


def train_losses(model, head, ids, mask, types=None) -> list:
    model.train()
    optimizer = torch.optim.AdamW([*model.parameters(), *head.parameters()], lr=1e-3, weight_decay=0.01)
    losses = []
    for step in range(STEPS):
        rows = torch.arange(step % CLASSES, len(ids), CLASSES)
        segments = {} if types is None else {"token_type_ids": types[rows]}
        first = model(input_ids=ids[rows], attention_mask=mask[rows], **segments).last_hidden_state[:, 0]
        logits = head["layer2"](F.relu(head["layer0"](first)))
        loss = F.cross_entropy(logits, rows % CLASSES)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--scale", type=int, default=1, help="factor of all sizes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="names of families")
    given = parser.parse_args()
    for index, (name, family) in enumerate(families(given.scale).items()):
        if given.only and name not in given.only:
            continue
        target = given.out / name
        target.mkdir(parents=True)
        record(target, family, 150 + 100 * given.scale, given.seed + index)
        print(name)

"""Records what the files of NeMo v1.8.2 do, each loaded in place of its successor in the NeMo 1.23 that is installed.

    python nemo_182.py OUT SOURCE        SOURCE: a checkout of NeMo at v1.8.2
"""
import glob
import gzip
import hashlib
import importlib.util
import io
import json
import os
import pathlib
import runpy
import sys
import tarfile
import tempfile

import nemo.collections.nlp  # noqa: F401  the packages that the files are put into
import torch
import yaml
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

from random_weights import randomise
from texts import DATASET_CASES, LABELS, SEED, raw_data
from writing import rounded, write_json, write_text

OUT, SOURCE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
FILES = OUT / "nemo-files"


def load(name: str):
    """The module of v1.8.2, under its name, so that the ones loaded after it import it."""
    spec = importlib.util.spec_from_file_location(name, SOURCE / f"{name.replace('.', '/')}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


preprocessing = load("nemo.collections.nlp.data.data_utils.data_preprocessing")
datasets = load("nemo.collections.nlp.data.text_classification.text_classification_dataset")
reports = load("nemo.collections.nlp.metrics.classification_report")
schedulers = load("nemo.core.optim.lr_scheduler")
losses = load("nemo.collections.common.losses.cross_entropy")
load("nemo.collections.nlp.modules.common.classifier")
classifiers = load("nemo.collections.nlp.modules.common.sequence_classifier")


class Log:
    """In place of NeMo's logger: keeps what it is given."""

    def __init__(self):
        self.entries = []

    def __getattr__(self, level):
        return lambda text: self.entries.append([level, str(text).rstrip("\n")])


def tokenizer_of(vocabulary: pathlib.Path):
    from nemo.collections.common.tokenizers.huggingface.auto_tokenizer import AutoTokenizer

    with tempfile.TemporaryDirectory() as folder:
        write_text(f"{folder}/vocab.txt", vocabulary.read_text(encoding="utf-8"))
        BertConfig().save_pretrained(folder)
        write_json(f"{folder}/tokenizer_config.json", {"do_lower_case": True, "tokenizer_class": "BertTokenizer"})
        return AutoTokenizer(pretrained_model_name=folder, use_fast=False)


def plain(features) -> list:
    return [[ids.tolist(), segments.tolist(), mask.tolist(), label] for ids, segments, mask, label in features]


def collated(dataset) -> list:
    return [part.tolist() for part in dataset._collate_fn([dataset[index] for index in range(len(dataset))])]


def record_datasets() -> None:
    tokenizer = tokenizer_of(OUT / "bert-base-uncased-vocab.txt")
    recorded = {}
    for name, (text, arguments) in DATASET_CASES.items():
        log = Log()
        datasets.logging = preprocessing.logging = log
        write_text(f"t/{name}.tsv", text)
        before = set(os.listdir("t"))
        case = {"input": text, "args": arguments}
        try:
            dataset = datasets.TextClassificationDataset(tokenizer=tokenizer, input_file=f"t/{name}.tsv", **arguments)
            case |= {"features": plain(dataset.features), "log": log.entries, "cache": sorted(set(os.listdir("t")) - before)}
            if name == "basic":
                case["collate"] = collated(dataset)
        except Exception as error:  # whatever NeMo raises is what is recorded
            case["error"] = f"{type(error).__name__}: {error}"
        recorded[name] = case

    queries = ["uneasy mishmash of styles and genres .", "", "a short one"]
    recorded["queries"] = {"collate": collated(datasets.TextClassificationDataset(tokenizer=tokenizer, queries=queries, max_seq_length=20))}
    padded = datasets.TextClassificationDataset(tokenizer=tokenizer, queries=["four words of text", "one"], max_seq_length=20)
    padded.pad_id = 1
    recorded["pad_id_1_quirk"] = {"collate": collated(padded)}

    frequencies, classes = {0: 5, 2: 2, 3: 1}, 6
    write_text("t/cw.tsv", "".join(f"x\t{label}\n" * count for label, count in frequencies.items()))
    recorded["class_weights"] = {
        "freq": {str(label): count for label, count in frequencies.items()}, "num_classes": classes,
        "weights": datasets.calc_class_weights("t/cw.tsv", classes), "stats_file": pathlib.Path("t/cw.tsv_sentence_stats.tsv").read_text()}
    for name, text in {"cw_blank": "x\t1\n\ny\t0\n", "cw_bad": "text\tclass\nx\t1\n", "cw_over": "x\t7\n"}.items():
        write_text(f"t/{name}.tsv", text)
        try:
            datasets.calc_class_weights(f"t/{name}.tsv", 3)
        except Exception as error:  # as above
            recorded[name] = {"input": text, "error": f"{type(error).__name__}: {error}"}
    write_json(FILES / "dataset_golden.json", recorded)


def record_reports() -> None:
    labels, predicted = [0, 2, 1, 1, 2, 0, 1, 2, 2, 0, 1], [0, 1, 1, 0, 2, 0, 1, 2, 0, 0, 1]

    def report(labels, predicted, classes, names=None):
        found = reports.ClassificationReport(num_classes=classes, label_ids=names, mode="micro")
        found.update(torch.tensor(predicted), torch.tensor(labels))
        return found.compute()

    *micro, text = report(labels, predicted, 3)
    named = report([1, 0, 1, 1], [1, 1, 1, 0], 2, {"no": 0, "yes": 1})[-1]
    case = {"labels": labels, "preds": predicted, "num_classes": 3, "micro": [score.item() for score in micro], "report": text}
    write_json(FILES / "report_golden.json", {"case1": case, "case2_with_label_ids": named})


def record_schedules() -> None:
    recorded = {}
    cases = {
        "WarmupAnnealing": {"warmup_ratio": 0.25}, "CosineAnnealing": {"warmup_ratio": 0.25}, "SquareAnnealing": {"warmup_ratio": 0.25},
        "SquareRootAnnealing": {"warmup_ratio": 0.25}, "InverseSquareRootAnnealing": {"warmup_ratio": 0.25},
        "PolynomialDecayAnnealing": {"warmup_ratio": 0.25, "power": 3.0},
        "PolynomialHoldDecayAnnealing": {"warmup_ratio": 0.25, "hold_ratio": 0.25, "power": 2.0},
        "WarmupPolicy": {"warmup_steps": 4}, "WarmupHoldPolicy": {"warmup_steps": 2, "hold_steps": 6},
        "NoamAnnealing": {"d_model": 48, "warmup_steps": 5}, "WarmupAnnealing_no_warmup": {},
    }
    for name, arguments in cases.items():
        max_steps, base = (24, 5e-5) if arguments else (7, 1e-3)
        optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=base)
        schedule = getattr(schedulers, name.split("_")[0])(optimizer, max_steps=max_steps, **arguments)
        rates = []
        for _ in range(max_steps + 3):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        recorded[name] = {"max_steps": max_steps, "base_lr": base, "args": arguments, "lr_by_step": rates}
    counted = [
        {"max_epochs": 2, "accumulate_grad_batches": 1, "limit_train_batches": 1.0, "num_workers": 1, "num_samples": 321, "batch_size": 32, "drop_last": False},
        {"max_epochs": 4, "accumulate_grad_batches": 3, "limit_train_batches": 1.0, "num_workers": 2, "num_samples": 500, "batch_size": 16, "drop_last": True},
        {"max_epochs": 3, "accumulate_grad_batches": 2, "limit_train_batches": 7, "num_workers": 1, "num_samples": 500, "batch_size": 16, "drop_last": False},
        {"max_epochs": 5, "accumulate_grad_batches": 1, "limit_train_batches": 0.25, "num_workers": 1, "num_samples": 500, "batch_size": 16, "drop_last": False},
    ]
    recorded["compute_max_steps"] = [{"args": of, "max_steps": schedulers.compute_max_steps(**of)} for of in counted]
    write_json(FILES / "lr_golden.json", recorded)


def tiny_vocabulary() -> list:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", *letters, *(f"##{letter}" for letter in letters),
            "the", "a", "film", "is", "good", "bad", "and", "not", "very", "so"]


def record_training() -> None:
    vocabulary = tiny_vocabulary()
    config = BertConfig(vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
                        max_position_embeddings=32, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    generator = torch.Generator().manual_seed(SEED)

    def make():
        head = classifiers.SequenceClassifier(hidden_size=16, num_classes=len(LABELS), num_layers=2, activation="relu", log_softmax=False, dropout=0.0)
        model = torch.nn.ModuleDict({"bert_model": BertModel(config), "classifier": head}).train()
        randomise(model, SEED + 80)
        return model

    lengths = [10, 4, 7]
    ids = torch.zeros((len(lengths), max(lengths)), dtype=torch.long)
    for row, length in enumerate(lengths):
        ids[row, :length] = torch.randint(5, len(vocabulary), (length,), generator=generator)
        ids[row, 0], ids[row, length - 1] = 2, 3
    batch = {"input_ids": ids, "token_type_ids": torch.zeros_like(ids), "attention_mask": (ids != 0).long()}
    labels = torch.tensor([2, 0, 1])

    def logits_of(model):
        return model["classifier"](hidden_states=model["bert_model"](**batch)[0])

    model = make()
    start = {name: value.clone() for name, value in model.state_dict().items()}
    save_file(start, FILES / "tiny_init.safetensors", metadata={"format": "pt"})
    recorded = {
        "state_dict_keys": {name: list(value.shape) for name, value in start.items()},
        "batch": {name: value.tolist() for name, value in {**batch, "labels": labels}.items()},
        "init_logits": logits_of(model).tolist(),
        "init_loss": losses.CrossEntropyLoss()(logits=logits_of(model), labels=labels).item(),
    }
    for name, optimizer_class in (("adam_wd0.01", torch.optim.Adam), ("adamw_wd0.01", torch.optim.AdamW)):
        model, loss_of = make(), losses.CrossEntropyLoss()
        optimizer = optimizer_class(model.parameters(), lr=2e-3, weight_decay=0.01)
        schedule = schedulers.WarmupAnnealing(optimizer, max_steps=8, warmup_ratio=0.25)
        found = {"lr": [], "loss": []}
        for _ in range(8):
            optimizer.zero_grad()
            loss = loss_of(logits=logits_of(model), labels=labels)
            loss.backward()
            found["lr"].append(optimizer.param_groups[0]["lr"])
            found["loss"].append(loss.item())
            optimizer.step()
            schedule.step()
        found["final_logits"] = logits_of(model).tolist()
        found["params_without_grad"] = [key for key, weight in model.named_parameters() if weight.grad is None]
        found["pooler_changed"] = not torch.equal(model.state_dict()["bert_model.pooler.dense.weight"], start["bert_model.pooler.dense.weight"])
        recorded[name] = found
        trained = {key: value.clone() for key, value in model.state_dict().items()}
        save_file(trained, FILES / f"tiny_final_{name}.safetensors", metadata={"format": "pt"})
        if optimizer_class is torch.optim.Adam:
            write_gzip_archive(trained, config, vocabulary)
    write_json(FILES / "tiny_golden.json", rounded(recorded))


def write_gzip_archive(weights: dict, config: BertConfig, vocabulary: list) -> None:
    """An archive of the gzip form that NeMo wrote up to 1.6, put together by hand: v1.8.2 writes the plain form."""
    names = {kind: f"{hashlib.md5(kind.encode()).hexdigest()}_{kind}" for kind in ("vocab.txt", "tokenizer_vocab_dict", "tiny-bert_encoder_config.json")}
    vocab_file, vocab_dict, encoder_config = names.values()
    model_config = {
        "nemo_path": "text_classification_model.nemo",
        "tokenizer": {"tokenizer_name": "tiny-bert", "vocab_file": f"nemo:{vocab_file}", "tokenizer_model": None, "special_tokens": None},
        "language_model": {"pretrained_model_name": "tiny-bert", "lm_checkpoint": None, "config_file": f"nemo:{encoder_config}", "config": None},
        "classifier_head": {"num_output_layers": 2, "fc_dropout": 0.1},
        "class_labels": {"class_labels_file": None},
        "dataset": {"num_classes": len(LABELS), "do_lower_case": False, "max_seq_length": 24, "class_balancing": None, "use_cache": False},
        "target": "nemo.collections.nlp.models.text_classification.text_classification_model.TextClassificationModel",
        "nemo_version": "1.8.2",
        "tokenizer_vocab_dict": f"nemo:{vocab_dict}",
    }
    stored = io.BytesIO()
    torch.save(weights, stored)
    members = {
        vocab_file: "".join(f"{token}\n" for token in vocabulary).encode(),
        vocab_dict: json.dumps({token: index for index, token in enumerate(vocabulary)}, indent=2, sort_keys=True).encode(),
        encoder_config: config.to_json_string(use_diff=False).encode(),
        "model_config.yaml": yaml.safe_dump(model_config, sort_keys=False).encode(),
        "model_weights.ckpt": stored.getvalue(),
    }
    with gzip.GzipFile(FILES / "sample_tiny_gz.nemo", "wb", mtime=0) as compressed, tarfile.open(fileobj=compressed, mode="w") as archive:
        folder = tarfile.TarInfo("./")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        for name, content in members.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def record_imports() -> None:
    for path, text in raw_data().items():
        write_text(OUT / "raw-data" / path, text)
    script = runpy.run_path(str(SOURCE / "examples/nlp/text_classification/data/import_datasets.py"), run_name="import_datasets")
    unsorted = glob.glob
    # In the order of the file system otherwise, which no other machine repeats.
    script["glob"].glob = lambda pattern: sorted(unsorted(pattern))
    raw, made = OUT / "raw-data", pathlib.Path("made").resolve()
    script["process_sst2"](str(raw / "sst-2/SST-2"), str(made / "sst-2"), False)
    script["process_chemprot"](str(raw / "chemprot/recursive_chemprot_layout"), str(made / "chemprot"), False)
    script["process_imdb"](str(raw / "imdb/aclImdb"), str(made / "imdb"), False)
    script["process_thucnews"](str(raw / "thucnews/THUCNews"), str(made / "thucnews"))
    script["glob"].glob = unsorted
    files = sorted(path for path in made.rglob("*") if path.is_file())
    digest = lambda path: hashlib.sha256(path.read_bytes()).hexdigest()
    name = lambda path: path.relative_to(made).as_posix()
    write_text(FILES / "import_sha256.txt", "".join(f"{digest(path)}  ./{name(path)}\n" for path in files))
    write_text(FILES / "import_report.txt", "".join(f"{name(path)} {path.read_bytes().count(10)} lines {path.stat().st_size} bytes\n" for path in files))


def record_mini_lm() -> None:
    model_folder = os.environ.get("MINILM")
    if not model_folder:
        return
    tokenizer = tokenizer_of(OUT / "bert-base-uncased-vocab.txt")
    queries = ["a warm and funny film that never tries too hard", "it rains ."]
    dataset = datasets.TextClassificationDataset(tokenizer=tokenizer, queries=queries, max_seq_length=64)
    ids, types, mask, _ = dataset._collate_fn([dataset[index] for index in range(len(dataset))])
    with torch.no_grad():
        hidden = BertModel.from_pretrained(model_folder).eval()(input_ids=ids, token_type_ids=types, attention_mask=mask)[0]
    write_json(FILES / "minilm_golden.json", rounded({
        "queries": queries, "input_ids": ids.tolist(), "attention_mask": mask.tolist(), "cls_hidden": hidden[:, 0].tolist(),
        "hidden_mean_abs": hidden[mask == 1].abs().mean().item()}))


def main() -> None:
    FILES.mkdir()
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        record_datasets()
        record_reports()
        record_schedules()
        record_training()
        record_imports()
        record_mini_lm()
        os.chdir(OUT)


main()

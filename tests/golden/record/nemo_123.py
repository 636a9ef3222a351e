"""Records what NeMo 1.23 does: its tokenising, its archives, its training steps, its report, and a run of its own script.

    python nemo_123.py OUT EXAMPLES      EXAMPLES: examples/nlp/text_classification of NeMo v1.23.0
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import numpy
import pytorch_lightning
import sklearn.metrics
import torch
import transformers
from nemo.collections.common.losses import CrossEntropyLoss
from nemo.collections.nlp.data.text_classification import TextClassificationDataset, calc_class_weights
from nemo.collections.nlp.metrics.classification_report import ClassificationReport
from nemo.collections.nlp.models.text_classification import TextClassificationModel
from nemo.collections.nlp.modules.common.sequence_classifier import SequenceClassifier
from nemo.collections.nlp.modules.common.tokenizer_utils import get_tokenizer
from nemo.core.optim.lr_scheduler import WarmupAnnealing
from omegaconf import OmegaConf
from safetensors.torch import save_file
from transformers import BertModel

from random_weights import randomise
from texts import EDGE_BLANK_LINE, EDGE_LINES, LABELS, SEED, SENTENCES, TRAIN_LINES, labelled_lines, tsv
from writing import rounded, write_json, write_text

MAX_TOKENS = 26
ENCODERS = ["bert-tiny-uncased", "bert-tiny-cased", "roberta-tiny", "distilbert-tiny"]
TRAIN_TOKENS = 34
BATCH, BATCHES = 8, 12
# Of the variants that clip nothing and start from traj_init.safetensors: their first moments show the gradients.
WITH_GRADIENTS = ("adam_unweighted", "adamw_weighted", "adam_accum5")


def dataset_of(tokenizer, lines: str, max_tokens: int) -> TextClassificationDataset:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "lines.tsv")
        write_text(path, lines)
        return TextClassificationDataset(tokenizer=tokenizer, input_file=str(path), max_seq_length=max_tokens)


def record_tokens(out: pathlib.Path) -> None:
    recorded = {}
    for name in ENCODERS:
        tokenizer = get_tokenizer(name)
        queries = TextClassificationDataset(tokenizer=tokenizer, queries=SENTENCES, max_seq_length=MAX_TOKENS)
        ids, segments, mask, _ = queries.collate_fn([queries[i] for i in range(len(queries))])
        recorded[name] = {
            "pad_id": tokenizer.pad_id, "vocab_size": tokenizer.vocab_size, "ids": [row[0].tolist() for row in queries.features],
            "collated": {"input_ids": ids.tolist(), "segment_ids": segments.tolist(), "input_mask": mask.tolist()},
        }
    for casing in ("lower", "cased"):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy("bert-base-uncased-vocab.txt", pathlib.Path(folder, "vocab.txt"))
            transformers.BertConfig().save_pretrained(folder)
            write_json(pathlib.Path(folder, "tokenizer_config.json"), {"do_lower_case": casing == "lower", "tokenizer_class": "BertTokenizer"})
            queries = TextClassificationDataset(tokenizer=get_tokenizer(folder), queries=SENTENCES, max_seq_length=-1)
            recorded[f"real_vocab_{casing}"] = [row[0].tolist() for row in queries.features]
    note = "each word of text.strip().split() through the slow tokenizer; collate pads ids, segments and mask with pad_id"
    write_json(out / "nemo/nemo_tokenize.json", {**recorded, "sentences": SENTENCES, "max_seq_length": MAX_TOKENS, "note": note})


def record_edges(out: pathlib.Path) -> None:
    tokenizer = get_tokenizer("bert-tiny-uncased")
    write_text(out / "nemo/edge.tsv", EDGE_LINES)
    write_text(out / "nemo/edge_blank_line.tsv", EDGE_BLANK_LINE)
    features = dataset_of(tokenizer, EDGE_LINES, 64).features
    write_json(out / "nemo/edge_features.json", [
        {"ids": ids.tolist(), "label": label, "tokens": tokenizer.ids_to_tokens(ids.tolist())} for ids, _, _, label in features])
    try:
        dataset_of(tokenizer, EDGE_BLANK_LINE, 64)
    except Exception as error:  # whatever NeMo raises is what is recorded
        write_json(out / "nemo/edge_blank_line.expected.json", {"nemo_result": repr(error)})


def state_of(weights) -> dict:
    return {name: [list(value.shape), str(value.dtype)] for name, value in weights.items()}


@torch.no_grad()
def record_archive(name: str, encoder: str, settings: dict, seed: int, config, out: pathlib.Path) -> None:
    config = OmegaConf.create(OmegaConf.to_container(config.model, resolve=False))
    config = OmegaConf.create({"model": config})
    for key, value in {"language_model.pretrained_model_name": encoder, "dataset.num_classes": len(LABELS),
                       "dataset.max_seq_length": 40, "train_ds.num_workers": 0, **settings}.items():
        OmegaConf.update(config, f"model.{key}", value)
    trainer = pytorch_lightning.Trainer(accelerator="cpu", devices=1, logger=False, enable_checkpointing=False)
    model = TextClassificationModel(config.model, trainer=trainer)
    texts = SENTENCES + [text for text, _ in TRAIN_LINES[:12]]
    queries = TextClassificationDataset(tokenizer=model.tokenizer, queries=texts, max_seq_length=40)
    forward = lambda batch: model(input_ids=batch[0], token_type_ids=batch[1], attention_mask=batch[2])
    randomise(model.classifier, seed)
    model.eval()
    # Random encoders give all texts nearly the same vector: without this, all of them would get the same label.
    logits = torch.cat([forward(queries.collate_fn([queries[index]])) for index in range(len(texts))])
    last = [module for module in model.classifier.modules() if isinstance(module, torch.nn.Linear)][-1]
    last.bias -= logits.mean(0)
    saved = state_of(model.state_dict())
    path = out / "nemo" / name
    model.save_to(str(path))

    rows = []
    for index, text in enumerate(texts):
        logits = forward(queries.collate_fn([queries[index]]))[0]
        rows.append({"text": text, "input_ids": queries[index][0].tolist(), "logits": logits.tolist(), "pred": int(logits.argmax())})
    together = forward(queries.collate_fn([queries[index] for index in range(len(texts))]))
    alone = torch.tensor([row["logits"] for row in rows])
    try:
        TextClassificationModel.restore_from(str(path), map_location="cpu", strict=True)
        refusal = None
    except RuntimeError as error:
        refusal = str(error)
    restored = TextClassificationModel.restore_from(str(path), map_location="cpu", strict=False)
    with tarfile.open(path) as archive:
        members = [[member.name, member.size, oct(member.mode), member.type.decode()] for member in archive.getmembers()]
    write_json(f"{path}.expected.json", {
        "file": name, "strict_restore_error": refusal, "saved_state_dict": saved, "rows": rounded(rows),
        "batched_logits": rounded(together.tolist()), "batched_vs_single_maxdiff": (together - alone).abs().max().item(),
        "classifytext_batch8": model.classifytext(texts, batch_size=8, max_seq_length=40),
        "state_dict": state_of(restored.state_dict()), "tar": members,
    })


def record_archives(config, out: pathlib.Path) -> None:
    shutil.copy(out / "nemo/traj_train.tsv", "traj_train.tsv")
    shutil.copy(out / "nemo/label_ids.tsv", "label_ids.tsv")
    heads = "classifier_head.num_output_layers"
    kinds = [
        ("tiny_bert.nemo", "bert-tiny-uncased", {}),
        ("tiny_bert_weighted_3layer.nemo", "bert-tiny-cased", {
            heads: 3, "dataset.class_balancing": "weighted_loss", "class_labels.class_labels_file": "label_ids.tsv",
            "train_ds.file_path": "traj_train.tsv"}),
        ("tiny_roberta.nemo", "roberta-tiny", {}),
        ("tiny_distilbert.nemo", "distilbert-tiny", {heads: 1}),
    ]
    for index, (name, encoder, settings) in enumerate(kinds):
        record_archive(name, encoder, settings, SEED + 20 + index, config, out)


def record_trajectories(out: pathlib.Path) -> None:
    dataset = dataset_of(get_tokenizer("bert-tiny-uncased"), tsv(TRAIN_LINES), TRAIN_TOKENS)
    batches = [dataset.collate_fn([dataset[i] for i in range(first, first + BATCH)]) for first in range(0, BATCH * BATCHES, BATCH)]
    names = ("input_ids", "token_type_ids", "attention_mask", "labels")
    write_json(out / "traj_batches.json", [{name: part.tolist() for name, part in zip(names, batch)} for batch in batches])
    with tempfile.TemporaryDirectory() as folder:
        write_text(f"{folder}/train.tsv", tsv(TRAIN_LINES))
        class_weights = calc_class_weights(f"{folder}/train.tsv", len(LABELS))

    def make(layers: int):
        bert = BertModel.from_pretrained("bert-tiny-uncased", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        head = SequenceClassifier(hidden_size=bert.config.hidden_size, num_classes=len(LABELS), num_layers=layers,
                                  activation="relu", log_softmax=False, dropout=0.0)
        randomise(head, SEED + 40 + layers)
        return torch.nn.ModuleDict({"bert_model": bert, "classifier": head}).train()

    def write_weights(path, tensors) -> None:
        save_file({name: value.detach().clone().contiguous() for name, value in tensors}, out / path, metadata={"format": "pt"})

    write_weights("traj_init.safetensors", make(2).state_dict().items())
    write_weights("traj_init_head_1layer.safetensors",
                  [(name, value) for name, value in make(1).state_dict().items() if name.startswith("classifier.")])

    base = {"opt": "adam", "lr": 1e-3, "wd": 0.01, "weighted": False, "clip": 0.0, "layers": 2, "warmup_ratio": 0.1}
    variants = {
        "adam_unweighted": base,
        "adamw_weighted": {**base, "opt": "adamw", "weighted": True},
        "adamw_weighted_clip1": {**base, "opt": "adamw", "wd": 0.1, "weighted": True, "clip": 1.0, "warmup_ratio": 0.25},
        "adam_lr2e-5_clip1_1layer": {**base, "lr": 2e-5, "clip": 1.0, "layers": 1},
        "adam_accum5": {**base, "wd": 0.0, "warmup_ratio": 0.4, "accum": 5},
    }
    recorded = {}
    for name, of in variants.items():
        model = make(of["layers"])
        loss_of = CrossEntropyLoss(weight=class_weights) if of["weighted"] else CrossEntropyLoss()
        optimizer = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[of["opt"]](
            model.parameters(), lr=of["lr"], betas=(0.9, 0.999), weight_decay=of["wd"])
        accumulated = of.get("accum", 1)
        groups = [batches[first:first + accumulated] for first in range(0, BATCHES, accumulated)]
        schedule = WarmupAnnealing(optimizer, max_steps=len(groups), warmup_ratio=of["warmup_ratio"])

        def logits_of(batch):
            ids, types, mask, _ = batch
            hidden = model["bert_model"](input_ids=ids, token_type_ids=types, attention_mask=mask)[0]
            return model["classifier"](hidden_states=hidden)

        found = {"cfg": of, "loss": [], "lr": [], "grad_norm": [], "logits_first": rounded(logits_of(batches[0]).tolist())}
        for step, group in enumerate(groups):
            optimizer.zero_grad()
            for batch in group:
                loss = loss_of(logits=logits_of(batch), labels=batch[3])
                (loss / accumulated).backward()
                found["loss"].append(loss.item())
            gradients = [(key, weight.grad) for key, weight in model.named_parameters() if weight.grad is not None]
            found["grad_norm"].append(torch.stack([gradient.norm() for _, gradient in gradients]).norm().item())
            if step == 0 and name in WITH_GRADIENTS:
                write_weights(f"traj_grads_step0_{name}.safetensors", gradients)
            if of["clip"]:
                torch.nn.utils.clip_grad_norm_(model.parameters(), of["clip"])
            found["lr"].append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        without = [key for key, weight in model.named_parameters() if weight.grad is None]
        recorded[name] = {**found, "warmup_steps": schedule.warmup_steps, "final_logits_batch0": rounded(logits_of(batches[0]).tolist()),
                          "no_grad_params": without}
        write_weights(f"traj_final_{name}.safetensors", model.state_dict().items())
    write_json(out / "trajectory.json", {
        "torch": torch.__version__, "transformers": transformers.__version__, "num_classes": len(LABELS),
        "class_weights": class_weights, "steps": BATCHES,
        "note": "dropout 0, one group of parameters, learning rates by optimizer step, norms before clipping", "variants": recorded})


def record_learning_rates(out: pathlib.Path) -> None:
    recorded = {}
    for max_steps, ratio, steps, min_lr, lr in [
        (16, 0.25, None, 0.0, 5e-5), (131, 0.1, None, 0.0, 1e-4), (30, None, 6, 1e-6, 5e-5), (9, 0.0, None, 0.0, 1e-3), (4, 0.1, None, 0.0, 2e-5),
    ]:
        optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=lr)
        schedule = WarmupAnnealing(optimizer, max_steps=max_steps, warmup_ratio=ratio, warmup_steps=steps, min_lr=min_lr)
        key = f"max_steps={max_steps},warmup_ratio={ratio},warmup_steps={steps},min_lr={min_lr},lr={lr}"
        recorded[key] = []
        for _ in range(max_steps + 3):
            recorded[key].append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
    write_json(out / "warmup_annealing_lrs.json", recorded)


def record_reports(out: pathlib.Path) -> None:
    draw = numpy.random.default_rng(SEED)

    def guesses(classes, count, right):
        labels = draw.integers(0, classes, count)
        predicted = numpy.where(draw.random(count) < right, labels, draw.integers(0, classes, count))
        return labels.tolist(), predicted.tolist()

    named = {"no": 0, "perhaps, with a label name that takes more than fifty characters": 1, "yes": 2}
    cases = [
        ("binary", 2, None, guesses(2, 90, 0.8)),
        ("six", 6, None, guesses(6, 140, 0.6)),
        ("empty_class", 4, None, ([0, 1, 1, 2, 2, 2] * 6, [0, 1, 2, 2, 0, 2] * 6)),
        ("all_wrong", 3, None, ([0, 1, 2] * 7, [1, 2, 0] * 7)),
        ("perfect", 3, None, ([2, 1, 0, 0] * 5,) * 2),
        ("single_sample", 2, None, ([0], [0])),
        ("names", 3, named, guesses(3, 61, 0.7)),
        ("big", 3, None, guesses(3, 24_001, 0.9)),
    ]
    recorded = []
    for name, classes, names, (labels, predicted) in cases:
        found, text = {}, None
        for mode in ("micro", "macro", "weighted", "all"):
            report = ClassificationReport(num_classes=classes, label_ids=names, mode=mode)
            report.update(torch.tensor(predicted), torch.tensor(labels))
            *scores, text = report.compute()
            found[mode] = dict(zip(("precision", "recall", "f1"), (score.tolist() for score in scores)))
        averages = {mode: [float(score) for score in sklearn.metrics.precision_recall_fscore_support(
            labels, predicted, labels=range(classes), average=mode, zero_division=0)[:3]] for mode in ("micro", "macro", "weighted")}
        recorded.append({"name": name, "num_classes": classes, "label_ids": names, "nemo": found, "report_text": text,
                         "tp": report.tp.tolist(), "fn": report.fn.tolist(), "fp": report.fp.tolist(),
                         "sklearn": {**averages, "accuracy": sklearn.metrics.accuracy_score(labels, predicted)}}
                        | ({} if name == "big" else {"labels": labels, "preds": predicted}))
    write_json(out / "classification_report.json", recorded)


def record_run(examples: pathlib.Path, out: pathlib.Path) -> None:
    """A run of NeMo's own script, in the current folder, so that its files name no other place."""
    artifacts = out / "nemo/run_artifacts"
    artifacts.mkdir()
    for name, count, seed in (("train", 200, 60), ("dev", 70, 61), ("test", 50, 62)):
        write_text(f"tinydata/{name}.tsv", tsv(labelled_lines(count, SEED + seed)))
    splits = [f"model.{split}_ds.{setting}" for split in ("train", "validation", "test") for setting in ("batch_size=24", "num_workers=0")]
    overrides = [
        "trainer.accelerator=cpu", "trainer.devices=1", "trainer.max_epochs=2", f"model.dataset.num_classes={len(LABELS)}",
        "model.dataset.class_balancing=weighted_loss", "model.dataset.max_seq_length=36",
        "model.language_model.pretrained_model_name=bert-tiny-uncased", "model.train_ds.file_path=tinydata/train.tsv",
        "model.validation_ds.file_path=tinydata/dev.tsv", "model.test_ds.file_path=tinydata/test.tsv", "model.optim.lr=2e-3",
        "model.nemo_path=tiny_bert_sst2.nemo", "model.class_labels.class_labels_file=label_ids.tsv", "exp_manager.exp_dir=exp_tiny", *splits,
    ]
    shutil.copy(examples / "text_classification_with_bert.py", ".")
    shutil.copytree(examples / "conf", "conf")
    done = subprocess.run([sys.executable, "text_classification_with_bert.py", *overrides], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONHASHSEED": "0"})
    here = os.getcwd()

    def placeless(text: str) -> str:
        text = re.sub(r"[^\s'\"]*/(lib/python3\.10/site-packages)", r"\1", text)
        text = re.sub(r"[^\s'\"]*/nemo_nlp_tmp/[0-9a-f]+/", "", text)
        return re.sub(re.escape(here) + "/?", "", text)

    console = placeless(done.stdout)
    if done.returncode != 0:
        raise SystemExit(console)
    write_text(artifacts / "console_tiny.log", console)
    [experiment] = pathlib.Path("exp_tiny/TextClassification").iterdir()
    for name in ("cmd-args.log", "hparams.yaml", "lightning_logs.txt", "nemo_log_globalrank-0_localrank-0.txt"):
        write_text(artifacts / name, placeless((experiment / name).read_text()))
    files = sorted(path for path in experiment.rglob("*") if path.is_file())
    host = os.uname().nodename
    write_text(artifacts / "exp_dir_listing.txt", "".join(
        f"{str(path.relative_to('exp_tiny')).replace(host, 'host')} {path.stat().st_size}\n" for path in files))
    shutil.copy("tiny_bert_sst2.nemo", artifacts)
    with tarfile.open("tiny_bert_sst2.nemo") as archive:
        write_text(artifacts / "model_config_tiny.yaml", archive.extractfile("./model_config.yaml").read().decode())
    [last] = (experiment / "checkpoints").glob("*-last.ckpt")
    checkpoint = torch.load(last, map_location="cpu")
    lines = [f"{key} : {type(value).__name__} {value if isinstance(value, (int, str)) else ''}".rstrip() for key, value in checkpoint.items()]
    for group in checkpoint["optimizer_states"][0]["param_groups"]:
        lines.append(f"opt group { {**group, 'params': len(group['params'])} } n state {len(checkpoint['optimizer_states'][0]['state'])}")
    lines.append(f"{checkpoint['lr_schedulers']}")
    lines += [f"  {name} {tuple(value.shape)} {value.dtype}" for name, value in checkpoint["state_dict"].items()]
    write_text(artifacts / "ckpt_layout.txt", placeless("\n".join(lines)) + "\n")


def main() -> None:
    out, examples = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    (out / "nemo").mkdir()
    write_text(out / "nemo/traj_train.tsv", tsv(TRAIN_LINES))
    write_text(out / "nemo/label_ids.tsv", "".join(f"{label}\n" for label in LABELS))
    config = OmegaConf.load(examples / "conf/text_classification_config.yaml")
    # NeMo writes the names of its inputs into archives: with a working folder that holds them, these are no paths.
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        for name in [*ENCODERS, "bert-base-uncased-vocab.txt"]:
            os.symlink(out / name, name)
        torch.manual_seed(SEED)
        record_tokens(out)
        record_edges(out)
        record_trajectories(out)
        record_learning_rates(out)
        record_reports(out)
        record_archives(config, out)
        record_run(examples, out)
        os.chdir(out)


main()

"""Times the inference of MiniLM-L6 with a head on token ids: all test sentences of SST-2, and one short sentence."""

import argparse
import os
import shutil
import statistics
import time

import numpy
import torch

from common import load_model, load_tokenizer, logits_of, padded, set_threads, tokenize
from result import read_tsv, report

parser = argparse.ArgumentParser()
parser.add_argument("--engine", choices=["onnxruntime", "pytorch"], required=True)
parser.add_argument("--model", required=True)
parser.add_argument("--data", required=True, help="a folder with SST-2 as in GLUE")
parser.add_argument("--onnx", help="where the exported model is kept")
parser.add_argument("--precision", choices=["float32", "bfloat16", "int8"], default="float32")
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--runs", type=int, default=3)
o = parser.parse_args()
set_threads(o.threads)
torch.manual_seed(1)

tokenizer = load_tokenizer(o.model)
pad_id = tokenizer.pad_token_id
sentences = tokenize(tokenizer, read_tsv(os.path.join(o.data, "test.tsv"))[0])
short = tokenize(tokenizer, ["a gorgeous , witty , seductive movie"])


def prepared(name, make):
    """The path of an ONNX model that `make` writes, with the files beside it. It is there completely or not at all."""
    folder = f"{o.onnx}-{torch.__version__}-{name}"
    path = os.path.join(folder, "model.onnx")
    if not os.path.exists(path):
        part = f"{folder}.part"
        shutil.rmtree(part, ignore_errors=True)  # of an interrupted run
        os.makedirs(part)
        make(os.path.join(part, "model.onnx"))
        os.rename(part, folder)
    return path


def export(path):
    model = load_model(o.model).eval()
    ids, mask = padded([sentences[0], sentences[1]], pad_id)
    rows, length = torch.export.Dim("rows"), torch.export.Dim("length")
    shapes = {"input_ids": {0: rows, 1: length}, "attention_mask": {0: rows, 1: length}}
    inputs = {"input_ids": ids, "attention_mask": mask}
    torch.onnx.export(model, kwargs=inputs, f=path, dynamic_shapes=shapes, dynamo=True, verbose=False)


def quantize(path, quantized):
    """Weights in bytes, by onnxruntime's own tool; with a scale for each output (per_channel), its model is slower."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(path)
    del model.graph.value_info[:]  # the tool rejects the shapes that torch's export has inferred
    quantize_dynamic(model, quantized, weight_type=QuantType.QInt8)


def onnx_runner():
    import onnxruntime

    path = prepared("float32", export)
    if o.precision == "int8":
        exported = path
        path = prepared("int8", lambda quantized: quantize(exported, quantized))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = o.threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def run(rows):
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        logits = numpy.empty((len(rows), 2), numpy.float32)
        for at in range(0, len(order), 32):
            part = order[at : at + 32]
            ids, mask = padded([rows[row] for row in part], pad_id)
            logits[part] = session.run(None, dict(zip(names, [ids.numpy(), mask.numpy()])))[0]
        return logits

    return run


def pytorch_runner(number_format):
    model = load_model(o.model, torch.bfloat16 if number_format == "bfloat16-weights" else torch.float32)
    return lambda rows: logits_of(model, rows, pad_id, autocast=number_format == "bfloat16-autocast")


def timed(run, rows, runs):
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        run(rows)
        times.append(time.perf_counter() - started)
    return times


notes = []
if o.engine == "onnxruntime":
    run = onnx_runner()
elif o.precision == "float32":
    run = pytorch_runner("float32")
else:
    runners = {name: pytorch_runner(name) for name in ["bfloat16-autocast", "bfloat16-weights"]}
    fastest = min(runners, key=lambda name: min(timed(runners[name], sentences[:320], 3)))
    run = runners[fastest]
    notes = [f"{fastest}, which was the faster on 320 sentences"]
run(sentences)
timed(run, short, 20)
report(
    {
        "all": timed(run, sentences, o.runs),
        "one": [1000 * statistics.median(timed(run, short, 200))],
    },
    notes,
)

#!/usr/bin/env python3
"""Records the whole set anew; ../README.md describes it, and how to make the environment.

    python record.py --nemo-1.23 FOLDER --nemo-1.8 FOLDER --mini-lm FOLDER [--out FOLDER]

The two folders of NeMo are checkouts of its tags v1.23.0 and v1.8.2; --mini-lm is the folder of all-MiniLM-L6-v2 that
`npm run setup` makes. --out must be empty or absent.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile


def main() -> None:
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nemo-1.23", dest="nemo_123", type=pathlib.Path, required=True)
    parser.add_argument("--nemo-1.8", dest="nemo_182", type=pathlib.Path, required=True)
    parser.add_argument("--mini-lm", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, default=here.parent / "recorded")
    options = parser.parse_args()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        parser.error(f"{out} is not empty")

    examples = options.nemo_123.resolve() / "examples/nlp/text_classification"
    stages = [
        ("encoders.py", [options.mini_lm.resolve() / "vocab.txt"]),
        ("nemo_123.py", [examples]),
        ("nemo_padding.py", []),
        ("schedules.py", []),
        ("nemo_182.py", [options.nemo_182.resolve()]),
    ]
    with tempfile.TemporaryDirectory() as cache:
        # Tokenizers and models come from the set alone; NeMo keeps copies of vocabularies in the cache by their names.
        env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": cache, "TZ": "UTC", "OMP_NUM_THREADS": "1", "MINILM": str(options.mini_lm.resolve())}
        for script, arguments in stages:
            print(f"{script} …", flush=True)
            subprocess.run([sys.executable, here / script, out, *arguments], check=True, env=env)

    own = [str(out), str(pathlib.Path.home()), tempfile.gettempdir() + "/", str(options.nemo_123.resolve())]
    for path in sorted(out.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            for place in own:
                if place.encode() in content:
                    raise SystemExit(f"{path} contains {place}, a path of this machine")
    files = [path for path in out.rglob("*") if path.is_file()]
    print(f"{len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB in {out}")


if __name__ == "__main__":
    main()

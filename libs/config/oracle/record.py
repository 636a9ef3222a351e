"""Records what Hydra 1.3.2, OmegaConf 2.3.0 and PyYAML 6.0.3 do, for the tests of libs/config.

    python -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python record.py

Writes overrides.json, scalars.json, printed.json, interpolations.json and composed.json beside itself.
The inputs are in this file; what is composed is in conf/ beside it.
"""

import json
import math
import os
import pathlib
import warnings

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, IntervalSweep, QuotedString, RangeSweep
from omegaconf import OmegaConf
from omegaconf._utils import get_yaml_loader

HERE = pathlib.Path(__file__).parent
CONF = HERE / "conf"
warnings.simplefilter("ignore")

KEYS = [
    "a=1", "a.b.c=1", "_a=1", "a-b=1", "$a=1", "a$b=1", "a1=1", "a.0.b=1", "a.10=1", "a.01=1", "1a=1", "a/b=c", "a/b/c=d",
    "a@b=c", "a@b.c=d", "a/b@c.d=e", "a@_global_=c", "a@=c", "@a=b", "a@b@c=d", "=1", "a", "a.b", "", " a=1", "a =1", "a= 1",
    "a=1 ", "a..b=1", ".a=1", "a.=1", "a b=1", "a:b=1", "+a=1", "++a=1", "+++a=1", "~a", "~a=1", "~a.b.c", "~a@b", "~", "+a",
    "++a", "~+a=1", "+~a=1", "+a@b=c", "~a/b=c", "a+=1", "a/b.c=1", "a.b/c=1", "é=1", "a,b=1", "a\\.b=1", "A.B=1", "hydra.run.dir=.",
    "hydra/launcher=basic", "--a=1", "-a=1",
]  # fmt: skip

VALUES = [
    # empty, null, truth
    "", "null", "NULL", "Null", "nULL", "none", "None", "~", "true", "True", "TRUE", "tRuE", "false", "FALSE", "yes", "no", "on", "off",
    "trueish", "nullable", "true1",
    # integers
    "0", "1", "-1", "+1", "10", "007", "00", "1_000", "1__000", "1_", "_1", "-0", "0x10", "0b1", "0o7", "10e", "1e", "12a", "- 1", "--1",
    "1-2", "1+1", "9007199254740991",
    # floats
    "1.0", "1.", ".5", "-.5", "+.5", "1.5", "1e5", "1E5", "1e-5", "1e+5", "1.5e-3", "1_0.5_0", "1.e3", ".5e3", "-1e-5", "1e1_0", "inf", "-inf",
    "+inf", "INF", "Inf", "iNf", "nan", "NaN", "-nan", "info", "nano", "infinity", "2e-5", "0.0", "-0.0", "1.2.3", "1..2", ".", "..", "1e5.5",
    "3.14abc", "00.5", "1e05",
    # text
    "abc", "a b", "a  b", "a\tb", "foo-bar_10", "a/b", "/tmp/x", "./x", "../x", "a.b", "a.b.c", "a:b", "a::b", "http://x.y/z", "a@b", "a*", "a?b",
    "a|b", "a%b", "a$b", "a+b", "$a", "*", "?", "???", "%", "@", "|", "+", "-", "/", ":", "a: b", "a :b", ": a", "10:30", "a#b", "a!b", "a&b",
    "a;b", "a<b", "a~b", "a^b", "a`b", "é", "日本", "a=b", "a==b", "=", "a = b", "2020-01-01", "v1.2.3", "a,", ",a", ",", "a\nb", "C:\\x", "100%",
    # escapes
    "a\\,b", "a\\=b", "a\\ b", "\\ a", "a\\ ", "a\\:b", "\\[a\\]", "\\(a\\)", "\\{a\\}", "a\\\\b", "a\\b", "\\", "\\\\", "\\,", "\\'", "\\\"",
    "a\\\\,b", "1\\,2", "\\1", "tr\\ ue", "a\\tb", "a\\\tb",
    # quotes
    "''", '""', "'a'", '"a"', "'a b'", '"a, b"', "'a\\'b'", '"a\\"b"', "'a\"b'", '"a\'b"', "'a\\\\'", '"a\\\\"', "'\\\\'", "'a\\\\\\'b'", "'a\\b'",
    '"a\\nb"', "'1'", '"1e-5"', "'true'", "'null'", "' a '", "'a", "a'", "a'b", "'a'b", "'a' 'b'", "'a''b'", '"${x}"', "'[1,2]'", "'a\nb'", "'é'",
    "'\\''", "'\\\\\\\\'", "' '",
    # lists
    "[]", "[1]", "[1,2]", "[1, 2]", "[ 1 , 2 ]", "[a,b]", "[a b,c]", "[[1],[2,3]]", "[[]]", "['a,b',c]", "[1,2", "1,2]", "[1,,2]", "[1,]", "[,]",
    "[a:b]", "[{a:1}]", "[null,true,1.5,x]", "[a]b", "[a] b", "[1] ", " [1]", "[\\,]", "[0,1]", "[0.9, 0.98]", "[1 2]", "[a=b]",
    # maps
    "{}", "{a:1}", "{a: 1}", "{ a : 1 , b : 2 }", "{a:b,c:d}", "{a:{b:{c:1}}}", "{a:[1,2]}", "{a}", "{a:}", "{:1}", "{a:1", "{a:1,}", "{a:1,a:2}",
    "{'a':1}", "{a b:1}", "{a.b:1}", "{a/b:1}", "{cls_token:'[CLS]'}", "{a:b:c}", "{a:http://x}", "{a:${b}}", "{${a}:1}", "{a-b:1}", "{$x:1}", "{a:1}b",
    # interpolations
    "${a}", "${a.b}", "${a.b}/c", "x${a}y", "${a}${b}", "${oc.env:HOME}", "${oc.env:X,default}", "${oc.env:X,'a b'}", "${.a}", "${..a.b}", "${}", "${a",
    "$a}", "${a b}", "${a:${b}}", "${a,b}", "[${a},${b}]", "${a[0]}", "\\${a}",
    # functions and sweeps
    "1,2", "1,2,3", "a,b", "a, b", "a ,b", "'a','b'", "[1],[2]", "{a:1},{b:2}", "1e-5,2e-5", "null,1", "choice(1,2)", "choice(a)", "choice()", "choice( a , b )",
    "choice(a,b) ", "choice(choice(a,b))", "choice([1],[2])", "choice(1", "range(3)", "range(1,4)", "range(1,10,3)", "range(10,1,-3)", "range(0.0,1.0)",
    "range(0,1,0.25)", "range(start=1,stop=4)", "range(1,stop=4)", "range(stop=4,1)", "range()", "range(a)", "interval(0,1)", "interval(1e-5,1e-3)",
    "interval(0)", "interval(start=0,end=1)", "tag(log,interval(0,1))", "foo(1)", "foo (1)", "a(b", "a)b", "(a)", "()", "f()", "glob(*)", "[choice(a,b)]",
    "choice(a,b),c", "a b(c)", "range(1,2),range(3,4)",
]  # fmt: skip


def encode(value):
    if isinstance(value, QuotedString):
        return {"str": value.text, "quoted": True}
    if value is None:
        return {"null": True}
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, int):
        return {"int": value}
    if isinstance(value, float):
        return {"float": repr(value)}
    if isinstance(value, str):
        return {"str": value}
    if isinstance(value, list):
        return {"list": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"map": [[encode(key), encode(item)] for key, item in value.items()]}
    if isinstance(value, ChoiceSweep):
        return {"choice": [encode(item) for item in value.list], "simple": value.simple_form}
    if isinstance(value, RangeSweep):
        return {"range": [float(item) for item in value.range()]}
    if isinstance(value, IntervalSweep):
        return {"interval": [value.start, value.end], "tags": sorted(value.tags)}
    if isinstance(value, Glob):
        return {"glob": value.include}
    raise TypeError(type(value))


def overrides():
    parser = OverridesParser.create()
    cases = []
    for text in KEYS + ["k=" + value for value in VALUES]:
        try:
            parsed = parser.parse_override(text)
            cases.append(
                {
                    "input": text,
                    "type": parsed.type.name,
                    "key": parsed.key_or_group,
                    "package": parsed.package,
                    "value": None if parsed.value_type is None else encode(parsed._value),
                }
            )
        except Exception as error:  # noqa: BLE001: whatever it raises, the input is refused
            cases.append({"input": text, "error": str(error).split("\n")[0]})
    return cases


SCALARS = [
    "", "~", "null", "Null", "NULL", "nUll", "true", "True", "TRUE", "tRue", "false", "yes", "Yes", "YES", "no", "on", "On", "off", "OFF", "y", "n", "Y",
    "0", "1", "-1", "+1", "10", "010", "08", "0o10", "0x1F", "0b101", "1_000", "1_", "_1", "1:30", "1:30:15", "-1:30", "190:20:30.15", "0.", "1.0", "1.5",
    "1.5e3", "1.5E3", "1.5e+3", "1e5", "1e-5", "1E5", "1e+5", "2e-5", ".5", ".5e3", ".5e+3", "-.5", "+1.5", ".inf", "-.inf", "+.Inf", ".INF", ".nan", ".NaN",
    "inf", "nan", "1_000.5", "1.2.3", "1e", "e5", "2020-01-01", "2020-01-01 10:00:00", "a", "a b", "<<x", "=", "-", "--", ".", "..", "???", "${a.b}", "0777",
    "00", "+", "1e1_0", "1__0", "0x", "0b", "12e03", "1,000", "False", "FALSE", "Off", "No", "NO", "- 1",
]  # fmt: skip


def scalars():
    loader = get_yaml_loader()
    cases = []
    for text in SCALARS:
        try:
            value = yaml.load(f"a: {text}", Loader=loader)["a"]
        except Exception:  # noqa: BLE001
            continue
        if isinstance(value, (str, int, float, bool)) or value is None:
            cases.append({"input": text, "value": encode(value)})
    return cases


LONG = "the quick brown fox jumps over the lazy dog and " * 5
PRINTED = [
    {"a": 1, "b": 1.0, "c": 1e-5, "d": 2e-05, "e": True, "f": None, "g": "text", "h": [], "i": {}, "j": [1, 2.5, "x"], "k": {"l": {"m": "n"}}},
    {"a": [[1, 2], [3]], "b": [{"x": 1, "y": [1]}, {"z": {}}], "c": [[[]]]},
    {"a": "", "b": " ", "c": "1", "d": "1.0", "e": "1e-5", "f": "true", "g": "Yes", "h": "y", "i": "null", "j": "~", "k": "2020-01-01", "l": "0x1f", "m": "1_000"},
    {"a": "a: b", "b": "a:b", "c": "a #b", "d": "a#b", "e": "- a", "f": "-a", "g": "[a]", "h": "{a}", "i": "a]", "j": "'a'", "k": '"a"', "l": "it's", "m": "@a"},
    {"a": "%a", "b": "`a", "c": "!a", "d": "&a", "e": "*a", "f": "|", "g": ">", "h": "?", "i": "? a", "j": "?a", "k": ":", "l": ":a", "m": "a:", "n": ",a", "o": "a,b"},
    {"a": "---", "b": "--- a", "c": "...", "d": "=", "e": "<<", "f": "a\\b", "g": "a\tb", "h": "\ta", "i": " a", "j": "a ", "k": "é", "l": "日本語", "m": "😀"},
    {"a": "a\nb", "b": "a\n", "c": "\na", "d": "a\n\nb", "e": "a \nb", "f": "a\n b", "g": "a\r\nb", "h": "\x07", "i": "\x85", "j": "\u2028", "k": "\ufeff", "l": "a\u00a0b"},
    {"a": LONG, "b": [LONG, {"c": LONG}], "d": "'" + LONG, "e": "# " + LONG, "f": LONG.strip(), "g": "\t" + LONG, "h": LONG.replace(" ", "_")},
    {"a": LONG.strip() + ": " + LONG.strip(), "b": {"c": {"d": {"e": [LONG.strip()]}}}, "f": "a" * 100 + " " + "b" * 100 + "  c"},
    {"a": float("inf"), "b": float("-inf"), "c": float("nan"), "d": 1e16, "e": 1e15, "f": 123456789.0, "g": 0.1, "h": 1e-4, "i": -0.0, "j": 1e22, "k": 1.5e300},
    {"a b": 1, "1": 2, "true": 3, "a:b": 5, "a: b": 6, "é": 7, "it's": 8, "${x}": 9},
    {"a": "???", "b": "${c}", "c": "inf", "d": "nan", "e": "Infinity", "f": "1:30", "g": "1e5", "h": ".5", "i": "1.", "j": "+1", "k": " 1 ", "l": "1 2", "m": "0o7"},
]  # fmt: skip


def printed():
    cases = []
    for tree in PRINTED:
        created = OmegaConf.create({})
        created._set_flag("allow_objects", True)
        text = OmegaConf.to_yaml(OmegaConf.create(tree))
        cases.append({"tree": encode(tree), "text": text})
    return cases


INTERPOLATIONS = [
    {"a": 1, "b": "${a}"}, {"a": 1.0, "b": "x${a}y"}, {"a": True, "b": "x${a}"}, {"a": None, "b": "x${a}"}, {"a": 1e-5, "b": "${a}", "c": "x${a}"},
    {"a": {"b": {"c": 1}}, "d": "${a.b.c}", "e": "${a.b}"}, {"a": {"b": "${.c}", "c": 2}}, {"a": {"b": {"c": "${..d}"}, "d": 3}}, {"a": [1, 2], "b": "${a[1]}", "c": "${a.0}"},
    {"a": "b", "b": "c", "c": "${${a}}"}, {"a": "${oc.env:NAUTIL_ORACLE}"}, {"a": "${oc.env:NAUTIL_ABSENT,default}"}, {"a": "${oc.env:NAUTIL_ABSENT,1}"},
    {"a": "${oc.env:NAUTIL_ABSENT,null}"}, {"a": "${oc.env:NAUTIL_ABSENT,''}"}, {"a": "${oc.env:NAUTIL_ABSENT,'x y'}"}, {"a": "${oc.env:NAUTIL_ABSENT}"},
    {"a": "${oc.decode:'1e-5'}"}, {"a": "${oc.decode:${oc.env:NAUTIL_NUMBER}}"}, {"a": "\\${b}"}, {"a": "x\\${b}y"}, {"a": "$b"}, {"a": "{b}"}, {"a": "${b}"}, {"a": "${a}"},
    {"a": "${b}", "b": "${a}"}, {"a": "${b}", "b": "???"}, {"a": "${foo:1}"}, {"a": "${"}, {"a": "${b", "b": 1}, {"a": "${b}${c}", "b": 1, "c": 2}, {"a": ["${b}"], "b": 1},
    {"a": "${b}", "b": {"c": "${d}"}, "d": 4}, {"a": "${ b }", "b": 1}, {"a": {"x": "${b}"}, "b": [1, "${c}"], "c": 2},
    {"a": "${oc.env:NAUTIL_ABSENT,${b}}", "b": "x"}, {"a": "${b-c}", "b-c": 1}, {"a": "x${b}", "b": "y z"}, {"a": "${oc.env:NAUTIL_ABSENT,a/b.c}"},
]  # fmt: skip


def interpolations():
    os.environ["NAUTIL_ORACLE"] = "from the environment"
    os.environ["NAUTIL_NUMBER"] = "1e-5"
    cases = []
    for tree in INTERPOLATIONS:
        try:
            value = OmegaConf.to_container(OmegaConf.create(tree), resolve=True, throw_on_missing=False)
            cases.append({"tree": encode(tree), "value": encode(value)})
        except Exception as error:  # noqa: BLE001
            cases.append({"tree": encode(tree), "error": str(error).split("\n")[0]})
    return cases


COMPOSED = [
    ("main", []), ("main", ["port=81"]), ("main", ["db=postgres"]), ("main", ["db=sqlite", "db.port=1"]), ("main", ["ui@view=light"]), ("main", ["~db"]), ("main", ["~db=mysql"]),
    ("main", ["server=small"]), ("main", ["server=[small,loud]"]), ("main", ["+server@other=small"]), ("main", ["+experiment=try"]), ("main", ["+db@second=postgres"]),
    ("main", ["db/engine=slow"]), ("main", ["db=postgres", "db/engine=slow"]), ("main", ["nested.deep.x=null"]), ("main", ["nested={deep:{z:3}}"]), ("main", ["++nested.deep={z:3}"]),
    ("main", ["+nested.deep.z=3"]), ("main", ["+nested={deep:{z:3}}"]), ("main", ["+items=[d]"]), ("main", ["items=[d,e]"]), ("main", ["items.1=x"]), ("main", ["~items"]), ("main", ["~items.1"]),
    ("main", ["+new.deep.key=1"]), ("main", ["++port=1"]), ("main", ["name='a b'"]), ("main", ["name="]), ("main", ["name=${port}"]), ("main", ["name='${db.driver}/x'"]), ("main", ["nested.deep=1"]),
    ("main", ["port=1e-5"]), ("main", ["port=1.0"]), ("main", ["port='1.0'"]), ("main", ["port=true"]), ("main", ["~nested.deep.x=1"]), ("main", ["~port=80", "+port=7"]), ("main", ["port=1", "port=2"]),
    ("main", ["db.user=me"]), ("main", ["+ui=global"]), ("main", ["view.color=red"]), ("main", ["hydra.run.dir=."]),
    ("child", []), ("child", ["db=mysql"]), ("child", ["db/engine=slow"]), ("grandchild", []), ("grandchild", ["db=postgres"]), ("self-last", []), ("self-last", ["db=postgres"]), ("no-self", []),
    ("plain", []), ("plain", ["+db=mysql"]), ("several", []), ("several", ["server=small"]), ("packages", []), ("packages", ["db@first=postgres"]), ("merged", []), ("must-choose", ["db=mysql"]),
    # refused
    ("must-choose", []), ("late", []), ("twice", []), ("nothing", []), ("main", ["db=nothing"]), ("plain", ["db=mysql"]), ("plain", ["~db"]), ("main", ["db@elsewhere=mysql"]), ("main", ["prot=1"]),
    ("main", ["nested.deep.q=1"]), ("main", ["+port=1"]), ("main", ["~absent"]), ("main", ["~port=1"]), ("main", ["port@x=1"]), ("main", ["port=1,2"]), ("main", ["items.7=x"]), ("main", ["db={a:1}"]),
    ("main", ["port.x=1"]), ("main", ["~server=small"]), ("main", ["db=[mysql"]),
]  # fmt: skip


def composed():
    cases = []
    with initialize_config_dir(config_dir=str(CONF), version_base="1.1"):
        for name, changes in COMPOSED:
            try:
                config = compose(config_name=name, overrides=changes)
                cases.append({"name": name, "overrides": changes, "text": OmegaConf.to_yaml(config)})
            except Exception as error:  # noqa: BLE001
                lines = str(error).replace(str(CONF), "conf").split("\n")
                cases.append({"name": name, "overrides": changes, "error": lines[0]})
    return cases


def no_nan(value):
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, list):
        return [no_nan(item) for item in value]
    if isinstance(value, dict):
        return {key: no_nan(item) for key, item in value.items()}
    return value


for record in (overrides, scalars, printed, interpolations, composed):
    cases = no_nan(record())
    path = HERE / f"{record.__name__}.json"
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{path.name}: {len(cases)} cases, {sum('error' in case for case in cases)} of them refused")

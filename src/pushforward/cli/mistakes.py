"""What a parser says of a mistake, in the words of who made it: the option, what came, what is meant."""

from __future__ import annotations

import re

# Names that other tools have for what we call otherwise.
_MEANT = {
    "--steps N, where an epoch is as many steps as images / --batch-size": (
        "epochs",
        "epoch",
        "n-epochs",
        "num-epochs",
    ),
    "--steps": (
        "iters",
        "iterations",
        "max-steps",
        "n-steps",
        "num-steps",
        "max-iter",
        "kimg",
        "total-steps",
    ),
    "--device cuda": ("gpu", "gpus", "cuda", "use-cuda", "gpu-id"),
    "--device cpu": ("cpu", "no-cuda"),
    "--lr": ("learning-rate", "rate", "alpha", "lr-rate", "learningrate"),
    "--batch-size": ("batch", "bs", "batchsize", "mini-batch"),
    "--run": (
        "output",
        "out",
        "name",
        "output-dir",
        "outdir",
        "save-dir",
        "log-dir",
        "logdir",
        "exp",
        "experiment",
    ),
    "--data": ("dataset", "data-dir", "data-path", "root", "dataroot", "input", "images", "train-data"),
    "--image-size": ("resolution", "size", "img-size", "res", "imsize", "crop"),
    "--latent-dim": ("z-dim", "latent", "nz", "zdim", "latent-size", "z-size", "embedding-dim"),
    "--hidden": ("hidden-dim", "hidden-size", "layers", "hidden-dims", "units"),
    "--seed": ("random-seed", "manual-seed", "rng"),
    "--precision bf16": ("fp16", "amp", "half", "bf16", "mixed-precision"),
    "--validation": ("val-split", "validation-split", "val"),
    "--test": ("test-data", "test-dir", "val-data"),
    "--checkpoint-every": ("save-every", "save-freq", "save-interval", "checkpoint-interval"),
    "--sample-every": ("sample-interval", "vis-freq", "display-freq"),
    "--resume RUN": ("continue", "load", "ckpt", "from-checkpoint"),
    "not needed: images are read once, into memory": (
        "workers",
        "num-workers",
        "n-workers",
        "loader-workers",
    ),
}
MEANT = {name: option for option, names in _MEANT.items() for name in names}
KINDS = {
    "INT": "a whole number, such as {whole}",
    "FLOAT": "a number, such as 0.1",
    "STR": "a word",
    "PATH": "a path",
}


def in_plain_words(said: str) -> str:
    """The parser's message as ours; as it is where it is understood already."""
    known = {
        _NO_TYPE: _no_type,
        _NO_FLOAT: _no_float,
        _NO_PARSE: _no_parse,
        _NO_CHOICE: _no_choice,
        _NO_OPTION: _no_option,
    }
    for pattern, words in known.items():
        found = re.search(pattern, said)
        if found:
            return words(found, said)
    return said


_NO_TYPE = r"Error parsing (--\S+): no type matching (.+?) could be instantiated from \[(.*?)\]"
_NO_FLOAT = (
    r"Error parsing (--\S+): (?:could not convert string to float|invalid literal for int\(\)[^:]*): '(.*?)'"
)
_NO_PARSE = r"Error parsing (--\S+): Could not find valid parse for arguments: \[(.*?)\]"
_NO_CHOICE = r"invalid choice '(.*?)' for argument '(--\S+?)'\. Expected one of \((.*?),?\)"
_NO_OPTION = r"Unrecognized options: (.+?)(?:;|$)"


def _no_type(found: re.Match[str], said: str) -> str:
    option, kinds, given = found[1], found[2], found[3].strip("'\"")
    wanted = [kind for kind in re.split(r"\|", kinds) if kind != "{None}"]
    told = " or ".join(KINDS.get(kind, f"one of {kind.strip('{}').replace(',', ', ')}") for kind in wanted)
    return f"{option}: '{given}'; expected {told.format(whole=_whole(given))}"


def _no_float(found: re.Match[str], said: str) -> str:
    whole = "int()" in found[0]
    kind = KINDS["INT" if whole else "FLOAT"].format(whole=_whole(found[2]))
    return f"{found[1]}: '{found[2]}'; expected {kind}"


def _no_parse(found: re.Match[str], said: str) -> str:
    return f"{found[1]}: {found[2].replace(chr(39), '')}; expected values of the kind that --help shows"


def _no_choice(found: re.Match[str], said: str) -> str:
    return f"{found[2]}: '{found[1]}'; expected one of {found[3].replace(chr(39), '')}"


def _no_option(found: re.Match[str], said: str) -> str:
    words = [word.strip() for word in found[1].split(",")]
    option = next((word for word in words if word.startswith("-")), None)
    if option is None:
        return f"{words[0]}: no option; data are given by --data {words[0]}"
    meant = MEANT.get(option.lstrip("-").partition("=")[0].replace("_", "-").lower())
    if meant:
        return f"{option}: there is no such option; here it is {meant}"
    perhaps = said.partition("perhaps you meant ")[2]
    return f"{option}: there is no such option" + (f"; perhaps you meant {perhaps}" if perhaps else "")


def _whole(given: str) -> str:
    """The whole number that was meant by 1e3, or any."""
    try:
        value = float(given)
    except ValueError:
        return "1000"
    return f"{int(value)}" if value.is_integer() and 0 <= value < 1e12 else "1000"


def without_none(helptext: str) -> str:
    """A help text without "{None}|" and "(default: None)", its boxes in shape."""
    text = re.sub(r"\{None\}\|(\{[A-Z ]+\}|[A-Z]+)", lambda m: m[1] + " " * 7, helptext)
    text = re.sub(r"\{None,([^}]*)\}", r"{\1}     ", text)
    text = re.sub(r"^│ +\(default: None\) +│\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"\(default: None\)", " " * len("(default: None)"), text)
    # A default that is broken over two lines of a box, of which the second holds nothing else.
    return re.sub(r"\(default:( +│\n)│ +None\) +│\n", lambda m: " " * len("(default:") + m[1], text)

"""``python -m benchmarks NAME … [--json FILE]``: measure one thing; without a name, list what there is.

Figures are printed last, with their goals, and written as ``{"figures": {key: number}}``. ``python -m benchmarks
reproduce SYSTEM [--quick]`` makes a paper's table again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks.shared.benchmark import ROOMS, find
from benchmarks.shared.figures import table, write


def main(words: Sequence[str]) -> None:
    """Run the benchmark that the first word names, with the options after it."""
    name, *rest = words or ("--help",)
    if name == "reproduce":
        from benchmarks.reproduce.__main__ import main as reproduce

        reproduce(rest)
    elif name in {"-h", "--help"}:
        print(listing())
    elif name in find():
        run(name, rest)
    else:
        sys.exit(f"There is no benchmark {name}.\n\n{listing()}")


def listing() -> str:
    """Return every name with what it measures."""
    known = find()
    width = max(map(len, known))
    lines = ["usage: python -m benchmarks NAME [options] [--json FILE]"]
    for room in ROOMS:
        some = [one for one in known.values() if one.file.parent.name == room]
        lines += ["", f"{room}:", *(f"  {one.name:{width}}  {one.first_line}" for one in some)]
    again = "A paper's table made again: SYSTEM [--quick|--full] [--plan] [--page]."
    return "\n".join([*lines, "", "tables:", f"  {'reproduce':{width}}  {again}"])


def run(name: str, words: Sequence[str]) -> None:
    """Measure, print the figures with their goals last, and write them where ``--json`` says."""
    benchmark = find()[name]
    options = vars(benchmark.parser.parse_args(words))
    target = options.pop("json")

    from diffuscope.errors import InputError

    try:
        figures, goals = benchmark.measure(options)
    except InputError as error:
        sys.exit(str(error))
    if target is not None:
        write(figures, target)
    print(table(figures, goals, model=options.get("model")))


if __name__ == "__main__":
    main(sys.argv[1:])

"""One number in a YAML text replaced, everything else left as it is."""

import re

from headrace.errors import HeadraceError

_KEY = re.compile(r"^(?P<indent> *)(?P<key>[^\s#:\-\[{'\"][^:#]*?):(?P<rest>\s.*|)$")
_VALUE = re.compile(
    r"^(?P<before>\s+(?:[&!]\S+\s+)*)(?P<number>[-+.\d][-+.\w]*)(?P<after>\s*)(?P<comment>#.*)?$"
)


def replace_scalar(text: str, keys: list[str], value: float, file: object) -> str:
    """`text` with the number at `keys`, on a line of its own, replaced; a comment keeps its column.

    Raises HeadraceError, naming `file`, where there is no such line.
    """
    lines = text.splitlines(keepends=True)
    for index, found in _lines_of_keys(lines):
        if found == keys:
            body = lines[index].rstrip("\r\n")
            key = _KEY.match(body)
            rest = _VALUE.match(key["rest"])
            if rest is None:
                break
            new = yaml_number(value)
            gap = rest["after"]
            if rest["comment"]:
                gap = " " * max(1, len(rest["number"]) + len(gap) - len(new))
            start = body[: key.start("rest")]
            ending = lines[index][len(body) :]
            lines[index] = f"{start}{rest['before']}{new}{gap}{rest['comment'] or ''}{ending}"
            return "".join(lines)
    place = f"{file}: key {'.'.join(keys)}"
    raise HeadraceError(
        place, "is no number on a line of its own", "give it its own line, or edit it by hand"
    )


def yaml_number(value: float) -> str:
    """A number that YAML 1.1 reads as one: 2.0e-07, where Python writes 2e-07."""
    if isinstance(value, int):
        return str(value)
    if value == int(value) and abs(value) >= 100:
        return str(int(value))
    text = repr(float(value))
    mantissa, exponent, power = text.partition("e")
    return f"{mantissa}.0e{power}" if exponent and "." not in mantissa else text


def _lines_of_keys(lines: list[str]):
    """Index and path of every line that holds a key of a block mapping."""
    above: list[tuple[int, str]] = []
    for index, line in enumerate(lines):
        key = _KEY.match(line.rstrip("\r\n"))
        if key is None:
            continue
        indent = len(key["indent"])
        while above and above[-1][0] >= indent:
            above.pop()
        above.append((indent, key["key"]))
        yield index, [name for _, name in above]

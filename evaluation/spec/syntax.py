"""What is wrong with a text that is not TOML, in plain words and at the right place.

tomllib says where it stopped, which for a missing bracket is the end of the file. So the line is looked at for the few
mistakes that people make, and the place is where the mending has to be done.
"""

from __future__ import annotations

import re
import tomllib

from evaluation.errors import Problem
from evaluation.shown import excerpt
from evaluation.spec.locate import Spans, spans

_AT = re.compile(r"\(at line (\d+), column (\d+)\)$")
_PAIR = re.compile(r"^\s*(?P<key>[^=\[\]{}\"'#]*?)\s*=\s*(?P<value>.*?)\s*$")
_CURLY = re.compile("[“”„‟«»‘’‚‛]")
_SECOND_PAIR = re.compile(r"""("[^"]*"|'[^']*'|\[[^\]]*\]|\{[^}]*\}|[^\s"'\[{]+)\s+(?P<key>[\w-]+)\s*=""")
_NEW_STATEMENT = re.compile(r"\s*(\[{1,2}[\w.\- \"']+\]{1,2}\s*(#.*)?$|[\w.-]+\s*=)")
_BARE = re.compile(r"[A-Za-z0-9_.\- \t]*")
_WORDS = {"yes": "true", "on": "true", "ja": "true", "no": "false", "off": "false", "nej": "false"}
_NOTHING = ("none", "null", "nil", "na", "n/a", "nan")


def syntax_problem(text: str, name: str, error: tomllib.TOMLDecodeError) -> Problem:
    """The one problem of a text that is not TOML; what stands behind it cannot be read."""
    text = text.replace("\r\n", "\n")
    lines = text.split("\n")
    match = _AT.search(str(error))
    if match is not None:
        line, column = int(match[1]), int(match[2])
    else:
        line = len(text.rstrip("\n").split("\n"))
        column = len(lines[line - 1]) + 1
    where, what = _explained(text, lines, line, column, str(error))
    line, column = where
    return Problem(f"{name}:{line}:{column}", what, f"{line:>6} | {excerpt(lines[line - 1], column)}")


def _explained(text: str, lines: list[str], line: int, column: int, message: str) -> tuple[tuple[int, int], str]:
    """Where and what, from the most telling sign to the least."""
    found = spans(text)
    if found.repeated and message.startswith(("Cannot", "Duplicate")):
        return _repeated(text, found)
    here = lines[line - 1]
    curly = _CURLY.search(here.split("#")[0])
    if curly is not None and not _inside_text(here, curly.start()):
        return (line, curly.start() + 1), f'{curly[0]} is not a quotation mark in TOML; write straight ones: "..."'
    if "'\\\\'" in message or "Unescaped" in message:
        what = "a backslash between double quotation marks starts a special sign"
        return (line, column), f"{what}; write it twice, or write / instead, or use single quotation marks"
    if "Illegal character '\\n'" in message or "Unterminated" in message or message.startswith('Expected "\'"'):
        start = _place(text, found.opened[-1]) if found.opened else (line, column)
        return start, "the text that begins here is not closed; end it with the same quotation mark"
    pair = _PAIR.match(here)
    if pair is not None and not here.lstrip().startswith(("[", "#")):
        told = _pair(pair, line)
        if told is not None:
            return told
    return _brackets(text, lines, found, line, column, message)


def _pair(pair: re.Match[str], line: int) -> tuple[tuple[int, int], str] | None:
    """A mistake in `key = value` that can be seen from the line alone."""
    key, value = pair["key"], pair["value"]
    if _reads(f"x = {value}") and _BARE.fullmatch(key) and key and not re.search(r"[^\s.]\s+[^\s.]", key):
        return None
    at_key, at_value = (line, pair.start("key") + 1), (line, pair.start("value") + 1)
    if not key:
        return at_value, "the key in front of = is missing"
    if value.startswith("="):
        return at_value, "write one = between a key and its value"
    if ":" in key:
        return (line, pair.start("key") + key.index(":") + 1), "write = between a key and its value, not a colon"
    if not _BARE.fullmatch(key) or re.search(r"[^\s.]\s+[^\s.]", key):
        return at_key, f'a key with spaces or letters beyond a to z needs quotation marks: "{key}" = ...'
    bare = value.split("#")[0].strip()
    if not bare:
        return at_value, f"nothing stands after {key} =; write its value, or leave the key out"
    second = _SECOND_PAIR.match(bare)
    if second is not None:
        return (line, at_value[1] + second.start("key")), "write each key on a line of its own"
    if bare[0] in "\"'[{":
        return None
    return at_value, _scalar(bare)


def _reads(text: str) -> bool:
    try:
        tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return False
    return True


def _scalar(bare: str) -> str:
    """What is wrong with a value that is neither in quotation marks nor in brackets."""
    lower = bare.casefold()
    if lower in ("true", "false"):
        return f"write {lower} in lower case"
    if lower in _WORDS:
        return f"expected true or false; for {bare} write {_WORDS[lower]}"
    if lower in _NOTHING:
        return f"{bare} is not a value in TOML; leave the key out where there is none"
    if re.fullmatch(r"[+-]?\d+,\d+", bare):
        return f"write the decimal mark as a point: {bare.replace(',', '.')}"
    if re.fullmatch(r"[+-]?\d{1,3}([ .']\d{3})+", bare):
        return f"write a number without marks between its digits: {re.sub(r'[^0-9+-]', '', bare)}"
    if re.fullmatch(r"\d+(\.\d+)?\s*%", bare):
        return f"write a number without the per cent sign: {bare.rstrip('% ')}"
    if re.fullmatch(r"[+-]?(\.\d+|\d+\.)", bare):
        whole = bare.replace(".", "0." if bare.lstrip("+-").startswith(".") else ".0")
        return f"write a digit on both sides of the decimal point: {whole}"
    if re.fullmatch(r"[+-]?0\d+", bare):
        return f"write the number without the zero in front: {bare.replace('0', '', 1)}"
    return f'a text needs quotation marks: "{bare}"'


def _brackets(
    text: str, lines: list[str], found: Spans, line: int, column: int, message: str
) -> tuple[tuple[int, int], str]:
    """What is left: brackets that are not closed, lines that are no TOML at all."""
    here, at = lines[line - 1], lines[line - 1][column - 1 :]
    if found.opened:
        opened = _place(text, found.opened[0])
        if (opened[0] < line and _NEW_STATEMENT.match(here)) or found.lost is None or found.lost >= len(text.rstrip()):
            kind, mark = ("table", "}") if text[found.opened[0]] == "{" else ("list", "]")
            return opened, f"the {kind} that begins here is not closed; end it with {mark}"
    if message.startswith(("Unclosed array", "Invalid value")):
        word = re.match(r"[^,\]}\s#]+", at)
        if message.startswith("Invalid value") and word is not None:
            return (line, column), _scalar(word[0])
        return (line, column), "expected a comma or ] here"
    if message.startswith("Unclosed inline table"):
        return (line, column), "expected a comma or } here"
    if "for a key part" in message and "{" in here[: column - 1]:
        if at.startswith("}"):
            return (line, column), "leave out the comma before the }"
        return (line, here.rindex("{", 0, column) + 1), "a table in { } has to stand on one line"
    if "table declaration" in message or "array declaration" in message:
        return (line, column), f"close the name of the table with {']]' if here.lstrip().startswith('[[') else ']'}"
    if here.lstrip().startswith("[") and "for a key part" in message:
        return (line, column), "a table needs a name of letters a to z, digits, - and _, or one in quotation marks"
    if message.startswith("Expected newline"):
        if at.startswith(('"', "'")):
            return (line, column), "the text has ended before this quotation mark; write it once at each end"
        return (line, column), "the value has ended here, but the line goes on; write each key on a line of its own"
    if message.startswith("Cannot"):
        return (line, 1 + len(here) - len(here.lstrip())), _other_form(here)
    if "=" not in here and not here.lstrip().startswith("["):
        colon = re.match(r"\s*[\w-]+\s*(:)", here)
        if colon is not None:
            return (line, colon.start(1) + 1), "write = between a key and its value, not a colon"
        return (
            line,
            1 + len(here) - len(here.lstrip()),
        ), "this line is not TOML; write key = value, [table] or # comment"
    said = _AT.sub("", message).removesuffix("(at end of document)").strip()
    return (line, column), f"this is not TOML: {said[:1].lower()}{said[1:]}"


def _other_form(here: str) -> str:
    header = re.match(r"\s*(\[\[?)\s*([^\]]+?)\s*\]", here)
    if header is None:
        return "this key is given already as a table; leave one of them out"
    name = header[2]
    return f"'{name}' is given already in another form; write either [{name}] once, or [[{name}]] each time"


def _repeated(text: str, found: Spans) -> tuple[tuple[int, int], str]:
    path, offset = found.repeated[0]
    first = found.tables.get(path) or found.keys.get(path) or (offset, offset)
    line = _place(text, found.keys[path][0] if path in found.keys else first[0])[0]
    name = ".".join(str(part) for part in path if isinstance(part, str))
    if text.startswith("[", offset):
        return _place(
            text, offset
        ), f"table [{name}] is given twice, first on line {line}; put the keys of both into one"
    return _place(text, offset), f"key '{path[-1]}' is given twice, first on line {line}; leave one out"


def _place(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1


def _inside_text(line: str, column: int) -> bool:
    """Whether a place is between straight double quotation marks."""
    return line[:column].count('"') % 2 == 1

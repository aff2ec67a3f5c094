"""Files, folders and functions keep to their limits.

    sizes.py ROOT

A file has at most 400 lines, a folder at most 25 files, a function at most 60
lines. Exceptions stand in ROOT/docs/design.md, in the section "Large files,
folders and functions": each item of its list begins with paths between
backticks, a function as `path: name`, and says why after a colon. An exception
that nothing needs is a fault as well.
"""

import ast
import os
import re
import sys

MOST_LINES, MOST_FILES, MOST_FUNCTION_LINES = 400, 25, 60
FOLDERS = ("configs", "core", "docs", "experiments", "hypergrad", "optimizers",
           "python", "tests")
TEXTS = (".h", ".cpp", ".py", ".js", ".css", ".html", ".cmake", ".txt", ".json",
         ".sh", ".md", ".in")
SECTION = "## Large files, folders and functions\n"


def blank(match):
    """Spaces in place of a text, its lines kept."""
    return re.sub(r"[^\n]", " ", match[0])


def functions_of_cpp(text):
    """(name, lines) of each function with a body. Functions inside of others
    count as part of them."""
    text = re.sub(r'R"(\w*)\(.*?\)\1"', blank, text, flags=re.S)
    names = re.compile(r'"(?:[^"\\\n]|\\.)*"')
    quoted = {m.start(): m[0] for m in names.finditer(text)}
    text = re.sub(r"//[^\n]*|/\*.*?\*/|\"(?:[^\"\\\n]|\\.)*\"|"
                  r"(?<!\w)'(?:[^'\\\n]|\\.)'", blank, text, flags=re.S)
    text = re.sub(r"^#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.M)
    found, open_braces, begin, parens = [], [], 0, 0
    for at, c in enumerate(text):
        if c in "()":
            parens += 1 if c == "(" else -1
        elif c == "{":
            head = text[begin:at].strip()
            in_scope = all(kind == "scope" for kind, _, _ in open_braces)
            kind = "inner"
            if in_scope and parens == 0:
                if re.match(r"(inline )?(namespace|extern)\b", head) or (
                        re.search(r"\b(class|struct|union|enum)\b", head)
                        and not head.endswith(")")):
                    kind = "scope"
                elif "(" in head and not head.endswith("="):
                    kind = "function"
            first = begin + len(text[begin:at]) - len(text[begin:at].lstrip())
            open_braces.append((kind, first, head))
            begin = at + 1
        elif c == "}":
            kind, first, head = open_braces.pop()
            if kind == "function":
                lines = text.count("\n", first, at) + 1
                found.append((name_of(head, first, quoted), lines))
            begin = at + 1
        elif c == ";" and parens == 0:
            begin = at + 1
        elif c == ":" and text[begin:at].strip() in (
                "public", "private", "protected"):
            begin = at + 1
    return found


def name_of(head, first, quoted):
    """What stands before the first parenthesis; of a test its sentence."""
    name = re.search(r"([\w:~]+|operator\W+)\s*\(", head)
    if name is None:
        return head
    if name[1] not in ("TEST_CASE", "TEMPLATE_TEST_CASE"):
        return name[1]
    return next((text for place, text in sorted(quoted.items())
                 if place > first), name[1])


def functions_of_python(text):
    return [(node.name, node.end_lineno - node.lineno + 1)
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef)]


def functions_of_script(text):
    return [(m[1], m[0].count("\n") + 1) for m in re.finditer(
        r"^function (\w+)\(.*?^}", text, flags=re.S | re.M)]


PARSERS = {".h": functions_of_cpp, ".cpp": functions_of_cpp,
           ".py": functions_of_python, ".js": functions_of_script}


def files_below(root):
    """(folder, files) of every folder that is no output, relative to `root`."""
    with open(os.path.join(root, ".gitignore"), encoding="utf-8") as file:
        outputs = {line.strip().rstrip("/") for line in file}
    for top in FOLDERS:
        for folder, folders, files in os.walk(os.path.join(root, top)):
            path = os.path.relpath(folder, root)
            folders[:] = sorted(f for f in folders if f != "__pycache__" and
                                f"{path}/{f}" not in outputs)
            yield path, sorted(files)


def too_large(root):
    """{path, or "path: function": what is wrong with it}"""
    out = {}
    for folder, files in files_below(root):
        if len(files) > MOST_FILES:
            out[folder] = f"{len(files)} files"
        for name in files:
            path, ending = f"{folder}/{name}", os.path.splitext(name)[1]
            if ending not in TEXTS or ".min." in name:
                continue
            with open(os.path.join(root, path), encoding="utf-8") as file:
                text = file.read()
            lines = text.count("\n")
            if lines > MOST_LINES:
                out[path] = f"{lines} lines"
            for function, length in PARSERS.get(ending, lambda _: [])(text):
                if length > MOST_FUNCTION_LINES:
                    out[f"{path}: {function}"] = f"{length} lines"
    return out


def exceptions(root):
    """The paths and functions that docs/design.md excuses, with a reason."""
    with open(os.path.join(root, "docs/design.md"), encoding="utf-8") as file:
        _, _, section = file.read().partition(SECTION)
    section = re.split(r"^## ", section, flags=re.M)[0]
    out = set()
    for item in re.split(r"^- ", section, flags=re.M)[1:]:
        paths = re.match(r"(?:`[^`]+`(?:,| and)?\s+)*`[^`]+`: +\w", item)
        if paths is None:
            sys.exit("docs/design.md: not `path`, `path: function`: why:\n"
                     + item)
        out.update(re.sub(r"\s+", " ", path)
                   for path in re.findall(r"`([^`]+)`", paths[0]))
    return out


def main():
    large, excused = too_large(sys.argv[1]), exceptions(sys.argv[1])
    faults = [f"{path}: {size}" for path, size in large.items()
              if path not in excused]
    faults += [f"{path}: docs/design.md excuses it without need"
               for path in excused - set(large)]
    print("\n".join(faults))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())

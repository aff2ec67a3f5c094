"""Does what docs/python.md says, and compares what comes out.

    session.py PROGRAM SOURCE_DIR [DOCUMENT]

All blocks of Python run in one namespace in an empty folder. As in a notebook,
a block also prints the value of its last line, unless it ends with a semicolon.
If a block of text follows, it must be what was printed.
"""

import ast
import contextlib
import io
import os
import pathlib
import re
import sys
import tempfile

BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\s*^```text\n(.*?)^```\n)?",
                   re.MULTILINE | re.DOTALL)


def printed_by(code, namespace, name):
    """What a block prints."""
    tree = ast.parse(code, name)
    last = None
    if isinstance(tree.body[-1], ast.Expr) and not code.endswith(";\n"):
        last = ast.Expression(tree.body.pop().value)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(tree, name, "exec"), namespace)
        if last is not None:
            value = eval(compile(last, name, "eval"), namespace)
            if value is not None:
                print(repr(value))
    return out.getvalue()


def main():
    program, source = (pathlib.Path(a).resolve() for a in sys.argv[1:3])
    document = source / "docs/python.md"
    if len(sys.argv) > 3:
        document = pathlib.Path(sys.argv[3]).resolve()
    os.environ["NESTGRAD_PROGRAM"] = str(program)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(source / "python"))
    text = document.read_text(encoding="utf-8")
    namespace, compared = {"__name__": "__main__"}, 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for block in BLOCK.finditer(text):
            line = text.count("\n", 0, block.start()) + 1
            # So that a mistake names the line of the document.
            code = "\n" * line + block[1]
            printed = printed_by(code, namespace, str(document))
            if block[2] is None:
                continue
            compared += 1
            if printed != block[2]:
                sys.exit(f"{document}:{line}: printed\n{printed}\nbut the "
                         f"document has\n{block[2]}")
        os.chdir("/")
    if compared == 0:
        sys.exit(f"{document}: nothing to compare")
    print(f"{compared} blocks print what {document.name} says")


if __name__ == "__main__":
    main()

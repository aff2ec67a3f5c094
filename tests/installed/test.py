"""What an installation has besides the program and the library.

  test.py PREFIX ROOT

The licence, the configurations, and documents whose links work and whose examples
are there. ROOT is the tree that was installed."""

import pathlib
import re
import subprocess
import sys

prefix, root = (pathlib.Path(a).resolve() for a in sys.argv[1:])
documents = prefix / "share/doc/nestgrad"
faults = []


def expect(holds, fault):
    if not holds:
        faults.append(fault)


def slug(heading):
    """The anchor of a heading, as GitHub makes it."""
    text = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return text.replace(" ", "-")


def anchors(page):
    without_code = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    return {slug(h) for h in re.findall(r"^#+ (.*)$", without_code, re.M)}


expect((documents / "LICENSE").read_bytes() == (root / "LICENSE").read_bytes(),
       "the licence is another one")
for config in (root / "configs").rglob("*.json"):
    name = config.relative_to(root)
    expect((documents / name).is_file(), f"{name} is missing")

pages = sorted(documents.rglob("*.md"))
expect({p.name for p in pages} >= {p.name for p in (root / "docs").glob("*.md")},
       "documents are missing")
links = 0
for page in pages:
    text = page.read_text()
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", link):
            continue
        links += 1
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        inside = documents.resolve() in target.resolve().parents
        expect(target.is_file() and inside, f"{page.name}: {link} leads nowhere")
        if anchor and target.is_file():
            expect(anchor in anchors(target), f"{page.name}: no heading {link}")
    for name in re.findall(r"[\w/]+/[\w/]+\.\w+", text):
        if (root / name).is_file() and not name.startswith("build/"):
            expect((documents / name).is_file(), f"{page.name}: {name} is missing")
expect(links > 50, f"only {links} links")

done = subprocess.run([prefix / "bin/nestgrad", "check", "configs/ridge_ift.json"],
                      cwd=documents, stdout=subprocess.PIPE,
                      stderr=subprocess.STDOUT, text=True)
expect(done.returncode == 0, f"a configuration does not work:\n{done.stdout}")

sys.exit("\n".join(faults) or 0)

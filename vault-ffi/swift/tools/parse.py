"""Parses Swift sources with tree-sitter and names what does not parse. It knows the grammar, not the
types: the compiler has the last word where there is one."""

import re
import sys

import tree_sitter
import tree_sitter_swift

# right in Swift, but not known to this grammar; replaced by what is as long
UNKNOWN = [
    (re.compile(rb"@_documentation\(visibility: private\)"), lambda found: b" " * len(found[0])),
    (re.compile(rb"= \{ \(\) \}"), lambda _: b"= { 00 }"),
]


def problems(node):
    """The smallest nodes that are wrong or missing."""
    if node.is_error or node.is_missing:
        yield node
    elif node.has_error:
        for child in node.children:
            yield from problems(child)


def main(paths):
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_swift.language()))
    bad = 0
    for path in paths:
        with open(path, "rb") as file:
            source = file.read()
        for pattern, instead in UNKNOWN:
            source = pattern.sub(instead, source)
        for node in problems(parser.parse(source).root_node):
            line, column = node.start_point
            text = node.text.decode(errors="replace").splitlines() or [f"{node.type} is missing"]
            print(f"{path}:{line + 1}:{column + 1}: {text[0][:80]}")
            bad += 1
    print(f"swift: {len(paths)} sources parsed, {bad} errors")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

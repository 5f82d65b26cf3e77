"""HTML as a browser's parser sees it, strict about what a browser forgives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "img", "br"}


@dataclass
class Element:
    """A tag with its attributes and all the text within it."""

    tag: str
    attributes: Mapping[str, str]
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def all(self, tag: str) -> list["Element"]:
        """Every element of that tag in it, in document order."""
        found = [self] if self.tag == tag else []
        return found + [inner for child in self.children for inner in child.all(tag)]

    def classes(self, name: str) -> list["Element"]:
        """Every element of that class in it."""
        found = [self] if name in self.attributes.get("class", "").split() else []
        return found + [inner for child in self.children for inner in child.classes(name)]


class _Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("document", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add(tag, attrs, closed=tag in VOID)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add(tag, attrs, closed=True)

    def handle_endtag(self, tag: str) -> None:
        element = self.open.pop()
        assert element.tag == tag, f"</{tag}> closes <{element.tag}>"

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def _add(self, tag: str, attrs: list[tuple[str, str | None]], *, closed: bool) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if not closed:
            self.open.append(element)


def parse(html: str) -> Element:
    """The document as a tree; fails where tags are not closed in order."""
    tree = _Tree()
    tree.feed(html)
    tree.close()
    assert [element.tag for element in tree.open] == ["document"]
    return tree.open[0]

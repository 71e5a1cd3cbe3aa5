"""The text of a book: from a file or an address, as plain paragraphs. Spelling is passed through as it is.

What is taken away was never read aloud: Project Gutenberg's header and licence, pictures, marks of italics, numbers of
footnotes, HTML.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

from kathrine import KathrineError
from kathrine.datafiles import write_atomically
from kathrine_librivox.catalogue.web import Web

START = re.compile(r"^.*(?:\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG|\*END\*? ?THE SMALL PRINT).*$", re.M | re.I)
END = re.compile(
    r"^.*(?:\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG|^End of (?:the )?Project Gutenberg).*$", re.M | re.I
)
CREDITS = re.compile(r"\A\s*(?:(?:E-text )?(?:Produced|prepared|transcribed) by\b.*?(?:\n\s*\n|\Z))", re.I | re.S)
EBOOK = re.compile(r"/(?:ebooks|etext|files|cache/epub)/(\d+)")
BLOCKS = {
    "p",
    "div",
    "br",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "li",
    "tr",
    "blockquote",
    "hr",
    "pre",
    "section",
    "table",
}
SILENT = {"head", "script", "style", "nav", "noscript", "template", "svg"}


def text_at(where: str, web: Web, folder: Path, gutenberg_url: str, refresh: bool = False) -> str:
    """The text at a path or an address, ready to be aligned.

    Given: folder, keeps what was fetched; gutenberg_url, base of Project Gutenberg, whose pages about a book stand for
    its plain text. Raises: KathrineError for a file that is missing or no text, NotThere, and what `Web.read` raises.
    """
    if not is_address(where):
        path = Path(where).expanduser()
        if not path.is_file():
            raise KathrineError(f"there is no text {path}", "correct the path in `texts`")
        return plain_text(decoded(path.read_bytes(), str(path)))
    address = plain_address(where, gutenberg_url)
    path = folder / f"{hashlib.sha256(address.encode()).hexdigest()[:24]}.text"
    if refresh or not path.is_file():
        write_atomically(path, web.read(address))
    return plain_text(decoded(path.read_bytes(), where))


def is_address(where: str) -> bool:
    """Whether a text is named by an address rather than a path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", where) is not None


def plain_address(url: str, gutenberg_url: str) -> str:
    """The address of the plain text where `url` is one of Project Gutenberg's pages about a book, else `url`."""
    host, path = urlsplit(url).netloc.casefold(), urlsplit(url).path
    ours = urlsplit(gutenberg_url).netloc.casefold()
    number = EBOOK.search(path)
    if number and not path.endswith(".txt") and (host == ours or host.removeprefix("www.") == "gutenberg.org"):
        return f"{gutenberg_url.rstrip('/')}/ebooks/{number[1]}.txt.utf-8"
    return url


def decoded(content: bytes, name: str) -> str:
    """Bytes as text: UTF-8, else Windows' western letters (older Gutenberg files).

    Raises: KathrineError for what is no text (epub, pdf, a picture).
    """
    if b"\x00" in content[:4096] or content[:4] in (b"PK\x03\x04", b"%PDF"):
        raise KathrineError(f"{name} is no plain text and no HTML", "give a .txt or .html of the book in `texts`")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def plain_text(text: str) -> str:
    """Paragraphs, a blank line between them, of a plain text or an HTML page."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    if re.match(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype html|html)\b", text, re.IGNORECASE | re.DOTALL):
        text = without_tags(text)
    text = without_marks(without_licence(text))
    paragraphs = (
        "\n".join(line.strip() for line in part.split("\n") if line.strip()) for part in re.split(r"\n\s*\n", text)
    )
    return "\n\n".join(part for part in paragraphs if part)


def without_licence(text: str) -> str:
    """A Project Gutenberg text without its header, its credits and its licence; any other text as it is."""
    start = START.search(text)
    if start is not None:
        text = CREDITS.sub("", text[start.end() :])
    end = END.search(text)
    return text[: end.start()] if end is not None else text


def without_marks(text: str) -> str:
    """A text without what a transcriber put in: pictures, italics as _so_, bold as =so=, [12] for a footnote."""
    text = re.sub(r"\[(?:Illustration|Illustrasjon|Billede|Bilde)\b[^\]]*\]", "", text, flags=re.IGNORECASE)
    text = re.sub(r"\[(?:\d{1,3}|[A-Z*])\]", "", text)
    text = re.sub(r"(?<!\w)([_=])(?=\S)(.+?)(?<=\S)\1(?!\w)", r"\2", text, flags=re.DOTALL)
    return re.sub(r"^[\s*+_#=-]{3,}$", "", text, flags=re.MULTILINE)


class _Words(HTMLParser):
    """Collects what a page shows."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in SILENT
        if tag == "br":
            self.parts.append("\n")
        elif tag in BLOCKS:
            self.parts.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        self.silent = max(0, self.silent - (tag in SILENT))
        if tag in BLOCKS and tag != "br":
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(data)


def without_tags(page: str) -> str:
    """What an HTML page shows, a blank line between its blocks."""
    words = _Words()
    words.feed(page)
    words.close()
    return "".join(words.parts)

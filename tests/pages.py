"""What tests of pages share: reading one, and opening it in a browser."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

HOSTILE = """<script>alert(1)</script>"'`& <b onclick='x'>{{ 7 * 6 }}"""
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Reader(HTMLParser):
    """What a page consists of; complains about tags that don't match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{tag} closes something else"

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def trees(text, tag):
    return [ElementTree.fromstring(t) for t in re.findall(rf"<{tag}\b.*?</{tag}>", text, re.DOTALL)]


def opened(browser, file, scheme="light", width=1280):
    """The page, and what it asked for and complained about."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    seen = context.new_page()
    requests, complaints = [], []
    seen.on("request", lambda request: requests.append(request.url))
    seen.on("console", lambda message: complaints.append(message.text))
    seen.on("pageerror", lambda error: complaints.append(str(error)))
    seen.goto(file.as_uri())
    return seen, requests, complaints

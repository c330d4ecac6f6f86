"""Adds to the site what would go stale by hand: cards, steps, notebooks, far links."""

import posixpath
import re
from pathlib import Path

import degradation_steps
import notebook_pages
from mkdocs.structure.files import File

from kdsharp.weights import model_cards, store

_ROOT = Path(__file__).parents[2]
_CARD, _NOTEBOOK = "kdsharp/weights/zoo/", "notebooks/"
_LINK = re.compile(r"\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_config(config):
    """Lists the cards below Networks, and pages of Inside that the list forgot."""
    for section in config.nav:
        pages = section.get("Networks") or section.get("Inside")
        if "Networks" in section:
            cards = [{name: f"networks/zoo/{name}.md"} for name in store.shipped()]
            pages.append({"Cards": cards})
        elif "Inside" in section:
            listed = {path for page in pages for path in page.values()}
            for path in sorted((_ROOT / "docs/inside").glob("*.md")):
                if (address := f"inside/{path.name}") not in listed:
                    pages.append({path.stem.capitalize(): address})
    return config


def on_files(files, config):
    """Adds a page for each card and notebook, with the notebooks' pictures."""
    for name in store.shipped():
        page = model_cards.body(store.locate(name))
        _add(files, config, f"networks/zoo/{name}.md", page)
    for path in sorted((_ROOT / "notebooks").glob("*.ipynb")):
        page, pictures = notebook_pages.render(path)
        _add(files, config, f"notebooks/{path.stem}.md", page)
        for name, content in pictures.items():
            _add(files, config, f"notebooks/{name}", content)
    for name, content in degradation_steps.pictures().items():
        _add(files, config, f"train/steps/{name}", content)
    return files


def on_page_markdown(markdown, page, config, files):
    """Fills in the steps, and turns links that leave docs/."""
    here = page.file.src_uri
    if here == "train/degradations.md":
        for mark, words in degradation_steps.sections().items():
            markdown = markdown.replace(f"<!-- {mark} -->", words)

    def turned(match: re.Match) -> str:
        target, anchor = match[1], match[2] or ""
        if "://" in target:
            return match[0]
        folder = posixpath.join("docs", posixpath.dirname(here))
        path = posixpath.normpath(posixpath.join(folder, target))
        if path.startswith("docs/"):
            return match[0]
        if not (_ROOT / path).exists():
            raise FileNotFoundError(f"{here} links to {target}, which is not there")
        name = posixpath.splitext(posixpath.basename(path))[0]
        if path.startswith(_CARD):
            address = _relative(f"networks/zoo/{name}.md", here)
        elif path.startswith(_NOTEBOOK):
            address = _relative(f"notebooks/{name}.md", here)
        else:
            address = f"{config.repo_url.rstrip('/')}/blob/main/{path}"
        return f"]({address}{anchor})"

    return _LINK.sub(turned, markdown)


def _relative(target: str, here: str) -> str:
    return posixpath.relpath(target, posixpath.dirname(here) or ".")


def _add(files, config, address: str, content: str | bytes) -> None:
    files.append(File.generated(config, address, content=content))

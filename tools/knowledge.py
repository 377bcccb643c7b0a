"""The shop's help articles."""

import re
from functools import lru_cache
from typing import Annotated

from pydantic import Field

from coordinator import Effect, ToolContext, tool
from coordinator.toolbox.chunks import chunks
from coordinator.toolbox.index import Section
from tools.desk import Desk

FOUND = 8
TITLE_WEIGHT = 3
SHORTEST_WORD = 4

Query = Annotated[str, Field(min_length=1, max_length=2000)]


async def scan_articles(query: Query, ctx: ToolContext[Desk]) -> list[Section]:
    """Read every article and count the words of the query: slower and cruder than the index, and needs none."""
    return await ctx.offload(_scan, ctx.resources, query)


@tool(effect=Effect.READ, timeout=5, fallbacks=[scan_articles])
async def search_knowledge(query: Query, ctx: ToolContext[Desk]) -> list[Section]:
    """Search the shop's help articles for rules and instructions.

    They cover delivery times, late and lost parcels, returns, refunds, warranty, payment, invoices, accounts, vouchers,
    privacy. Returns the passages that match best; none when no article speaks of it.

    Args:
        query: what to look for, in a few words or as a question.
    """
    return ctx.resources.knowledge.search(query, FOUND)


def _scan(desk: Desk, query: str) -> list[Section]:
    words = {word[:-1] if word.endswith("s") else word for word in re.findall(r"\w+", query.lower())}
    wanted = [word for word in sorted(words) if len(word) >= SHORTEST_WORD]
    ranked: list[tuple[int, Section]] = []
    for name in desk.articles.listing().files:
        for section, title, text in _sections(name, desk.articles.read(name)):
            score = sum((TITLE_WEIGHT if word in title else 0) + (word in text) for word in wanted)
            if score:
                ranked.append((score, section))
    ranked.sort(key=lambda one: -one[0])
    return [section for _, section in ranked[:FOUND]]


@lru_cache(maxsize=256)  # articles are read at every scan, and rarely change
def _sections(name: str, article: str) -> tuple[tuple[Section, str, str], ...]:
    """Return the passages of *article*, each with its titles and its text in lower case."""
    cut = [Section(text=one.text, source=name, line=one.line, heading=one.heading) for one in chunks(article, ".md")]
    return tuple((one, f"{name} {one.heading}".lower(), one.text.lower()) for one in cut)

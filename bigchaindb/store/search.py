"""Full-text search: what is indexed, and how a query is read. Pure.

Source: docs/reference/contract/http-api.md, section 8. A query is cut into words here, so that nothing which a user
types can be taken for FTS5's own syntax; stemming, case and diacritics are the tokenizer's.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from bigchaindb.transaction import strings_of

BETWEEN_VALUES: Final = " \ue000 "
"""A word that no query holds (private use): it keeps a phrase from matching across two values."""
_ID_MARK: Final = "\ue001"
_ID_DIGITS: Final = 16
"""A row's own id is indexed by this many digits: whole ids would nearly double the index (docs/decisions/0007)."""
_ID: Final = re.compile("[0-9a-fA-F]{64}")

RANKED_COUNT_MAX: Final = 128
"""Most words and phrases by which rows are ranked. FTS5's rank compares each occurrence with each phrase of the query,
so a row that 1,000 of them match takes 2.5 ms, and one request of 8 KB would keep the search's thread for hours
(docs/decisions/0007). What matches more than this is given in commit order."""

# fmt: off
STOP_WORDS: Final = frozenset({
    "a", "about", "above", "after", "again", "against", "all", "am", "an", "and", "any", "are", "as", "at", "be",
    "because", "been", "before", "being", "below", "between", "both", "but", "by", "can", "cannot", "could", "d",
    "did", "do", "does", "doing", "down", "during", "each", "few", "for", "from", "further", "had", "has", "have",
    "having", "he", "her", "here", "hers", "herself", "him", "himself", "his", "how", "i", "if", "in", "into",
    "is", "it", "its", "itself", "ll", "m", "me", "more", "most", "my", "myself", "no", "nor", "not", "of", "off",
    "on", "once", "only", "or", "other", "our", "ours", "ourselves", "out", "over", "own", "re", "s", "same",
    "she", "should", "so", "some", "such", "t", "than", "that", "the", "their", "theirs", "them", "themselves",
    "then", "there", "these", "they", "this", "those", "through", "to", "too", "under", "until", "up", "ve",
    "very", "was", "we", "were", "what", "when", "where", "which", "while", "who", "whom", "why", "with", "would",
    "you", "your", "yours", "yourself", "yourselves",
})
# fmt: on
"""English words that carry no meaning of their own, and what is left of "don't" or "we'll" once it is split."""

_PIECE: Final = re.compile(r'(?P<not>(?<!\S)-)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')
"""A minus sign excludes only where a word begins; a quotation mark that is never closed reaches to the end."""


def text_of(value: Mapping[str, Any], id_: str) -> str:
    """Return the text that a document is found by: all its string values, and its own id."""
    return BETWEEN_VALUES.join((*strings_of(value), _ID_MARK + id_[:_ID_DIGITS]))


@dataclass(slots=True)
class Query:
    """A search as typed, cut into words.

    Attributes:
        terms: any of them is enough if there is no phrase.
        phrases: each must occur.
        excluded: words and phrases that must not occur.
    """

    terms: list[str] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)

    @property
    def is_ranked(self) -> bool:
        """Whether what matches can be put in the order of its rank (`RANKED_COUNT_MAX`)."""
        # A phrase stands in the expression twice: as what must occur, and among the alternatives.
        return 2 * len(self.phrases) + len(self.terms) + len(self.excluded) <= RANKED_COUNT_MAX


def read_query(text: str) -> Query:
    """Cut a search into terms, `"phrases"` and `-exclusions`; stop words count in phrases only."""
    query = Query()
    for piece in _PIECE.finditer(text):
        phrase = piece["phrase"]
        words = _words(piece["word"] if phrase is None else phrase)
        if piece["not"]:
            query.excluded += [" ".join(words)] if phrase is not None and words else words
        elif phrase is not None:
            query.phrases += [" ".join(words)] if words else []
        else:
            query.terms += words
    query.terms = [t for t in dict.fromkeys(query.terms) if t.lower() not in STOP_WORDS]
    query.phrases = list(dict.fromkeys(query.phrases))
    query.excluded = list(dict.fromkeys(query.excluded))
    return query


def match_expression(query: Query) -> str | None:
    """Put a query into FTS5's language; None if it can match nothing."""
    if not query.phrases and not query.terms:
        return None
    required = " AND ".join(map(_quoted, query.phrases))
    ranked = " OR ".join(map(_quoted, query.phrases + query.terms))
    wanted = f"({required}) AND ({ranked})" if required else f"({ranked})"
    return f"{wanted} NOT ({' OR '.join(map(_quoted, query.excluded))})" if query.excluded else wanted


def _quoted(words: str) -> str:
    if _ID.fullmatch(words):  # in a text, or the row's own
        return f'("{words}" OR "{_ID_MARK}{words[:_ID_DIGITS]}")'
    return f'"{words}"'  # no word holds a quotation mark


def _words(text: str) -> list[str]:
    """Split at all but letters, digits and marks, as the tokenizer does; what is left can be no syntax."""
    words = "".join(c if _in_word(c) else " " for c in text).split()
    return [word for word in words if any(map(str.isalnum, word))]  # a lone mark is no word


@lru_cache(maxsize=4096)
def _in_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M"

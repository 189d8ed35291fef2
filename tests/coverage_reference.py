"""What a caption names, by the words of `Matcher`'s docstring: regular expressions, one a term."""

import random
import unicodedata

import regex

WORD = r"[[\p{L}\p{N}\p{M}_]--[\uFE00-\uFE0F\U000E0100-\U000E01EF]]"
GAP = r"[\s\x1c-\x1f\p{Pd}]"
OTHER = rf"[^{WORD}{GAP}]"
UNSEEN = "\u00ad\u200c\u200d\u2060\ufeff"  # within words they show nothing
FLAGS = regex.V1
TOKENS = regex.compile(rf"(?P<word>{WORD}+)|(?P<gap>{GAP}+)|(?P<other>{OTHER})", FLAGS)
WORDS = regex.compile(rf"{WORD}+", FLAGS)


def normalized(text):
    seen = "".join(char for char in text if char not in UNSEEN)
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())


def pattern(term):
    """A term as an expression, and its first word."""
    tokens = [(t.lastgroup, t.group()) for t in TOKENS.finditer(normalized(term))]
    tokens = [token for token in tokens if token[0] != "gap"]
    text, before = "", None
    for kind, value in tokens:
        between = "" if before is None else GAP + "*" if "other" in (kind, before) else GAP + "+"
        whole = rf"(?<!{WORD}){regex.escape(value)}(?!{WORD})"
        text += between + (whole if kind == "word" else OTHER)
        before = kind
    return regex.compile(text, FLAGS), next(value for kind, value in tokens if kind == "word")


def named(captions, taxonomy):
    """Every (row, concept) that captions name."""
    by_word = {}
    for i, concept in enumerate(taxonomy.concepts):
        for term in concept.terms:
            expression, word = pattern(term)
            by_word.setdefault(word, []).append((i, expression))
    found = set()
    for row, caption in enumerate(captions):
        text = normalized(caption or "")
        # no term is there whose first word is not
        for word in by_word.keys() & set(WORDS.findall(text)):
            found |= {(row, i) for i, expression in by_word[word] if expression.search(text)}
    return found


def contained(captions, taxonomy):
    """Every (row, concept) of which a term is a part of the caption."""
    terms = [(normalized(t), i) for i, one in enumerate(taxonomy.concepts) for t in one.terms]
    texts = [normalized(caption or "") for caption in captions]
    return {(row, i) for row, text in enumerate(texts) for term, i in terms if term in text}


# --- captions that are hard to count ---

TRAPS = "that vanilla team steam card dogs' hat's t-shirt's ice cream. de-saturated hatch".split()
JOINTS = [" "] * 8 + ["  ", "-", " - ", "\u2010", "\u2014", "\u00a0", "\u3000", "\t", "\n", "\r\n"]
JOINTS += [", ", ".", "'", "\u2019", "/", "_", "", "\u200b", "\u00ad", "\u200f", "\u2028", "\x1c"]
JOINTS += ["\x00", "\x01", "\xff", "\u0301", "\ufe0f", "\u2212", "&", ". ", " .", "\ufffd", "\x85"]
ODD = ["\U0001f436", "\u2764\ufe0f", "5\ufe0f\u20e3", "\u05db\u05dc\u05d1", "\u0643\u0644\u0628"]
ODD += ["stra\u00dfe", "\ufb01refighter", "\u0130ce", "\u212aitchen", "\uff24\uff2f\uff27"]
ODD += [
    "caf\u00e9",
    "cafe\u0301",
    "\u043a\u043e\u0442",
    "\u732b",
    "\u017fhirt",
    "\u00b2",
    "\u216b",
    "red\u0308",
]
ODD += ["\U0001f469\u200d\U0001f373", "\u202ehat\u202c", "\u01f0", "o\u2019clock", "x" * 50, "42"]
CASES = [str, str, str.upper, str.title, str.capitalize, lambda text: text.replace(" ", "\u2011")]
CASES += [lambda text: text.replace("-", " "), lambda text: text[:-1], lambda text: text + "s"]
CASES += [lambda text: "".join(chr(ord(c) + 0xFEE0) if "a" <= c <= "z" else c for c in text)]


def adversarial(count, taxonomy, seed=0):
    """Captions of terms, near misses, and characters that break naive matchers; some are None."""
    draw = random.Random(seed)
    terms = [term for one in taxonomy.concepts for term in one.terms]
    texts = []
    for _ in range(count):
        kind = draw.random()
        if kind < 0.02:
            texts.append(draw.choice([None, "", " ", "\u3000\n"]))
            continue
        parts = []
        for _ in range(draw.randint(1, 6) if kind < 0.9999 else 1500):
            part = draw.choice(terms) if draw.random() < 0.6 else draw.choice(TRAPS + ODD)
            parts += [draw.choice(CASES)(part), draw.choice(JOINTS)]
        texts.append("".join(parts))
    return texts

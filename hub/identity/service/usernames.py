"""What a username is."""

import unicodedata

LENGTH = 100


def fold_username(username: str) -> str:
    """Return the form in which usernames are kept and compared.

    NFKC and case folding: full-width letters and capitals name the same person.
    """
    folded = unicodedata.normalize("NFKC", username[: 2 * LENGTH]).casefold()
    return unicodedata.normalize("NFKC", folded).strip()


def is_username(folded: str) -> bool:
    """Say whether a folded name may be used: letters and digits of any script, and `._-@+`."""
    return 0 < len(folded) <= LENGTH and all(c.isalnum() or c in "._-@+" for c in folded)

"""Filter patterns of CloudWatch Logs for lines of text: `ERROR`, `"two words"`, `-debug`, `?a ?b`."""

from __future__ import annotations

import re
from collections.abc import Callable

from local_sagemaker.errors import AwsError

TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))')


class InvalidParameterException(AwsError):  # noqa: N818 (the code's name)
    """A parameter that cannot be worked with."""

    code = "InvalidParameterException"


def matcher(pattern: str) -> Callable[[str], bool]:
    """A function that tells whether a line fits; every line fits the empty pattern.

    All plain terms must be in the line and no term with `-` may be. Of terms with `?` one is enough; as in
    CloudWatch they count only where no plain term is given.
    """
    text = pattern.strip()
    if text[:1] in {"{", "[", "%"}:
        raise InvalidParameterException(
            f"The filter pattern {pattern!r} selects fields or is a regular expression; the local service "
            'knows terms only, such as ERROR or "two words".'
        )
    terms: dict[str, list[str]] = {"": [], "-": [], "?": []}
    for sign, quoted, word in TERM.findall(text):
        terms[sign].append(re.sub(r"\\(.)", r"\1", quoted) or word)

    def fits(line: str) -> bool:
        if any(term in line for term in terms["-"]) or not all(term in line for term in terms[""]):
            return False
        return bool(terms[""]) or not terms["?"] or any(term in line for term in terms["?"])

    return fits

"""Pages for people: Jinja2 templates with autoescape, in one base template for all of them.

A page needs no script, no other file and no network. Its colours are Okabe's and Ito's, which colour-blind
people tell apart, and no meaning depends on a colour alone.
"""

from __future__ import annotations

from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from include.ml.reports import phrases


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the environment that loads the templates beside this module.

    Every value is escaped; only drawings, which escape their own texts, come as `Markup`.
    """
    made = Environment(
        loader=PackageLoader("include.ml.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "cell": show_cell,
        "count": phrases.count,
        "figure": phrases.number,
        "percent": phrases.percent,
    }
    return made


def render_page(template: str, **values: object) -> str:
    """Return a page as text.

    Parameters
    ----------
    template
        Name of a file in `templates/`.
    values
        What the template shows; `title` is the name of the page.
    """
    return environment().get_template(template).render(values)


def show_cell(value: object) -> str:
    """Return a cell of a table as text; a fraction has four digits.

    >>> show_cell(0.5), show_cell(3), show_cell("UA")
    ('0.5000', '3', 'UA')
    """
    return f"{value:.4f}" if isinstance(value, float) else str(value)

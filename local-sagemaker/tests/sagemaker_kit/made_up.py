"""Values of the shapes in botocore's models, made up by hypothesis: what lists, maps and structures share."""
# ruff: noqa: ANN401 (values of a model's shapes can be anything)

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

DEPTH = 4
#: XML cannot hold control characters
XML_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1)
#: a header holds visible Latin letters
HEADER_TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='",'), min_size=1)
HEADER_NAME = st.text("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~", min_size=1, max_size=20)
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)).map(  # noqa: DTZ001 (made aware below)
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
IN_HEAD = ("header", "uri", "querystring")


class Values:
    """How values are made up; what single ones are like, a subclass says in `single`."""

    #: how many members that are not required a structure has at most
    optional_members = 4

    def single(self, shape: Any, name: str) -> st.SearchStrategy[Any]:
        """Values of a shape that is no structure, list or map; `name` is that of the member."""
        raise NotImplementedError

    def sizes(self, shape: Any) -> tuple[int, int]:
        """How many items a list or map has at least, and at most."""
        del shape
        return 1, 3

    def of(self, shape: Any, name: str = "", depth: int = DEPTH) -> st.SearchStrategy[Any]:
        """Values of any shape."""
        location = shape.serialization.get("location")
        if shape.type_name == "structure":
            return self.structures(shape, depth)
        if shape.type_name == "list":
            low, high = self.sizes(shape)
            member = HEADER_TEXT if location == "header" else self.of(shape.member, name, depth - 1)
            return st.lists(member, min_size=low, max_size=high)
        if shape.type_name == "map":
            low, high = self.sizes(shape)
            is_head = location == "headers"
            keys = HEADER_NAME if is_head else self.single(shape.key, f"{name}.key")
            inner = HEADER_TEXT if is_head else self.of(shape.value, name, depth - 1)
            return st.dictionaries(keys, inner, min_size=low, max_size=high)
        return self.single(shape, name)

    def _deferred(self, shape: Any, name: str, depth: int) -> st.SearchStrategy[Any]:
        return st.deferred(lambda: self.of(shape, name, depth))

    def structures(self, shape: Any, depth: int = DEPTH) -> st.SearchStrategy[dict[str, Any]]:
        """Structures with the required members and, while `depth` lasts, others."""
        if shape.is_document_type:
            return st.just({"any": ["document", 1, None]})
        members = {name: self._deferred(m, name, depth - 1) for name, m in shape.members.items()}
        needed = {name: members[name] for name in shape.required_members}
        if shape.is_tagged_union:
            return st.sampled_from(list(members)).flatmap(
                lambda name: st.fixed_dictionaries({name: members[name]})
            )
        if depth <= 0 or not members:
            return st.fixed_dictionaries(needed)
        return st.lists(st.sampled_from(list(members)), max_size=self.optional_members).flatmap(
            lambda names: st.fixed_dictionaries(needed | {name: members[name] for name in names})
        )

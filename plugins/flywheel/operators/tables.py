"""What steps that write tables have besides: a link to the profile of what they wrote."""

from __future__ import annotations

from flywheel.links import ProfileLink, object_url
from flywheel.operators.job import JobOperator
from include.core.layout import PROFILE
from include.core.sagemaker.work import Attached


class TableOperator(JobOperator):
    """A step whose job leaves tables, and beside them a page that shows what is in them."""

    operator_extra_links = (*JobOperator.operator_extra_links, ProfileLink())

    def extra_links(self, attached: Attached) -> dict[str, str]:
        """The page."""
        return {"Profile": object_url(self.hook, f"{attached.uri}{PROFILE}")}

"""Why contacts are not merged, split, or put back as they were."""

from crm.foundation.errors import Refusal


class CannotMerge(Refusal):
    """These two cannot become one."""

    code = "cannot_merge"


class CannotUndo(Refusal):
    """This merge cannot be taken back."""

    code = "cannot_undo"


class CannotSplit(Refusal):
    """This account cannot leave its contact."""

    code = "cannot_split"


class Merged(Refusal):
    """The contact is part of another one now (`merged_into`)."""

    code = "merged"
    http_status = 410

"""What an import says became of each row."""


def outcomes(job):
    """{row number: outcome}."""
    return dict(job.rows.order_by("number").values_list("number", "outcome"))


def reasons(job):
    """{row number: reason}."""
    return dict(job.rows.order_by("number").values_list("number", "reason"))

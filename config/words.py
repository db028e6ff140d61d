"""Words of Unfold and Django that have no Spanish, or no good one: named here, so that they are in our catalogue."""

from django.utils.translation import gettext_noop, ngettext_lazy

WORDS = (
    gettext_noop("After you"),
    gettext_noop("Apply Filters"),
    gettext_noop("Authentication and Authorization"),
    gettext_noop("Available shortcuts"),
    gettext_noop("Changelist shortcuts"),
    gettext_noop("Click here to select the objects across all pages"),
    gettext_noop("Click to cancel"),
    gettext_noop("Command tool shortcuts"),
    gettext_noop("Create new record"),
    gettext_noop("Delete selected %(verbose_name_plural)s"),
    gettext_noop("Date from"),
    gettext_noop("Date to"),
    gettext_noop("From"),
    gettext_noop("General"),
    gettext_noop("Global shortcuts"),
    gettext_noop("Go back"),
    gettext_noop("Navigate"),
    gettext_noop("Next"),
    gettext_noop("No data"),
    gettext_noop("No results found"),
    gettext_noop("Nothing matched your search"),
    gettext_noop("Open command tool"),
    gettext_noop("Open selection"),
    gettext_noop("Open selection in new tab"),
    gettext_noop("Open shortcuts list"),
    gettext_noop("Previous"),
    gettext_noop("Reset filters"),
    gettext_noop("Run"),
    gettext_noop("Run the selected action"),
    gettext_noop("Search apps and models..."),
    gettext_noop("Select"),
    gettext_noop("Select action"),
    gettext_noop("Select action to run"),
    gettext_noop("Select record"),
    gettext_noop("Select value"),
    gettext_noop("This item will be deleted."),
    gettext_noop("This page yielded into no results."),
    gettext_noop("To"),
    gettext_noop("Toggle dark/light mode"),
    gettext_noop("Toggle filter"),
    gettext_noop("Toggle password visibility"),
    gettext_noop("Toggle sidebar"),
    gettext_noop("Type to search"),
    gettext_noop("Value"),
    gettext_noop("groups"),
    gettext_noop(
        'Are you sure you want to delete the %(object_name)s "%(escaped_object)s"? '
        "All of the following related items will be deleted:"
    ),
    gettext_noop(
        "Are you sure you want to delete the selected %(objects_name)s? "
        "All of the following objects and their related items will be deleted:"
    ),
    ngettext_lazy(
        '\n            Found <span class="font-medium text-important">%(counter)s</span>'
        " result in %(time)s seconds\n        ",
        '\n            Found <span class="font-medium text-important">%(counter)s</span>'
        " results in %(time)s seconds\n        ",
        "counter",
    ),
)

"""Mentions in the administration: who was told of what, and whether they have seen it."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from conversations.notices.models import Notice
from crm.audit.modeladmin import ReadOnlyAdmin, titled
from crm.audit.words import Labelled, when


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    """Mentions of colleagues in private notes."""

    list_display = ("moment", "whom", "by", "contact", "seen")
    list_filter = (("user", titled(AutocompleteSelectFilter, gettext_lazy("who"))),)
    list_filter_submit = True
    list_select_related = ("user", "message__author", "conversation__contact")
    fields = readonly_fields = ("moment", "whom", "by", "contact", "seen")

    @display(description=gettext_lazy("when"))
    def moment(self, notice: Notice) -> str:
        """When the note was written."""
        return when(notice.created_at)

    @display(description=gettext_lazy("who"))
    def whom(self, notice: Notice) -> str:
        """Who was mentioned."""
        return notice.user.name

    @display(description=gettext_lazy("by"))
    def by(self, notice: Notice) -> str:
        """Who wrote it."""
        return notice.message.author.name if notice.message.author else "—"

    @display(description=gettext_lazy("contact"))
    def contact(self, notice: Notice) -> SafeString:
        """With a link to the note."""
        address = reverse("admin:conversations_conversation_change", args=[notice.conversation_id])
        title = notice.conversation.contact.title
        return format_html('<a class="wc-link" href="{}?at={}">{}</a>', address, notice.message.client_id, title)

    @display(description=gettext_lazy("seen"), label={"seen": "success", "unseen": "warning"})
    def seen(self, notice: Notice) -> Labelled:
        """Whether they have opened the conversation since."""
        return Labelled("seen", when(notice.read_at)) if notice.read_at else Labelled("unseen", _("Not yet"))

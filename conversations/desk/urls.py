"""URLs of the agents' inbox."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from conversations.desk.views import fence, files, lists, messages, pages, sending, states
from conversations.desk.views.signin import SignInView

app_name = "desk"

urlpatterns = [
    path("accounts/login/", SignInView.as_view(), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("inbox/", pages.inbox, name="inbox"),
    path("inbox/list/", lists.more_rows, name="list"),
    path("inbox/rows/", lists.rows, name="rows"),
    path("inbox/counts/", lists.counts, name="counts"),
    path("inbox/sync/", pages.sync, name="sync"),
    path("inbox/preferences/", pages.preferences, name="preferences"),
    path("inbox/fence/", fence.lift, name="fence"),
    path("inbox/uploads/", sending.upload, name="upload"),
    path("inbox/media/<uuid:pk>/", files.attachment, name="media"),
    path("inbox/c/<int:pk>/", pages.conversation, name="conversation"),
    path("inbox/c/<int:pk>/messages/", messages.messages, name="messages"),
    path("inbox/c/<int:pk>/notes/", sending.note, name="note"),
    path("inbox/c/<int:pk>/reactions/", messages.react, name="react"),
    path("inbox/c/<int:pk>/composer/", sending.composer, name="composer"),
    path("inbox/c/<int:pk>/header/", states.header, name="header"),
    path("inbox/c/<int:pk>/assign/", states.assign, name="assign"),
    path("inbox/c/<int:pk>/status/", states.status, name="status"),
    path("inbox/c/<int:pk>/read/", states.read, name="read"),
    path("inbox/c/<int:pk>/typing/", sending.typing, name="typing"),
    path("inbox/m/<uuid:client_id>/retry/", sending.retry, name="retry"),
    path("inbox/m/<uuid:client_id>/cancel/", sending.cancel, name="cancel"),
]

"""URLs of the agents' inbox."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from conversations.desk.views import actions, fence, files, pages
from conversations.desk.views.signin import SignInView

app_name = "desk"

urlpatterns = [
    path("accounts/login/", SignInView.as_view(), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("inbox/", pages.inbox, name="inbox"),
    path("inbox/list/", pages.more_rows, name="list"),
    path("inbox/rows/", pages.rows, name="rows"),
    path("inbox/counts/", pages.counts, name="counts"),
    path("inbox/sync/", pages.sync, name="sync"),
    path("inbox/preferences/", pages.preferences, name="preferences"),
    path("inbox/fence/", fence.lift, name="fence"),
    path("inbox/uploads/", actions.upload, name="upload"),
    path("inbox/media/<uuid:pk>/", files.attachment, name="media"),
    path("inbox/c/<int:pk>/", pages.conversation, name="conversation"),
    path("inbox/c/<int:pk>/messages/", actions.messages, name="messages"),
    path("inbox/c/<int:pk>/notes/", actions.note, name="note"),
    path("inbox/c/<int:pk>/reactions/", actions.react, name="react"),
    path("inbox/c/<int:pk>/composer/", pages.composer, name="composer"),
    path("inbox/c/<int:pk>/header/", pages.header, name="header"),
    path("inbox/c/<int:pk>/assign/", actions.assign, name="assign"),
    path("inbox/c/<int:pk>/status/", actions.status, name="status"),
    path("inbox/c/<int:pk>/read/", actions.read, name="read"),
    path("inbox/c/<int:pk>/typing/", actions.typing, name="typing"),
    path("inbox/m/<uuid:client_id>/retry/", actions.retry, name="retry"),
    path("inbox/m/<uuid:client_id>/cancel/", actions.cancel, name="cancel"),
]

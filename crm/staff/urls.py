"""Signing in and one's account; the views that are not ours are allauth's, under the names it asks for."""

from allauth.account.views import reauthenticate
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as app
from allauth.mfa.webauthn import views as passkeys
from allauth.socialaccount.providers.openid_connect import views as oidc
from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from crm.staff import account_views as views

urlpatterns = [
    path("", views.account, name="account"),
    path("login/", views.sign_in, name="account_login"),
    path("logout/", LogoutView.as_view(), name="account_logout"),
    path("code/", mfa.authenticate, name="mfa_authenticate"),
    path("passkey/", never_cache(passkeys.login_webauthn), name="mfa_login_webauthn"),
    path("oidc/<slug:provider_id>/login/", views.leave_for_provider, name="openid_connect_login"),
    path("oidc/<slug:provider_id>/login/callback/", require_safe(oidc.callback), name="openid_connect_callback"),
    path("forgotten/", views.forgotten, name="account_forgotten"),
    path("reset/<uidb64>/<token>/", views.ResetView.as_view(), name="account_reset_password"),
    path("invitation/<uidb64>/<token>/", views.InvitationView.as_view(), name="account_invitation"),
    path("again/password/", never_cache(reauthenticate), name="account_reauthenticate"),
    path("again/code/", never_cache(mfa.reauthenticate), name="mfa_reauthenticate"),
    path("again/passkey/", never_cache(passkeys.reauthenticate_webauthn), name="mfa_reauthenticate_webauthn"),
    path("password/", views.change_password, name="account_password"),
    path("sessions/others/end/", views.end_other_sessions, name="account_end_other_sessions"),
    path("sessions/<int:pk>/end/", views.end_session, name="account_end_session"),
    path("second-factor/", views.account, name="mfa_index"),
    path("app/add/", never_cache(app.activate_totp), name="mfa_activate_totp"),
    path("app/remove/", never_cache(app.deactivate_totp), name="mfa_deactivate_totp"),
    path("passkeys/add/", never_cache(passkeys.add_webauthn), name="mfa_add_webauthn"),
    path("passkeys/<int:pk>/remove/", never_cache(views.RemovePasskeyView.as_view()), name="mfa_remove_webauthn"),
    path("codes/", never_cache(codes.view_recovery_codes), name="mfa_view_recovery_codes"),
    path("codes/new/", never_cache(codes.generate_recovery_codes), name="mfa_generate_recovery_codes"),
    path("codes/download/", codes.download_recovery_codes, name="mfa_download_recovery_codes"),
]

from django.urls import path

from . import views

urlpatterns = [
    path("dev/inbox/", views.inbox, name="dev-inbox"),
    path("dev/inbox/<slug:name>/", views.mail, name="dev-mail"),
    path("dev/inbox/<slug:name>/html/", views.mail_html, name="dev-mail-html"),
    path("dev/mails/", views.templates, name="dev-templates"),
    path("dev/mails/<slug:name>/", views.template, name="dev-template"),
    path("dev/mails/<slug:name>/html/", views.template_html, name="dev-template-html"),
]

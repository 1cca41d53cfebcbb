from django.urls import path

from . import views

urlpatterns = [path("dev/inbox/", views.dev_inbox, name="dev-inbox")]

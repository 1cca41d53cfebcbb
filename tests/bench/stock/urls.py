from django.urls import path
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

from .projects.api import ProjectsView

urlpatterns = [
    path("api/v1/projects", ProjectsView.as_view()),
    path("api/v1/token", TokenObtainPairView.as_view()),
    path("api/v1/token/refresh", TokenRefreshView.as_view()),
]

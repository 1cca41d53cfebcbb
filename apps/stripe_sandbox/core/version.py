"""The one account and the one version of the API: the version that the installed stripe-python is made for."""

import stripe

API_VERSION: str = stripe.api_version  # type: ignore[assignment]
ACCOUNT = "acct_1SandboxSandbox0"

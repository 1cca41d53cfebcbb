"""The one version of Stripe's API that is served: the one that the installed stripe-python is made for."""

import stripe

API_VERSION: str = stripe.api_version  # type: ignore[assignment]

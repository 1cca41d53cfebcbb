"""Pages for browsers: checkout, portal, invoice, the bank's authentication, and what the sandbox holds."""

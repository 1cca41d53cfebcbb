"""The web server's side of the application: no client, however slow, holds a thread.

Granian speaks HTTP; its event loop receives a request whole, one of a few threads runs Django on it, and Granian
sends the answer from memory or from a file (docs/decisions/0035-no-client-holds-a-thread.md).
"""

"""The visitor's pages: write a review, see how a model reads it, confirm or correct it.

Enters: browsers' requests through the gateway. Leaves: HTML that works without JavaScript, and
better with it. Everything that is kept, is kept by app-service (`api`); a page has no state but
the visitor's two cookies (`identity`).
"""

"""Other programs and services, each behind one small module; nothing else calls them."""

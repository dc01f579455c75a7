"""Asking services from here whether they are well, beside what their nodes say."""

"""Grade a class of untrusted notebooks. Nothing that a reader or a student uses imports this.

It is layered like the package itself::

    verdict (what a submission earns, and what its author is told)
    sandbox (where its code runs)    drivers (what of a check may stand beside it)
    plain (what crosses the border)
"""

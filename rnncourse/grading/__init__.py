"""Grade a class of untrusted notebooks. Nothing that a reader or a student uses imports this.

It is layered like the package itself (a test keeps it so)::

    collect (an LMS's zip to a class's folder)
    overview (how the class did)
    grade (a class, once)    feedback (pages for students)    marks (CSV)
    workers (processes that judge)    gradebook (what is kept)    notebooks (what was said)
    sources (files of a folder or a zip)
    verdict (what a submission earns, and what its author is told)
    sandbox (where its code runs)    labs (a lab as its instructor has it)
    limits (what it may use up)    drivers (what of a check may stand beside it)    roster (who is in a class)    release (the zip for students)
    inside (what runs in the sandbox)
    plain (what crosses the border)    assemble (which cells are run)    enter (into the sandbox, without rights)

Enter at `rnncourse.grading.verdict`; ``python -m rnncourse.grading`` has the commands.
"""

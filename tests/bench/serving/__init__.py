"""The service beside other servers of models, as ``tests.bench.service`` runs it.

``table`` says what is measured, of which ``programs`` and ``requests``; ``rounds`` measures:
``starting`` starts each program once, ``processes`` stops it until its turn comes, and
``load`` asks. Every ratio is of two turns of one round; the figure is their median.
"""

"""Reckon what so many films a day need: calls, quotas, instances, costs, and what breaks first.

film.py            a film by what it makes AWS do: clips, scenes, sentences, questions
calls.py           the calls to AWS that each function makes for a film; checked by count.py
state_machine.py   the transitions and events of a film's execution, from the state machine itself
prices.py, limits.py   what AWS charges and allows, each with its source; what our own design allows
reckoning.py       all of it for so many films a day
tables.py, page.py the tables, printed and in docs/scale.md
count.py           counts the calls of real films on a local cloud
"""

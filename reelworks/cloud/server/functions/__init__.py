"""How the cloud runs Lambda functions: whose turn it is, their processes, and reports of those that die.

calls.py    what an invocation is: who waits for it, its tenant and film, its share of the processors
turns.py    how many run at once and who is next; knows neither processes nor ministack
process.py  one function's process, and the code and environment it gets
forked.py   starts processes, and fork_server.py is the program that they are forked from
runtime.py  puts these in the place of ministack's own, and reports what runs, waits and holds memory
"""

"""One program for each way of joining, since processor time and memory are those of a process of its own."""

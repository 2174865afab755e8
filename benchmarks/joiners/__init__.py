"""One program for each way of joining, because processor time and memory are measured per process."""

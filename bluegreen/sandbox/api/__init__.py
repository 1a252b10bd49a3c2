"""The sandbox's AWS API: the emulator, corrected where it is not true, with AWS's limits and bad days around it.

gateway       one request from the socket to the answer
emulator      moto's services, with ours in place of those that need correcting
ecs elbv2 cloudformation   the corrections, one file a service
throttle faults calls      published token buckets, faults on request, the log of calls
control       /_sandbox/…: what the command line asks the sandbox itself
"""

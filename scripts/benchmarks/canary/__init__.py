"""How well canaries are judged: a simulation of bluegreen's verdict beside the rules that others use."""

"""``python -m tests.faults.hasty …`` is ``bluegreen …`` in a world where a signed request lives for two seconds.

On AWS it is five minutes, by clocks that may be five minutes apart, and a driver that followed one killed in the middle
of a write waits for the end of them. In the sandbox a request is carried out while its sender waits, or within the
seconds of a fault on request: so the wait can be as short here, and all that follows it is tried too.
"""

from __future__ import annotations

from bluegreen.cli.main import main
from bluegreen.lifecycle.routes import late

SIGNATURE_SECONDS = 2.0
AHEAD_SECONDS = 1.0

if __name__ == "__main__":
    late.SIGNATURE_SECONDS, late.AHEAD_SECONDS = SIGNATURE_SECONDS, AHEAD_SECONDS
    main()

"""Seeds or fetches one torrent with libtorrent until SIGTERM, then says goodbye to the tracker.

Arguments: the .torrent file, the download folder, the port of peers.
"""

import signal
import sys
import time

import libtorrent as lt

GOODBYE_SECS = 5

metainfo, folder, port = sys.argv[1:]

stopping = False


def stop(_signal, _frame):
    global stopping
    stopping = True


def alerts(session):
    """Yields what happened within a tenth of a second, and logs it."""
    session.wait_for_alert(100)
    for alert in session.pop_alerts():
        print(f"{time.monotonic():.3f} {alert}", flush=True)
        yield alert


signal.signal(signal.SIGTERM, stop)

categories = lt.alert.category_t
session = lt.session(
    {
        "listen_interfaces": f"0.0.0.0:{port},[::]:{port}",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        # It would refuse a tracker in a private network.
        "ssrf_mitigation": False,
        "alert_mask": categories.error_notification
        | categories.status_notification
        | categories.tracker_notification
        | categories.connect_notification,
    }
)
parameters = lt.add_torrent_params()
parameters.ti = lt.torrent_info(metainfo)
parameters.save_path = folder
session.add_torrent(parameters)

while not stopping:
    for _ in alerts(session):
        pass

# A pause announces `stopped`; the mere end of the process would not.
session.pause()
deadline = time.monotonic() + GOODBYE_SECS
answered = False
while not answered and time.monotonic() < deadline:
    answered = any([isinstance(alert, lt.tracker_reply_alert) for alert in alerts(session)])

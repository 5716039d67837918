#!/usr/bin/python3
"""An RTSP server that takes streams (ANNOUNCE, RECORD), for tests and benchmarks.

What is published to /NAME is written as it comes to DIRECTORY/NAME.mkv, begun anew
for each publisher.  Streams are H.264 unless a mount says otherwise.

    rtsp_sink.py --directory DIR [--port N] [--host ADDRESS] --mount /NAME[=CODEC[,AUDIO]] ...

CODEC is h264, h265 or jpeg, AUDIO aac, pcmu or pcma.  The first line of output is
"listening on rtsp://HOST:PORT", once the server accepts connections.
"""

import argparse
import os
import signal
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

from rtsp_camera import require_password  # noqa: E402

VIDEO = {
    "h264": "rtph264depay name=depay0 ! h264parse",
    "h265": "rtph265depay name=depay0 ! h265parse",
    "jpeg": "rtpjpegdepay name=depay0",
}
AUDIO = {
    "aac": "rtpmp4gdepay name=depay1 ! aacparse",
    "pcmu": "rtppcmudepay name=depay1",
    "pcma": "rtppcmadepay name=depay1",
}


def make_factory(text, directory):
    path, _, kinds = text.partition("=")
    video, _, audio = (kinds or "h264").partition(",")
    if not path.startswith("/") or video not in VIDEO or (audio and audio not in AUDIO):
        raise ValueError(f"--mount {text}: want /NAME[=h264|h265|jpeg[,aac|pcmu|pcma]]")
    file = os.path.join(directory, path.strip("/").replace("/", "-") + ".mkv")
    launch = f"{VIDEO[video]} ! queue ! matroskamux name=mux streamable=true ! filesink sync=false location={file}"
    if audio:
        launch += f" {AUDIO[audio]} ! queue ! mux."
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
    factory.set_launch(f"( {launch} )")
    factory.set_latency(0)
    return path, factory


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="port, 0 for a free one (0)")
    parser.add_argument("--directory", required=True, help="where streams are written to")
    parser.add_argument("--mount", action="append", required=True, metavar="/NAME[=CODEC[,AUDIO]]")
    parser.add_argument("--user", help="ask for this user name and --password")
    parser.add_argument("--password", default="")
    parser.add_argument("--auth", choices=("digest", "basic"), default="digest", help="how to ask (digest)")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    Gst.init(None)
    loop = GLib.MainLoop()
    server = GstRtspServer.RTSPServer()
    server.set_address(arguments.host)
    server.set_service(str(arguments.port))
    factories = []
    for text in arguments.mount:
        path, factory = make_factory(text, arguments.directory)
        server.get_mount_points().add_factory(path, factory)
        factories.append(factory)
    if arguments.user is not None:
        require_password(server, factories, arguments.user, arguments.password, arguments.auth)
    if server.attach(None) == 0:
        raise ValueError(f"cannot listen on {arguments.host}:{arguments.port}; is the port in use?")
    print(f"listening on rtsp://{arguments.host}:{server.get_bound_port()}", flush=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, loop.quit)
    loop.run()


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        sys.exit(f"rtsp_sink.py: {error}")

#!/usr/bin/python3
"""RTSP cameras made of video files, for tests, benchmarks and the demo.

Each mount serves the compressed frames of one file (H.264, HEVC or MJPEG, in
any container GStreamer demuxes) as a live camera does: in real time, without
end, with timestamps that never jump back.  Nothing is decoded or re-encoded,
so six cameras cost a few per cent of a core.  Clients of one mount share one
stream; it begins at the file's first frame when the first client comes.

    rtsp_camera.py [--port N] [--host ADDRESS] --mount /lobby=vtest.mp4 ...

Options of a mount follow the file, separated by commas:

    stall-after=S   after S seconds say nothing more, but keep the connection
    corrupt=N       damage every Nth frame
    once            end the stream after one run of the file
    start=S         begin S seconds into the file (at the next key frame)
    sound=CODEC     a tone of 440 Hz besides: alaw, mulaw or aac

With --tls-certificate and --tls-key (PEM files) the server speaks RTSP over TLS.
`--mount /name=silent` never answers DESCRIBE.  The first line of output is
"listening on rtsp://HOST:PORT", once the server accepts connections.
"""

import argparse
import os
import signal
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

SILENT = "silent"
ROLE = "viewer"

# What turns a demuxed stream into self-contained access units, and what
# packs those into RTP.  Parameter sets are repeated before every key frame, so
# that a client may join at any of them.
CODECS = {
    "video/x-h264": (
        "h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au",
        "rtph264pay name=pay0 pt=96 config-interval=-1",
    ),
    "video/x-h265": (
        "h265parse config-interval=-1 ! video/x-h265,stream-format=byte-stream,alignment=au",
        "rtph265pay name=pay0 pt=96 config-interval=-1",
    ),
    "image/jpeg": ("identity", "rtpjpegpay name=pay0 pt=26"),
}

# A microphone that hears one tone.
SOUNDS = {
    "alaw": (8000, "alawenc ! rtppcmapay name=pay1 pt=8"),
    "mulaw": (8000, "mulawenc ! rtppcmupay name=pay1 pt=0"),
    "aac": (16000, "voaacenc ! rtpmp4gpay name=pay1 pt=97"),
}

# Fields of a stream's caps that a change of resolution in mid-stream would
# make false; RTP carries them in band.  JPEG's payloader needs them.
IN_BAND_FIELDS = ("width", "height", "profile", "level", "tier", "pixel-aspect-ratio", "coded-picture-structure")


class Frame:
    """One compressed frame; times are nanoseconds from the file's start."""

    def __init__(self, data, pts, dts, duration, key):
        self.data = data
        self.pts = pts
        self.dts = dts
        self.duration = duration
        self.key = key


class Clip:
    """The compressed frames of a file, and what payloads them."""

    def __init__(self, path, fps):
        self.path = path
        self.frames = []
        self.caps = None
        self.payloader = None
        self._read(fps)

    def _read(self, fps):
        if not os.path.isfile(self.path):
            raise ValueError(f"{self.path}: no such file")
        pipeline = Gst.Pipeline.new(None)
        source = Gst.ElementFactory.make("filesrc")
        source.set_property("location", self.path)
        parse = Gst.ElementFactory.make("parsebin")
        pipeline.add(source)
        pipeline.add(parse)
        source.link(parse)
        sinks = []

        def on_pad(_parse, pad):
            name = pad.query_caps(None).get_structure(0).get_name()
            if sinks or name not in CODECS:
                return
            normalise, self.payloader = CODECS[name]
            chain = Gst.parse_bin_from_description(f"{normalise} ! appsink name=sink sync=false", True)
            pipeline.add(chain)
            chain.sync_state_with_parent()
            sinks.append(chain.get_by_name("sink"))
            pad.link(chain.get_static_pad("sink"))

        parse.connect("pad-added", on_pad)
        bus = pipeline.get_bus()
        pipeline.set_state(Gst.State.PLAYING)
        try:
            message = bus.timed_pop_filtered(
                20 * Gst.SECOND,
                Gst.MessageType.ASYNC_DONE | Gst.MessageType.ERROR | Gst.MessageType.EOS,
            )
            if message is None or message.type == Gst.MessageType.ERROR or not sinks:
                raise ValueError(f"{self.path}: no H.264, HEVC or MJPEG stream in it")
            while True:
                sample = sinks[0].emit("pull-sample")
                if sample is None:
                    break
                self._take(sample)
        finally:
            pipeline.set_state(Gst.State.NULL)
        if not self.frames:
            raise ValueError(f"{self.path}: not one whole frame in it")
        self._rebase(fps)

    def _take(self, sample):
        buffer = sample.get_buffer()
        if self.caps is None:
            caps = sample.get_caps().copy()
            if caps.get_structure(0).get_name() != "image/jpeg":
                for field in IN_BAND_FIELDS:
                    caps.get_structure(0).remove_field(field)
            self.caps = caps
        data = GLib.Bytes.new(buffer.extract_dup(0, buffer.get_size()))
        key = not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
        self.frames.append(Frame(data, buffer.pts, buffer.dts, buffer.duration, key))

    def _rebase(self, fps):
        """Let times count from zero, and give them to a stream without any."""
        period = Gst.SECOND // fps
        none = Gst.CLOCK_TIME_NONE
        timed = all(frame.pts != none for frame in self.frames)
        if not timed:
            for i, frame in enumerate(self.frames):
                frame.pts = frame.dts = i * period
        for frame in self.frames:
            if frame.dts == none:
                frame.dts = frame.pts
        first = min(frame.dts for frame in self.frames)
        shown = sorted(frame.pts for frame in self.frames)
        if len(shown) > 1:
            period = (shown[-1] - shown[0]) // (len(shown) - 1)
        for frame in self.frames:
            frame.pts -= first
            frame.dts -= first
            frame.duration = period
        # The next run's first frame comes one frame's time after the last.
        self.length = shown[-1] - shown[0] + period

    def index_at(self, seconds):
        """The first key frame at or after so many seconds, else the first."""
        for i, frame in enumerate(self.frames):
            if frame.key and frame.pts >= seconds * Gst.SECOND:
                return i
        return 0


class Mount:
    """What the server offers at one path."""

    def __init__(self, text, default_stall):
        path, separator, rest = text.partition("=")
        if not separator or not path.startswith("/") or not rest:
            raise ValueError(f"--mount {text}: want /NAME=FILE[,OPTION]...")
        self.path = path
        self.file, *options = rest.split(",")
        self.stall_after = default_stall
        self.corrupt = 0
        self.once = False
        self.start = 0.0
        self.sound = None
        for option in options:
            name, _, value = option.partition("=")
            if name == "stall-after":
                self.stall_after = float(value)
            elif name == "corrupt":
                self.corrupt = int(value)
            elif name == "start":
                self.start = float(value)
            elif name == "once":
                self.once = True
            elif name == "sound" and value in SOUNDS:
                self.sound = value
            else:
                raise ValueError(f"--mount {text}: unknown option {name}")


class Feeder:
    """Hands the frames of a clip, run after run, to one stream's appsrc.

    The appsrc asks; the sinks behind it wait for each frame's time, so the
    pace is the pipeline clock's and no timer is needed here.
    """

    def __init__(self, clip, mount, appsrc):
        self.clip = clip
        self.mount = mount
        self.next = clip.index_at(mount.start)
        self.offset = -clip.frames[self.next].dts
        self.sent = 0
        appsrc.set_property("caps", clip.caps)
        appsrc.connect("need-data", self._on_need_data)

    def _on_need_data(self, appsrc, _length):
        if self.next == len(self.clip.frames):
            if self.mount.once:
                appsrc.emit("end-of-stream")
                return
            self.next = 0
            self.offset += self.clip.length
        frame = self.clip.frames[self.next]
        pts = frame.pts + self.offset
        # The first frame always goes out: without it there is no SDP.
        stall = self.mount.stall_after
        if stall is not None and self.sent and pts >= stall * Gst.SECOND:
            return
        self.next += 1
        self.sent += 1
        appsrc.emit("push-buffer", self._buffer(frame, pts))

    def _buffer(self, frame, pts):
        data = frame.data
        if self.mount.corrupt and self.sent % self.mount.corrupt == 0:
            data = GLib.Bytes.new(damaged(data.get_data()))
        buffer = Gst.Buffer.new_wrapped_bytes(data)
        buffer.pts = pts
        buffer.dts = frame.dts + self.offset
        buffer.duration = frame.duration
        if not frame.key:
            buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
        return buffer


def damaged(data):
    """The frame with its second half full of wrong bytes, its headers intact."""
    bad = bytearray(data)
    for i in range(len(bad) // 2, len(bad), 17):
        bad[i] ^= 0x5A
    return bytes(bad)


def make_factory(mount, clip):
    # A silent camera has a payloader and never a frame to describe itself by.
    payloader = clip.payloader if clip else CODECS["video/x-h264"][1]
    factory = GstRtspServer.RTSPMediaFactory()
    sound = ""
    if mount.sound:
        rate, encoder = SOUNDS[mount.sound]
        sound = (
            "audiotestsrc is-live=true freq=440 volume=0.5 ! audioconvert ! audioresample"
            f" ! audio/x-raw,rate={rate},channels=1 ! {encoder}"
        )
    factory.set_launch(f"( appsrc name=source format=time max-bytes=1 ! {payloader} {sound} )")
    factory.set_shared(True)
    # Keep a slow client's backlog from growing without limit.
    factory.set_buffer_size(1 << 20)

    def on_configure(_factory, media):
        if clip is None:
            return
        appsrc = media.get_element().get_by_name_recurse_up("source")
        media.feeder = Feeder(clip, mount, appsrc)  # lives as long as its media

    factory.connect("media-configure", on_configure)
    return factory


def require_password(server, factories, user, password, method):
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, ROLE)
    auth = GstRtspServer.RTSPAuth()
    if method == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    for factory in factories:
        permissions = GstRtspServer.RTSPPermissions()
        for permission in (
            GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS,
            GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT,
        ):
            permissions.add_permission_for_role(ROLE, permission, True)
        factory.set_permissions(permissions)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="port, 0 for a free one (0)")
    parser.add_argument("--mount", action="append", required=True, metavar="/NAME=FILE[,OPTION]...")
    parser.add_argument("--stall-after", type=float, metavar="S", help="as the mount's option, for every mount")
    parser.add_argument("--fps", type=int, default=25, help="frame rate of a file without timestamps (25)")
    parser.add_argument("--user", help="ask for this user name and --password")
    parser.add_argument("--password", default="")
    parser.add_argument("--auth", choices=("digest", "basic"), default="digest", help="how to ask (digest)")
    parser.add_argument("--tls-certificate", metavar="FILE", help="speak rtsps with this certificate and --tls-key")
    parser.add_argument("--tls-key", metavar="FILE")
    parser.add_argument("--exit-on-eof", action="store_true", help="end when standard input is closed")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    Gst.init(None)
    loop = GLib.MainLoop()

    server = GstRtspServer.RTSPServer()
    server.set_address(arguments.host)
    server.set_service(str(arguments.port))
    # A thread for each client: one that waits must not hold up the others.
    threads = GstRtspServer.RTSPThreadPool()
    threads.set_max_threads(-1)
    server.set_thread_pool(threads)

    clips = {SILENT: None}
    factories = []
    for text in arguments.mount:
        mount = Mount(text, arguments.stall_after)
        if mount.file not in clips:
            clips[mount.file] = Clip(mount.file, arguments.fps)
        factory = make_factory(mount, clips[mount.file])
        server.get_mount_points().add_factory(mount.path, factory)
        factories.append(factory)
    if arguments.user is not None:
        require_password(server, factories, arguments.user, arguments.password, arguments.auth)

    if arguments.tls_certificate is not None:
        auth = server.get_auth() or GstRtspServer.RTSPAuth()
        auth.set_tls_certificate(
            Gio.TlsCertificate.new_from_files(arguments.tls_certificate, arguments.tls_key)
        )
        server.set_auth(auth)
    if server.attach(None) == 0:
        raise ValueError(f"cannot listen on {arguments.host}:{arguments.port}; is the port in use?")
    scheme = "rtsp" if arguments.tls_certificate is None else "rtsps"
    print(f"listening on {scheme}://{arguments.host}:{server.get_bound_port()}", flush=True)

    def quit_loop(*_):
        loop.quit()
        return GLib.SOURCE_REMOVE

    def on_stdin(descriptor, _condition):
        if os.read(descriptor, 4096):
            return GLib.SOURCE_CONTINUE
        return quit_loop()

    def forget_dead_sessions():
        server.get_session_pool().cleanup()
        return GLib.SOURCE_CONTINUE

    GLib.timeout_add_seconds(5, forget_dead_sessions)
    for number in (signal.SIGTERM, signal.SIGINT):
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, quit_loop)
    if arguments.exit_on_eof:
        GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, 0, GLib.IOCondition.IN | GLib.IOCondition.HUP, on_stdin)
    loop.run()
    # A client that waits for a silent camera would hold an orderly end up.
    os._exit(0)


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        sys.exit(f"rtsp_camera.py: {error}")

# SPDX-License-Identifier: GPL-2.0-or-later
"""Sound: QEMU records what a guest plays, and that is compared byte by byte.

Linux takes one card of a guest, so that each audiodev is another card's.
"""

import ast
import os
import re
import time

import manual
from xensystem import MINIMUM, Failure

# What is played are numbers, of eight bytes each, so that every place in it is
# unlike any other. Their digits are spread over all values but without zero,
# so that silence is unlike them, too.
DIGITS = b"0123456789\n"
BYTES = b"\x01\xfe\x80\x7f\x40\xbf\x55\xaa\x33\xcc\x0f"

# An emulated guest may be late by a good part of this.
BUFFER = "--buffer-time=600000 --period-time=100000"

WAV_HEADER = 44


class Song:
    """Some seconds of sound in one format, stereo."""

    def __init__(self, form, rate, seconds, first):
        self.form, self.rate, self.seconds = form, rate, seconds
        frame = {"S16_LE": 4, "S32_LE": 8}[form]
        self.first, self.numbers = first, seconds * rate * frame // 8

    def __str__(self):
        return "%s, %d Hz, %d s" % (self.form, self.rate, self.seconds)

    def compose(self, place):
        """Make the file to play, in a guest or in the control domain."""
        place.sh("seq %d %d | tr '%s' '%s' > /tmp/song" % (
            self.first, self.first + self.numbers - 1,
            DIGITS.decode().replace("\n", "\\n"),
            "".join("\\%03o" % byte for byte in BYTES)), 60)

    def aplay(self, device="hw:0,0", buffer=BUFFER):
        return "aplay -q -D %s -t raw -f %s -r %d -c 2 %s /tmp/song" % (
            device, self.form, self.rate, buffer)

    def recorded(self):
        """How a recording of 16 bits has it."""
        data = "".join("%d\n" % (self.first + n) for n in range(self.numbers))
        data = data.encode().translate(bytes.maketrans(DIGITS, BYTES))
        if self.form == "S32_LE":
            upper = bytearray(len(data) // 2)
            upper[0::2], upper[1::2] = data[2::4], data[3::4]
            data = bytes(upper)
        return data


# ------------------------------------------------------------- in the guest

def card_comes(guest, node="pcmC0D0p"):
    status, out = guest.sh(
        "modprobe snd_xen_front; n=0; until [ -e /dev/snd/%s ]; do "
        "n=$((n + 1)); [ $n -lt 200 ] || { dmesg | tail -n 20; exit 1; }; "
        "usleep 100000; done" % node, 60, check=False)
    return status == 0, out


def start(bench, guest, node="pcmC0D0p"):
    guest.create()
    guest.wait_ready()
    card_is_found(bench, guest, node)


def card_is_found(bench, guest, node="pcmC0D0p"):
    loaded, out = card_comes(guest, node)
    if not bench.tap.ok(loaded, "%s: Linux's driver finds the card" %
                        guest.name, None if loaded else out):
        raise Failure("no sound card in the guest")


def play(bench, guest, song):
    song.compose(guest)
    start = time.monotonic()
    status, out = guest.sh(song.aplay(), 90, check=False)
    bench.tap.ok(status == 0 and not out, "%s: aplay plays %s" %
                 (guest.name, song), out, "%.1f s" % (time.monotonic() - start))


def reload_driver(bench, guest, times):
    tap, idle = bench.tap, bench.grants(guest.domid)
    slowest = 0
    for n in range(1, times + 1):
        start = time.monotonic()
        # xenbus keeps the driver in use until it is unbound
        status, out = guest.sh(
            "for card in /sys/bus/xen/drivers/vsnd/vsnd-*; do "
            "echo ${card##*/} > /sys/bus/xen/drivers/vsnd/unbind; done; "
            "rmmod snd_xen_front", 60, check=False)
        slowest = max(slowest, time.monotonic() - start)
        loaded = False
        if status == 0:
            loaded, out = card_comes(guest)
        if not loaded:
            tap.ok(False, "%s: reload %d of the driver" % (guest.name, n), out)
            return
    left = bench.grants(guest.domid)
    tap.ok(left == idle, "%s: after %d reloads of the driver as many grants "
           "are mapped as before" % (guest.name, times),
           "%d grants mapped, %d before" % (left, idle),
           "unloading took up to %.1f s" % slowest)


def underrun(bench, guest, song):
    """Stop aplay until its buffer has run dry, then let it go on."""
    song.compose(guest)
    status, out = guest.sh(
        "play song " + song.aplay() + "; "
        "state() { sed -n 's/^state: //p' "
        "/proc/asound/card0/pcm0p/sub0/status; }; "
        "comes() { n=0; until [ \"$(state)\" = $1 ]; do n=$((n + 1)); "
        "[ $n -lt 300 ] || { state; exit 1; }; usleep 100000; done; }; "
        "comes RUNNING; kill -STOP $(pidof aplay); comes XRUN; sleep 1; "
        "kill -CONT $(pidof aplay)", 60, check=False)
    bench.tap.ok(status == 0, "%s: a stopped aplay underruns" % guest.name,
                 out)
    status, out = guest.sh("endplay song", 90, check=False)
    bench.tap.ok(status == 0 and out.count("underrun") == 1,
                 "%s: and plays on" % guest.name, out)


def speaker_test(bench, guest):
    status, out = guest.sh(
        "speaker-test -D hw:0,0 -t pink -r 48000 -F S16_LE -c 2 -b 600000 "
        "-p 100000 -l 1", 90, check=False)
    bench.tap.ok(status == 0, "%s: speaker-test" % guest.name,
                 out if status else None)


def arecord(bench, guest):
    """Record silence, which is not zero where samples are unsigned."""
    start = time.monotonic()
    status, out = guest.sh(
        "arecord -q -D hw:0,0 -t raw -f U8 -r 48000 -c 2 -d 2 %s /tmp/record; "
        "status=$?; wc -c < /tmp/record; tr -d '\\200' < /tmp/record | wc -c; "
        "exit $status" % BUFFER, 60, check=False)
    took = time.monotonic() - start
    bench.tap.ok(status == 0 and out.split() == ["192000", "0"] and took >= 2,
                 "%s: arecord records two seconds of silence" % guest.name,
                 out, "%.1f s" % took)


# A recording begins and ends amid a number. What is between must be one number
# after the other.
NUMBERS_ARE_RIGHT = r"""
tr '\000%s' 'x%s' < /tmp/record | sed '1d;$d' | awk '
    NR > 1 && $0 != last + 1 { print last " is followed by " $0; bad = 1 }
    { last = $0 }
    END { print NR " numbers"; exit bad || NR < %%d }' > /tmp/numbers
status=$?; tail -n 5 /tmp/numbers; exit $status
""" % ("".join("\\%03o" % byte for byte in BYTES),
       DIGITS.decode().replace("\n", "\\n"))


def stumbles(bench, guest):
    """How often the host's source, or QEMU's reading of it, fell behind."""
    return int(bench.machine.sh(
        "cat /tmp/source.log /share/log/qemu-dm-%s.log | "
        "grep -cE 'underrun|alsa_xrun_in|Recovering from capture' || true" %
        guest.name))


def play_to_qemu(bench, song):
    """Let the control domain play a song to who records there."""
    machine = bench.machine
    song.compose(machine)
    machine.sh("%s > /tmp/source.log 2>&1 &" %
               song.aplay("hw:Loopback,0,0", "--buffer-time=2000000"))
    plays, out = machine.until(
        "grep RUNNING /proc/asound/Loopback/pcm0p/sub0/status")
    if not plays:
        raise Failure("the control domain does not play: " + out +
                      machine.sh("cat /tmp/source.log"))


def record(bench, guest, song, seconds):
    """Record some of what the control domain plays; return a complaint.

    The emulated control domain may be too slow for its own sound. Then there
    is nothing right to record, and another try.
    """
    for _ in range(3):
        play_to_qemu(bench, song)
        stumbled = stumbles(bench, guest)
        status, out = guest.sh(
            "arecord -q -D hw:0,0 -t raw -f %s -r %d -c 2 -d %d %s "
            "/tmp/record" % (song.form, song.rate, seconds, BUFFER), 90,
            check=False)
        stumbled = stumbles(bench, guest) - stumbled
        bench.machine.sh("pkill -x aplay; while pgrep -x aplay; do "
                         "sleep 0.1; done")
        if not stumbled:
            break
        bench.tap.note("%s: the control domain fell behind" % guest.name)
    if status or out:
        return "arecord: status %d: %s" % (status, out)
    # but for what comes before the sound does, at most a quarter of it
    least = song.numbers * seconds // song.seconds * 3 // 4
    status, out = guest.sh(NUMBERS_ARE_RIGHT % least, 90, check=False)
    bench.tap.note("%s: %s" % (guest.name, out.strip()))
    return None if status == 0 else out


def record_known(bench, guest, song, seconds):
    start = time.monotonic()
    complaint = record(bench, guest, song, seconds)
    bench.tap.ok(complaint is None, "%s: arecord records bit for bit what the "
                 "control domain plays: %s" % (guest.name, song), complaint,
                 "%.1f s" % (time.monotonic() - start))


def card_goes(bench, guest):
    """Wait until a card has gone. Its recording is complete then."""
    gone, _ = guest.backend_goes("vsnd")
    # Linux forgets the device later than the card.
    status, _ = guest.sh(
        "n=0; while [ -e /dev/snd/controlC0 -o -e /sys/devices/vsnd-0 ]; do "
        "n=$((n + 1)); [ $n -lt 200 ] || exit 1; usleep 100000; done", 60,
        check=False)
    return gone and status == 0


def remove(bench, guest, device):
    guest.qmp("device_del", id=device)
    bench.tap.ok(card_goes(bench, guest), "%s: device_del removes %s" %
                 (guest.name, device))


def add(bench, guest, device, audiodev, streams):
    guest.qmp("device_add", driver="xen-pvsound", id=device,
              audiodev=audiodev, streams=streams)
    comes, out = card_comes(guest, "pcmC0D0" + streams)
    bench.tap.ok(comes, "%s: device_add adds %s" % (guest.name, device),
                 None if comes else out)


def nothing_stays(bench, guest):
    domid = guest.domid
    bench.nothing_stays(guest)
    no_card_is_left(bench, guest, domid)


def no_card_is_left(bench, guest, domid):
    gone, out = bench.machine.until(
        "! xenstore-ls -f /local/domain/0/backend/vsnd 2>/dev/null | "
        "grep '/vsnd/%d/'" % domid, 10)
    bench.tap.ok(gone, "%s: no backend node of its sound card is left" %
                 guest.name, None if gone else out)


# ------------------------------------------------------------ the recording

def recording(bench, audiodev):
    with open(os.path.join(bench.machine.share, audiodev + ".wav"), "rb") as f:
        return f.read()[WAV_HEADER:]


def wav(audiodev, options):
    return ["-audiodev", "wav,id=%s,path=/share/%s.wav,%s" %
            (audiodev, audiodev, options)]


def find(data, song):
    """Where in the data a song ends, and a complaint or None."""
    expected = song.recorded()
    at = data.find(expected)
    if at >= 0:
        silence = not data[:at].strip(b"\0")
        return at + len(expected), None if silence else \
            "something else is before it: %d bytes" % at
    at = data.find(expected[:64])
    if at < 0:
        return 0, "it does not begin in these %d bytes" % len(data)
    right = 0
    while data[at + right:at + right + 1] == expected[right:right + 1]:
        right += 1
    rest = data[at + right:]
    return at + right, (
        "only %d of its %d bytes are right; what follows is at %d of it, and "
        "what should follow comes %d bytes later: %s" %
        (right, len(expected), expected.find(rest[:64]),
         rest.find(expected[right:right + 64]), rest[:32].hex()))


def songs_are_right(bench, guest, data, songs):
    """The songs, and else silence; returns what is after the last one."""
    for song in songs:
        end, complaint = find(data, song)
        bench.tap.ok(complaint is None, "%s: is recorded bit for bit: %s" %
                     (guest.name, song), complaint)
        data = data[end:]
    return data


def silence_is_right(bench, guest, data):
    loud = data.strip(b"\0")
    bench.tap.ok(not loud, "%s: the rest is silence" % guest.name,
                 "%d bytes are not" % len(loud) if loud else None)


def underrun_is_right(bench, guest, data, song):
    """The song, if with a silence in it; returns what is after the song.

    Linux stops the card when it has noticed that the buffer is empty, so that
    the silence is short, or none.
    """
    expected = song.recorded()
    end = data.find(expected[-4096:]) + 4096
    heard = data[:end].strip(b"\0")
    gaps = [len(gap) for gap in re.findall(b"\0+", heard)]
    bench.tap.ok(heard.replace(b"\0", b"") == expected and len(gaps) <= 1,
                 "%s: is recorded bit for bit, but for a silence where it "
                 "underran: %s" % (guest.name, song),
                 "silent bytes: %r" % gaps)
    return data[end:]


def speakers_are_right(bench, guest, data):
    """Noise on the left, then noise on the right."""
    samples = memoryview(data[:len(data) // 4 * 4]).cast("h")
    left, right = ([n for n, sample in enumerate(samples[channel::2])
                    if sample] for channel in (0, 1))
    bench.tap.ok(min(len(left), len(right)) > 48000 and left[-1] < right[0],
                 "%s: speaker-test is recorded, left and then right" %
                 guest.name, "%d samples on the left, %d on the right" %
                 (len(left), len(right)))


# ---------------------------------------------------------------- scenarios

def scenario_sound(bench):
    """sound cards by -device and by the toolstack, recorded"""
    device_card(bench)
    toolstack_card(bench)


def device_card(bench):
    guest = bench.guest("sound", config={
        "device_model_args_pv": MINIMUM["device_model_args_pv"] +
        wav("mixed", "out.frequency=48000") +
        wav("plain", "out.mixing-engine=off") +
        ["-audiodev", "none,id=silent"]},
        devices=["xen-pvsound,id=snd0,audiodev=mixed,streams=p"])
    start(bench, guest)
    songs = [Song("S16_LE", 48000, 5, 1000000),
             Song("S32_LE", 48000, 3, 2000000),
             Song("S16_LE", 48000, 1, 3000000)]
    late = Song("S16_LE", 48000, 4, 4000000)
    play(bench, guest, songs[0])
    play(bench, guest, songs[1])
    reload_driver(bench, guest, 20)
    play(bench, guest, songs[2])
    underrun(bench, guest, late)
    speaker_test(bench, guest)
    remove(bench, guest, "snd0")
    data = recording(bench, "mixed")
    data = songs_are_right(bench, guest, data, songs)
    data = underrun_is_right(bench, guest, data, late)
    speakers_are_right(bench, guest, data)

    # Now with nothing between the card and the recording
    add(bench, guest, "snd1", "plain", "p")
    song = Song("S16_LE", 44100, 3, 5000000)
    play(bench, guest, song)
    remove(bench, guest, "snd1")
    data = songs_are_right(bench, guest, recording(bench, "plain"), [song])
    silence_is_right(bench, guest, data)

    add(bench, guest, "snd2", "silent", "c")
    arecord(bench, guest)
    nothing_stays(bench, guest)


def documented_card():
    """The card which the manual configures, with a bigger buffer."""
    text = " ".join(manual.printed("scenario sound/card"))
    found = re.search(r"vsnd = (\[\[.*?\]\])", text)
    if not found:
        raise Failure("the manual's example has no vsnd: %s" % text)
    text = re.sub(r" +", " ", found.group(1))
    return ast.literal_eval(text.replace("buffer-size=65536",
                                         "buffer-size=262144"))


def toolstack_card(bench):
    tap, machine = bench.tap, bench.machine
    guest = bench.guest("soundtool", config={
        "device_model_args_pv": MINIMUM["device_model_args_pv"] +
        wav("tool", "out.frequency=44100") +
        ["-global", "xen-pvsound.audiodev=tool"],
        "vsnd": documented_card()})
    start(bench, guest)
    listed, out = machine.until(
        "xl vsnd-list soundtool | tee /dev/stderr | grep 'state: 4'", 10)
    tap.ok(listed, "soundtool: xl vsnd-list shows it connected", out)
    song = Song("S16_LE", 44100, 5, 1000000)
    play(bench, guest, song)
    status, out = machine.sh("xl vsnd-detach soundtool 0", 60, check=False)
    tap.ok(status == 0 and card_goes(bench, guest),
           "soundtool: xl vsnd-detach removes the card", out)
    data = songs_are_right(bench, guest, recording(bench, "tool"), [song])
    silence_is_right(bench, guest, data)

    status, out = machine.sh(
        "xl vsnd-attach soundtool 'CARD, buffer-size=262144, "
        "sample-formats=s16_le;s32_le, sample-rates=44100' "
        "'PCM, name=Main' 'STREAM, unique-id=0, type=p'", 60, check=False)
    comes, dmesg = card_comes(guest)
    tap.ok(status == 0 and comes, "soundtool: xl vsnd-attach adds a card", out,
           None if comes else dmesg)
    song = Song("S32_LE", 44100, 3, 2000000)
    play(bench, guest, song)
    last = Song("S16_LE", 44100, 60, 3000000)
    last.compose(guest)
    guest.sh("play song " + last.aplay())
    status, out = guest.sh(
        "cd /proc/asound/card0/pcm0p/sub0; n=0; "
        "until grep -q RUNNING status; do n=$((n + 1)); "
        "[ $n -lt 300 ] || exit 1; usleep 100000; done; "
        "sleep 1; grep RUNNING status", 60, check=False)
    tap.ok(status == 0, "soundtool: plays on", None if status == 0 else out)
    tap.note("soundtool: destroying the guest while it plays")
    nothing_stays(bench, guest)
    songs_are_right(bench, guest, recording(bench, "tool"), [song])


def add_second(bench, guest):
    """A card which Linux cannot use. It gives it up each time it gets it."""
    guest.qmp("device_add", driver="xen-pvsound", id="second",
              audiodev="mixed", streams="p")
    waits, out = bench.machine.until(
        "xenstore-read /local/domain/0/backend/vsnd/%d/1/state | grep -x 7" %
        guest.domid, 60)
    bench.tap.ok(waits, "%s: a second card is not offered without a pause" %
                 guest.name, None if waits else out)


def remove_second(bench, guest):
    guest.qmp("device_del", id="second")
    gone, out = guest.backend_goes("vsnd", 1)
    bench.tap.ok(gone, "%s: and can be removed" % guest.name, out)


def scenario_record(bench):
    """sound which a guest records from one of the control domain's cards"""
    # Linux's own loopback: what is played to its first device is recorded
    # from its second one.
    bench.machine.sh("modprobe snd-aloop")
    comes, out = bench.machine.until("ls /dev/snd/pcmC0D1c")
    if not comes:
        raise Failure("the control domain has no sound card: " + out)
    source = ("in.dev=hw:Loopback,,1,,0,in.buffer-length=1000000,"
              "in.period-length=50000,")
    guest = bench.guest("record", config={
        "device_model_args_pv": MINIMUM["device_model_args_pv"] +
        ["-audiodev", "alsa,id=mixed,in.frequency=48000," + source,
         "-audiodev", "alsa,id=plain,in.mixing-engine=off," + source,
         "-trace", "alsa_xrun_in"]},
        devices=["xen-pvsound,id=snd0,audiodev=mixed,streams=c"])
    start(bench, guest, "pcmC0D0c")
    add_second(bench, guest)
    record_known(bench, guest, Song("S16_LE", 48000, 30, 1000000), 6)
    remove_second(bench, guest)
    remove(bench, guest, "snd0")
    add(bench, guest, "snd1", "plain", "c")
    record_known(bench, guest, Song("S32_LE", 44100, 30, 2000000), 4)
    nothing_stays(bench, guest)


def boots(bench, guest):
    """Whether a kernel that is not ours to choose boots here."""
    try:
        guest.create()
        guest.wait_ready()
        return True
    except Failure as e:
        complaint = str(e)
    bench.machine.sh("xl destroy %s" % guest.name, 60, check=False)
    # Is it because of our card? Then it boots without.
    plain = bench.guest(guest.name + "plain", kernel=guest.kernel)
    try:
        plain.create()
        plain.wait_ready()
    except Failure:
        bench.machine.sh("xl destroy %s" % plain.name, 60, check=False)
        bench.tap.skip("%s: playback" % guest.name, "Linux does not boot, "
                       "with or without a sound card: " +
                       complaint.splitlines()[0])
        return False
    plain.destroy()
    raise Failure("Linux boots without a sound card only: " + complaint)


def other_guest(bench, name, kernel):
    return bench.guest(name, config={
        "device_model_args_pv": MINIMUM["device_model_args_pv"] +
        wav(name, "out.frequency=48000")},
        devices=["xen-pvsound,id=snd0,audiodev=%s,streams=p" % name],
        kernel=kernel)


def other_kernel_plays(bench, guest):
    """What matters of playback, with a kernel that is not the usual one."""
    bench.tap.note("%s: Linux %s" % (guest.name, guest.sh("uname -r").strip()))
    card_is_found(bench, guest)
    songs = [Song("S16_LE", 48000, 5, 1000000),
             Song("S32_LE", 48000, 3, 2000000)]
    late = Song("S16_LE", 48000, 4, 4000000)
    for song in songs:
        play(bench, guest, song)
    reload_driver(bench, guest, 3)
    underrun(bench, guest, late)
    remove(bench, guest, "snd0")
    data = songs_are_right(bench, guest, recording(bench, guest.name), songs)
    data = underrun_is_right(bench, guest, data, late)
    silence_is_right(bench, guest, data)
    nothing_stays(bench, guest)


def scenario_newer_sound(bench):
    """a sound card by -device, for Linux 6.12"""
    guest = other_guest(bench, "newsound", "6.12")
    guest.create()
    guest.wait_ready()
    other_kernel_plays(bench, guest)


def scenario_newest_sound(bench):
    """a sound card by -device, for the newest Linux that Debian has"""
    missing = bench.machine.image("newest/missing")
    if os.path.exists(missing):
        with open(missing) as f:
            bench.tap.skip("newestsound: playback", "cannot be fetched: " +
                           f.read().strip())
        return
    guest = other_guest(bench, "newestsound", "newest")
    if boots(bench, guest):
        other_kernel_plays(bench, guest)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Graphics cards of QEMU, each with a guest that is a program beside it.

None of them has an operating system: what a driver of Linux would ask of its
card is asked by this module, in memory that QEMU and it share, so that all
cards show the same pictures at the same moments.
"""

import contextlib
import mmap
import os
import re
import struct
import subprocess
import time
from pathlib import Path

import numpy

from machine import PATIENCE, Guest, running, wait_until
from qmp import Qmp, connect

HERE = Path(__file__).resolve().parent

# A character in a terminal
CHARACTER = 9, 15


def pattern(width, height):
    """What xen_front_pixel() of the tests' guest makes of a place."""
    y, x = numpy.indices((height, width), dtype=numpy.uint32)
    return x * numpy.uint32(0x01000193) ^ y * numpy.uint32(0x85ebca6b)


def picture(places, seed):
    value = places ^ numpy.uint32(seed * 0xc2b2ae35 & 0xffffffff)
    return (value ^ value >> numpy.uint32(15)) & numpy.uint32(0xffffff)


class Card:
    """A QEMU with the card; what it is to show, pixel by pixel.

    Pictures have numbers. What changes is returned as a list of (x, y, colour):
    a viewer that has these pixels has the change.  .told is when the guest told
    the card of it, or had drawn it where it need not tell.
    """

    name = options = None
    memory = 256 << 20

    def __init__(self, qemu, folder, size, viewer=('-display', 'none')):
        self.width, self.height = size
        self.places = pattern(*size)
        self.keys = self.seed = 0
        self.told = 0
        with open(folder / 'memory', 'wb') as memory:
            memory.truncate(self.memory)
        self.folder = folder
        log = folder / 'qemu.log'
        with contextlib.ExitStack() as stack:
            self.process = stack.enter_context(running(
                [qemu, '-name', 'bench,debug-threads=on', '-nodefaults',
                 '-object', f'memory-backend-file,id=ram,size={self.memory},'
                 f'share=on,mem-path={folder}/memory',
                 '-qmp', f'unix:{folder}/qmp,server=on,wait=off',
                 *self.arguments(), *viewer], log))
            wait_until(lambda: (folder / 'qmp').exists() or self.ended(),
                       'QEMU')
            if self.ended():
                raise RuntimeError(f'QEMU: {log.read_text()}')
            self.qmp = Qmp(str(folder / 'qmp'), PATIENCE)
            self.start(stack)
            self.stack = stack.pop_all()

    def ended(self):
        return self.process.poll() is not None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stack.close()

    def colour(self, x, y):
        return int(picture(self.places[y:y + 1, x:x + 1], self.seed)[0, 0])

    def next(self):
        """Show another picture, of which each pixel is another one."""
        self.seed += 1
        self.keys = 0
        self.show()
        return [(x, y, self.colour(x, y))
                for x in (0, self.width // 2, self.width - 1)
                for y in (0, self.height // 2, self.height - 1)]

    def type(self):
        """Invert a character's place, from left to right."""
        columns = self.width // CHARACTER[0]
        row, column = divmod(self.keys, columns)
        self.keys += 1
        left = column * CHARACTER[0]
        top = (2 * row + 1) * CHARACTER[1]
        self.invert(left, top)
        return [(x, y, self.colour(x, y) ^ 0xffffff)
                for x in (left, left + CHARACTER[0] - 1)
                for y in (top, top + CHARACTER[1] - 1)]

    def rest(self):
        """The guest does nothing any more."""


class Xen(Card):
    """xen-pvdisplay, and the tests' guest."""

    name = 'xen-pvdisplay'
    screens = 1
    pages = 0
    more = ()

    def arguments(self):
        screens = ';'.join(f'{self.width}x{self.height}'
                           for _ in range(self.screens))
        return ['-machine', 'none', '-accel', 'tcg',
                '-chardev', f'socket,id=guest,path={self.folder}/guest,'
                'server=on,wait=off',
                '-device', 'xen-testbed,id=xen,memdev=ram,chardev=guest',
                '-device', f'xen-pvdisplay,id=card,connectors={screens},'
                f'max-pages={self.pages}',
                *self.more]

    def start(self, stack):
        self.guest = Guest(self.folder)
        stack.callback(self.guest.stop)
        self.guest.do('connect-display')

    def show(self):
        said = self.guest.do(f'{"next" if self.seed > 1 else "draw"} '
                             f'{self.seed}')
        for line in said:
            found = re.fullmatch(r'flip at (\d+) us', line)
            if found:
                self.told = int(found[1]) / 1e6

    def invert(self, left, top):
        self.told = time.monotonic()
        self.guest.do(f'type {left} {top}')


class Pci(Card):
    """A card in a PC whose configuration space is ours."""

    SLOT = 5
    BAR = 0xe0000000

    def start(self, stack):
        sock = stack.enter_context(connect(str(self.folder / 'qtest'),
                                           PATIENCE))
        sock.settimeout(PATIENCE)
        self.qtest = sock.makefile('rw')
        with open(self.folder / 'memory', 'r+b') as memory:
            self.ram = mmap.mmap(memory.fileno(), self.memory)
        self.words = numpy.frombuffer(self.ram, '<u4')
        self.set_up()

    def arguments(self):
        return ['-machine', 'pc,memory-backend=ram',
                '-m', str(self.memory >> 20),
                '-qtest', f'unix:{self.folder}/qtest,server=on,wait=off',
                '-device', f'{self.device},id=card,addr={self.SLOT}',
                *self.accelerator()]

    def ask(self, *words):
        self.qtest.write(' '.join(str(word) for word in words) + '\n')
        self.qtest.flush()
        said = self.qtest.readline().split()
        if said[:1] != ['OK']:
            raise RuntimeError(f'qtest: {words}: {said}')
        return int(said[1], 0) if len(said) > 1 else None

    def config(self, offset, value=None):
        self.ask('outl', 0xcf8, 1 << 31 | self.SLOT << 11 | offset & ~3)
        if value is None:
            return self.ask('inl', 0xcfc)
        return self.ask('outl', 0xcfc, value)

    def pixels(self, address):
        first = address // 4
        return self.words[first:first + self.width * self.height].reshape(
            self.height, self.width)

    def draw(self, address):
        self.pixels(address)[:] = picture(self.places, self.seed)

    def draw_character(self, address, left, top):
        self.pixels(address)[top:top + CHARACTER[1],
                             left:left + CHARACTER[0]] ^= 0xffffff


class Bochs(Pci):
    """bochs-display; a processor copies what is drawn to the card."""

    name = device = 'bochs-display'
    SHADOW, MAIL = 0x1000000, 0x1000
    # Registers of the card's interface
    WIDTH, HEIGHT, DEPTH, ENABLE, VIRTUAL_WIDTH = 1, 2, 3, 4, 6

    def accelerator(self):
        firmware = self.folder / 'firmware'
        subprocess.run(
            ['gcc', '-m32', '-nostdlib', '-static',
             '-Wl,-Ttext=0xf0000,--oformat=binary,--build-id=none',
             '-o', firmware, HERE / 'bochs-guest.S'], check=True)
        return ['-accel', 'tcg', '-bios', firmware]

    def set_up(self):
        self.config(0x10, self.BAR)
        self.config(0x18, self.BAR + (64 << 20))
        self.config(0x04, 2)
        for register, value in (
                (self.WIDTH, self.width), (self.HEIGHT, self.height),
                (self.DEPTH, 32), (self.VIRTUAL_WIDTH, self.width),
                (self.ENABLE, 0x41)):
            self.ask('writew', self.BAR + (64 << 20) + 0x500 + 2 * register,
                     value)
        self.requests = 0

    def request(self, number, left=0, top=0, width=0, height=0):
        offset = (top * self.width + left) * 4
        mail = struct.Struct('<5I')
        mail.pack_into(self.ram, self.MAIL + 4, self.SHADOW + offset,
                       self.BAR + offset, width, height, self.width * 4)
        self.words[self.MAIL // 4] = number
        wait_for_word(self.words, self.MAIL // 4 + 6, number)

    def copy(self, *area):
        self.told = time.monotonic()
        self.requests += 1
        self.request(self.requests, *area)

    def show(self):
        self.draw(self.SHADOW)
        self.copy(0, 0, self.width, self.height)

    def invert(self, left, top):
        self.draw_character(self.SHADOW, left, top)
        self.copy(left, top, *CHARACTER)

    def rest(self):
        self.request(0xffffffff)


def wait_for_word(words, index, value):
    deadline = time.monotonic() + PATIENCE
    while words[index] != value:
        if time.monotonic() > deadline:
            raise RuntimeError('the card, or its processor, does not answer')
        time.sleep(0.0002)


class Virtio(Pci):
    """virtio-gpu without 3D; two buffers, as those of a desktop."""

    name = 'virtio-gpu'
    device = 'virtio-gpu-pci'
    BUFFERS = 0x1000000, 0x2000000
    DESCRIPTORS, AVAILABLE, USED = 0x100000, 0x101000, 0x102000
    REQUEST, RESPONSE = 0x110000, 0x10f000
    ENTRIES = 64
    CREATE, SCANOUT, FLUSH, TRANSFER, ATTACH = 0x101, 0x103, 0x104, 0x105, 0x106
    B8G8R8X8 = 2

    def accelerator(self):
        return ['-accel', 'qtest']

    def capabilities(self):
        """Where in the card's memory are its structures: kind -> address."""
        found = {}
        at = self.config(0x34) & 0xff
        while at:
            word = self.config(at)
            if word & 0xff == 9:
                kind = word >> 24
                found.setdefault(kind, self.BAR + self.config(at + 8))
                if kind == 2:
                    self.step = self.config(at + 16)
            at = word >> 8 & 0xff
        return found

    def set_up(self):
        self.config(0x20, self.BAR)
        self.config(0x04, 6)
        found = self.capabilities()
        common, self.doorbell = found[1], found[2]
        for size, offset, value in (
                ('b', 20, 0), ('b', 20, 3), ('l', 8, 1), ('l', 12, 1),
                ('b', 20, 11), ('w', 22, 0), ('w', 24, self.ENTRIES),
                ('q', 32, self.DESCRIPTORS), ('q', 40, self.AVAILABLE),
                ('q', 48, self.USED), ('w', 28, 1), ('b', 20, 15)):
            self.ask('write' + size, common + offset, value)
        self.doorbell += self.ask('readw', common + 30) * self.step
        self.counts = numpy.frombuffer(self.ram, '<u2')
        self.sent = 0
        self.shown = None
        for number, address in enumerate(self.BUFFERS, 1):
            self.send(self.CREATE, struct.pack(
                '<4I', number, self.B8G8R8X8, self.width, self.height))
            # Page by page, as Linux's buffers are at worst
            pages = range(0, self.width * self.height * 4, 4096)
            self.send(self.ATTACH, struct.pack('<2I', number, len(pages)) +
                      b''.join(struct.pack('<QII', address + page, 4096, 0)
                               for page in pages))

    def send(self, kind, body):
        request = struct.pack('<IIQII', kind, 0, 0, 0, 0) + body
        self.ram[self.REQUEST:self.REQUEST + len(request)] = request
        struct.pack_into('<QIHH', self.ram, self.DESCRIPTORS, self.REQUEST,
                         len(request), 1, 1)
        struct.pack_into('<QIHH', self.ram, self.DESCRIPTORS + 16,
                         self.RESPONSE, 24, 2, 0)
        struct.pack_into('<H', self.ram, self.AVAILABLE + 4 +
                         2 * (self.sent % self.ENTRIES), 0)
        self.sent += 1
        struct.pack_into('<H', self.ram, self.AVAILABLE + 2,
                         self.sent & 0xffff)
        self.ask('writew', self.doorbell, 0)
        wait_for_word(self.counts, self.USED // 2 + 1, self.sent & 0xffff)
        answer, = struct.unpack_from('<I', self.ram, self.RESPONSE)
        if answer != 0x1100:
            raise RuntimeError(f'virtio-gpu: {kind:#x} gives {answer:#x}')

    def update(self, left, top, width, height):
        area = struct.pack('<4I', left, top, width, height)
        number = self.seed % 2 + 1
        self.told = time.monotonic()
        self.send(self.TRANSFER, area + struct.pack(
            '<QII', (top * self.width + left) * 4, number, 0))
        if self.shown != number:
            self.send(self.SCANOUT, area + struct.pack('<2I', 0, number))
            self.shown = number
        self.send(self.FLUSH, area + struct.pack('<2I', number, 0))

    def show(self):
        self.draw(self.BUFFERS[self.seed % 2])
        self.update(0, 0, self.width, self.height)

    def invert(self, left, top):
        self.draw_character(self.BUFFERS[self.seed % 2], left, top)
        self.update(left, top, *CHARACTER)


CARDS = {card.name: card for card in (Xen, Virtio, Bochs)}


def threads(pid):
    """Nanoseconds of processor time of each thread: number -> (name, time)."""
    found = {}
    for task in os.scandir(f'/proc/{pid}/task'):
        with contextlib.suppress(OSError):
            path = Path(task.path)
            name = (path / 'comm').read_text().strip()
            found[task.name] = name, int((path / 'schedstat').read_text()
                                         .split()[0])
    return found


def spent(before, after):
    """Seconds of each thread between two looks, without the processors'."""
    total = {}
    for number, (name, end) in after.items():
        start = before.get(number, (name, 0))[1]
        if not name.startswith('CPU '):
            total[name] = total.get(name, 0) + (end - start) / 1e9
    return total

# SPDX-License-Identifier: GPL-2.0-or-later
"""The scenarios, in the order in which they run.

Each is a function which gets a Bench, with a line on what it is about. One
that needs another kind of machine than a plain one has it as an attribute
"machine". Some may run at once, each on a machine of its own, and after others
on the same: none leaves anything behind there.
"""

from .bealloc import scenario_bealloc
from .crash import scenario_crash_hvm, scenario_crash_pvh
from .desktop import scenario_switch, scenario_weston, scenario_xorg
from .device import scenario_device
from .driver import scenario_backendd, scenario_driver_domain
from .front import scenario_front
from .helper import scenario_helper
from .hostile import scenario_cycles, scenario_hostile
from .input import scenario_input
from .kinds import scenario_hvm, scenario_pvh
from .kvm import scenario_kvm, scenario_plugin
from .libvirt import scenario_libvirt, scenario_libvirt_virtual
from .manual import scenario_manual
from .newer import scenario_newer
from .packages import scenario_packages
from .pair import scenario_pair
from .restart import scenario_halt, scenario_restart
from .save import scenario_save, scenario_save_hvm
from .sound import (scenario_newer_sound, scenario_newest_sound,
                    scenario_record, scenario_sound)
from .stock import by_plugin, scenario_beside, scenario_plugin_hvm
from .toolstack import scenario_toolstack

SCENARIOS = {
    "hostile": scenario_hostile,
    "kvm": scenario_kvm,
    "plugin": scenario_plugin,
    "plugin-hvm": scenario_plugin_hvm,
    "driver-domain": scenario_driver_domain,
    "backendd": scenario_backendd,
    "device": scenario_device,
    "toolstack": scenario_toolstack,
    "beside": scenario_beside,
    "packages": scenario_packages,
    "restart": scenario_restart,
    "halt": scenario_halt,
    "pair": scenario_pair,
    "newer": scenario_newer,
    "helper": scenario_helper,
    "input": scenario_input,
    "manual": scenario_manual,
    "sound": scenario_sound,
    "record": scenario_record,
    "newer-sound": scenario_newer_sound,
    "newest-sound": scenario_newest_sound,
    "libvirt": scenario_libvirt,
    "libvirt-virtual": scenario_libvirt_virtual,
    "front": scenario_front,
    "cycles": scenario_cycles,
    "weston": scenario_weston,
    "xorg": scenario_xorg,
    "switch": scenario_switch,
    "be-alloc": scenario_bealloc,
    "pvh": scenario_pvh,
    "hvm": scenario_hvm,
    "save": scenario_save,
    "save-hvm": scenario_save_hvm,
    "crash-hvm": scenario_crash_hvm,
    "crash-pvh": scenario_crash_pvh,
}

# The same with Debian's own QEMU and our plugin
PLUGIN = ("toolstack", "beside", "input", "pvh")
PLUGIN_LONG = ("sound", "pair", "restart", "front", "newer", "be-alloc",
               "hostile", "xorg", "libvirt", "driver-domain")
SCENARIOS.update({"plugin-" + name: by_plugin(SCENARIOS[name])
                  for name in (*PLUGIN, *PLUGIN_LONG)})

# Those that one machine runs, one after the other; the longest come first
GROUPS = {
    "kvm": ["kvm"],
    "plugin": ["plugin"],
    "plugin-pv": ["plugin-toolstack", "plugin-beside", "plugin-input"],
    "plugin-pvh": ["plugin-pvh", "plugin-hvm"],
    "driver": ["driver-domain", "backendd"],
    "attacks": ["hostile"],
    "desktops": ["weston", "xorg"],
    "virtual": ["be-alloc", "pvh", "hvm"],
    "displays": ["device", "newer", "pair", "input", "helper"],
    "sounds": ["sound", "newer-sound", "newest-sound", "record"],
    "tools": ["toolstack", "beside", "packages", "restart", "halt", "manual",
              "front", "cycles"],
    "libvirt": ["libvirt"],
    "libvirt-virtual": ["libvirt-virtual"],
    "save": ["save"],
    "save-hvm": ["save-hvm"],
}

# And those which it takes long runs for
LONG_GROUPS = {
    "plugin-attacks": ["plugin-hostile"],
    "plugin-desktop": ["plugin-xorg"],
    "plugin-displays": ["plugin-pair", "plugin-restart", "plugin-front",
                        "plugin-newer", "plugin-sound"],
    "plugin-virtual": ["plugin-be-alloc"],
    "plugin-libvirt": ["plugin-libvirt"],
    "desktops-switch": ["switch"],
    "plugin-driver": ["plugin-driver-domain"],
    "crashes": ["crash-pvh", "crash-hvm"],
}
assert sorted(SCENARIOS) == sorted(sum({**GROUPS, **LONG_GROUPS}.values(), []))

# SPDX-License-Identifier: LGPL-2.1-or-later
"""libxenpgdir for Python: so far what ctypes needs, in the module abi."""

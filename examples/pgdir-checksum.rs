// SPDX-License-Identifier: LGPL-2.1-or-later
// Print the CRC-32 of a buffer that a Xen guest shares by a page directory.
//
//   rustc -O pgdir-checksum.rs      with libxenpgdir-dev
//   ./pgdir-checksum DOMID GREF SIZE
//
// "python3 -m xenpgdir SOCKET" lists these numbers: see libxenpgdir(3).

use std::ffi::{c_char, c_void, CStr};
use std::ptr::null_mut;

#[repr(C)]
struct Config {
    size: u32,
    max_pages: u32,
    max_buffer_pages: u32,
    max_map_count: u32,
    max_mappings: u32,
}

#[repr(C)]
struct Error {
    message: *const c_char,
    status: i32,
    cause: u32,
    limit: u32,
}

type Handle = *mut c_void;

#[link(name = "xenpgdir")]
extern "C" {
    fn xen_pgdir_mapper_open(domid: u32, config: *const Config, mapper: *mut Handle) -> i32;
    fn xen_pgdir_mapper_unref(mapper: Handle);
    fn xen_pgdir_mapper_error(mapper: Handle, error: *mut Error, size: u32);
    fn xen_pgdir_buffer_new(mapper: Handle, dir_ref: u32, size: u64, flags: u32,
                            buffer: *mut Handle) -> i32;
    fn xen_pgdir_buffer_unref(buffer: Handle);
    fn xen_pgdir_buffer_view(buffer: Handle, offset: u64, length: u64, view: *mut Handle,
                             data: *mut *const u8) -> i32;
    fn xen_pgdir_view_unref(view: Handle);
}

// The guest may change a byte while it is looked at: each is read once
fn crc32(mut crc: u32, data: *const u8, length: u64) -> u32 {
    for i in 0..length as usize {
        crc ^= unsafe { data.add(i).read_volatile() } as u32;
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 != 0 { 0xedb88320 } else { 0 };
        }
    }
    crc
}

fn checksum(buffer: Handle, size: u64) -> Result<u32, i32> {
    let (mut crc, mut at) = (!0, 0);
    while at < size {
        let length = std::cmp::min(1 << 20, size - at);
        let (mut view, mut data) = (null_mut(), std::ptr::null());
        match unsafe { xen_pgdir_buffer_view(buffer, at, length, &mut view, &mut data) } {
            0 => crc = crc32(crc, data, length),
            error => return Err(error),
        }
        unsafe { xen_pgdir_view_unref(view) };
        at += length;
    }
    Ok(!crc)
}

fn run(domid: u32, gref: u32, size: u64) -> Result<u32, String> {
    // At most 64 MiB mapped at once, of buffers of at most 1 GiB
    let config = Config { size: std::mem::size_of::<Config>() as u32, max_pages: 16384,
                          max_buffer_pages: 262144, max_map_count: 0, max_mappings: 0 };
    let (mut mapper, mut buffer) = (null_mut(), null_mut());
    let opened = unsafe { xen_pgdir_mapper_open(domid, &config, &mut mapper) };
    if opened != 0 {
        return Err(std::io::Error::from_raw_os_error(-opened).to_string());
    }
    let result = match unsafe { xen_pgdir_buffer_new(mapper, gref, size, 0, &mut buffer) } {
        0 => checksum(buffer, size),
        error => Err(error),
    };
    let result = result.map_err(|_| unsafe {
        let mut error: Error = std::mem::zeroed();
        xen_pgdir_mapper_error(mapper, &mut error, std::mem::size_of::<Error>() as u32);
        CStr::from_ptr(error.message).to_string_lossy().into_owned()
    });
    unsafe {
        xen_pgdir_buffer_unref(buffer);
        xen_pgdir_mapper_unref(mapper);
    }
    result
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let numbers: Vec<u64> = words.iter().skip(1).filter_map(|w| w.parse().ok()).collect();
    if words.len() != 4 || numbers.len() != 3 || numbers[0].max(numbers[1]) > u32::MAX as u64 {
        eprintln!("usage: {} DOMID GREF SIZE", words[0]);
        std::process::exit(2);
    }
    match run(numbers[0] as u32, numbers[1] as u32, numbers[2]) {
        Ok(crc) => println!("{:08x}", crc),
        Err(message) => {
            eprintln!("{}: {}", words[0], message);
            std::process::exit(1);
        }
    }
}

// SPDX-License-Identifier: MIT
// watch.rs - prints the ports of a process and its descendants, in Rust without a crate
//
//     rustc watch.rs -l portwatch
//     ./watch PID
use std::ffi::{c_void, CStr};
use std::os::raw::{c_char, c_int};
use std::sync::mpsc::{channel, Sender};

const END: c_int = 4;

#[repr(C)]
struct Portwatch {
    _opaque: [u8; 0],
}
#[repr(C)]
struct PortwatchEvent {
    _opaque: [u8; 0],
}
type Callback = extern "C" fn(*mut Portwatch, *const PortwatchEvent, *mut c_void);

extern "C" {
    fn portwatch_new(w: *mut *mut Portwatch, pid: c_int, f: Callback, data: *mut c_void) -> c_int;
    fn portwatch_start(watcher: *mut Portwatch) -> c_int;
    fn portwatch_free(watcher: *mut Portwatch);
    fn portwatch_event_get_kind(event: *const PortwatchEvent) -> c_int;
    fn portwatch_event_get_port(event: *const PortwatchEvent) -> u16;
    fn portwatch_event_get_address_text(event: *const PortwatchEvent) -> *const c_char;
}

/// A port that has been opened: its address and number.
struct Port(String, u16);

/// Runs in the thread of the library, or in portwatch_start(). Sends each port, and None at the end.
extern "C" fn on_event(_: *mut Portwatch, event: *const PortwatchEvent, data: *mut c_void) {
    // SAFETY: the event is valid during the call, and the sender outlives the watcher.
    unsafe {
        let sender = &*(data as *const Sender<Option<Port>>);
        let port = if portwatch_event_get_kind(event) == END {
            None
        } else {
            let address = CStr::from_ptr(portwatch_event_get_address_text(event));
            let address = address.to_string_lossy().into_owned();
            Some(Port(address, portwatch_event_get_port(event)))
        };
        let _ = sender.send(port);
    }
}

fn check(result: c_int) -> std::io::Result<()> {
    if result < 0 {
        return Err(std::io::Error::from_raw_os_error(-result));
    }
    Ok(())
}

fn main() -> std::io::Result<()> {
    let pid = std::env::args().nth(1).and_then(|text| text.parse().ok()).expect("Usage: watch PID");
    let (sender, receiver) = channel::<Option<Port>>();
    let data = &sender as *const Sender<Option<Port>> as *mut c_void;
    let mut watcher = std::ptr::null_mut();

    // SAFETY: the watcher is freed before the sender is dropped.
    unsafe {
        check(portwatch_new(&mut watcher, pid, on_event, data))?;
        let result = check(portwatch_start(watcher));
        if result.is_ok() {
            while let Ok(Some(Port(address, port))) = receiver.recv() {
                println!("{} port {}", address, port);
            }
        }
        portwatch_free(watcher);
        result
    }
}

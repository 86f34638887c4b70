// SPDX-License-Identifier: MIT

package portwatch

// #include <portwatch.h>
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

//export portwatchOnEvent
func portwatchOnEvent(_ *C.struct_portwatch, event *C.struct_portwatch_event, data unsafe.Pointer) {
	w := cgo.Handle(*(*C.uintptr_t)(data)).Value().(*PortWatcher)
	w.cb(Port{
		Port:    int(C.portwatch_event_get_port(event)),
		PID:     int(C.portwatch_event_get_pid(event)),
		Address: C.GoString(C.portwatch_event_get_address_text(event)),
	})
}

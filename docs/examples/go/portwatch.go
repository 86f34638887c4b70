// SPDX-License-Identifier: MIT

// Package portwatch reports the ports on which a process or its descendants begin to listen, in any
// network namespace. It uses libportwatch.
package portwatch

/*
#cgo pkg-config: libportwatch
#include <portwatch.h>
#include <stdlib.h>

extern void portwatchOnEvent(struct portwatch *watcher, struct portwatch_event *event, void *data);
*/
import "C"

import (
	"errors"
	"runtime/cgo"
	"sync"
	"syscall"
	"unsafe"
)

// A Port is a port that has been opened.
type Port struct {
	Port    int
	PID     int // the owner; 0 if it is not known
	Address string
}

// A PortWatcher watches one process and its descendants.
type PortWatcher struct {
	cb      func(Port)
	mutex   sync.Mutex
	watcher *C.struct_portwatch // nil after Stop
	handle  *C.uintptr_t        // of a cgo.Handle of this PortWatcher, for the callback
}

func check(result C.int) error {
	if result < 0 {
		return syscall.Errno(-result)
	}
	return nil
}

// New creates a watcher. Between Start and Stop, the watcher calls cb for each open port, one call at a
// time.
func New(pid int, cb func(Port)) (*PortWatcher, error) {
	if cb == nil {
		return nil, errors.New("portwatch: no callback")
	}
	w := &PortWatcher{cb: cb}
	w.handle = (*C.uintptr_t)(C.malloc(C.size_t(unsafe.Sizeof(*w.handle))))
	*w.handle = C.uintptr_t(cgo.NewHandle(w))
	err := check(C.portwatch_new(&w.watcher, C.pid_t(pid),
		C.portwatch_callback(C.portwatchOnEvent), unsafe.Pointer(w.handle)))
	if err != nil {
		w.release()
		return nil, err
	}
	C.portwatch_set_events(w.watcher, C.PORTWATCH_EVENT_OPEN)
	return w, nil
}

// Start begins to watch. It calls cb for the open ports before it returns.
func (w *PortWatcher) Start() error {
	w.mutex.Lock()
	watcher := w.watcher
	w.mutex.Unlock()
	if watcher == nil {
		return errors.New("portwatch: stopped")
	}
	return check(C.portwatch_start(watcher))
}

// Stop ends the watch. No callback runs after Stop, except the one that has called Stop. Stop must not be
// called while Start runs.
func (w *PortWatcher) Stop() {
	w.mutex.Lock()
	watcher := w.watcher
	w.watcher = nil
	w.mutex.Unlock()
	if watcher != nil {
		C.portwatch_free(watcher)
		w.release()
	}
}

func (w *PortWatcher) release() {
	cgo.Handle(*w.handle).Delete()
	C.free(unsafe.Pointer(w.handle))
}
